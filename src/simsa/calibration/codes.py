"""The names under which answers are labelled: they tell nothing of the variant, and lead back to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from simsa.records import content_hash

Answer = tuple[str, str]
"""Question id and variant."""

_LENGTH = 12


class Answers(Mapping[Answer, str]):
    """(Question id, variant) → hash of the answer, "" where it isn't known; codes lead back to the key."""

    def __init__(self, hashes: Mapping[Answer, str]) -> None:
        self._hashes = dict(hashes)
        self._by_code: dict[str, Answer] | None = None

    def __getitem__(self, answer: Answer) -> str:
        return self._hashes[answer]

    def __iter__(self) -> Iterator[Answer]:
        return iter(self._hashes)

    def __len__(self) -> int:
        return len(self._hashes)

    def code(self, answer: Answer) -> str:
        """The blind name of an answer; another once the answer is another."""
        return content_hash("label", *answer, self._hashes[answer])[:_LENGTH]

    def by_code(self, code: str) -> Answer | None:
        """The answer of that code; None when there is none."""
        if self._by_code is None:
            self._by_code = {self.code(answer): answer for answer in self._hashes}
        return self._by_code.get(code)

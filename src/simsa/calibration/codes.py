"""The names under which answers are labelled: they tell nothing of the variant, and lead back to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from simsa.labels import Answer
from simsa.records import content_hash

_LENGTH = 12


class Answers(Mapping[Answer, str]):
    """Answer → its hash, "" where it isn't known; codes lead back to the key.

    Question id and variant alone stand for the first answer.
    """

    def __init__(self, hashes: Mapping[tuple[str, str], str] | Mapping[Answer, str]) -> None:
        self._hashes = {Answer(*answer): found for answer, found in hashes.items()}
        self._by_code: dict[str, Answer] | None = None

    def __getitem__(self, answer: tuple[str, str] | Answer) -> str:
        return self._hashes[Answer(*answer)]

    def __iter__(self) -> Iterator[Answer]:
        return iter(self._hashes)

    def __len__(self) -> int:
        return len(self._hashes)

    def code(self, answer: tuple[str, str] | Answer) -> str:
        """The blind name of an answer; another once the answer is another."""
        # Its hash tells several answers to a question apart.
        return content_hash("label", *answer[:2], self[answer])[:_LENGTH]

    def by_code(self, code: str) -> Answer | None:
        """The answer of that code; None when there is none."""
        if self._by_code is None:
            self._by_code = {self.code(answer): answer for answer in self._hashes}
        return self._by_code.get(code)

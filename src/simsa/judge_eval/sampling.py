"""Draws the answers that people are asked to label, without a hint at their variant or their scores.

The names under which answers are labelled: they tell nothing of the variant, and lead back to it.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from simsa.errors import InputError
from simsa.records import CRITERIA, MAX_TOTAL, Number, Question, content_hash
from simsa.report.renderers.csv_rows import safe
from simsa.store import Result, Store, results
from simsa.store.labels import LabeledAnswer

_LENGTH = 12


class AnswerCodes(Mapping[LabeledAnswer, str]):
    """Answer → its hash, "" where it isn't known; codes lead back to the key.

    Question id and variant alone stand for the first answer.
    """

    def __init__(self, hashes: Mapping[tuple[str, str], str] | Mapping[LabeledAnswer, str]) -> None:
        self._hashes = {LabeledAnswer(*answer): found for answer, found in hashes.items()}
        self._by_code: dict[str, LabeledAnswer] | None = None

    def __getitem__(self, answer: tuple[str, str] | LabeledAnswer) -> str:
        return self._hashes[LabeledAnswer(*answer)]

    def __iter__(self) -> Iterator[LabeledAnswer]:
        return iter(self._hashes)

    def __len__(self) -> int:
        return len(self._hashes)

    def code(self, answer: tuple[str, str] | LabeledAnswer) -> str:
        """The blind name of an answer; another once the answer is another."""
        # Its hash tells several answers to a question apart.
        return content_hash("label", *answer[:2], self[answer])[:_LENGTH]

    def by_code(self, code: str) -> LabeledAnswer | None:
        """The answer of that code; None when there is none."""
        if self._by_code is None:
            self._by_code = {self.code(answer): answer for answer in self._hashes}
        return self._by_code.get(code)


COLUMNS = ("code", "question_id", "question", "contexts", "reference", "prediction", *CRITERIA, "comment")
_EDGES = (MAX_TOTAL * 2 // 5, MAX_TOTAL * 3 // 5, MAX_TOTAL * 4 // 5)


class SampleTooSmall(InputError):
    """A draw that is too small for its strata."""


class SampledAnswer(NamedTuple):
    """One answer to label. `weight` is how many questions it stands for, None in a plain random draw."""

    code: str
    question: Question
    prediction: str
    weight: float | None = None


class SampledKey(NamedTuple):
    """An answer that was drawn, not yet read. `weight` as in `Drawn`."""

    question_id: str
    variant: str
    answer_hash: str
    total: Number | None
    sample: int = 0
    weight: float | None = None

    @property
    def answer(self) -> LabeledAnswer:
        return LabeledAnswer(self.question_id, self.variant, self.sample)


def draw_sample(store: Store, n: int, *, stratified: bool = False, seed: int = 0) -> list[SampledAnswer]:
    """Draws up to `n` answers, in an order that tells nothing; see `choose`."""
    chosen = choose(store, n, stratified=stratified, seed=seed)
    answers = AnswerCodes({c.answer: c.answer_hash for c in chosen})
    return [
        SampledAnswer(
            answers.code(c.answer),
            _question(store, c.question_id),
            _prediction(store, c.answer_hash),
            c.weight,
        )
        for c in chosen
    ]


def choose(store: Store, n: int, *, stratified: bool = False, seed: int = 0) -> list[SampledKey]:
    """Draws up to `n` answers, in an order that tells nothing.

    Of several answers of a variant to a question one is drawn at random, before anything else. Whole questions are drawn, every variant's answer to each (of the last one perhaps not
    all), so that differences between variants can be corrected on the same questions. The
    draw goes by hashes of the ids: the same run and seed give the same sample. `stratified`
    draws evenly from four ranges of the judge's mean total, so that rare scores are labelled
    too; what was not scored cannot be drawn, and every row carries its weight. Raises TooFew when `n` is too small for that.
    """
    by_question: dict[str, list[SampledKey]] = {}
    for (question_id, _), answers in groupby(
        results(store, sample=None), key=lambda r: (r.question_id, r.variant)
    ):
        there = [r for r in answers if r.prediction is not None and (r.total is not None or not stratified)]
        if there:
            found = by_question.setdefault(question_id, [])
            found.append(_one_of(there, seed))
    n_variants = max(map(len, by_question.values()), default=1)
    if stratified:
        by_question = {q: found for q, found in by_question.items() if len(found) == n_variants}
        weights = _stratified(by_question, n // n_variants, seed)
        chosen = [c._replace(weight=weight) for q, weight in weights.items() for c in by_question[q]]
    else:
        order = sorted(by_question, key=lambda q: _lot(seed, q))
        lots = [sorted(by_question[q], key=lambda c: _lot(seed, q, c.variant)) for q in order[:n]]
        chosen = [c for found in lots for c in found][:n]
    return sorted(chosen, key=lambda c: _lot(seed, "order", c.question_id, c.variant))


def _one_of(answers: Sequence[Result], seed: int) -> SampledKey:
    """One of a variant's answers to a question, whatever the others are."""
    r = min(answers, key=lambda r: _lot(seed, "answer", r.question_id, r.variant, r.sample))
    return SampledKey(r.question_id, r.variant, r.answer_hash, r.total, r.sample)


def _stratified(by_question: Mapping[str, Sequence[SampledKey]], n: int, seed: int) -> dict[str, float]:
    """Question → weight, for `n` questions spread over the strata as evenly as their sizes allow."""
    strata: list[list[str]] = [[] for _ in range(len(_EDGES) + 1)]
    for question, found in by_question.items():
        mean = sum(r.total or 0 for r in found) / len(found)
        strata[sum(mean > edge for edge in _EDGES)].append(question)
    weights: dict[str, float] = {}
    left = n
    if n < 2 * sum(map(bool, strata)):
        raise SampleTooSmall(
            "too few answers for a draw from every range of the judge's scores",
            field="--draw",
            hint=f"two questions of each range are needed, with every variant's answer: found room for {n}",
        )
    filled = sorted((stratum for stratum in strata if stratum), key=len)
    for place, stratum in enumerate(filled):
        share = min(len(stratum), left // (len(filled) - place))
        left -= share
        taken = sorted(stratum, key=lambda q: _lot(seed, q))[:share]
        weights |= dict.fromkeys(taken, len(stratum) / share)
    return weights


def to_csv(rows: Iterable[SampledAnswer]) -> str:
    """The sample for a spreadsheet: no text in it becomes a formula, the scores are left to fill in."""
    line = io.StringIO()
    line.write("\ufeff")  # without the mark a spreadsheet takes Korean for another encoding
    found = [_row(row) for row in rows]
    writer = csv.DictWriter(line, fieldnames=_columns(found))
    writer.writeheader()
    for row in found:
        texts = {"contexts": "\n\n".join(row["contexts"]), "reference": " / ".join(row["reference"])}
        writer.writerow({name: _cell(value) for name, value in (row | texts).items()})
    return line.getvalue()


def to_jsonl(rows: Iterable[SampledAnswer]) -> str:
    """The sample as JSON lines; scores are null until somebody gives them."""
    return "".join(orjson.dumps(_row(row)).decode() + "\n" for row in rows)


def _row(drawn: SampledAnswer) -> dict[str, Any]:
    q = drawn.question
    row: dict[str, Any] = {
        "code": drawn.code,
        "question_id": q.id,
        "question": q.question,
        "contexts": [
            f"[{n}] " + "\n".join(filter(None, (p.title, p.text))) for n, p in enumerate(q.contexts, 1)
        ],
        "reference": list(q.reference),
        "prediction": drawn.prediction,
        **dict.fromkeys(CRITERIA),
        "comment": "",
    }
    return row if drawn.weight is None else row | {"weight": drawn.weight}


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(rows[0]) if rows else list(COLUMNS)


def _cell(value: Any) -> Any:
    return safe(value) if isinstance(value, str) else value


def _question(store: Store, question_id: str) -> Question:
    found = store.question(question_id)
    assert found is not None
    return found


def _prediction(store: Store, answer_hash: str) -> str:
    found = store.db.execute("SELECT prediction FROM answers WHERE request_hash = ?", (answer_hash,))
    return str(found.fetchone()[0])


def _lot(*parts: str | int) -> bytes:
    return hashlib.blake2b(orjson.dumps(parts), digest_size=16).digest()

"""Draws the answers that people are asked to label. Nothing in a sample shows the variant or the judge's scores."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from simsa.errors import InputError
from simsa.records import Criteria, Number, Question, content_hash
from simsa.report.renderers.csv_rows import safe
from simsa.store import Result, Store, criteria_of, results
from simsa.store.labels import LabeledAnswer

_LENGTH = 12
_STRATA = 4


class AnswerCodes(Mapping[LabeledAnswer, str]):
    """Answer → its hash ("" if unknown), and blind codes that lead back to the answer.

    A key of question id and variant means the first answer.
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
        """The blind code of an answer; it changes with the answer's text."""
        return content_hash("label", *answer[:2], self[answer])[:_LENGTH]

    def by_code(self, code: str) -> LabeledAnswer | None:
        """The answer with that code; None when there is none."""
        if self._by_code is None:
            self._by_code = {self.code(answer): answer for answer in self._hashes}
        return self._by_code.get(code)


class SampleTooSmall(InputError):
    """The sample is too small for its strata, or there are no strata."""


class SampledAnswer(NamedTuple):
    """One answer to label. `weight` is how many questions it represents; None in a plain random sample."""

    code: str
    question: Question
    prediction: str
    weight: float | None = None


class SampledKey(NamedTuple):
    """An answer in the sample, without its texts. `weight` as in `SampledAnswer`."""

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
    """Draws up to `n` answers with their texts; see `choose`."""
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
    """Draws up to `n` answers, in an order that shows neither variant nor score.

    One of several answers of a variant to a question is drawn first. Then whole questions are drawn, with every
    variant's answer (of the last question perhaps not all), so that differences between variants can be
    corrected on the same questions. The draw uses hashes of the ids: the same run and seed give the same sample.
    `stratified` draws evenly from four ranges of the judge's mean total, so that rare scores are labelled too;
    answers without a total are then left out, and every row has a weight. Raises SampleTooSmall when `n` is too
    small for that, or when the rubric has no total.
    """
    edges = _edges(criteria_of(store)) if stratified else []
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
        weights = _stratified(by_question, edges, n // n_variants, seed)
        chosen = [c._replace(weight=weight) for q, weight in weights.items() for c in by_question[q]]
    else:
        order = sorted(by_question, key=lambda q: _lot(seed, q))
        lots = [sorted(by_question[q], key=lambda c: _lot(seed, q, c.variant)) for q in order[:n]]
        chosen = [c for found in lots for c in found][:n]
    return sorted(chosen, key=lambda c: _lot(seed, "order", c.question_id, c.variant))


def _edges(criteria: Criteria) -> list[float]:
    """The totals that separate the strata."""
    low, high = criteria.min_total, criteria.max_total
    if low is None or high is None:
        raise SampleTooSmall(
            "the rubric has no total to draw strata from",
            field="--stratified",
            hint="draw without --stratified",
        )
    return [low + (high - low) * part / _STRATA for part in range(1, _STRATA)]


def _one_of(answers: Sequence[Result], seed: int) -> SampledKey:
    """One of a variant's answers to a question."""
    r = min(answers, key=lambda r: _lot(seed, "answer", r.question_id, r.variant, r.sample))
    return SampledKey(r.question_id, r.variant, r.answer_hash, r.total, r.sample)


def _stratified(
    by_question: Mapping[str, Sequence[SampledKey]], edges: Sequence[float], n: int, seed: int
) -> dict[str, float]:
    """Question → weight, for `n` questions spread over the strata as evenly as their sizes allow."""
    strata: list[list[str]] = [[] for _ in range(_STRATA)]
    for question, found in by_question.items():
        mean = sum(r.total or 0 for r in found) / len(found)
        strata[sum(mean > edge for edge in edges)].append(question)
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


def to_csv(rows: Iterable[SampledAnswer], criteria: Sequence[str]) -> str:
    """The sample as CSV for a spreadsheet: no text becomes a formula, and the scores are left to fill in."""
    table = io.StringIO()
    table.write("\ufeff")  # without the byte order mark spreadsheets misread Korean
    found = [_row(row, criteria) for row in rows]
    writer = csv.DictWriter(table, fieldnames=list(found[0]) if found else [])
    writer.writeheader()
    for row in found:
        texts = {"contexts": "\n\n".join(row["contexts"]), "reference": " / ".join(row["reference"])}
        cells = {
            name: safe(value) if isinstance(value, str) else value for name, value in (row | texts).items()
        }
        writer.writerow(cells)
    return table.getvalue()


def to_jsonl(rows: Iterable[SampledAnswer], criteria: Sequence[str]) -> str:
    """The sample as JSON lines; the scores are null until filled in."""
    return "".join(orjson.dumps(_row(row, criteria)).decode() + "\n" for row in rows)


def _row(sampled: SampledAnswer, criteria: Sequence[str]) -> dict[str, Any]:
    q = sampled.question
    row: dict[str, Any] = {
        "code": sampled.code,
        "question_id": q.id,
        "question": q.question,
        "contexts": [
            f"[{n}] " + "\n".join(filter(None, (p.title, p.text))) for n, p in enumerate(q.contexts, 1)
        ],
        "reference": list(q.reference),
        "prediction": sampled.prediction,
        **dict.fromkeys(criteria),
        "comment": "",
    }
    return row if sampled.weight is None else row | {"weight": sampled.weight}


def _question(store: Store, question_id: str) -> Question:
    found = store.question(question_id)
    assert found is not None
    return found


def _prediction(store: Store, answer_hash: str) -> str:
    found = store.db.execute("SELECT prediction FROM answers WHERE request_hash = ?", (answer_hash,))
    return str(found.fetchone()[0])


def _lot(*parts: str | int) -> bytes:
    return hashlib.blake2b(orjson.dumps(parts), digest_size=16).digest()

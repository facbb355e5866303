"""Draws the answers that people are asked to label, without a hint at their variant or their scores."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from simsa.calibration.codes import Answers
from simsa.errors import InputError
from simsa.labels import Answer
from simsa.records import CRITERIA, MAX_TOTAL, Question
from simsa.report.csv import safe
from simsa.store import Result, Store, results

COLUMNS = ("code", "question_id", "question", "contexts", "reference", "prediction", *CRITERIA, "comment")
_EDGES = (MAX_TOTAL * 2 // 5, MAX_TOTAL * 3 // 5, MAX_TOTAL * 4 // 5)


class TooFew(InputError):
    """A draw that is too small for its strata."""


class Drawn(NamedTuple):
    """One answer to label. `weight` is how many questions it stands for, None in a plain random draw."""

    code: str
    question: Question
    prediction: str
    weight: float | None = None


class Chosen(NamedTuple):
    """An answer that was drawn, not yet read. `weight` as in `Drawn`."""

    question_id: str
    variant: str
    answer_hash: str
    total: int | None
    sample: int = 0
    weight: float | None = None

    @property
    def answer(self) -> Answer:
        return Answer(self.question_id, self.variant, self.sample)


def draw(store: Store, n: int, *, stratified: bool = False, seed: int = 0) -> list[Drawn]:
    """Draws up to `n` answers, in an order that tells nothing; see `choose`."""
    chosen = choose(store, n, stratified=stratified, seed=seed)
    answers = Answers({c.answer: c.answer_hash for c in chosen})
    return [
        Drawn(
            answers.code(c.answer),
            _question(store, c.question_id),
            _prediction(store, c.answer_hash),
            c.weight,
        )
        for c in chosen
    ]


def choose(store: Store, n: int, *, stratified: bool = False, seed: int = 0) -> list[Chosen]:
    """Draws up to `n` answers, in an order that tells nothing.

    Of several answers of a variant to a question one is drawn at random, before anything else. Whole questions are drawn, every variant's answer to each (of the last one perhaps not
    all), so that differences between variants can be corrected on the same questions. The
    draw goes by hashes of the ids: the same run and seed give the same sample. `stratified`
    draws evenly from four ranges of the judge's mean total, so that rare scores are labelled
    too; what was not scored cannot be drawn, and every row carries its weight. Raises TooFew when `n` is too small for that.
    """
    by_question: dict[str, list[Chosen]] = {}
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


def _one_of(answers: Sequence[Result], seed: int) -> Chosen:
    """One of a variant's answers to a question, whatever the others are."""
    r = min(answers, key=lambda r: _lot(seed, "answer", r.question_id, r.variant, r.sample))
    return Chosen(r.question_id, r.variant, r.answer_hash, r.total, r.sample)


def _stratified(by_question: Mapping[str, Sequence[Chosen]], n: int, seed: int) -> dict[str, float]:
    """Question → weight, for `n` questions spread over the strata as evenly as their sizes allow."""
    strata: list[list[str]] = [[] for _ in range(len(_EDGES) + 1)]
    for question, found in by_question.items():
        mean = sum(r.total or 0 for r in found) / len(found)
        strata[sum(mean > edge for edge in _EDGES)].append(question)
    weights: dict[str, float] = {}
    left = n
    if n < 2 * sum(map(bool, strata)):
        raise TooFew(
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


def to_csv(rows: Iterable[Drawn]) -> str:
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


def to_jsonl(rows: Iterable[Drawn]) -> str:
    """The sample as JSON lines; scores are null until somebody gives them."""
    return "".join(orjson.dumps(_row(row)).decode() + "\n" for row in rows)


def _row(drawn: Drawn) -> dict[str, Any]:
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

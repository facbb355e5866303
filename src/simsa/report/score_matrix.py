"""The scores of a run as columns: for each variant and measure one value a question."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, NamedTuple

from simsa.records import TOTAL, Claim, Criteria
from simsa.store import Result, Store, claimed, criteria_of, measures, pending_claims, results, snapshot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FACTS = ("prompt_tokens", "completion_tokens", "latency_s", "answer_length")
SHARE = "claim_support"
"""Share of an answer's claims that a passage supports, 0–1; missing for an answer without claims."""
CLAIMS_TOTAL, CLAIMS_SUPPORTED, CLAIMS_UNFOUND = "claims_total", "claims_supported", "claims_not_found"
_CLAIMS = (SHARE, CLAIMS_TOTAL, CLAIMS_SUPPORTED, CLAIMS_UNFOUND)
MISSING = float("nan")
"""A missing value. It stays inside this package and is masked before anything is computed."""
_BLOCK = 256


def score_names(criteria: Criteria) -> tuple[str, ...]:
    """The names of `criteria`, and `total` where one of them enters it."""
    return (*criteria.names, TOTAL) if criteria.in_total else criteria.names


class Mean(NamedTuple):
    """A mean and the number of rows that it rests on."""

    mean: float
    n: int


class Part(NamedTuple):
    """Some of the questions: their places in a `ScoreMatrix`, and their ids."""

    places: NDArray[np.intp]
    ids: list[str]

    @property
    def n(self) -> int:
        return len(self.ids)


class ScoreDifference(NamedTuple):
    """Mean paired difference of a measure that has no scale; `ci95` needs at least two pairs."""

    baseline: str
    variant: str
    metric: str
    n_pairs: int
    mean_diff: float
    ci95: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ScoreMatrix:
    """Several variants over the same questions; every sequence is in the order of the test set."""

    question_ids: tuple[str, ...]
    types: tuple[str | None, ...]
    answerable: tuple[bool, ...]
    clusters: tuple[str, ...]
    variants: Mapping[str, Variant]
    criteria: Criteria
    """The criteria that the run's rubric declares."""

    @property
    def score_names(self) -> tuple[str, ...]:
        """The criteria, and `total` where the rubric has one."""
        return score_names(self.criteria)

    def whole(self, variant: str) -> NDArray[np.bool_]:
        """For each question whether it has all scores that the judge was asked for."""
        import numpy as np

        names = [TOTAL] if self.criteria.in_total else []
        names += [criterion.name for criterion in self.criteria if not criterion.in_total]
        found = np.full(len(self.question_ids), bool(names))
        for name in names:
            found &= np.isfinite(self.column(variant, name))
        return found

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the deterministic metrics that at least one row has, in the order in which they were stored."""
        known = {*self.criteria.names, TOTAL, *FACTS, *_CLAIMS}
        return tuple(dict.fromkeys(n for v in self.variants.values() for n in v.columns if n not in known))

    def column(self, variant: str, name: str) -> Floats:
        """Values of a criterion, `total`, a metric or a fact by question; NaN for missing ones."""
        import numpy as np

        found = self.variants[variant].columns.get(name)
        values: Floats = np.full(len(self.question_ids), MISSING) if found is None else np.frombuffer(found)
        return values

    def answers(self, variant: str, name: str) -> Floats:
        """Values by answer, where `column` has means over several: one row an answer, one column a question."""
        import numpy as np

        missing = np.full(len(self.question_ids), MISSING)
        found = [columns.get(name) for columns in self.variants[variant].by_answer]
        values: Floats = np.stack([missing if one is None else np.frombuffer(one) for one in found])
        return values

    def judgements(self) -> dict[tuple[str, str], list[tuple[str, str, float]]]:
        """(Variant, criterion) → (question id, number of the answer, score) of every answer.

        Empty where each question has one answer.
        """
        if not any(variant.samples for variant in self.variants.values()):
            return {}
        found = {}
        for variant, of in self.variants.items():
            for name in self.score_names:
                rows = [
                    (question, str(n), score)
                    for n, columns in enumerate(of.by_answer)
                    if name in columns
                    for question, score in zip(self.question_ids, columns[name], strict=True)
                    if score == score
                ]
                if rows:
                    found[variant, name] = rows
        return found

    def present(self, variant: str, name: str, part: Part | None = None) -> Floats:
        """The values that are not missing, of all questions or of those in `part`."""
        import numpy as np

        values: Floats = self.column(variant, name)[slice(None) if part is None else part.places]
        there: Floats = values[np.isfinite(values)]
        return there

    def scores(self, variant: str, name: str, part: Part) -> dict[str, float | None]:
        """Question id → value, None for a missing one, in the order of ids."""
        values = self.column(variant, name)[part.places].tolist()
        known: dict[float, float] = {}  # few different values: one object for each saves memory
        return {q: None if v != v else known.setdefault(v, v) for q, v in zip(part.ids, values, strict=True)}

    def difference(self, metric: str, variant: str, baseline: str) -> ScoreDifference | None:
        """`variant` − `baseline` over the questions on which both have a value; None without any."""
        import numpy as np

        from simsa.stats import estimate

        differences = self.column(variant, metric) - self.column(baseline, metric)
        places = np.flatnonzero(np.isfinite(differences))
        found = estimate(differences[places].tolist(), self.clusters_at(places.tolist()))
        if found.mean is None:
            return None
        return ScoreDifference(baseline, variant, metric, found.n, found.mean, found.ci95)

    def part(self, places: Iterable[int] | None = None) -> Part:
        """The questions at `places`, or all of them, in the order of their ids."""
        import numpy as np

        chosen = sorted(
            range(len(self.question_ids)) if places is None else places, key=self.question_ids.__getitem__
        )
        return Part(np.array(chosen, dtype=np.intp), [self.question_ids[place] for place in chosen])

    def parts(self) -> dict[str, Part]:
        """Type → its questions, those without one under ""; empty when no question has a type."""
        places: dict[str, list[int]] = {}
        for place, kind in enumerate(self.types):
            places.setdefault(kind or "", []).append(place)
        return {} if set(places) <= {""} else {kind: self.part(places[kind]) for kind in sorted(places)}

    def clusters_if_any(self) -> dict[str, str] | None:
        """Question id → source document; None when no two questions share one."""
        if len(set(self.clusters)) == len(self.clusters):
            return None
        return dict(zip(self.question_ids, self.clusters, strict=True))

    def clusters_at(self, places: Sequence[int]) -> list[str]:
        return [self.clusters[place] for place in places]

    def restrict_to(self, question_ids: Sequence[str], new_ids: Sequence[str]) -> ScoreMatrix:
        """The matrix of `question_ids` only, in their order, with `new_ids` as their ids."""
        place_of = {question_id: place for place, question_id in enumerate(self.question_ids)}
        places = [place_of[question_id] for question_id in question_ids]
        variants = {name: variant.at(places) for name, variant in self.variants.items()}
        if len(places) < len(self.question_ids):
            for name, variant in variants.items():
                scored = int(self.whole(name)[places].sum())
                variant.statuses = Counter({"scored": scored, "pending": len(places) - scored})
        return replace(
            self,
            question_ids=tuple(new_ids),
            types=tuple(self.types[place] for place in places),
            answerable=tuple(self.answerable[place] for place in places),
            clusters=tuple(self.clusters[place] for place in places),
            variants=variants,
        )


Columns = dict[str, "array[float]"]


@dataclass(slots=True)
class Variant:
    """One variant's columns: each an array with one double a question.

    Where questions have several answers, `columns` has the means over the answers with a value, `first`
    the values of the first answers, and `samples` those of the others. A question is scored when one of
    its answers is.
    """

    n_questions: int
    columns: Columns = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    n_predicted: int = 0
    n_answered: int = 0
    """Number of answers, several to one question counted each."""
    n_cut: int = 0
    """Answers that ended at the length limit."""
    unlisted: Counter[str] = field(default_factory=Counter)
    """Answers whose list of claims could not be had, by status."""
    first: Columns = field(default_factory=dict)
    samples: list[Columns] = field(default_factory=list)
    n_gaps: int = 0
    """Answers without a total to questions that have a total from another answer."""

    @property
    def n(self) -> int:
        """Planned rows."""
        return self.statuses.total()

    @property
    def n_scored(self) -> int:
        return self.statuses["scored"]

    @property
    def n_samples(self) -> int:
        """The largest number of answers to one question."""
        return 1 + len(self.samples)

    @property
    def by_answer(self) -> list[Columns]:
        """The columns of the first answers, of the second ones, and so on."""
        return [self.first, *self.samples] if self.samples else [self.columns]

    def put(self, place: int, values: Mapping[str, float | None], sample: int = 0) -> None:
        while len(self.samples) < sample:
            self.samples.append({})
        columns = self.samples[sample - 1] if sample else self.columns
        for name, value in values.items():
            if value is None:
                continue
            if name not in columns:
                columns[name] = array("d", [MISSING]) * self.n_questions
            columns[name][place] = value

    def fold(self) -> None:
        """Moves the first answers' columns to `first` and fills `columns` with means over the answers."""
        if not self.samples:
            return
        self.first, self.columns = self.columns, {}
        for name in dict.fromkeys(name for answer in self.by_answer for name in answer):
            self.columns[name] = _mean([answer[name] for answer in self.by_answer if name in answer])

    def at(self, places: Sequence[int]) -> Variant:
        """The same of the questions at `places`, in their order."""

        def moved(columns: Columns) -> Columns:
            return {name: array("d", [values[place] for place in places]) for name, values in columns.items()}

        return replace(
            self,
            n_questions=len(places),
            columns=moved(self.columns),
            first=moved(self.first),
            samples=[moved(answer) for answer in self.samples],
        )


def _mean(columns: Sequence[array[float]]) -> array[float]:
    """Question by question the mean of the values that are not missing."""
    import numpy as np

    values = np.array(columns)
    there = np.isfinite(values)
    n = there.sum(axis=0)
    sums = np.where(there, values, 0.0).sum(axis=0)
    return array("d", np.divide(sums, n, out=np.full(len(n), MISSING), where=n > 0).tolist())


def claim_figures(claims: Sequence[Claim]) -> dict[str, float | None]:
    """The columns of one answer's claims. An answer without claims has no share."""
    total, supported = len(claims), sum(claim.supported for claim in claims)
    unfound = sum(claim.passage is not None and not claim.supported for claim in claims)
    share = supported / total if total else None
    return {SHARE: share, CLAIMS_TOTAL: total, CLAIMS_SUPPORTED: supported, CLAIMS_UNFOUND: unfound}


def load(store: Store) -> ScoreMatrix:
    """Reads a run as it is at one moment. Metrics that an interrupted run has not stored yet are computed."""
    with snapshot(store):
        return _load(store)


def _load(store: Store) -> ScoreMatrix:
    rows = store.db.execute(
        "SELECT id, type, answerable, cluster FROM questions ORDER BY position"
    ).fetchall()
    ids, types, answerable, clusters = zip(*rows, strict=True) if rows else ((), (), (), ())
    places = {question_id: place for place, question_id in enumerate(ids)}
    variants = {name: Variant(len(ids)) for name in store.variants()}
    for (question_id, name), answers in groupby(
        _measured(store), key=lambda one: (one[0].question_id, one[0].variant)
    ):
        variant, place = variants[name], places[question_id]
        answered = []
        for result, figures in answers:
            answered.append(result)
            variant.put(place, _facts(result) | dict(figures), result.sample)
        _count(variant, answered)
    for row in chain(claimed(store, sample=None), pending_claims(store, sample=None)):
        variant = variants[row.variant]
        if row.claims is None:
            variant.unlisted[row.status] += 1
        else:
            variant.put(places[row.question_id], claim_figures(row.claims), row.sample)
    for variant in variants.values():
        variant.fold()
    return ScoreMatrix(ids, types, tuple(map(bool, answerable)), clusters, variants, criteria_of(store))


def _facts(result: Result) -> dict[str, float | None]:
    return result.scores | {
        TOTAL: result.total,
        "prompt_tokens": result.prompt_tokens,
        "completion_tokens": result.completion_tokens,
        "latency_s": result.latency_s,
        "answer_length": None if result.prediction is None else len(result.prediction),
    }


def _count(variant: Variant, answers: Sequence[Result]) -> None:
    """Counts a question by its answers: the status of the first, or "scored" when one of them is."""
    scored = sum(result.status == "scored" for result in answers)
    variant.statuses["scored" if scored else answers[0].status] += 1
    variant.n_gaps += len(answers) - scored if scored else 0
    variant.n_predicted += any(result.prediction is not None for result in answers)
    variant.n_answered += sum(result.prediction is not None for result in answers)
    variant.n_cut += sum(result.finish_reason == "length" for result in answers)


def _measured(store: Store) -> Iterator[tuple[Result, Mapping[str, float | None]]]:
    source = zip(results(store, sample=None), measures(store, sample=None), strict=True)
    refusals: tuple[str, ...] | None = None
    while block := list(islice(source, _BLOCK)):
        missing = [result for result, figures in block if figures is None]
        if missing and refusals is None:
            from simsa.metrics.abstention import refusals_of

            refusals = refusals_of(store.questions())
        fresh = iter(_score(store, missing, refusals or ()))
        for result, figures in block:
            yield result, next(fresh) if figures is None else figures


def _score(
    store: Store, rows: list[Result], refusals: tuple[str, ...]
) -> Iterator[Mapping[str, float | None]]:
    """Metrics of `rows`, none for those without a prediction."""
    from simsa.metrics.registry import score_rows

    said = [(row.prediction, store.question(row.question_id)) for row in rows]
    pairs = ((text, question) for text, question in said if text is not None and question)
    scored = score_rows(pairs, refusals)
    return (next(scored) if text is not None and question else {} for text, question in said)

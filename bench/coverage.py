"""Do the intervals cover what they promise, and do the tests err no more often than they say?

    python bench/coverage.py               # the tables behind the defaults, some minutes
    python bench/coverage.py --reps 200    # a quick look

Simulated scores are 1–5 and skewed, two variants on the same questions, several
questions a document. `tests/stats/test_coverage.py` runs a slim version.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from simsa.records import Criterion
from simsa.stats import Scale, compare, corrected_mean, estimate, mde80, stratified_mean, summarise

CRITERION_SCALE = Scale.of(Criterion("answer_correctness"))

Floats = NDArray[np.float64]
_N = TypeVar("_N", int, float)

# Where a latent normal answer quality becomes a score: most answers are poor.
_THRESHOLDS = np.array([-0.3, 0.5, 1.1, 1.7])
_DOCUMENT, _QUESTION, _ANSWER = 0.5, 0.8, 0.6  # standard deviations


class Pair(NamedTuple):
    """Scores of two variants on the same questions, and each question's document."""

    first: Floats
    second: Floats
    documents: list[int]


def draw(random: np.random.Generator, n: int, per_document: int = 1, shift: float = 0.0) -> Pair:
    """Scores of `n` questions; each variant has its own luck with a document. `shift` is the second's head start."""
    document = np.arange(n) // per_document
    question = random.normal(0, _QUESTION, n)
    scores = []
    for ahead in (0.0, shift):
        luck = random.normal(0, _DOCUMENT, document[-1] + 1)[document]
        latent = question + luck + random.normal(0, _ANSWER, n) + ahead
        scores.append(1.0 + np.searchsorted(_THRESHOLDS, latent))
    return Pair(scores[0], scores[1], [int(d) for d in document])


_DIGITS = 1e-9  # the same sum in another order may differ in its last digits


def covers(interval: tuple[float, float] | None, truth: float) -> bool:
    return interval is not None and interval[0] - _DIGITS <= truth <= interval[1] + _DIGITS


def interval_coverage(
    n: int, per_document: int, reps: int, *, shift: float = 0.6, bootstraps: bool = False, seed: int = 1
) -> dict[str, float]:
    """Share of 95 % intervals of the mean difference that hold the truth, by kind of interval."""
    truth = true_difference(shift)
    hits: dict[str, int] = {}
    for random in _streams(reps, seed):
        pair = draw(random, n, per_document, shift)
        d = pair.second - pair.first
        intervals = {"t": estimate(list(d)).ci95}
        if per_document > 1:
            robust = estimate(list(d), pair.documents)
            intervals |= {"cluster-robust": robust.ci95}
            if robust.bootstrap95:
                intervals |= {"cluster bootstrap": robust.bootstrap95}
        if bootstraps:
            intervals |= _bootstraps(d, random)
        for kind, interval in intervals.items():
            hits[kind] = hits.get(kind, 0) + covers(interval, truth)
    return {kind: hit / reps for kind, hit in hits.items()}


def type_one_error(n: int, per_document: int, reps: int, *, seed: int = 2) -> dict[str, float]:
    """Share of pairs of equal variants that are called different, by p alone and by the verdict."""
    hits = {"permutation": 0, "wilcoxon": 0, "verdict": 0}
    for random in _streams(reps, seed):
        pair = draw(random, n, per_document)
        names = [str(i) for i in range(n)]
        c = compare(
            dict(zip(names, pair.first, strict=True)),
            dict(zip(names, pair.second, strict=True)),
            dict(zip(names, pair.documents, strict=True)),
            baseline="a",
            variant="b",
            criterion="answer_correctness",
            scale=CRITERION_SCALE,
        )
        hits["permutation"] += c.p_value is not None and c.p_value < 0.05
        hits["wilcoxon"] += c.wilcoxon_p is not None and c.wilcoxon_p < 0.05
        hits["verdict"] += c.verdict in ("better", "worse")
    return {kind: hit / reps for kind, hit in hits.items()}


def corrected_coverage(
    n_labels: int,
    reps: int,
    *,
    n: int = 500,
    per_document: int = 1,
    kindness: float = 0.28,
    noise: float = 0.5,
    seed: int = 3,
) -> dict[str, float]:
    """Share of 95 % intervals of the mean of people's scores that hold it, when the judge is too kind.

    `kindness` is how often it gives a point more, `noise` the standard deviation of its errors.
    The labelled questions are drawn at random; with several a document, "corrected" minds the
    documents and "as if independent" does not.
    """
    truth = _mean_of_people()
    hits = {"judge alone": 0, "labels alone": 0, "corrected": 0}
    hits |= {"as if independent": 0} if per_document > 1 else {}
    widths = {"labels alone": 0.0, "corrected": 0.0}
    bias = 0.0
    for random in _streams(reps, seed):
        drawn = draw(random, n, per_document)
        order = random.permutation(n)
        people, documents = drawn.first[order], [drawn.documents[place] for place in order]
        errors = (random.random(n) < kindness) + random.normal(0, noise, n).round()
        judge = np.clip(people + errors, 1, 5)
        bias += float((judge - people).mean()) / reps
        alone = estimate(list(people[:n_labels])).ci95
        scores = list(people[:n_labels]), list(judge[:n_labels]), list(judge[n_labels:])
        corrected = corrected_mean(*scores).ci95
        if per_document > 1:
            hits["as if independent"] += covers(corrected, truth)
            of_document = documents[:n_labels], documents[n_labels:]
            corrected = corrected_mean(*scores, of_document).ci95
        hits["judge alone"] += covers(estimate(list(judge)).ci95, truth)
        hits["labels alone"] += covers(alone, truth)
        hits["corrected"] += covers(corrected, truth)
        for kind, interval in (("labels alone", alone), ("corrected", corrected)):
            widths[kind] += interval[1] - interval[0] if interval else math.inf
    narrower = 1 - widths["corrected"] / widths["labels alone"]
    return {kind: hit / reps for kind, hit in hits.items()} | {"narrower by": narrower, "bias": bias}


def stratified_coverage(n: int, reps: int, *, each: int = 15, seed: int = 6) -> dict[str, float]:
    """The same where `each` questions were labelled of every range of the judge's scores, of `n` questions."""
    truth = _mean_of_people()
    hits = 0
    for random in _streams(reps, seed):
        people = draw(random, n).first
        judge = np.clip(people + (random.random(n) < 0.28) + random.normal(0, 0.5, n).round(), 1, 5)
        labels: dict[str, float] = {}
        weights: dict[str, float] = {}
        for stratum in range(4):
            places = np.flatnonzero(np.digitize(judge, [1.5, 2.5, 3.5]) == stratum)
            taken = random.permutation(places)[:each].tolist()
            labels |= {f"q{place}": float(people[place]) for place in taken}
            weights |= {f"q{place}": len(places) / len(taken) for place in taken}
        hits += covers(stratified_mean(labels, weights, judge.tolist()).ci95, truth)
    return {"by strata": hits / reps}


def several_answers(samples: int, reps: int, *, n: int = 60, seed: int = 7) -> dict[str, float]:
    """Share of 95 % intervals of a mean that hold the truth, each of `n` questions answered several times.

    With the question as the unit, and with answers taken for so many independent scores.
    """
    random = np.random.default_rng(96)
    many = random.normal(0, _QUESTION, 1_000_000) + random.normal(0, _ANSWER, 1_000_000)
    truth = float(1 + np.searchsorted(_THRESHOLDS, many).mean())
    hits = {"questions": 0, "answers as if independent": 0}
    for random in _streams(reps, seed):
        latent = random.normal(0, _QUESTION, (n, 1)) + random.normal(0, _ANSWER, (n, samples))
        scores = 1.0 + np.searchsorted(_THRESHOLDS, latent)
        hits["questions"] += covers(estimate(scores.mean(axis=1).tolist()).ci95, truth)
        hits["answers as if independent"] += covers(estimate(scores.ravel().tolist()).ci95, truth)
    return {kind: hit / reps for kind, hit in hits.items()}


def missing_scores(
    share: float, reps: int, *, by_badness: bool, n: int = 200, seed: int = 5
) -> dict[str, float]:
    """What is left when a `share` of the second variant's scores go missing, at random or the worst first.

    "mean rises" is by how much the mean of what is left exceeds the whole mean. The bounds of the
    mean and of the difference have to hold the whole figures always; "said" is how often the
    figures carry the number of missing rows.
    """
    held = {"bounds of the mean": 0, "bounds of the difference": 0, "said": 0}
    rise = 0.0
    for random in _streams(reps, seed):
        pair = draw(random, n, shift=0.6)
        names = [str(i) for i in range(n)]
        first = dict(zip(names, pair.first.tolist(), strict=True))
        whole = dict(zip(names, pair.second.tolist(), strict=True))
        order = np.lexsort((random.random(n), pair.second)) if by_badness else random.permutation(n)
        gone = {names[place] for place in order[: round(share * n)]}
        left: dict[str, float | None] = {q: None if q in gone else score for q, score in whole.items()}
        found = summarise(left, scale=CRITERION_SCALE)
        c = compare(
            first, left, baseline="a", variant="b", criterion="answer_correctness", scale=CRITERION_SCALE
        )
        assert found is not None
        mean = float(pair.second.mean())
        rise += (found.mean - mean) / reps
        held["bounds of the mean"] += covers(found.bounds, mean)
        held["bounds of the difference"] += covers(c.bounds, mean - float(pair.first.mean()))
        held["said"] += found.n_missing == c.n_dropped == len(gone)
    return {kind: hit / reps for kind, hit in held.items()} | {"mean rises": rise}


def power_at_mde(n: int, reps: int, *, seed: int = 4) -> float:
    """Share of experiments that show a true difference of the size that `mde80` names: 80 %, if it is right."""
    shift = 0.6
    many = draw(np.random.default_rng(98), 200_000, shift=shift)
    d = many.second - many.first
    # As many questions as make this difference the smallest one found with 80 % power.
    least = mde80(float(d.std(ddof=1)), n)
    assert least is not None
    d = d - d.mean() + least
    hits = 0
    for random in _streams(reps, seed):
        interval = estimate(list(random.choice(d, n))).ci95
        hits += not covers(interval, 0.0)
    return hits / reps


@cache
def true_difference(shift: float) -> float:
    """The mean difference of scores that `shift` makes, from a million questions."""
    pair = draw(np.random.default_rng(99), 1_000_000, shift=shift)
    return float((pair.second - pair.first).mean())


@cache
def _mean_of_people() -> float:
    return float(draw(np.random.default_rng(97), 1_000_000).first.mean())


def _streams(reps: int, seed: int) -> Iterator[np.random.Generator]:
    for child in np.random.SeedSequence(seed).spawn(reps):
        yield np.random.default_rng(child)


def _bootstraps(d: Floats, random: np.random.Generator) -> dict[str, tuple[float, float] | None]:
    from scipy.stats import bootstrap

    found: dict[str, tuple[float, float] | None] = {}
    for method in ("percentile", "BCa"):
        if d.std() > 0:
            ends = bootstrap((d,), np.mean, n_resamples=1_999, method=method, rng=random).confidence_interval
            found[method] = (float(ends.low), float(ends.high))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reps", type=int, default=2_000, help="simulated experiments a line (2000)")
    reps = parser.parse_args().reps
    print(
        f"{reps} experiments a line; a share of .95 is uncertain by ±{1.96 * (0.95 * 0.05 / reps) ** 0.5:.3f}"
    )
    _table(
        "coverage of 95 % intervals, independent questions",
        [15, 30, 100],
        lambda n: interval_coverage(n, 1, reps, bootstraps=True),
    )
    _table(
        "coverage of 95 % intervals, four questions a document",
        [32, 60, 120, 400],
        lambda n: interval_coverage(n, 4, reps),
    )
    _table(
        "equal variants called different, independent questions",
        [15, 30, 100],
        lambda n: type_one_error(n, 1, reps),
    )
    _table(
        "equal variants called different, four questions a document",
        [32, 60, 120],
        lambda n: type_one_error(n, 4, reps),
    )
    _table(
        "coverage of people's mean, judge too kind, by labels",
        [30, 50, 100],
        lambda n: corrected_coverage(n, reps),
    )
    _table(
        "coverage of people's mean, judge too kind, six questions a document, by labels",
        [30, 50, 100, 300],
        lambda n: corrected_coverage(n, reps, per_document=6),
    )
    _table(
        "coverage of people's mean, 15 labelled of each range of the judge's scores, by questions",
        [80, 200, 500],
        lambda n: stratified_coverage(n, reps),
    )
    _table(
        "coverage of a mean over 60 questions, by answers a question",
        [1, 3, 8],
        lambda samples: several_answers(samples, reps),
    )
    for by_badness in (False, True):
        _table(
            f"a share of the scores missing, {'the worst first' if by_badness else 'at random'}",
            [0.01, 0.05, 0.2],
            lambda share, by_badness=by_badness: missing_scores(share, reps, by_badness=by_badness),  # type: ignore[misc]
        )
    _table("power at the MDE", [30, 100, 300], lambda n: {"power": power_at_mde(n, reps)})


def _table(title: str, sizes: Sequence[_N], of: Callable[[_N], dict[str, float]]) -> None:
    print(f"\n{title}")
    for n in sizes:
        print(f"  n = {n:<4}", "   ".join(f"{kind} {share:.3f}" for kind, share in of(n).items()), flush=True)


if __name__ == "__main__":
    main()

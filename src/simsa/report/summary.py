"""Computes the `Summary` of a run from its store."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from simsa.i18n.language import LANGUAGES, Language
from simsa.records import TOTAL, Criteria
from simsa.report import example_answers, score_checks
from simsa.report.contingency import contingencies
from simsa.report.judge_reliability import context_spread, expected_scores, length_biases, panel, repeated
from simsa.report.judge_usage import UsageInfo
from simsa.report.notes import notes
from simsa.report.run_settings import shareable
from simsa.report.score_matrix import Mean, Part, ScoreMatrix, load
from simsa.report.summary_model import Example, JudgeInfo, Kind, Note, RunInfo, Slice, Summary, VariantSummary
from simsa.report.variance_report import Judgements, decisive, noises, sentence
from simsa.store import Store, count_parse_failures, judge_usage, snapshot, usage_shares

if TYPE_CHECKING:
    from simsa.llm import Deprecation
    from simsa.stats import Comparison, Distribution


def summary(store: Store, language: Language | None = None, n_examples: int = 1) -> Summary:
    """Summarizes a run, also one that is not finished.

    `language` is that of the notes and of what is rendered, the run's own by default; `n_examples` is the
    number of best, worst, most different and unsteady questions that are shown.
    """
    with snapshot(store):
        return _summary(store, language, n_examples)


def _summary(store: Store, language: Language | None, n_examples: int) -> Summary:
    matrix = load(store)
    reader: Language = language or store.meta("language") or LANGUAGES[0]
    info = store.variants()
    baseline = store.meta("baseline")
    if baseline not in info:
        baseline = next(iter(info), "")
    judge, answers = _judge(store, matrix), matrix.judgements()
    variants = _variants(store, matrix, judge, baseline, answers)
    comparisons = tuple(compared(matrix, baseline))
    stopped, calibration = store.meta("stopped"), calibration_of(store)
    repeats = judge.repeats if judge else None
    variance = noises((repeats and repeats.judgements) or answers, baseline)
    return Summary(
        run=_run(store, matrix, stopped),
        judge=judge,
        language=reader,
        baseline=baseline,
        criteria=matrix.criteria,
        data=store.meta("data") or {},
        variants=variants,
        comparisons=comparisons,
        notes=(
            *notes(
                store.meta("notes") or (),
                reader,
                judge,
                variants,
                comparisons,
                stopped,
                calibration,
                count_parse_failures(store),
                matrix.criteria,
            ),
            *(Note("variance", sentence(split, reader)) for split in decisive(variance)),
        ),
        examples=_examples(store, matrix, n_examples),
        config=shareable(store.meta("config") or {}),
        timing=store.meta("timing") or {},
        made=store.meta("made") or {},
        calibration=calibration,
        variance=tuple(variance),
        heads=tuple(contingencies(matrix, baseline)),
    )


def compared(matrix: ScoreMatrix, baseline: str) -> list[Comparison]:
    """Every other variant against `baseline` on each criterion and the total; empty before anything is scored."""
    from simsa.stats import compare_all
    from simsa.stats.comparison import scales_of

    if not any(variant.n_scored for variant in matrix.variants.values()):
        return []
    whole = matrix.part()
    names = [baseline, *(name for name in matrix.variants if name != baseline)]
    return compare_all(
        {name: _Scores(matrix, name, whole) for name in names},
        baseline,
        matrix.clusters_if_any(),
        scales=scales_of(matrix.criteria),
    )


class _Scores(Mapping[str, "Mapping[str, float | None]"]):
    """A variant's scores by criterion, made on access: those of a large run do not all fit into memory."""

    def __init__(self, matrix: ScoreMatrix, variant: str, part: Part) -> None:
        self._matrix, self._variant, self._part = matrix, variant, part

    def __getitem__(self, criterion: str) -> Mapping[str, float | None]:
        if criterion not in self._matrix.score_names:
            raise KeyError(criterion)
        return self._matrix.scores(self._variant, criterion, self._part)

    def __iter__(self) -> Iterator[str]:
        return iter(self._matrix.score_names)

    def __len__(self) -> int:
        return len(self._matrix.score_names)


def _run(store: Store, matrix: ScoreMatrix, stopped: str | None) -> RunInfo:
    facts: Mapping[str, Any] = store.meta("run") or {}
    known = {
        key: facts.get(key, "") for key in ("id", "created", "config_hash", "data_hash", "simsa_version")
    }
    return RunInfo(**known, n_questions=len(matrix.question_ids), stopped=stopped)


def _judge(store: Store, matrix: ScoreMatrix) -> JudgeInfo | None:
    facts, criteria = store.meta("judge"), matrix.criteria
    if not facts:
        return None
    mode = facts.get("mode", "joint")
    return JudgeInfo(
        model=facts["model"],
        rubric=facts.get("rubric", ""),
        mode=mode,
        criteria=criteria.names,
        **judge_usage(store)._asdict(),
        retiring=_retiring(store, facts),
        context_spread=context_spread(matrix) if mode == "joint" else {},
        panel=panel(store, [one["name"] for one in facts.get("members", ())], criteria),
        repeats=repeated(store, facts.get("repeats", 1), facts.get("temperature"), criteria),
        examination=store.probe_result(facts.get("key", "")),
        length_bias=length_biases(matrix),
        usage=UsageInfo(tuple(usage_shares(store)), criteria.names),
    )


def _retiring(store: Store, facts: Mapping[str, Any]) -> tuple[Deprecation, ...]:
    """The judge's models that leave their API soon or have left it, as their endpoints said, else by name."""
    from simsa.judges.model_dates import deprecated_models

    kept = facts.get("shutdown_date")
    listed = (store.meta("shutdown_dates") or {}) | ({facts["model"]: kept} if kept else {})
    models = [one["model"] for one in facts.get("members", ())] or [facts["model"]]
    return tuple(deprecated_models(models, listed))


def calibration_of(store: Store) -> Mapping[str, Any] | None:
    """The stored calibration of the run's judge; None when it is of another judge, rubric or mode."""
    found: Mapping[str, Any] | None = store.meta("calibration")
    return found if found and found["judge"] == store.meta("judge") else None


def _variants(
    store: Store, matrix: ScoreMatrix, judge: JudgeInfo | None, baseline: str, answers: Judgements
) -> tuple[VariantSummary, ...]:
    whole, types, clusters = matrix.part(), matrix.parts(), matrix.clusters_if_any()
    expected = expected_scores(store, matrix.criteria)
    by_llm = judge is not None and not judge.is_lexical  # the lexical judge uses the same rule
    found = []
    for name, info in store.variants().items():
        variant = matrix.variants[name]
        latencies, lengths = matrix.present(name, "latency_s"), matrix.present(name, "completion_tokens")
        found.append(
            VariantSummary(
                name=name,
                info=info,
                n_predicted=variant.n_predicted,
                unscored={s: n for s, n in sorted(variant.statuses.items()) if s != "scored"},
                n_cut=variant.n_cut,
                whole=_slice(matrix, name, whole, clusters),
                types={kind: _slice(matrix, name, part, clusters) for kind, part in types.items()},
                latency_median_s=statistics.median(latencies.tolist()) if len(latencies) else None,
                completion_tokens_mean=float(lengths.mean()) if len(lengths) else None,
                expected=expected.get(name),
                abstention_by_judge=score_checks.abstention_by_judge(matrix, name, whole) if by_llm else None,
                claims=score_checks.claims_info(matrix, name, whole, clusters, baseline),
                n_samples=variant.n_samples,
                answer_counts=_level_counts(answers, name, matrix.criteria),
                n_gaps=variant.n_gaps,
                n_answered=variant.n_answered,
            )
        )
    return tuple(found)


def _level_counts(answers: Judgements, variant: str, criteria: Criteria) -> dict[str, dict[str, int]]:
    """Criterion → level → number of answers, for criteria whose scores are all whole numbers."""
    found = {c: [score for *_, score in answers.get((variant, c.name), ())] for c in criteria}
    return {
        c.name: {str(level): scores.count(level) for level in c.levels}
        for c, scores in found.items()
        if scores and all(score == int(score) for score in scores)
    }


def _slice(matrix: ScoreMatrix, variant: str, part: Part, clusters: Mapping[str, str] | None) -> Slice:
    from simsa.stats.comparison import scales_of, summarise

    found: dict[str, Distribution] = {}
    for name, scale in scales_of(matrix.criteria).items():
        distribution = summarise(matrix.scores(variant, name, part), clusters, scale=scale)
        if distribution:
            found[name] = distribution
    metrics = {name: matrix.present(variant, name, part) for name in matrix.metrics}
    return Slice(
        part.n,
        int(matrix.whole(variant)[part.places].sum()),
        total=found.pop(TOTAL, None),
        criteria=found,
        metrics={n: Mean(float(values.mean()), len(values)) for n, values in metrics.items() if len(values)},
        abstention=score_checks.abstention(matrix, variant, part),
    )


def _examples(store: Store, matrix: ScoreMatrix, n: int) -> tuple[Example, ...]:
    """The best, the worst, the most different and the unsteadiest questions; none is shown twice."""
    kinds: list[Kind] = ["best", "worst"]
    if len(matrix.variants) > 1:
        kinds.append("differs")
    if any(variant.samples for variant in matrix.variants.values()):
        kinds.append("unsteady")
    shown: dict[str, Kind] = {}
    for kind in kinds:
        found = [one for one in example_answers.pick(matrix, kind, n * len(kinds)) if one not in shown]
        shown |= dict.fromkeys(found[:n], kind)
    return tuple(
        example for one, kind in shown.items() for example in example_answers.show(store, kind, [one])
    )

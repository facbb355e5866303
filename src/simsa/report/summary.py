"""From a run's store to its `Summary`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from simsa.i18n.language import LANGUAGES, Language
from simsa.records import Criteria
from simsa.report import abstention_report, claim_summary, example_answers
from simsa.report.contingency import contingencies
from simsa.report.judge_reliability import context_spread, expected_scores, length_biases, panel, repeated
from simsa.report.judge_usage import UsageInfo
from simsa.report.notes import notes
from simsa.report.run_settings import shareable
from simsa.report.score_matrix import TOTAL, Mean, Part, ScoreMatrix, load
from simsa.report.summary_model import Example, JudgeInfo, Kind, Note, RunInfo, Slice, Summary, VariantSummary
from simsa.report.variance_report import Judgements, decisive, noises, sentence
from simsa.store import Store, count_parse_failures, judge_usage, snapshot, usage_shares

if TYPE_CHECKING:
    from simsa.llm import Deprecation
    from simsa.report.score_matrix import Floats
    from simsa.stats import Comparison, Distribution


def summary(store: Store, language: Language | None = None, n_examples: int = 1) -> Summary:
    """Everything a report says of a run, also of one that is not finished.

    `language` is that of the notes and of what is rendered, the run's own by default;
    `n_examples` how many best, worst, most different and unsteady questions are shown.
    """
    with snapshot(store):
        return _summary(store, language, n_examples)


def _summary(store: Store, language: Language | None, n_examples: int) -> Summary:
    table = load(store)
    whole, types, clusters = table.part(), table.parts(), table.clusters_if_any()
    spoken: Language = language or store.meta("language") or LANGUAGES[0]
    info = store.variants()
    expected = expected_scores(store, table.criteria)
    variants = tuple(
        replace(_variant(table, name, facts, whole, types, clusters), expected=expected.get(name))
        for name, facts in info.items()
    )
    baseline = store.meta("baseline")
    if baseline not in info:
        baseline = next(iter(info), "")
    judge = _judge(store, table)
    if judge and not judge.is_lexical:  # that one goes by the same rule
        seen = {v.name: abstention_report.by_judge(table, v.name, whole) for v in variants}
        variants = tuple(replace(v, abstention_by_judge=seen[v.name]) for v in variants)
    variants = tuple(
        replace(v, claims=claim_summary.claims_of_variant(table, v.name, whole, clusters, baseline))
        for v in variants
    )
    comparisons = tuple(compared(table, baseline))
    stopped = store.meta("stopped")
    calibration = calibration_of(store)
    repeats = judge.repeats if judge else None
    answers = table.judgements()
    variants = tuple(replace(v, answer_counts=_levels(answers, v.name, table.criteria)) for v in variants)
    variance = noises((repeats and repeats.judgements) or answers, baseline)
    said = [Note("variance", sentence(noise, spoken)) for noise in decisive(variance)]
    return Summary(
        run=_run(store, table, stopped),
        judge=judge,
        language=spoken,
        baseline=baseline,
        data=store.meta("data") or {},
        criteria=table.criteria,
        variants=variants,
        comparisons=comparisons,
        notes=(
            *notes(
                store.meta("notes") or (),
                spoken,
                judge,
                variants,
                comparisons,
                stopped,
                calibration,
                count_parse_failures(store),
                table.criteria,
            ),
            *said,
        ),
        examples=_examples(store, table, n_examples),
        config=shareable(store.meta("config") or {}),
        timing=store.meta("timing") or {},
        made=store.meta("made") or {},
        calibration=calibration,
        variance=tuple(variance),
        heads=tuple(contingencies(table, baseline)),
    )


def compared(table: ScoreMatrix, baseline: str) -> list[Comparison]:
    """Every other variant against `baseline`, each criterion and the total; empty before anything is scored."""
    from simsa.stats import compare_all
    from simsa.stats.comparison import scales_of

    if not any(variant.n_scored for variant in table.variants.values()):
        return []
    whole = table.part()
    names = [baseline, *(name for name in table.variants if name != baseline)]
    return compare_all(
        {name: _Scores(table, name, whole) for name in names},
        baseline,
        table.clusters_if_any(),
        scales=scales_of(table.criteria),
    )


class _Scores(Mapping[str, "Mapping[str, float | None]"]):
    """A variant's scores by criterion, made when asked for: of a large run there isn't room for all at once."""

    def __init__(self, table: ScoreMatrix, variant: str, part: Part) -> None:
        self._of = table, variant, part

    def __getitem__(self, criterion: str) -> Mapping[str, float | None]:
        table, variant, part = self._of
        if criterion not in table.score_names:
            raise KeyError(criterion)
        return table.scores(variant, criterion, part)

    def __iter__(self) -> Iterator[str]:
        return iter(self._of[0].score_names)

    def __len__(self) -> int:
        return len(self._of[0].score_names)


def _levels(answers: Judgements, variant: str, criteria: Criteria) -> dict[str, dict[str, int]]:
    """Criterion → level → how many answers have it; nothing where a score is no level."""
    found = {c: [score for *_, score in answers.get((variant, c.name), ())] for c in criteria}
    return {
        c.name: {str(level): scores.count(level) for level in c.levels}
        for c, scores in found.items()
        if scores and all(score == int(score) for score in scores)
    }


def _run(store: Store, table: ScoreMatrix, stopped: str | None) -> RunInfo:
    facts: Mapping[str, Any] = store.meta("run") or {}
    known = {
        key: facts.get(key, "") for key in ("id", "created", "config_hash", "data_hash", "simsa_version")
    }
    return RunInfo(**known, n_questions=len(table.question_ids), stopped=stopped)


def _judge(store: Store, table: ScoreMatrix) -> JudgeInfo | None:
    facts = store.meta("judge")
    if not facts:
        return None
    mode = facts.get("mode", "joint")
    return JudgeInfo(
        model=facts["model"],
        rubric=facts.get("rubric", ""),
        mode=mode,
        criteria=table.criteria.names,
        **judge_usage(store)._asdict(),
        retiring=_retiring(store, facts),
        context_spread=context_spread(table) if mode == "joint" else {},
        panel=panel(store, [one["name"] for one in facts.get("members", ())], table.criteria),
        repeats=repeated(store, facts.get("repeats", 1), facts.get("temperature"), table.criteria),
        examination=store.probe_result(facts.get("key", "")),
        length_bias=length_biases(table),
        usage=UsageInfo(tuple(usage_shares(store)), table.criteria.names),
    )


def _retiring(store: Store, facts: Mapping[str, Any]) -> tuple[Deprecation, ...]:
    """The judge's models that leave their API soon or have left: by what their endpoints said in the run, else by name."""
    from simsa.judges.model_dates import deprecated_models

    kept = facts.get("shutdown_date")
    listed = (store.meta("shutdown_dates") or {}) | ({facts["model"]: kept} if kept else {})
    models = [one["model"] for one in facts.get("members", ())] or [facts["model"]]
    return tuple(deprecated_models(models, listed))


def calibration_of(store: Store) -> Mapping[str, Any] | None:
    """What people's labels showed of this judge; of another judge, rubric or mode it says nothing."""
    found: Mapping[str, Any] | None = store.meta("calibration")
    return found if found and found["judge"] == store.meta("judge") else None


def _variant(
    table: ScoreMatrix,
    name: str,
    info: Mapping[str, Any],
    whole: Part,
    types: Mapping[str, Part],
    clusters: Mapping[str, str] | None,
) -> VariantSummary:
    found = table.variants[name]
    unscored = {status: n for status, n in sorted(found.statuses.items()) if status != "scored"}
    return VariantSummary(
        name=name,
        info=info,
        n_predicted=found.n_predicted,
        unscored=unscored,
        n_cut=found.n_cut,
        whole=_slice(table, name, whole, clusters),
        types={kind: _slice(table, name, part, clusters) for kind, part in types.items()},
        latency_median_s=_median(table.present(name, "latency_s")),
        completion_tokens_mean=_mean(table.present(name, "completion_tokens")),
        n_samples=found.n_samples,
        n_gaps=found.n_gaps,
        n_answered=found.n_answered,
    )


def _slice(table: ScoreMatrix, variant: str, part: Part, clusters: Mapping[str, str] | None) -> Slice:
    from simsa.stats.comparison import scales_of, summarise

    found: dict[str, Distribution] = {}
    for name, scale in scales_of(table.criteria).items():
        distribution = summarise(table.scores(variant, name, part), clusters, scale=scale)
        if distribution:
            found[name] = distribution
    total = found.pop(TOTAL, None)
    metrics = {
        name: Mean(float(values.mean()), len(values))
        for name in table.metrics
        if len(values := table.present(variant, name, part))
    }
    return Slice(
        part.n,
        int(table.whole(variant)[part.places].sum()),
        found,
        total,
        metrics,
        abstention_report.abstention(table, variant, part),
    )


def _examples(store: Store, table: ScoreMatrix, n: int) -> tuple[Example, ...]:
    """The best, the worst, the most different and the unsteadiest questions; none is shown twice."""
    kinds: list[Kind] = ["best", "worst"]
    if len(table.variants) > 1:
        kinds.append("differs")
    if any(variant.samples for variant in table.variants.values()):
        kinds.append("unsteady")
    shown: dict[str, Kind] = {}
    for kind in kinds:
        found = [one for one in example_answers.pick(table, kind, n * len(kinds)) if one not in shown]
        shown |= dict.fromkeys(found[:n], kind)
    return tuple(
        example for one, kind in shown.items() for example in example_answers.show(store, kind, [one])
    )


def _median(values: Floats) -> float | None:
    import numpy as np

    return float(np.median(values)) if len(values) else None


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None

"""What a report says, as data. `Summary.to_dict` is the published JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from simsa.i18n.messages import note_text
from simsa.records import Criteria, Number, Question

if TYPE_CHECKING:
    from simsa.i18n.language import Language
    from simsa.llm import Deprecation
    from simsa.metrics.abstention import AbstentionTable
    from simsa.report.contingency import ScoreContingency
    from simsa.report.judge_reliability import ExpectedScores, PanelInfo, RepeatsInfo
    from simsa.report.judge_usage import UsageInfo
    from simsa.report.score_checks import ClaimsInfo, JudgedAbstention
    from simsa.report.score_matrix import Mean
    from simsa.report.variance_report import VarianceReport
    from simsa.stats import Comparison, Distribution, LengthBias, Spread
    from simsa.store import Claimed, Result

SCHEMA = "simsa.report/1"

Kind = Literal["best", "worst", "differs", "disputed", "unsteady"]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Identity of the run. `stopped` is None, or what ended it early ("budget")."""

    id: str
    created: str
    config_hash: str
    data_hash: str
    simsa_version: str
    n_questions: int
    stopped: str | None = None


def is_lexical(model: str) -> bool:
    """Whether the judge only compares words."""
    return model.split("@")[0] == "lexical"


@dataclass(frozen=True, slots=True)
class JudgeInfo:
    """The judge and what it took.

    `cost_usd` is None where no price is known. `retiring` are its models that leave their API soon or have
    left it, the earliest first. `context_spread` is, for criteria that do not depend on the prediction, the
    difference between variants on the same question. `examination` is the document of `simsa probe` for this
    judge; None before there is one. `length_bias` is the effect of the length of answers to the same question.
    """

    model: str
    rubric: str
    mode: str
    calls: int
    reused: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_usd: float | None
    criteria: tuple[str, ...] = ()
    retiring: tuple[Deprecation, ...] = ()
    context_spread: Mapping[str, Spread] = field(default_factory=dict)
    panel: PanelInfo | None = None
    repeats: RepeatsInfo | None = None
    examination: Mapping[str, Any] | None = None
    length_bias: Mapping[str, LengthBias] = field(default_factory=dict)
    usage: UsageInfo | None = None

    @property
    def is_lexical(self) -> bool:
        return is_lexical(self.model)

    @property
    def shutdown_date(self) -> str | None:
        """The first day without one of its models; None where that is not near, or not known."""
        return next((str(end.date) for end in self.retiring if end.date), None)

    @property
    def probes(self) -> dict[str, Any] | None:
        """Pass rates of the probes and the failed ones; None before the judge was probed."""
        if self.examination is None:
            return None
        found = self.examination["probes"]
        failures = [case for case in found["cases"] if case["outcome"] == "failed"]
        return {name: value for name, value in found.items() if name != "cases"} | {"failures": failures}

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "rubric": self.rubric,
            "mode": self.mode,
            "calls": self.calls,
            "reused": self.reused,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cached_tokens": self.cached_tokens,
            "cost_usd": self.cost_usd,
            "criteria": list(self.criteria),
            "shutdown_date": self.shutdown_date,
            "retiring": [end.to_dict() for end in self.retiring],
            "context_spread": {name: found._asdict() for name, found in self.context_spread.items()},
            "panel": _to_dict(self.panel),
            "repeats": _to_dict(self.repeats),
            "usage": _to_dict(self.usage),
            "probes": self.probes,
            "retest": (self.examination or {}).get("retest"),
            "length_bias": {name: found.to_dict(note_text) for name, found in self.length_bias.items()},
        }


@dataclass(frozen=True, slots=True)
class Slice:
    """One variant on some questions.

    `n` questions, of which `n_scored` have every score. `criteria`, `total` and `metrics` are over the rows
    that have a value, and leave out what no row has.
    """

    n: int
    n_scored: int
    criteria: Mapping[str, Distribution]
    total: Distribution | None
    metrics: Mapping[str, Mean]
    abstention: AbstentionTable | None

    def to_dict(self, criteria: Criteria) -> dict[str, Any]:
        """The JSON block of a slice, with every criterion of the run."""
        scores = {name: self.criteria.get(name) for name in criteria.names}
        return {
            "n": self.n,
            "n_scored": self.n_scored,
            "criteria": {name: found and found.to_dict(note_text) for name, found in scores.items()},
            "total": self.total and self.total.to_dict(note_text) | {"max": criteria.max_total},
            "metrics": {name: found.mean for name, found in self.metrics.items()},
            "metrics_n": {name: found.n for name, found in self.metrics.items()},
            "abstention": _to_dict(self.abstention),
            "notes": list(self._notes(criteria)),
        }

    def _notes(self, criteria: Criteria) -> Iterator[str]:
        """Why a figure is None, in English like the notes of the statistics."""
        yield from (f"{name}: no scores" for name in criteria.names if name not in self.criteria)
        if self.total is None:
            yield f"total: {_why_no_total(criteria)}"
        if self.abstention is None:
            yield "abstention: no answers"
        else:
            rates = self.abstention.to_dict()
            yield from (f"abstention.{name}: nothing to divide by" for name in rates if rates[name] is None)


_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def _why_no_total(criteria: Criteria) -> str:
    n = len(criteria.in_total)
    if not n:
        return "no criterion of the rubric enters it"
    return f"no question has all {_NUMBERS[n] if n < len(_NUMBERS) else n} scores"


@dataclass(frozen=True, slots=True)
class VariantSummary:
    """One variant: its facts, and its results on all questions and by type.

    `unscored` counts the rows without a verdict by status, `n_cut` the answers that ended at the length limit.
    `abstention_by_judge` is None without an LLM judge, `claims` where none were asked for.
    """

    name: str
    info: Mapping[str, Any]
    n_predicted: int
    unscored: Mapping[str, int]
    whole: Slice
    types: Mapping[str, Slice]
    n_cut: int = 0
    latency_median_s: float | None = None
    completion_tokens_mean: float | None = None
    expected: ExpectedScores | None = None
    abstention_by_judge: JudgedAbstention | None = None
    claims: ClaimsInfo | None = None
    n_samples: int = 1
    """Answers to a question; scores are the means over them."""
    answer_counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Criterion → level → number of answers with it, where questions have several answers."""
    n_answered: int = 0
    """Number of answers, several to a question counted each."""
    n_gaps: int = 0
    """Answers without a score to questions that have one from another answer."""

    @property
    def total(self) -> Distribution | None:
        return self.whole.total

    def to_dict(self, criteria: Criteria) -> dict[str, Any]:
        """An entry of `variants` in the JSON; `criteria` are the run's."""
        whole = self.whole.to_dict(criteria)
        head = {
            "name": self.name,
            "n": self.whole.n,
            "n_predicted": self.n_predicted,
            "n_scored": self.whole.n_scored,
            "unscored": dict(self.unscored),
        }
        return (
            head
            | whole
            | {
                "slices": {"type": {name: found.to_dict(criteria) for name, found in self.types.items()}},
                "n_cut": self.n_cut,
                "latency_median_s": self.latency_median_s,
                "completion_tokens_mean": self.completion_tokens_mean,
                "expected": _to_dict(self.expected),
                "abstention_by_judge": _to_dict(self.abstention_by_judge),
                "claims": _to_dict(self.claims),
                "info": dict(self.info),
                "samples": self.n_samples,
                "answer_counts": {name: dict(found) for name, found in self.answer_counts.items()},
                "unscored_samples": self.n_gaps,
                "n_answers": self.n_answered,
            }
        )


class Note(NamedTuple):
    """Something a reader has to know; `kind` is for programs."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ExampleAnswer:
    """One variant's answer in an example. `total` is None unless every criterion of the total was scored.

    Where the variant answered several times, `sample` counts this answer from 0 and `others` are the rest.
    `claimed` has its claims where they were asked for.
    """

    variant: str
    prediction: str | None
    status: str
    scores: Mapping[str, int]
    analysis: str
    claimed: Claimed | None = None
    sample: int = 0
    others: tuple[Result, ...] = ()
    total: Number | None = None

    def to_dict(self, criteria: Criteria) -> dict[str, Any]:
        """The JSON of an answer, with every criterion of the run."""
        listed = self.claimed.claims if self.claimed else None
        return {
            "variant": self.variant,
            "prediction": self.prediction,
            "status": self.status,
            **{name: self.scores.get(name) for name in criteria.names},
            "total": self.total,
            "analysis": self.analysis,
            "claims": None if listed is None else [claim._asdict() for claim in listed],
            "sample": self.sample,
            "others": [
                {"sample": one.sample, "status": one.status, "total": one.total}
                | {name: one.scores.get(name) for name in criteria.names}
                for one in self.others
            ],
        }


@dataclass(frozen=True, slots=True)
class Example:
    """A question with every variant's answer, and why it is shown."""

    kind: Kind
    question: Question
    answers: tuple[ExampleAnswer, ...]
    criteria: Criteria

    def to_dict(self) -> dict[str, Any]:
        q = self.question
        return {
            "kind": self.kind,
            "question_id": q.id,
            "type": q.type,
            "answerable": q.answerable,
            "question": q.question,
            "contexts": [passage.to_json() for passage in q.contexts],
            "reference": list(q.reference),
            "answers": [answer.to_dict(self.criteria) for answer in self.answers],
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in figures and words."""

    run: RunInfo
    judge: JudgeInfo | None
    language: Language
    baseline: str
    criteria: Criteria
    """The criteria that the run's rubric declares."""
    data: Mapping[str, Any]
    variants: tuple[VariantSummary, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[Note, ...]
    examples: tuple[Example, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    timing: Mapping[str, Any] = field(default_factory=dict)
    """Stage → its `rows` and `seconds` over all invocations."""
    made: Mapping[str, Any] = field(default_factory=dict)
    """Versions, hashes of weights, and the prompts for models and judge."""
    calibration: Mapping[str, Any] | None = None
    """The stored result of `simsa calibrate` for this judge."""
    variance: tuple[VarianceReport, ...] = ()
    heads: tuple[ScoreContingency, ...] = ()
    """Questions by both variants' scores, for every pair."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the report: schema `simsa.report/1`. Missing figures are None."""
        return {
            "schema": SCHEMA,
            "run": asdict(self.run),
            "judge": _to_dict(self.judge),
            "baseline": self.baseline,
            "variants": [variant.to_dict(self.criteria) for variant in self.variants],
            "comparisons": [comparison.to_dict(note_text) for comparison in self.comparisons],
            "variance": [split.to_dict() for split in self.variance],
            "notes": [note._asdict() for note in self.notes],
            "data": dict(self.data),
            "examples": [example.to_dict() for example in self.examples],
            "timing": dict(self.timing),
            "made": dict(self.made),
            "calibration": None if self.calibration is None else dict(self.calibration),
        }

    def comparison(self, variant: str, criterion: str = "total") -> Comparison | None:
        """The comparison of `variant` with the baseline; None without pairs."""
        found = (c for c in self.comparisons if c.variant == variant and c.criterion == criterion)
        return next(found, None)


def _to_dict(found: Any) -> dict[str, Any] | None:
    return None if found is None else found.to_dict()

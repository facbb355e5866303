"""Gates: conditions on a run that a script can rely on.

    [VARIANT:] METRIC OP EXPR      OP is > >= < <=
                                   EXPR is a number, or baseline, baseline + number, baseline - number

A gate holds when the 95 % interval says so, not when the estimate does: `total >=
baseline - 0.5` asks that the lower bound of the paired difference is at least -0.5
(non-inferiority), `total > baseline` that it is above 0, `context_faithfulness >= 4`
that the lower bound of the mean is at least 4; for < and <= it is the upper bound.
`coverage`, the share of planned rows that are scored, has no interval and counts as it is.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from simsa.errors import ConfigError
from simsa.i18n.language import Language
from simsa.i18n.messages import words
from simsa.report.format import format_fixed, format_signed
from simsa.report.score_matrix import SHARE, TOTAL, ScoreMatrix
from simsa.text import format_number, list_choices

if TYPE_CHECKING:
    from simsa.report.score_matrix import Floats

GRAMMAR: Final = "[VARIANT:] METRIC > | >= | < | <= NUMBER | baseline | baseline + NUMBER | baseline - NUMBER"
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"
_GATE = re.compile(
    rf"""\s*(?:(?P<variant>\S+?)\s*:\s*)?(?P<metric>[A-Za-z][A-Za-z0-9_]*)\s*(?P<op>>=|<=|>|<)\s*
    (?:(?P<baseline>baseline)\s*(?:(?P<sign>[+\-−])\s*(?P<offset>{_NUMBER}))?|(?P<number>[+\-−]?{_NUMBER}))\s*""",
    re.VERBOSE,
)
COVERAGE: Final = "coverage"
ABSTAINED: Final = "abstained"
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}

# Rates over abstentions as a sum over a sum: (answerable, share of the answers that abstain) → what counts, of what.
_RATIOS: Final[dict[str, Callable[[Any, Any], tuple[Any, Any]]]] = {
    "abstention_precision": lambda answerable, abstained: (abstained * ~answerable, abstained),
    "abstention_recall": lambda answerable, abstained: (abstained * ~answerable, 1.0 * ~answerable),
    "abstention_f1": lambda answerable, abstained: (
        2.0 * abstained * ~answerable,
        abstained + 1.0 * ~answerable,
    ),
    "over_refusal": lambda answerable, abstained: (abstained * answerable, 1.0 * answerable),
}


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition. `variant` None means every variant but the baseline; `limit` is
    a value of the metric, or with `relative` of its difference to the baseline."""

    text: str
    variant: str | None
    metric: str
    op: str
    relative: bool
    limit: float

    @property
    def condition(self) -> str:
        """The gate without the variant's name."""
        offset = f" {'-' if self.limit < 0 else '+'} {format_number(abs(self.limit))}" if self.limit else ""
        return f"{self.metric} {self.op} " + (
            f"baseline{offset}" if self.relative else format_number(self.limit)
        )

    @property
    def wants_more(self) -> bool:
        """Whether the lower bound decides."""
        return self.op.startswith(">")

    def holds(self, bound: float) -> bool:
        return _OPERATORS[self.op](bound, self.limit)


def parse(text: str) -> Gate:
    """Reads one gate. Raises ConfigError that tells the grammar."""
    found = _GATE.fullmatch(text)
    if found is None:
        raise ConfigError("is not a gate", field="--gate", found=text, hint=f"a gate is {GRAMMAR}")
    sign = -1 if found["sign"] in ("-", "−") else 1
    amount = found["offset"] if found["baseline"] else found["number"].replace("−", "-")
    return Gate(
        text.strip(),
        found["variant"],
        found["metric"].lower(),
        found["op"],
        relative=found["baseline"] is not None,
        limit=sign * float(amount or 0),
    )


@dataclass(frozen=True, slots=True)
class GateResult:
    """What became of a gate for one variant.

    `figure` is the estimate (of the metric, or of its difference to the baseline),
    `bound` the end of its interval that decided, `n` how many rows or pairs it rests
    on. What could not be computed is None; the gate then failed, and `reason` says why.
    """

    gate: Gate
    variant: str
    passed: bool
    figure: float | None
    bound: float | None
    n: int
    reason: str | None = None

    def sentence(self, language: Language) -> str:
        """What was asked for and what was found."""
        say = words(language)
        if self.reason:
            return say(self.reason)
        decided = "say.gate_value" if self.gate.metric == COVERAGE else "say.gate"
        show = format_signed if self.gate.relative else format_fixed
        return say(
            decided,
            figure=show(self.figure, 3),
            end=say("gate.lower" if self.gate.wants_more else "gate.upper"),
            bound=show(self.bound, 3),
            op=self.gate.op,
            limit=show(self.gate.limit, 3),
            n=self.n,
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "gate": self.gate.text,
            "variant": self.variant,
            "metric": self.gate.metric,
            "relative": self.gate.relative,
            "op": self.gate.op,
            "limit": self.gate.limit,
            "figure": self.figure,
            "bound": self.bound,
            "n": self.n,
            "passed": self.passed,
            "reason": self.reason and words("en")(self.reason),
        }


def evaluate(gates: Sequence[Gate], table: ScoreMatrix, baseline: str) -> list[GateResult]:
    """Every gate on every variant that it speaks of. Raises ConfigError for an unknown metric or variant."""
    return [
        _outcome(gate, table, baseline, variant)
        for gate in gates
        for variant in _spoken_of(gate, table, baseline)
    ]


def _spoken_of(gate: Gate, table: ScoreMatrix, baseline: str) -> list[str]:
    known = known_metrics(table)
    if gate.metric not in known:
        raise ConfigError(
            "no such metric", field="--gate", found=gate.text, hint=list_choices(gate.metric, known)
        )
    names = list(table.variants)
    if gate.variant is None:
        others = [name for name in names if name != baseline]
        if not others:
            raise ConfigError(
                "speaks of every variant but the baseline, and there is none",
                field="--gate",
                found=gate.text,
                hint=f"name one: '{baseline}: {gate.text}'",
            )
        return others
    if gate.variant not in names:
        raise ConfigError(
            "no such variant", field="--gate", found=gate.variant, hint=list_choices(gate.variant, names)
        )
    return [gate.variant]


def known_metrics(table: ScoreMatrix) -> list[str]:
    """What a gate can speak of."""
    from simsa.metrics.registry import METRICS

    return list(
        dict.fromkeys((TOTAL, *table.criteria.names, COVERAGE, *_RATIOS, *METRICS, *table.metrics, SHARE))
    )


def _outcome(gate: Gate, table: ScoreMatrix, baseline: str, variant: str) -> GateResult:
    from simsa.stats import estimate

    if gate.metric == COVERAGE:
        return _coverage(gate, table, baseline, variant)
    try:
        basis = _basis(gate, table, (variant, baseline) if gate.relative else (variant,))
    except _Undefined as why:
        return GateResult(gate, variant, False, None, None, 0, str(why))
    found = estimate(basis.values, table.clusters_at(basis.places))
    if found.ci95 is None:
        return GateResult(gate, variant, False, found.mean, None, found.n, "gate.one_value")
    low, high = found.ci95
    if basis.rate:
        low, high = min(low, basis.rate[0]), max(high, basis.rate[1])
    bound = low if gate.wants_more else high
    return GateResult(gate, variant, gate.holds(bound), found.mean, bound, basis.n)


def _coverage(gate: Gate, table: ScoreMatrix, baseline: str, variant: str) -> GateResult:
    found, base = table.variants[variant], table.variants[baseline]
    if not found.n or (gate.relative and not base.n):
        return GateResult(gate, variant, False, None, None, 0, "gate.no_values")
    figure = found.n_scored / found.n - (base.n_scored / base.n if gate.relative else 0)
    return GateResult(gate, variant, gate.holds(figure), figure, figure, found.n)


class _Undefined(Exception):
    """Nothing to compute a gate from; the message is the reason's key."""


class _Basis(NamedTuple):
    """Values, one a question, whose mean the gate is about, and the questions' places.

    `n` is how many of them the figure speaks of. `rate` is Wilson's interval where the figure is a plain rate: it widens the t
    interval, which is too narrow near 0 and 1.
    """

    values: Sequence[float]
    places: Sequence[int]
    n: int
    rate: tuple[float, float] | None = None


def _basis(gate: Gate, table: ScoreMatrix, compared: Sequence[str]) -> _Basis:
    import numpy as np

    from simsa.stats import wilson

    ratio = _RATIOS.get(gate.metric)
    columns = [table.column(name, ABSTAINED if ratio else gate.metric) for name in compared]
    places = np.flatnonzero(np.isfinite(np.stack(columns)).all(axis=0))
    if not len(places):
        raise _Undefined("gate.no_pairs" if gate.relative else "gate.no_values")
    series, n, rate = [column[places] for column in columns], len(places), None
    if ratio:
        answerable = np.array(table.answerable)[places]
        sums = [ratio(answerable, abstained) for abstained in series]
        series = [_linearised(part, whole) for part, whole in sums]
        if gate.metric != "abstention_f1":
            n = round(float(sums[0][1].sum()))
            rate = wilson(min(n, float(sums[0][0].sum())), n)
    elif gate.metric in (*table.metrics, SHARE) and np.isin(series[0], (0, 1)).all():
        rate = wilson(int(series[0].sum()), n)
    values = series[0] - series[1] if gate.relative else series[0]
    return _Basis(values.tolist(), places.tolist(), n, None if gate.relative else rate)


def _linearised(part: Floats, whole: Floats) -> Floats:
    """Values with the mean Σpart/Σwhole and, by Taylor expansion, its variance (the ratio estimator)."""
    if not whole.sum():
        raise _Undefined("gate.undefined")
    ratio = float(part.sum() / whole.sum())
    values: Floats = ratio + (part - ratio * whole) / whole.mean()
    return values

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
from typing import TYPE_CHECKING, Any, Final

from simsa.errors import ConfigError
from simsa.i18n.language import Language
from simsa.i18n.messages import msg, words
from simsa.records import TOTAL
from simsa.report.format import format_fixed, format_signed
from simsa.report.score_matrix import SHARE, ScoreMatrix
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

Ratio = Callable[[Any, Any], tuple[Any, Any]]
# Rates of abstentions as a sum over a sum. The functions take arrays by question, whether it is answerable and the
# share of its answers that abstain, and return those to sum in the numerator and in the denominator.
_RATIOS: Final[dict[str, Ratio]] = {
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
    """One condition. `variant` None stands for every variant but the baseline.

    `limit` is a value of the metric, or with `relative` of its difference to the baseline.
    """

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
    """Parses one gate. Raises ConfigError with the grammar as hint."""
    found = _GATE.fullmatch(text)
    if found is None:
        raise ConfigError(
            msg("error.report.is_not_gate"),
            field="--gate",
            found=text,
            hint=msg("error.report.gate_is", GRAMMAR=GRAMMAR),
        )
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
    """The result of a gate for one variant.

    `figure` is the estimate of the metric or of its difference to the baseline, `bound` the end of its interval
    that decided, `n` the number of rows or pairs. A figure that cannot be computed is None; the gate then failed,
    and `reason` is the code of the message that says why.
    """

    gate: Gate
    variant: str
    passed: bool
    figure: float | None
    bound: float | None
    n: int
    reason: str | None = None

    def sentence(self, language: Language) -> str:
        """The estimate, the bound that decided, and the condition."""
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


def evaluate(gates: Sequence[Gate], matrix: ScoreMatrix, baseline: str) -> list[GateResult]:
    """Results of every gate for its variants. Raises ConfigError for an unknown metric or variant."""
    return [
        _evaluate(gate, matrix, baseline, variant)
        for gate in gates
        for variant in _variants_of(gate, matrix, baseline)
    ]


def _variants_of(gate: Gate, matrix: ScoreMatrix, baseline: str) -> list[str]:
    from simsa.metrics.registry import METRICS

    known = dict.fromkeys(
        (TOTAL, *matrix.criteria.names, COVERAGE, *_RATIOS, *METRICS, *matrix.metrics, SHARE)
    )
    if gate.metric not in known:
        hint = list_choices(gate.metric, list(known))
        raise ConfigError(msg("error.report.no_such_metric"), field="--gate", found=gate.text, hint=hint)
    names = list(matrix.variants)
    if gate.variant is None:
        others = [name for name in names if name != baseline]
        if not others:
            raise ConfigError(
                msg("error.report.speaks_every_variant_but_baseline"),
                field="--gate",
                found=gate.text,
                hint=msg("error.report.name_one", baseline=baseline, text=gate.text),
            )
        return others
    if gate.variant not in names:
        hint = list_choices(gate.variant, names)
        raise ConfigError(msg("error.report.no_such_variant"), field="--gate", found=gate.variant, hint=hint)
    return [gate.variant]


def _evaluate(gate: Gate, matrix: ScoreMatrix, baseline: str, variant: str) -> GateResult:
    import numpy as np

    from simsa.stats import estimate, wilson

    def failed(reason: str, figure: float | None = None, n: int = 0) -> GateResult:
        return GateResult(gate, variant, False, figure, None, n, reason)

    if gate.metric == COVERAGE:
        found, base = matrix.variants[variant], matrix.variants[baseline]
        if not found.n or (gate.relative and not base.n):
            return failed("gate.no_values")
        figure = found.n_scored / found.n - (base.n_scored / base.n if gate.relative else 0)
        return GateResult(gate, variant, gate.holds(figure), figure, figure, found.n)
    ratio = _RATIOS.get(gate.metric)
    compared = (variant, baseline) if gate.relative else (variant,)
    columns = [matrix.column(name, ABSTAINED if ratio else gate.metric) for name in compared]
    places = np.flatnonzero(np.isfinite(np.stack(columns)).all(axis=0))
    if not len(places):
        return failed("gate.no_pairs" if gate.relative else "gate.no_values")
    series, n, rate = [column[places] for column in columns], len(places), None
    if ratio:
        answerable = np.array(matrix.answerable)[places]
        sums = [ratio(answerable, abstained) for abstained in series]
        if not all(whole.sum() for _, whole in sums):
            return failed("gate.undefined")
        series = [_linearised(part, whole) for part, whole in sums]
        if gate.metric != "abstention_f1":
            n = round(float(sums[0][1].sum()))
            rate = wilson(min(n, float(sums[0][0].sum())), n)
    elif gate.metric in (*matrix.metrics, SHARE) and np.isin(series[0], (0, 1)).all():
        rate = wilson(int(series[0].sum()), n)
    values = series[0] - series[1] if gate.relative else series[0]
    estimated = estimate(values.tolist(), matrix.clusters_at(places.tolist()))
    if estimated.ci95 is None:
        return failed("gate.one_value", estimated.mean, estimated.n)
    low, high = estimated.ci95
    if rate and not gate.relative:
        # The t interval is too narrow for rates near 0 and 1: Wilson's widens it.
        low, high = min(low, rate[0]), max(high, rate[1])
    bound = low if gate.wants_more else high
    return GateResult(gate, variant, gate.holds(bound), estimated.mean, bound, n)


def _linearised(part: Floats, whole: Floats) -> Floats:
    """Values with the mean Σpart/Σwhole and, by Taylor expansion, its variance (the ratio estimator)."""
    ratio = float(part.sum() / whole.sum())
    values: Floats = ratio + (part - ratio * whole) / whole.mean()
    return values

"""A calibration as tables for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from simsa.i18n.language import Language
from simsa.i18n.messages import label, words
from simsa.judge_eval.calibration_result import Calibration
from simsa.report.format import (
    DASH,
    Grid,
    TableCell,
    TableRow,
    Tone,
    format_fixed,
    format_signed,
    interval,
    percent,
)

if TYPE_CHECKING:
    from simsa.stats import Agreement, Corrected

_MOST_LEVELS = 10
_SHARES = ("exact", "within_one")
_FIGURES = ("quadratic_kappa", "krippendorff_alpha", "spearman", "kendall_tau_b", *_SHARES, "mae", "bias")
_TONES: dict[str, Tone] = {"passed": "good", "weak": "bad"}


def grids(found: Calibration, language: Language) -> list[Grid]:
    """All tables that have rows."""
    return [grid for grid in _Tables(found, language).all() if grid.rows]


def confusions(found: Calibration, language: Language) -> str:
    """The confusion tables: one row per label, one column per judge score, lowest first."""
    say = words(language, "calibration")
    blocks = []
    for name, one in found.criteria.items():
        levels = [str(level) for level in one.levels]
        if not one.agreement.n_labels or not levels or len(levels) > _MOST_LEVELS:
            continue
        cells = [[str(n or "·") for n in counts] for counts in one.agreement.confusion]
        width = max(len(text) for row in (levels, *cells) for text in row) + 2
        lines = [
            f"  {head:>2}" + "".join(cell.rjust(width) for cell in row)
            for head, row in zip(["", *levels], [levels, *cells], strict=True)
        ]
        blocks.append("\n".join((say("head.confusion", name=label(name, language)), *lines)) + "\n")
    return "\n".join(blocks)


class _Tables:
    def __init__(self, found: Calibration, language: Language) -> None:
        self._found = found
        self._language = language
        self._say = words(language, "calibration")

    def all(self) -> Iterable[Grid]:
        found = self._found
        with_total = dict(found.criteria) | ({"total": found.total} if found.total else {})
        means = {name: [one.corrected[v] for v in found.variants] for name, one in with_total.items()}
        differences = {name: [d.corrected for d in one.differences] for name, one in with_total.items()}
        others = tuple(name for name in found.variants if name != found.baseline)
        yield self._agreement()
        if len(found.variants) > 1:
            yield self._variants()
        yield self._people()
        yield Grid(self._say("head.corrected"), found.variants, self._corrected(means, format_fixed))
        heading = self._say("head.differences", baseline=found.baseline)
        yield Grid(heading, others, self._corrected(differences, format_signed))

    def _agreement(self) -> Grid:
        say, results = self._say, tuple(self._found.criteria.values())
        if not results:
            return Grid("", (), ())
        rows = [_row(say("n_labels"), [str(c.agreement.n_labels) for c in results])]
        for name in _FIGURES:
            rows.append(_row(say(name), [_figure(c.agreement, name) for c in results]))
            if name == "quadratic_kappa":
                bounds = [interval(c.agreement.intervals.get(name)) for c in results]
                standings = [TableCell(say(c.standing), _TONES.get(c.standing, "plain")) for c in results]
                rows += [_row(say("ci95"), bounds, sub=True)]
                rows += [TableRow(say("standing"), tuple(standings), "sub")]
        return Grid(say("head.agreement"), tuple(map(self._short, self._found.criteria)), tuple(rows))

    def _variants(self) -> Grid:
        rows = [
            _row(self._name(name), [_kappa_and_bias(one.variants[v]) for v in self._found.variants])
            for name, one in self._found.criteria.items()
        ]
        return Grid(f"{self._say('head.variants')} · n", self._found.variants, tuple(rows))

    def _people(self) -> Grid:
        say = self._say
        people = {name: one.people for name, one in self._found.criteria.items() if one.people is not None}
        if not people:
            return Grid("", (), ())
        alphas = [format_fixed(one.krippendorff_alpha) for one in people.values()]
        rows = [TableRow(say("all"), tuple(map(TableCell, alphas)), "strong")]
        for a, b in dict.fromkeys((p.a, p.b) for one in people.values() for p in one.pairs):
            of_each = [
                next((p.agreement for p in one.pairs if p[:2] == (a, b)), None) for one in people.values()
            ]
            rows.append(_row(f"{a} – {b}: κ", [_kappa(found) for found in of_each]))
            shares = [f"{percent(g.exact)} % · {percent(g.within_one)} %" if g else DASH for g in of_each]
            rows.append(_row(f"{say('exact')} · {say('within_one')}", shares, sub=True))
        return Grid(say("head.people"), tuple(map(self._name, people)), tuple(rows))

    def _corrected(
        self, by_criterion: Mapping[str, Sequence[Corrected]], number: Callable[[float | None], str]
    ) -> tuple[TableRow, ...]:
        rows: list[TableRow] = []
        for name, of_each in by_criterion.items():
            if any(c.mean is not None for c in of_each):
                means = [f"{number(c.mean)} {interval(c.ci95)}" for c in of_each]
                naive = [f"{number(c.naive)} · λ {format_fixed(c.weight)}" for c in of_each]
                rows += [_row(self._name(name), means), _row(self._say("naive"), naive, sub=True)]
        return tuple(rows)

    def _name(self, criterion: str) -> str:
        return label(criterion, self._language)

    def _short(self, criterion: str) -> str:
        code = f"short.{criterion}"
        found = label(code, self._language)
        return self._name(criterion) if found == code else found


def _kappa(found: Agreement | None) -> str:
    if found is None:
        return DASH
    return f"{format_fixed(found.quadratic_kappa)} {interval(found.intervals.get('quadratic_kappa'))}"


def _kappa_and_bias(found: Agreement) -> str:
    if not found.n_labels:
        return DASH
    return f"{format_fixed(found.quadratic_kappa)} · {format_signed(found.bias)} · {found.n_labels}"


def _figure(agreement: Agreement, name: str) -> str:
    value = getattr(agreement, name)
    if name in _SHARES:
        return DASH if value is None else f"{percent(value)} %"
    return format_signed(value) if name == "bias" else format_fixed(value)


def _row(heading: str, cells: Iterable[str], *, sub: bool = False) -> TableRow:
    return TableRow(heading, tuple(map(TableCell, cells)), "sub" if sub else "normal")

"""A calibration as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from simsa.i18n.language import Language
from simsa.i18n.messages import Words, words
from simsa.judge_eval.calibration_result import Calibration, CriterionResult
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
    """All tables, those with nothing to show left out."""
    say = words(language, "calibration")
    everything = dict(found.criteria) | ({"total": found.total} if found.total else {})
    made = (
        _agreement(found.criteria, say),
        _variants(found, say),
        _people(found.criteria, say),
        _corrected(everything, found.variants, say),
        _differences(found, everything, say),
    )
    return [grid for grid in made if grid.rows]


def confusions(found: Calibration, language: Language) -> str:
    """The tables of counts: a row a label, a column a judge's score, lowest first."""
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
        blocks.append("\n".join((say("head.confusion", name=say(name)), *lines)) + "\n")
    return "\n".join(blocks)


def _agreement(criteria: Mapping[str, CriterionResult], say: Words) -> Grid:
    results = tuple(criteria.values())
    rows = [_row(say("n_labels"), [str(c.agreement.n_labels) for c in results])]
    for name in _FIGURES:
        rows.append(_row(say(name), [_figure(c.agreement, name) for c in results]))
        if name == "quadratic_kappa":
            bounds = [interval(c.agreement.intervals.get(name)) for c in results]
            standings = tuple(TableCell(say(c.standing), _TONES.get(c.standing, "plain")) for c in results)
            rows += [_row(say("ci95"), bounds, sub=True), TableRow(say("standing"), standings, "sub")]
    heads = tuple(say(f"short.{name}") if name in _short() else name for name in criteria)
    return Grid(say("head.agreement"), heads, tuple(rows) if results else ())


def _variants(found: Calibration, say: Words) -> Grid:
    rows = [
        _row(
            say(name),
            [
                f"{format_fixed(a.quadratic_kappa)} · {format_signed(a.bias)} · {a.n_labels}"
                if a.n_labels
                else DASH
                for a in (one.variants[variant] for variant in found.variants)
            ],
        )
        for name, one in found.criteria.items()
    ]
    many = len(found.variants) > 1
    return Grid(f"{say('head.variants')} · n", found.variants, tuple(rows) if many else ())


def _people(criteria: Mapping[str, CriterionResult], say: Words) -> Grid:
    people = {name: one.people for name, one in criteria.items() if one.people is not None}
    pairs = dict.fromkeys((p.a, p.b) for one in people.values() for p in one.pairs)
    rows = [_row(say("all"), [format_fixed(one.krippendorff_alpha) for one in people.values()], strong=True)]
    for a, b in pairs:
        of_each = [next((p.agreement for p in one.pairs if p[:2] == (a, b)), None) for one in people.values()]
        rows.append(_row(f"{a} – {b}: κ", [_kappa(found) for found in of_each]))
        shares = [f"{percent(g.exact)} % · {percent(g.within_one)} %" if g else DASH for g in of_each]
        rows.append(_row(f"{say('exact')} · {say('within_one')}", shares, sub=True))
    return Grid(say("head.people"), tuple(say(name) for name in people), tuple(rows) if people else ())


def _corrected(criteria: Mapping[str, CriterionResult], variants: Sequence[str], say: Words) -> Grid:
    rows: list[TableRow] = []
    for name, one in criteria.items():
        of_each = [one.corrected[variant] for variant in variants]
        if any(c.mean is not None for c in of_each):
            rows += _corrected_rows(say(name), of_each, say, differ=False)
    return Grid(say("head.corrected"), tuple(variants), tuple(rows))


def _differences(found: Calibration, criteria: Mapping[str, CriterionResult], say: Words) -> Grid:
    rows: list[TableRow] = []
    for name, one in criteria.items():
        of_each = [d.corrected for d in one.differences]
        if any(c.mean is not None for c in of_each):
            rows += _corrected_rows(say(name), of_each, say, differ=True)
    heads = tuple(name for name in found.variants if name != found.baseline)
    return Grid(say("head.differences", baseline=found.baseline), heads, tuple(rows))


def _corrected_rows(label: str, of_each: Sequence[Corrected], say: Words, *, differ: bool) -> list[TableRow]:
    number = format_signed if differ else format_fixed
    means = [f"{number(c.mean)} {interval(c.ci95)}" for c in of_each]
    naive = [f"{number(c.naive)} · λ {format_fixed(c.weight)}" for c in of_each]
    return [_row(label, means), _row(say("naive"), naive, sub=True)]


def _kappa(found: Agreement | None) -> str:
    if found is None:
        return DASH
    return f"{format_fixed(found.quadratic_kappa)} {interval(found.intervals.get('quadratic_kappa'))}"


def _figure(agreement: Agreement, name: str) -> str:
    value = getattr(agreement, name)
    if name in _SHARES:
        return DASH if value is None else f"{percent(value)} %"
    return format_signed(value) if name == "bias" else format_fixed(value)


def _row(label: str, cells: Sequence[str], *, sub: bool = False, strong: bool = False) -> TableRow:
    return TableRow(label, tuple(map(TableCell, cells)), "sub" if sub else "strong" if strong else "normal")


def _short() -> frozenset[str]:
    from simsa.records import CRITERIA

    return frozenset(CRITERIA)

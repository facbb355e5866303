"""Tables about the judge itself: its members, its repeats, what it took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from simsa.judges.base import JOINT
from simsa.records import CLAIMS, CRITERIA, MAX_TOTAL
from simsa.report import noise
from simsa.report.cells import Cell, Grid, Row
from simsa.report.numbers import DASH, count, fixed, percent, usd
from simsa.report.probed import examination_grids
from simsa.report.table import TOTAL
from simsa.report.words import words

if TYPE_CHECKING:
    from simsa.report.model import Summary, VariantSummary
    from simsa.report.table import Mean
    from simsa.report.usage import Spent, Usage

# Parts that no rubric has named, and those of the built-in ones.
_PARTS = {CLAIMS: "claims.part", JOINT: "usage.joint", "answer": "usage.answer", "context": "usage.context"}


def judge_grids(summary: Summary) -> list[Grid]:
    """All of them; a table with nothing to show has no rows."""
    return [
        expected(summary),
        members(summary),
        agreement(summary),
        repeats(summary),
        noise.grid(summary.variance, summary.language),
        *examination_grids(summary.judge.examination if summary.judge else None, words(summary.language)),
    ]


def usage(summary: Summary) -> Grid:
    """Calls and USD of the verdicts, by part and variant, with the calls that were found done.

    Where parts are asked for apart and prices are known, also USD by criterion.
    """
    say = words(summary.language)
    variants = tuple(v.name for v in summary.variants)
    title = say("head.usage")
    found = summary.judge.usage if summary.judge else None
    if found is None or not found.shares or (summary.judge and summary.judge.is_lexical):
        return Grid(title, (), ())
    parts = found.parts if len(found.parts) > 1 else ()
    rows = [
        Row(
            say(_PARTS[part]) if part in _PARTS else part,
            (*(_spent(found.of(part=part, variant=name)) for name in variants), _spent(found.of(part=part))),
        )
        for part in parts
    ]
    whole = (*(_spent(found.of(variant=name)) for name in variants), _spent(found.of()))
    rows.append(Row(say("usage.whole"), whole, "strong"))
    if len(set(parts) - {CLAIMS}) > 1 and found.of().cost_usd:
        columns = [found.by_criterion(name) for name in (*variants, None)]
        title = say("usage.evenly", title=title) if found.shares_calls else title
        rows += [
            Row(say(name), tuple(_usd(column, name) for column in columns), "sub")
            for name in columns[-1]
            if name in CRITERIA
        ]
    return Grid(title, (*variants, say("usage.whole")), tuple(rows))


def _usd(column: Mapping[str, Spent], name: str) -> Cell:
    cost = column[name].cost_usd if name in column else 0.0
    return Cell(DASH if cost is None else usd(cost))


def _spent(found: Usage) -> Cell:
    cost = DASH if found.cost_usd is None else usd(found.cost_usd)
    return Cell(f"{count(found.calls)} · {cost}" + (f" (+{count(found.reused)})" if found.reused else ""))


def expected(summary: Summary) -> Grid:
    """Means of the integers and, behind a slash, of the expected scores with the rows that have one."""
    say = words(summary.language)
    variants = summary.variants
    shown = [
        name for name in (*CRITERIA, TOTAL) if any(v.expected and name in v.expected.means for v in variants)
    ]
    rows = [
        Row(say(name), tuple(_beside(v, name) for v in variants), "strong" if name == TOTAL else "normal")
        for name in shown
    ]
    if rows:
        missing = [sum(v.expected.missing.values()) if v.expected else 0 for v in variants]
        rows.append(Row(say("expected.missing"), _texts(*map(str, missing)), "sub"))
    return Grid(say("head.expected"), tuple(v.name for v in variants), tuple(rows))


def _beside(variant: VariantSummary, name: str) -> Cell:
    whole = variant.whole.total if name == TOTAL else variant.whole.criteria.get(name)
    found = variant.expected.means.get(name) if variant.expected else None
    if whole is None or found is None:
        return Cell(DASH)
    return Cell(f"{fixed(whole.mean)} / {fixed(found.mean)} ({found.n})")


def members(summary: Summary) -> Grid:
    """Mean total by each member of a panel, and by the panel: what one judge alone would have said."""
    say = words(summary.language)
    panel = summary.judge.panel if summary.judge else None
    names = tuple(v.name for v in summary.variants)
    title = say("head.panel", max=MAX_TOTAL)
    if panel is None:
        return Grid(title, names, ())
    rows = [
        Row(member.name, _cells(member.means.get(name, {}).get(TOTAL) for name in names))
        for member in panel.members
    ]
    whole = (Cell(f"{fixed(v.total.mean)} ({v.total.n})" if v.total else DASH) for v in summary.variants)
    return Grid(title, names, (*rows, Row(say("panel.median"), tuple(whole), "strong")))


def agreement(summary: Summary) -> Grid:
    """How far the members of a panel agree, by criterion."""
    say = words(summary.language)
    panel = summary.judge.panel if summary.judge else None
    head = (say("panel.alpha"), say("voices.differ"), say("voices.sd"))
    rows = [
        Row(say(name), _texts(fixed(found.alpha), percent(found.differ), fixed(found.sd)))
        for name, found in (panel.agreement if panel else {}).items()
    ]
    return Grid(say("head.agreement"), head, tuple(rows))


def repeats(summary: Summary) -> Grid:
    """How far the same judge differs from itself when it is asked again."""
    say = words(summary.language)
    found = summary.judge.repeats if summary.judge else None
    head = (say("voices.sd"), say("voices.differ"), say("voices.n"))
    rows = [
        Row(
            say(name),
            _texts(fixed(one.sd), percent(one.differ), str(one.n)),
            "strong" if name == TOTAL else "normal",
        )
        for name in (*CRITERIA, TOTAL)
        if found and (one := found.noise.get(name))
    ]
    n, temperature = (found.n, found.temperature) if found else (0, None)
    return Grid(say("head.repeats", n=n, temperature=fixed(temperature, 1)), head, tuple(rows))


def _cells(means: Iterable[Mean | None]) -> tuple[Cell, ...]:
    return tuple(Cell(DASH if found is None else f"{fixed(found.mean)} ({found.n})") for found in means)


def _texts(*texts: str) -> tuple[Cell, ...]:
    return tuple(map(Cell, texts))

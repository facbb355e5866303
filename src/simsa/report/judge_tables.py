"""Tables about the judge itself: its members, its repeats, what it took.

What is known of the judge itself, for every report made with it.

Each examination is a `Finding`: a table, or one sentence that says how to get it. A new one is a
table in `judge_grids`, or a function from the summary to a finding, or None, in `EXAMINATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.i18n.messages import Words, words
from simsa.judges.base import JOINT
from simsa.records import CLAIMS, CRITERIA, MAX_TOTAL
from simsa.report import variance_report
from simsa.report.format import DASH, Grid, TableCell, TableRow, Tone, format_fixed, interval, percent
from simsa.report.probe_report import examination_grids
from simsa.report.score_matrix import TOTAL
from simsa.text import count, usd

if TYPE_CHECKING:
    from simsa.report.judge_usage import Spent, Usage
    from simsa.report.score_matrix import Mean
    from simsa.report.summary_model import Summary, VariantSummary

# Parts that no rubric has named, and those of the built-in ones.
_PARTS = {CLAIMS: "claims.part", JOINT: "usage.joint", "answer": "usage.answer", "context": "usage.context"}


def judge_grids(summary: Summary) -> list[Grid]:
    """All of them; a table with nothing to show has no rows."""
    return [
        expected(summary),
        members(summary),
        agreement(summary),
        repeats(summary),
        variance_report.grid(summary.variance, summary.language),
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
        TableRow(
            say(_PARTS[part]) if part in _PARTS else part,
            (*(_spent(found.of(part=part, variant=name)) for name in variants), _spent(found.of(part=part))),
        )
        for part in parts
    ]
    whole = (*(_spent(found.of(variant=name)) for name in variants), _spent(found.of()))
    rows.append(TableRow(say("usage.whole"), whole, "strong"))
    if len(set(parts) - {CLAIMS}) > 1 and found.of().cost_usd:
        columns = [found.by_criterion(name) for name in (*variants, None)]
        title = say("usage.evenly", title=title) if found.shares_calls else title
        rows += [
            TableRow(say(name), tuple(_usd(column, name) for column in columns), "sub")
            for name in columns[-1]
            if name in CRITERIA
        ]
    return Grid(title, (*variants, say("usage.whole")), tuple(rows))


def _usd(column: Mapping[str, Spent], name: str) -> TableCell:
    cost = column[name].cost_usd if name in column else 0.0
    return TableCell(DASH if cost is None else usd(cost))


def _spent(found: Usage) -> TableCell:
    cost = DASH if found.cost_usd is None else usd(found.cost_usd)
    return TableCell(
        f"{count(found.calls)} · {cost}" + (f" (+{count(found.reused)})" if found.reused else "")
    )


def expected(summary: Summary) -> Grid:
    """Means of the integers and, behind a slash, of the expected scores with the rows that have one."""
    say = words(summary.language)
    variants = summary.variants
    shown = [
        name for name in (*CRITERIA, TOTAL) if any(v.expected and name in v.expected.means for v in variants)
    ]
    rows = [
        TableRow(
            say(name), tuple(_beside(v, name) for v in variants), "strong" if name == TOTAL else "normal"
        )
        for name in shown
    ]
    if rows:
        missing = [sum(v.expected.missing.values()) if v.expected else 0 for v in variants]
        rows.append(TableRow(say("expected.missing"), _texts(*map(str, missing)), "sub"))
    return Grid(say("head.expected"), tuple(v.name for v in variants), tuple(rows))


def _beside(variant: VariantSummary, name: str) -> TableCell:
    whole = variant.whole.total if name == TOTAL else variant.whole.criteria.get(name)
    found = variant.expected.means.get(name) if variant.expected else None
    if whole is None or found is None:
        return TableCell(DASH)
    return TableCell(f"{format_fixed(whole.mean)} / {format_fixed(found.mean)} ({found.n})")


def members(summary: Summary) -> Grid:
    """Mean total by each member of a panel, and by the panel: what one judge alone would have said."""
    say = words(summary.language)
    panel = summary.judge.panel if summary.judge else None
    names = tuple(v.name for v in summary.variants)
    title = say("head.panel", max=MAX_TOTAL)
    if panel is None:
        return Grid(title, names, ())
    rows = [
        TableRow(member.name, _cells(member.means.get(name, {}).get(TOTAL) for name in names))
        for member in panel.members
    ]
    whole = (
        TableCell(f"{format_fixed(v.total.mean)} ({v.total.n})" if v.total else DASH)
        for v in summary.variants
    )
    return Grid(title, names, (*rows, TableRow(say("panel.median"), tuple(whole), "strong")))


def agreement(summary: Summary) -> Grid:
    """How far the members of a panel agree, by criterion."""
    say = words(summary.language)
    panel = summary.judge.panel if summary.judge else None
    head = (say("panel.alpha"), say("voices.differ"), say("voices.sd"))
    rows = [
        TableRow(say(name), _texts(format_fixed(found.alpha), percent(found.differ), format_fixed(found.sd)))
        for name, found in (panel.agreement if panel else {}).items()
    ]
    return Grid(say("head.agreement"), head, tuple(rows))


def repeats(summary: Summary) -> Grid:
    """How far the same judge differs from itself when it is asked again."""
    say = words(summary.language)
    found = summary.judge.repeats if summary.judge else None
    head = (say("voices.sd"), say("voices.differ"), say("voices.n"))
    rows = [
        TableRow(
            say(name),
            _texts(format_fixed(one.sd), percent(one.differ), str(one.n)),
            "strong" if name == TOTAL else "normal",
        )
        for name in (*CRITERIA, TOTAL)
        if found and (one := found.noise.get(name))
    ]
    n, temperature = (found.n, found.temperature) if found else (0, None)
    return Grid(say("head.repeats", n=n, temperature=format_fixed(temperature, 1)), head, tuple(rows))


def _cells(means: Iterable[Mean | None]) -> tuple[TableCell, ...]:
    return tuple(
        TableCell(DASH if found is None else f"{format_fixed(found.mean)} ({found.n})") for found in means
    )


def _texts(*texts: str) -> tuple[TableCell, ...]:
    return tuple(map(TableCell, texts))


_TONES: dict[str, Tone] = {"passed": "good", "weak": "bad"}


class ProbeFinding(NamedTuple):
    """One examination: what it asks, and its table, or `text` alone where it was not made."""

    title: str
    text: str
    grid: Grid | None = None


def examined(summary: Summary) -> list[ProbeFinding]:
    """Every examination that makes sense for this run; none without a judge."""
    if summary.judge is None:
        return []
    say = words(summary.language)
    own = [found for examine in EXAMINATIONS if (found := examine(summary, say))]
    return own + [ProbeFinding(grid.title, "", grid) for grid in judge_grids(summary) if grid.rows]


def _calibration(summary: Summary, say: Words) -> ProbeFinding | None:
    title = say("examined.people")
    criteria = (summary.calibration or {}).get("criteria") or {}
    if not criteria:
        return ProbeFinding(title, say("examined.no_people"))
    head = (say("quadratic_kappa"), say("labels"), say("standing"))
    rows = [TableRow(say(name), _agreement(found, say)) for name, found in criteria.items()]
    return ProbeFinding(title, say("examined.people_are"), Grid(title, head, tuple(rows)))


def _agreement(found: dict[str, Any], say: Words) -> tuple[TableCell, ...]:
    kappa = f"{format_fixed(found['quadratic_kappa'])} {interval(found['ci95'])}"
    standing = TableCell(say(f"standing.{found['standing']}"), _TONES.get(found["standing"], "plain"))
    return TableCell(kappa), TableCell(str(found["n_labels"])), standing


def _spread(summary: Summary, say: Words) -> ProbeFinding | None:
    """Criteria that do not depend on the answer, judged anew for every variant."""
    spreads = summary.judge.context_spread if summary.judge else {}
    if not spreads:
        return None
    title = say("examined.spread")
    rows = [
        TableRow(
            say(name),
            (TableCell(f"{percent(s.differ, 1)} %"), TableCell(format_fixed(s.sd)), TableCell(str(s.n))),
        )
        for name, s in spreads.items()
    ]
    head = (say("context.differ"), say("context.sd"), say("context.n"))
    return ProbeFinding(title, say("examined.spread_is"), Grid(title, head, tuple(rows)))


def _unprobed(summary: Summary, say: Words) -> ProbeFinding | None:
    """What `simsa probe` finds is a table; before it, how to get it."""
    if summary.judge is None or summary.judge.examination is not None:
        return None
    return ProbeFinding(say("head.probes"), say("note.judge_unexamined"))


EXAMINATIONS: tuple[Callable[[Summary, Words], ProbeFinding | None], ...] = (_unprobed, _calibration, _spread)

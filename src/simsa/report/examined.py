"""What is known of the judge itself, for every report made with it.

Each examination is a `Finding`: a table, or one sentence that says how to get it. A new one is a
table in `judge_grids`, or a function from the summary to a finding, or None, in `EXAMINATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.report.cells import Cell, Grid, Row, Tone
from simsa.report.judge_grids import judge_grids
from simsa.report.numbers import fixed, interval, percent
from simsa.report.words import Words, words

if TYPE_CHECKING:
    from simsa.report.model import Summary

_TONES: dict[str, Tone] = {"passed": "good", "weak": "bad"}


class Finding(NamedTuple):
    """One examination: what it asks, and its table, or `text` alone where it was not made."""

    title: str
    text: str
    grid: Grid | None = None


def examined(summary: Summary) -> list[Finding]:
    """Every examination that makes sense for this run; none without a judge."""
    if summary.judge is None:
        return []
    say = words(summary.language)
    own = [found for examine in EXAMINATIONS if (found := examine(summary, say))]
    return own + [Finding(grid.title, "", grid) for grid in judge_grids(summary) if grid.rows]


def _calibration(summary: Summary, say: Words) -> Finding | None:
    title = say("examined.people")
    criteria = (summary.calibration or {}).get("criteria") or {}
    if not criteria:
        return Finding(title, say("examined.no_people"))
    head = (say("quadratic_kappa"), say("labels"), say("standing"))
    rows = [Row(say(name), _agreement(found, say)) for name, found in criteria.items()]
    return Finding(title, say("examined.people_are"), Grid(title, head, tuple(rows)))


def _agreement(found: dict[str, Any], say: Words) -> tuple[Cell, ...]:
    kappa = f"{fixed(found['quadratic_kappa'])} {interval(found['ci95'])}"
    standing = Cell(say(f"standing.{found['standing']}"), _TONES.get(found["standing"], "plain"))
    return Cell(kappa), Cell(str(found["n_labels"])), standing


def _spread(summary: Summary, say: Words) -> Finding | None:
    """Criteria that do not depend on the answer, judged anew for every variant."""
    spreads = summary.judge.context_spread if summary.judge else {}
    if not spreads:
        return None
    title = say("examined.spread")
    rows = [
        Row(say(name), (Cell(f"{percent(s.differ, 1)} %"), Cell(fixed(s.sd)), Cell(str(s.n))))
        for name, s in spreads.items()
    ]
    head = (say("context.differ"), say("context.sd"), say("context.n"))
    return Finding(title, say("examined.spread_is"), Grid(title, head, tuple(rows)))


def _unprobed(summary: Summary, say: Words) -> Finding | None:
    """What `simsa probe` finds is a table; before it, how to get it."""
    if summary.judge is None or summary.judge.examination is not None:
        return None
    return Finding(say("head.probes"), say("note.judge_unexamined"))


EXAMINATIONS: tuple[Callable[[Summary, Words], Finding | None], ...] = (_unprobed, _calibration, _spread)

"""Tables about the judge itself: what its calls cost, its panel and repeats, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.i18n.messages import Words, words
from simsa.judges import JOINT
from simsa.records import CLAIMS, TOTAL
from simsa.report import variance_report
from simsa.report.format import (
    DASH,
    Grid,
    TableCell,
    TableRow,
    Tone,
    Weight,
    count,
    format_estimate,
    format_fixed,
    interval,
    label,
    labels,
    percent,
    usd,
)

if TYPE_CHECKING:
    from simsa.report.judge_usage import Spent, Usage
    from simsa.report.score_matrix import Mean
    from simsa.report.summary_model import Summary, VariantSummary

# Titles of the parts of a judgement whose names are ours; other parts are named by the rubric.
_PARTS = {CLAIMS: "claims.part", JOINT: "usage.joint", "answer": "usage.answer", "context": "usage.context"}
_STANDING_TONES: dict[str, Tone] = {"passed": "good", "weak": "bad"}
_PASS_RATE = 0.95


class Finding(NamedTuple):
    """One check of the judge: its title, and a table, or `text` alone where the check was not made."""

    title: str
    text: str
    grid: Grid | None = None


def judge_findings(summary: Summary) -> list[Finding]:
    """Every check of the judge that makes sense for this run; none without a judge."""
    if summary.judge is None:
        return []
    found = [_not_probed(summary), _human_agreement(summary), _context_spread(summary)]
    made = [one for one in found if one is not None]
    return made + [Finding(grid.title, "", grid) for grid in judge_grids(summary) if grid.rows]


def judge_grids(summary: Summary) -> list[Grid]:
    """The tables about the judge; a table with nothing to show has no rows."""
    document = summary.judge.examination if summary.judge else None
    return [
        expected(summary),
        members(summary),
        agreement(summary),
        repeats(summary),
        variance_report.grid(summary.variance, summary.language),
        *examination_grids(document, words(summary.language), labels(summary.language, summary.criteria)),
    ]


def usage(summary: Summary) -> Grid:
    """Calls and USD of the judge by part and variant, with reused calls in brackets.

    Where parts are asked for in separate calls and prices are known, also USD by criterion.
    """
    say, title = words(summary.language), labels(summary.language, summary.criteria)
    variants = [v.name for v in summary.variants]
    found = summary.judge.usage if summary.judge else None
    if found is None or not found.shares or (summary.judge and summary.judge.is_lexical):
        return Grid.of(say("head.usage"), ())
    parts = found.parts if len(found.parts) > 1 else ()

    def cells(part: str | None = None) -> Iterator[str]:
        chosen = {} if part is None else {"part": part}
        yield from (_spent(found.of(variant=name, **chosen)) for name in variants)
        yield _spent(found.of(**chosen))

    rows = [TableRow.of(say(_PARTS[part]) if part in _PARTS else title(part), cells(part)) for part in parts]
    rows.append(TableRow.of(say("usage.whole"), cells(), "strong"))
    heading = say("head.usage")
    if len(set(parts) - {CLAIMS}) > 1 and found.of().cost_usd:
        columns = [found.by_criterion(name) for name in (*variants, None)]
        heading = say("usage.evenly", title=heading) if found.shares_calls else heading
        rows += [
            TableRow.of(title(name), (_usd(column, name) for column in columns), "sub")
            for name in columns[-1]
            if summary.criteria.named(name)
        ]
    return Grid.of(heading, (*variants, say("usage.whole")), rows)


def _usd(column: Mapping[str, Spent], name: str) -> str | None:
    cost = column[name].cost_usd if name in column else 0.0
    return None if cost is None else usd(cost)


def _spent(found: Usage) -> str:
    cost = DASH if found.cost_usd is None else usd(found.cost_usd)
    return f"{count(found.calls)} · {cost}" + (f" (+{count(found.reused)})" if found.reused else "")


def expected(summary: Summary) -> Grid:
    """Means of the integer scores and, behind a slash, of the expected scores with the rows that have one."""
    say, title = words(summary.language), labels(summary.language, summary.criteria)
    variants = summary.variants
    rows = [
        TableRow.of(title(name), (_integer_and_expected(v, name) for v in variants), _weight(name))
        for name in (*summary.criteria.names, TOTAL)
        if any(v.expected and name in v.expected.means for v in variants)
    ]
    if rows:
        missing = (str(sum(v.expected.missing.values())) if v.expected else "0" for v in variants)
        rows.append(TableRow.of(say("expected.missing"), missing, "sub"))
    return Grid.of(say("head.expected"), (v.name for v in variants), rows)


def _integer_and_expected(variant: VariantSummary, name: str) -> str | None:
    integer = variant.whole.total if name == TOTAL else variant.whole.criteria.get(name)
    found = variant.expected.means.get(name) if variant.expected else None
    return None if integer is None or found is None else f"{format_fixed(integer.mean)} / {_mean(found)}"


def members(summary: Summary) -> Grid:
    """Mean total by each member of a panel, and by the panel."""
    say = words(summary.language)
    panel = summary.judge.panel if summary.judge else None
    names = [v.name for v in summary.variants]
    rows = [
        TableRow.of(member.name, (_mean(member.means.get(name, {}).get(TOTAL)) for name in names))
        for member in (panel.members if panel else ())
    ]
    if rows:
        totals = (v.total for v in summary.variants)
        whole = (f"{format_fixed(total.mean)} ({total.n})" if total else None for total in totals)
        rows.append(TableRow.of(say("panel.median"), whole, "strong"))
    highest = summary.criteria.max_total
    return Grid.of(say("head.panel", max=DASH if highest is None else f"{highest:g}"), names, rows)


def agreement(summary: Summary) -> Grid:
    """How far the members of a panel agree, by criterion."""
    say, title = words(summary.language), labels(summary.language, summary.criteria)
    panel = summary.judge.panel if summary.judge else None
    rows = [
        TableRow.of(title(name), (format_fixed(one.alpha), percent(one.differ), format_fixed(one.sd)))
        for name, one in (panel.agreement if panel else {}).items()
    ]
    head = (say("panel.alpha"), say("repeats.differ"), say("repeats.sd"))
    return Grid.of(say("head.agreement"), head, rows)


def repeats(summary: Summary) -> Grid:
    """How far the same judge differs from itself when it is asked again."""
    say, title = words(summary.language), labels(summary.language, summary.criteria)
    found = summary.judge.repeats if summary.judge else None
    rows = [
        TableRow.of(title(name), (format_fixed(one.sd), percent(one.differ), str(one.n)), _weight(name))
        for name, one in (found.noise if found else {}).items()
    ]
    head = (say("repeats.sd"), say("repeats.differ"), say("repeats.n"))
    n, temperature = (found.n, found.temperature) if found else (0, None)
    return Grid.of(say("head.repeats", n=n, temperature=format_fixed(temperature, 1)), head, rows)


def examination_grids(
    document: Mapping[str, Any] | None, say: Words, title: Callable[[str], str] | None = None
) -> list[Grid]:
    """The tables of `simsa probe`'s document: pass rates by kind of probe, and the judge's agreement with itself.

    `title` returns the title of a criterion by its name. Empty before the judge was probed.
    """
    if not document:
        return []
    made = (
        _probes(document["probes"], say),
        _retest(document["retest"], say, title or (lambda name: label(say, name))),
    )
    return [grid for grid in made if grid.rows]


def _probes(probes: Mapping[str, Any], say: Words) -> Grid:
    rows = [_pass_rate(say(f"probe.{kind}"), found, say) for kind, found in probes["kinds"].items()]
    if rows:
        rows.append(_pass_rate(say("probe.overall"), probes["overall"], say, "strong"))
    return Grid.of(say("head.probes"), (say("probe.passed"), say("probe.rate"), say("ci95")), rows)


def _pass_rate(label: str, found: Mapping[str, Any], say: Words, weight: Weight = "normal") -> TableRow:
    passed = f"{found['passed']}/{found['n']}"
    if found["unscored"]:
        passed += f" ({say('probe.unscored', n=found['unscored'])})"
    is_weak = found["rate"] is not None and found["rate"] < _PASS_RATE
    rate = TableCell(f"{percent(found['rate'])} %" if found["n"] else DASH, "bad" if is_weak else "plain")
    ci95 = found["ci95"] and [100 * bound for bound in found["ci95"]]
    return TableRow.of(label, (passed, rate, interval(ci95, 0)), weight)


def _retest(retest: Mapping[str, Any] | None, say: Words, title: Callable[[str], str]) -> Grid:
    rows = [
        TableRow.of(title(name), _retest_cells(found))
        for name, found in (retest["criteria"] if retest else {}).items()
    ]
    head = (say("retest.exact"), say("retest.within_one"), say("retest.kappa"), "n")
    return Grid.of(say("head.retest"), head, rows)


def _retest_cells(found: Mapping[str, Any]) -> Iterable[str]:
    kappa = found["quadratic_kappa"]
    yield f"{percent(found['exact'])} %"
    yield f"{percent(found['within_one'])} %"
    yield format_estimate(kappa, None if kappa is None else found["ci95"].get("quadratic_kappa"))
    yield str(found["n"])


def _not_probed(summary: Summary) -> Finding | None:
    """How to probe a judge that was not probed; what `simsa probe` found is a table of `judge_grids`."""
    if summary.judge is None or summary.judge.examination is not None:
        return None
    say = words(summary.language)
    return Finding(say("head.probes"), say("note.judge_unexamined"))


def _human_agreement(summary: Summary) -> Finding:
    say, name_of = words(summary.language), labels(summary.language, summary.criteria)
    criteria = (summary.calibration or {}).get("criteria") or {}
    title = say("examined.people")
    if not criteria:
        return Finding(title, say("examined.no_people"))
    rows = [
        TableRow.of(
            name_of(name),
            (
                f"{format_fixed(found['quadratic_kappa'])} {interval(found['ci95'])}",
                str(found["n_labels"]),
                TableCell(
                    say(f"standing.{found['standing']}"), _STANDING_TONES.get(found["standing"], "plain")
                ),
            ),
        )
        for name, found in criteria.items()
    ]
    head = (say("quadratic_kappa"), say("labels"), say("standing"))
    return Finding(title, say("examined.people_are"), Grid.of(title, head, rows))


def _context_spread(summary: Summary) -> Finding | None:
    """Criteria that do not depend on the answer but were judged again for every variant."""
    spreads = summary.judge.context_spread if summary.judge else {}
    if not spreads:
        return None
    say, name_of = words(summary.language), labels(summary.language, summary.criteria)
    title = say("examined.spread")
    rows = [
        TableRow.of(name_of(name), (f"{percent(s.differ, 1)} %", format_fixed(s.sd), str(s.n)))
        for name, s in spreads.items()
    ]
    head = (say("context.differ"), say("context.sd"), say("context.n"))
    return Finding(title, say("examined.spread_is"), Grid.of(title, head, rows))


def _weight(name: str) -> Weight:
    return "strong" if name == TOTAL else "normal"


def _mean(found: Mean | None) -> str | None:
    """A mean and the rows it rests on."""
    return None if found is None else f"{format_fixed(found.mean)} ({found.n})"

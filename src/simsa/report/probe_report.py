"""What is known of the judge itself: probes, retest, length. Read from the document that `simsa probe` keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from simsa.i18n.language import KoreanNoun
from simsa.i18n.messages import Words
from simsa.records import CRITERIA
from simsa.report.format import (
    DASH,
    Grid,
    TableCell,
    TableRow,
    format_fixed,
    format_signed,
    interval,
    percent,
)
from simsa.report.score_matrix import TOTAL, Table
from simsa.report.summary_model import Note

if TYPE_CHECKING:
    from simsa.report.summary_model import JudgeInfo
    from simsa.stats import LengthBias

# They depend on the answer, so its length may sway them.
OF_ANSWERS = ("answer_correctness", "context_faithfulness", TOTAL)
_WORTH_SAYING = 0.1  # points a doubling of the length


def length_biases(table: Table) -> dict[str, LengthBias]:
    """How far scores go with the length of answers to the same question; {} where there is one variant."""
    import numpy as np

    from simsa.stats import length_bias

    if len(table.variants) < 2:
        return {}
    found = {}
    for name in OF_ANSWERS:
        places: list[int] = []
        scores: list[float] = []
        lengths: list[int] = []
        names: list[str] = []
        for variant in table.variants:
            column, length = table.column(variant, name), table.column(variant, "answer_length")
            there = np.flatnonzero(np.isfinite(column) & np.isfinite(length)).tolist()
            places += there
            scores += column[there].tolist()
            lengths += length[there].astype(int).tolist()
            names += [variant] * len(there)
        if places:
            found[name] = length_bias(scores, lengths, places, names, table.clusters_at(places))
    return found


def examination_grids(document: Mapping[str, Any] | None, say: Words) -> list[Grid]:
    """Pass rates by kind of probe, and how far the judge agrees with itself; [] before it was examined."""
    if not document:
        return []
    return [
        grid for grid in (_probes(document["probes"], say), _retest(document["retest"], say)) if grid.rows
    ]


def _probes(probes: Mapping[str, Any], say: Words) -> Grid:
    head = (say("probe.passed"), say("probe.rate"), say("ci95"))
    rows = [_rates(say(f"probe.{kind}"), found, say) for kind, found in probes["kinds"].items()]
    if rows:
        whole = _rates(say("probe.overall"), probes["overall"], say)
        rows.append(whole._replace(weight="strong"))
    return Grid(say("head.probes"), head, tuple(rows))


def _rates(label: str, found: Mapping[str, Any], say: Words) -> TableRow:
    bad = found["rate"] is not None and found["rate"] < 0.95
    passed = f"{found['passed']}/{found['n']}"
    if found["unscored"]:
        passed += f" ({say('probe.unscored', n=found['unscored'])})"
    ci95 = found["ci95"] and [100 * bound for bound in found["ci95"]]
    cells = (
        TableCell(passed),
        TableCell(f"{percent(found['rate'])} %" if found["n"] else DASH, "bad" if bad else "plain"),
        TableCell(interval(ci95, 0)),
    )
    return TableRow(label, cells)


def _retest(retest: Mapping[str, Any] | None, say: Words) -> Grid:
    if not retest:
        return Grid(say("head.retest"), (), ())
    head = (say("retest.exact"), say("retest.within_one"), say("retest.kappa"), "n")
    rows = []
    for name in CRITERIA:
        if found := retest["criteria"].get(name):
            kappa, ci95 = found["quadratic_kappa"], found["ci95"].get("quadratic_kappa")
            cells = (
                TableCell(f"{percent(found['exact'])} %"),
                TableCell(f"{percent(found['within_one'])} %"),
                TableCell(
                    f"{format_fixed(kappa)} {interval(ci95)}"
                    if ci95 and kappa is not None
                    else format_fixed(kappa)
                ),
                TableCell(str(found["n"])),
            )
            rows.append(TableRow(say(name), cells))
    return Grid(say("head.retest"), head, tuple(rows))


def examination_notes(say: Words, judge: JudgeInfo | None) -> Iterator[Note]:
    """Whether the judge was examined, passed, and is swayed by length."""
    if judge is None:
        return
    if judge.examination is None:
        yield Note("judge_unexamined", say("note.judge_unexamined"))
    else:
        yield from _of_probes(say, KoreanNoun(judge.model), judge.examination["probes"])
    for name, found in judge.length_bias.items():
        # By criterion it is in the data; the total says it once for all.
        if name != TOTAL or found.adjusted is None or found.adjusted_ci95 is None:
            continue
        low, high = found.adjusted_ci95
        if (low > 0 or high < 0) and abs(found.adjusted) >= _WORTH_SAYING:
            blanks = {"slope": format_signed(found.adjusted), "ci95": interval(found.adjusted_ci95)}
            yield Note("length_bias", say("note.length_bias", n=found.n_questions, **blanks))


def verdict_of_probes(say: Words, document: Mapping[str, Any]) -> str | None:
    """The sentence on the judge that an examination comes to; None where no probe has a score."""
    found = next(_of_probes(say, KoreanNoun(document["judge"]["model"]), document["probes"]), None)
    return found and found.text


def _of_probes(say: Words, model: KoreanNoun, probes: Mapping[str, Any]) -> Iterator[Note]:
    whole = probes["overall"]
    if not whole["n"]:
        return
    failed = [
        f"{say(f'probe.{kind}')} {found['passed']}/{found['n']}"
        for kind, found in probes["kinds"].items()
        if found["passed"] < found["n"]
    ]
    blanks = {"passed": whole["passed"], "n": whole["n"], "rate": percent(whole["rate"])}
    if probes["standing"] == "weak":
        yield Note("weak_probes", say("note.weak_probes", model=model, list=", ".join(failed), **blanks))
    else:
        yield Note("probed", say("note.probed", model=model, **blanks))

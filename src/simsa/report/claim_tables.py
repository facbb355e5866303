"""The claims of answers as people see them: the table of variants, and each claim with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from simsa.i18n.messages import Words, words
from simsa.records import Claim
from simsa.report.format import Grid, TableRow, Tone, format_difference, format_estimate, labels
from simsa.report.score_matrix import SHARE
from simsa.store import Claimed

if TYPE_CHECKING:
    from simsa.report.summary_model import Summary
    from simsa.stats import Distribution

_MARKS: dict[bool | None, str] = {True: "✓", False: "✗", None: "–"}
_TONES: dict[bool | None, Tone] = {True: "good", False: "bad", None: "plain"}


def claim_grid(summary: Summary) -> Grid:
    """The share of supported claims beside the judge's score of faithfulness, and where the two contradict."""
    say, title = words(summary.language), labels(summary.language, summary.criteria)
    found = [(v, v.claims) for v in summary.variants if v.claims]
    if not found:
        return Grid.of(say("head.claims"), ())
    rows = [TableRow.of(title(SHARE), (_estimate(c.share) for _, c in found), "strong")]
    if faithfulness := summary.criteria.of_aspect("faithfulness"):
        name = faithfulness.name
        rows.append(TableRow.of(title(name), (_estimate(v.whole.criteria.get(name)) for v, _ in found)))
    rows.append(TableRow.of(say("claims.supported"), (f"{c.supported}/{c.total}" for _, c in found)))
    differences = [c.difference for _, c in found]
    if any(differences):
        cells = (format_difference(d.mean_diff, d.ci95) if d else None for d in differences)
        rows.append(TableRow.of(say("claims.difference", baseline=summary.baseline), cells))
    rows.append(TableRow.of(say("claims.listed"), (f"{c.listed}/{v.n_answered}" for v, c in found), "sub"))
    counts = {
        "claims.not_found": [c.not_found for _, c in found],
        "claims.silent": [c.silent for _, c in found],
        "claims.too_kind": [len(c.too_kind) for _, c in found],
        "claims.too_harsh": [len(c.too_harsh) for _, c in found],
    }
    rows += [TableRow.of(say(code), map(str, ns), "sub") for code, ns in counts.items() if any(ns)]
    return Grid.of(say("head.claims"), (v.name for v, _ in found), rows)


def _estimate(found: Distribution | None) -> str | None:
    return None if found is None else format_estimate(found.mean, found.ci95)


class ClaimLine(NamedTuple):
    """A claim, its evidence, and whether the evidence supports it; None for a line that is no claim."""

    claim: str
    evidence: str
    supported: bool | None

    @property
    def mark(self) -> str:
        return _MARKS[self.supported]

    @property
    def tone(self) -> Tone:
        return _TONES[self.supported]

    @property
    def text(self) -> str:
        return " ".join(filter(None, (self.mark, self.claim, self.evidence)))


def claim_lines(found: Claimed | None, say: Words) -> Sequence[ClaimLine]:
    """Each claim of an answer; one line that says why where there are none."""
    if found is None:
        return []
    if found.claims is None:
        return [ClaimLine(say("claims.none_listed", why=say(f"status.{found.status}")), "", None)]
    if not found.claims:
        return [ClaimLine(say("claims.no_claim"), "", None)]
    return [ClaimLine(claim.claim, _evidence(claim, say), claim.supported) for claim in found.claims]


def _evidence(claim: Claim, say: Words) -> str:
    if claim.passage is None:
        return say("claims.unsupported")
    code = "claims.in" if claim.supported else "claims.not_in"
    return say(code, n=claim.passage, quote=claim.quote or "")

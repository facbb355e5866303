"""What people are shown of claims: the table of variants, what to read, and each claim with what bears it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from simsa.i18n.language import KoreanNoun
from simsa.i18n.messages import Words, words
from simsa.records import Claim
from simsa.report.format import DASH, Grid, TableCell, TableRow, Tone, format_fixed, format_signed, interval
from simsa.report.score_matrix import SHARE
from simsa.report.summary_model import Note
from simsa.store import Claimed

if TYPE_CHECKING:
    from simsa.report.claim_summary import ClaimsInfo, Disputed
    from simsa.report.summary_model import Summary, VariantSummary

_FAITHFULNESS = "context_faithfulness"
_SHOWN = 5


def claim_grid(summary: Summary) -> Grid:
    """The share with its interval beside the holistic score, what it rests on, and where the two contradict."""
    say = words(summary.language)
    variants = [v for v in summary.variants if v.claims]
    if not variants:
        return Grid(say("head.claims"), (), ())
    rows = [
        TableRow(say(SHARE), tuple(TableCell(_share(v.claims)) for v in variants), "strong"),
        TableRow(say(_FAITHFULNESS), tuple(TableCell(_holistic(v)) for v in variants)),
        TableRow(say("claims.supported"), tuple(TableCell(_of(v.claims)) for v in variants)),
        *_differences(variants, summary.baseline, say),
        TableRow(say("claims.listed"), tuple(TableCell(_listed(v)) for v in variants), "sub"),
    ]
    counts = {
        "claims.not_found": [c.not_found for v in variants if (c := v.claims)],
        "claims.silent": [c.silent for v in variants if (c := v.claims)],
        "claims.too_kind": [len(c.too_kind) for v in variants if (c := v.claims)],
        "claims.too_harsh": [len(c.too_harsh) for v in variants if (c := v.claims)],
    }
    rows += [
        TableRow(say(key), tuple(TableCell(str(n)) for n in found), "sub")
        for key, found in counts.items()
        if any(found)
    ]
    return Grid(say("head.claims"), tuple(v.name for v in variants), tuple(rows))


def _differences(variants: Sequence[VariantSummary], baseline: str, say: Words) -> Iterator[TableRow]:
    found = [v.claims.difference if v.claims else None for v in variants]
    if any(found):
        texts = (DASH if d is None else f"{format_signed(d.mean_diff)} {interval(d.ci95)}" for d in found)
        yield TableRow(say("claims.difference", baseline=baseline), tuple(map(TableCell, texts)))


def claim_notes(say: Words, variants: Sequence[VariantSummary]) -> Iterator[Note]:
    """Answers that someone should read: what the score of faithfulness says of them, their claims deny."""
    for variant in variants:
        found = variant.claims
        for key, disputed in (("kind", found.too_kind), ("harsh", found.too_harsh)) if found else ():
            if disputed:
                ids = ", ".join(_name(one, variant.n_samples) for one in disputed[:_SHOWN])
                more = ", …" if len(disputed) > _SHOWN else ""
                blanks = {"variant": KoreanNoun(variant.name), "n": len(disputed), "list": ids + more}
                yield Note(f"claims_{key}", say(f"note.claims_{key}", **blanks))
        if found and found.unlisted:
            why = ", ".join(f"{say(f'status.{status}')} {n}" for status, n in found.unlisted.items())
            yield Note(
                "claims_unlisted",
                say(
                    "note.claims_unlisted",
                    variant=KoreanNoun(variant.name),
                    n=sum(found.unlisted.values()),
                    why=why,
                ),
            )


def _name(one: Disputed, n_samples: int) -> str:
    """The question, with the number of the answer where it has several."""
    return one.question_id if n_samples == 1 else f"{one.question_id} #{one.sample + 1}"


class ClaimLine(NamedTuple):
    """A claim for people: what it says, what bears it out, and whether it is borne out; None: it is no claim."""

    claim: str
    borne_by: str
    supported: bool | None

    @property
    def mark(self) -> str:
        return {True: "✓", False: "✗", None: "–"}[self.supported]

    @property
    def tone(self) -> Tone:
        tones: dict[bool | None, Tone] = {True: "good", False: "bad", None: "plain"}
        return tones[self.supported]

    @property
    def text(self) -> str:
        return f"{self.mark} {self.claim}" + (f" {self.borne_by}" if self.borne_by else "")


def claim_lines(found: Claimed | None, say: Words) -> list[ClaimLine]:
    """Each claim of an answer; one line that says why where there are none."""
    if found is None:
        return []
    if found.claims is None:
        return [ClaimLine(say("claims.none_listed", why=say(f"status.{found.status}")), "", None)]
    if not found.claims:
        return [ClaimLine(say("claims.no_claim"), "", None)]
    return [ClaimLine(claim.claim, _borne_by(claim, say), claim.supported) for claim in found.claims]


def _borne_by(claim: Claim, say: Words) -> str:
    if claim.passage is None:
        return say("claims.unsupported")
    key = "claims.in" if claim.supported else "claims.not_in"
    return say(key, n=claim.passage, quote=claim.quote or "")


def _share(found: ClaimsInfo | None) -> str:
    share = found.share if found else None
    if share is None:
        return DASH
    return f"{format_fixed(share.mean)} {interval(share.ci95)}" if share.ci95 else format_fixed(share.mean)


def _holistic(variant: VariantSummary) -> str:
    found = variant.whole.criteria.get(_FAITHFULNESS)
    return (
        DASH
        if found is None
        else f"{format_fixed(found.mean)} {interval(found.ci95)}"
        if found.ci95
        else format_fixed(found.mean)
    )


def _listed(variant: VariantSummary) -> str:
    return f"{variant.claims.listed if variant.claims else 0}/{variant.n_answered}"


def _of(found: ClaimsInfo | None) -> str:
    return f"{found.supported}/{found.total}" if found else DASH

"""The claims of answers: which share of them the passages bear out, beside the judge's score of faithfulness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.records import Claim
from simsa.report.cells import Cell, Grid, Row, Tone
from simsa.report.differences import Difference, difference
from simsa.report.model import Note
from simsa.report.numbers import DASH, fixed, interval, signed
from simsa.report.table import CLAIMS_SUPPORTED, CLAIMS_TOTAL, CLAIMS_UNFOUND, MISSING, SHARE
from simsa.report.words import Name, Words, words
from simsa.store import Claimed

if TYPE_CHECKING:
    from simsa.report.model import Summary, VariantSummary
    from simsa.report.table import Floats, Part, Table
    from simsa.stats import Clusters, Distribution

_FAITHFULNESS = "context_faithfulness"
# Scores that say of an answer that all, or most, of it is in no passage.
_KIND, _HARSH = 5, 2
_SHOWN = 5


class Disputed(NamedTuple):
    """An answer on which the score of faithfulness and the claims that are borne out contradict each other."""

    question_id: str
    faithfulness: int
    supported: int
    total: int


@dataclass(frozen=True, slots=True)
class ClaimsInfo:
    """One variant's. `share` is over the answers that claim something; None where none does.

    `listed` answers have a list, of which `silent` ones claim nothing; `unlisted` counts those
    without by status. Of `total` claims `supported` are borne out; for `not_found` of the others
    the judge named a passage in which its quotation does not stand. `too_kind` got full marks
    for faithfulness with a claim that is not borne out; `too_harsh` at most 2 of 5 though
    every claim is. `difference` is that of `share` to the baseline, over pairs.
    """

    share: Distribution | None
    listed: int
    silent: int
    unlisted: Mapping[str, int]
    total: int
    supported: int
    not_found: int
    too_kind: tuple[Disputed, ...] = ()
    too_harsh: tuple[Disputed, ...] = ()
    difference: Difference | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON block of a variant; the figures of `share` are null where there are none."""
        share = self.share.to_dict() if self.share else dict.fromkeys(("n", "mean", "sd", "median", "ci95"))
        return share | {
            "n": self.share.n if self.share else 0,
            "listed": self.listed,
            "silent": self.silent,
            "unlisted": dict(self.unlisted),
            "claims": self.total,
            "supported": self.supported,
            "not_found": self.not_found,
            "too_kind": [found._asdict() for found in self.too_kind],
            "too_harsh": [found._asdict() for found in self.too_harsh],
            "difference": self.difference and self.difference._asdict(),
        }


def of_variant(
    table: Table, name: str, whole: Part, clusters: Clusters | None, baseline: str
) -> ClaimsInfo | None:
    """None where no claims were asked for."""
    from simsa.stats.summary import Scale, summarise

    totals, unlisted = table.present(name, CLAIMS_TOTAL), table.variants[name].unlisted
    if not len(totals) and not unlisted:
        return None
    shares = {q: share for q, share in table.scores(name, SHARE, whole).items() if share is not None}
    kind, harsh = _disputes(table, name)
    return ClaimsInfo(
        share=summarise(shares, clusters, scale=Scale(0, 1, 0.05), counts=False),
        listed=len(totals),
        silent=int((totals == 0).sum()),
        unlisted=dict(sorted(unlisted.items())),
        total=int(totals.sum()),
        supported=int(table.present(name, CLAIMS_SUPPORTED).sum()),
        not_found=int(table.present(name, CLAIMS_UNFOUND).sum()),
        too_kind=tuple(kind),
        too_harsh=tuple(harsh),
        difference=None if name == baseline else difference(table, SHARE, name, baseline),
    )


def contradiction(table: Table, variant: str) -> Floats:
    """By how many points the score of faithfulness lies off what the claims would make it, question by question.

    NaN where the two do not contradict each other, or one of them is not there.
    """
    import numpy as np

    score, share = table.first(variant, _FAITHFULNESS), table.first(variant, SHARE)
    contradict = ((score == _KIND) & (share < 1)) | ((score <= _HARSH) & (share == 1))
    found: Floats = np.where(contradict, np.abs(score - (1 + 4 * share)), MISSING)
    return found


def _disputes(table: Table, name: str) -> tuple[list[Disputed], list[Disputed]]:
    """Answers that were judged too kindly and too harshly, in the order of the test set."""
    columns = [table.first(name, column) for column in (_FAITHFULNESS, CLAIMS_SUPPORTED, CLAIMS_TOTAL)]
    disputed = contradiction(table, name) >= 0
    found = [
        Disputed(table.question_ids[place], *(int(column[place]) for column in columns))
        for place in disputed.nonzero()[0].tolist()
    ]
    return [d for d in found if d.faithfulness == _KIND], [d for d in found if d.faithfulness != _KIND]


def grid(summary: Summary) -> Grid:
    """The share with its interval beside the holistic score, what it rests on, and where the two contradict."""
    say = words(summary.language)
    variants = [v for v in summary.variants if v.claims]
    if not variants:
        return Grid(say("head.claims"), (), ())
    rows = [
        Row(say(SHARE), tuple(Cell(_share(v.claims)) for v in variants), "strong"),
        Row(say(_FAITHFULNESS), tuple(Cell(_holistic(v)) for v in variants)),
        Row(say("claims.supported"), tuple(Cell(_of(v.claims)) for v in variants)),
        *_differences(variants, summary.baseline, say),
        Row(say("claims.listed"), tuple(Cell(_listed(v)) for v in variants), "sub"),
    ]
    counts = {
        "claims.not_found": [c.not_found for v in variants if (c := v.claims)],
        "claims.silent": [c.silent for v in variants if (c := v.claims)],
        "claims.too_kind": [len(c.too_kind) for v in variants if (c := v.claims)],
        "claims.too_harsh": [len(c.too_harsh) for v in variants if (c := v.claims)],
    }
    rows += [
        Row(say(key), tuple(Cell(str(n)) for n in found), "sub")
        for key, found in counts.items()
        if any(found)
    ]
    return Grid(say("head.claims"), tuple(v.name for v in variants), tuple(rows))


def _differences(variants: Sequence[VariantSummary], baseline: str, say: Words) -> Iterator[Row]:
    found = [v.claims.difference if v.claims else None for v in variants]
    if any(found):
        texts = (DASH if d is None else f"{signed(d.mean_diff)} {interval(d.ci95)}" for d in found)
        yield Row(say("claims.difference", baseline=baseline), tuple(map(Cell, texts)))


def notes(say: Words, variants: Sequence[VariantSummary]) -> Iterator[Note]:
    """Answers that someone should read: what the score of faithfulness says of them, their claims deny."""
    for variant in variants:
        found = variant.claims
        for key, disputed in (("kind", found.too_kind), ("harsh", found.too_harsh)) if found else ():
            if disputed:
                ids = ", ".join(one.question_id for one in disputed[:_SHOWN])
                more = ", …" if len(disputed) > _SHOWN else ""
                blanks = {"variant": Name(variant.name), "n": len(disputed), "list": ids + more}
                yield Note(f"claims_{key}", say(f"note.claims_{key}", **blanks))
        if found and found.unlisted:
            why = ", ".join(f"{say(f'status.{status}')} {n}" for status, n in found.unlisted.items())
            yield Note(
                "claims_unlisted",
                say(
                    "note.claims_unlisted",
                    variant=Name(variant.name),
                    n=sum(found.unlisted.values()),
                    why=why,
                ),
            )


class Line(NamedTuple):
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


def lines(found: Claimed | None, say: Words) -> list[Line]:
    """Each claim of an answer; one line that says why where there are none."""
    if found is None:
        return []
    if found.claims is None:
        return [Line(say("claims.none_listed", why=say(f"status.{found.status}")), "", None)]
    if not found.claims:
        return [Line(say("claims.no_claim"), "", None)]
    return [Line(claim.claim, _borne_by(claim, say), claim.supported) for claim in found.claims]


def _borne_by(claim: Claim, say: Words) -> str:
    if claim.passage is None:
        return say("claims.unsupported")
    key = "claims.in" if claim.supported else "claims.not_in"
    return say(key, n=claim.passage, quote=claim.quote or "")


def _share(found: ClaimsInfo | None) -> str:
    share = found.share if found else None
    if share is None:
        return DASH
    return f"{fixed(share.mean)} {interval(share.ci95)}" if share.ci95 else fixed(share.mean)


def _holistic(variant: VariantSummary) -> str:
    found = variant.whole.criteria.get(_FAITHFULNESS)
    return (
        DASH
        if found is None
        else f"{fixed(found.mean)} {interval(found.ci95)}"
        if found.ci95
        else fixed(found.mean)
    )


def _listed(variant: VariantSummary) -> str:
    return f"{variant.claims.listed if variant.claims else 0}/{variant.n_predicted}"


def _of(found: ClaimsInfo | None) -> str:
    return f"{found.supported}/{found.total}" if found else DASH

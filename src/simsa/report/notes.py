"""Notes: what a reader has to know before trusting a figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simsa.i18n.language import Language
from simsa.i18n.messages import Words, words
from simsa.records import TOTAL, Criteria
from simsa.report.format import format_fixed, format_signed, interval, labels, percent
from simsa.report.summary_model import Note
from simsa.text import one_line

if TYPE_CHECKING:
    from simsa.llm import Deprecation
    from simsa.report.judge_reliability import PanelInfo
    from simsa.report.score_checks import Disputed
    from simsa.report.summary_model import JudgeInfo, VariantSummary
    from simsa.stats import Comparison

# Shares from which a note is made: of answers that were cut off, of answerable questions that were declined.
_CUT = 0.02
_DECLINED = 0.1
_LISTED = 5
_EXCERPT = 160
# Krippendorff's bar for conclusions that are at least tentative (Content Analysis, 2004, p. 241).
_RELIABLE_ALPHA = 0.667
_NOTABLE_LENGTH_BIAS = 0.1  # points for each doubling of the length


def notes(
    kept: Iterable[Mapping[str, str]],
    language: Language,
    judge: JudgeInfo | None,
    variants: Sequence[VariantSummary],
    comparisons: Sequence[Comparison],
    stopped: str | None,
    calibration: Mapping[str, Any] | None = None,
    unread: tuple[int, str] | None = None,
    criteria: Criteria = Criteria(),  # noqa: B008 (an empty tuple)
) -> tuple[Note, ...]:
    """The notes that the figures call for, then those of other kinds that the run has kept.

    `calibration` is what `simsa calibrate` kept of this judge; `unread` how many of its replies could not
    be parsed, and one of them; `criteria` are the run's.
    """
    made = _Notes(language, criteria)
    own = [
        *made.of_judge(judge, stopped),
        *made.of_unread(unread),
        *of_samples(made.say, {v.name: (v.n_samples, v.n_gaps) for v in variants}),
        *made.of_panel(judge.panel if judge else None),
        *made.of_claims(variants),
        *made.of_calibration(calibration or {}),
        *made.of_examination(judge),
        *made.of_missing(variants, comparisons),
        *made.of_answers(variants),
        *made.of_clusters(comparisons),
    ]
    kinds = {note.kind for note in own}
    others = (Note(note["kind"], _kept_text(language, note)) for note in kept if note["kind"] not in kinds)
    return tuple(dict.fromkeys((*own, *others)))


def comparison_notes(
    language: Language,
    calibrations: Iterable[Mapping[str, Any] | None],
    comparisons: Sequence[Comparison],
    places: Sequence[Mapping[str, Any]] = (),
    criteria: Criteria = Criteria(),  # noqa: B008 (an empty tuple)
) -> tuple[Note, ...]:
    """The notes that a comparison calls for. `places` are the endpoints of the judges of two runs."""
    made = _Notes(language, criteria)
    found = (
        *(note for calibration in calibrations for note in made.of_calibration(calibration or {})),
        *made.of_places(*places),
        *made.of_missing((), comparisons),
        *made.of_clusters(comparisons),
    )
    return tuple(dict.fromkeys(found))


def of_samples(say: Words, answers: Mapping[str, tuple[int, int]]) -> Iterator[Note]:
    """A note where questions were answered several times.

    `answers` is variant → answers per question, and how many of them lack a score that another answer has.
    """
    if all(n == 1 for n, _ in answers.values()):
        return
    each = ", ".join(f"{name} {n}" for name, (n, _) in answers.items() if n > 1)
    gaps = sum(n_gaps for _, n_gaps in answers.values())
    text = say("note.samples", list=each) + (say("note.sample_gaps", n=gaps) if gaps else "")
    yield Note("samples", text)


def probe_verdict(say: Words, document: Mapping[str, Any]) -> str | None:
    """The sentence that sums up `simsa probe`'s document; None where no probe has a score."""
    found = next(_of_probes(say, document["judge"]["model"], document["probes"]), None)
    return found and found.text


def _kept_text(language: Language, note: Mapping[str, str]) -> str:
    """A note that a run has kept. Runs made before notes were kept in Korean have it only in English."""
    return note.get("ko") or note["text"] if language == "ko" else note["text"]


def _of_probes(say: Words, model: str, probes: Mapping[str, Any]) -> Iterator[Note]:
    whole = probes["overall"]
    if not whole["n"]:
        return
    failed = [
        f"{say(f'probe.{kind}')} {found['passed']}/{found['n']}"
        for kind, found in probes["kinds"].items()
        if found["passed"] < found["n"]
    ]
    figures = {"model": model, "passed": whole["passed"], "n": whole["n"], "rate": percent(whole["rate"])}
    if probes["standing"] == "weak":
        yield Note("weak_probes", say("note.weak_probes", list=", ".join(failed), **figures))
    else:
        yield Note("probed", say("note.probed", **figures))


def _listed(names: Sequence[str], more: str) -> str:
    """The first names, and `more` where there are others."""
    return ", ".join(names[:_LISTED]) + (more if len(names) > _LISTED else "")


class _Notes:
    """Makes the notes in one language."""

    def __init__(self, language: Language, criteria: Criteria) -> None:
        self.say = words(language)
        self.title = labels(language, criteria)

    def note(self, kind: str, code: str, /, **values: Any) -> Note:
        return Note(kind, self.say(f"note.{code}", **values))

    def reasons(self, counts: Mapping[str, int]) -> str:
        return ", ".join(f"{self.say(f'status.{status}')} {n}" for status, n in counts.items())

    def of_judge(self, judge: JudgeInfo | None, stopped: str | None) -> Iterator[Note]:
        if stopped == "budget":
            yield self.note("budget", "stopped")
        if judge is None:
            return
        if judge.is_lexical:
            yield self.note("judge", "lexical")
        for end in judge.retiring:
            yield Note("judge_retiring", self.retirement(end))
        spreads = [
            self.say(
                "note.spread_of",
                what=self.title(name),
                share=percent(s.differ, 1),
                sd=format_fixed(s.sd),
                n=s.n,
            )
            for name, s in judge.context_spread.items()
            if s.differ
        ]
        if spreads:
            yield self.note("context_spread", "context_spread", list=", ".join(spreads))

    def retirement(self, end: Deprecation) -> str:
        """When the judge's model leaves its API, counted from today, and what to use then."""
        say = self.say
        if end.days_left >= 0:
            parts = [say("note.judge_retiring", model=end.model, date=end.date, days=end.days_left)]
        else:
            date = say("note.retired_on", date=end.date) if end.date else say("note.unknown_day")
            parts = [say("note.judge_retired", model=end.model, date=date)]
        if end.successor:
            parts.append(say("note.successor", model=end.successor))
        if end.is_aged:
            parts.append(say("note.aged", as_of=end.as_of))
        return " ".join(parts)

    def of_unread(self, unread: tuple[int, str] | None) -> Iterator[Note]:
        if unread:
            n, reply = unread
            yield self.note("unreadable", "unreadable", n=n, said=one_line(reply, _EXCERPT))

    def of_panel(self, panel: PanelInfo | None) -> Iterator[Note]:
        """Members that could not score, and criteria on which the members do not agree."""
        for member in panel.members if panel else ():
            missing = sum(member.unscored.values())
            if missing:
                figures = {"n": missing + member.n_scored, "missing": missing}
                why = self.reasons(member.unscored)
                yield self.note("panel_absent", "panel_absent", name=member.name, why=why, **figures)
        weak = [
            f"{self.title(name)} {format_fixed(found.alpha)}"
            for name, found in (panel.agreement if panel else {}).items()
            if found.alpha is not None and found.alpha < _RELIABLE_ALPHA
        ]
        if weak:
            bar = format_fixed(_RELIABLE_ALPHA, 3)
            yield self.note("panel_disagrees", "panel_disagrees", list=", ".join(weak), bar=bar)

    def of_claims(self, variants: Sequence[VariantSummary]) -> Iterator[Note]:
        """Answers to read: their claims contradict the score of faithfulness."""
        for variant in variants:
            found = variant.claims
            if found is None:
                continue
            for kind, disputed in (("claims_kind", found.too_kind), ("claims_harsh", found.too_harsh)):
                if disputed:
                    ids = _listed([_answer_name(one, variant.n_samples) for one in disputed], ", …")
                    yield self.note(kind, kind, variant=variant.name, n=len(disputed), list=ids)
            if found.unlisted:
                n, why = sum(found.unlisted.values()), self.reasons(found.unlisted)
                yield self.note("claims_unlisted", "claims_unlisted", variant=variant.name, n=n, why=why)

    def of_calibration(self, calibration: Mapping[str, Any]) -> Iterator[Note]:
        """How far people agree with the judge; a warning where that is not far enough."""
        by_standing: dict[str, list[str]] = {}
        for name, found in calibration.get("criteria", {}).items():
            text = self.say(
                "note.calibration_of",
                what=self.title(name),
                kappa=format_fixed(found["quadratic_kappa"]),
                interval=interval(found["ci95"]),
                n=found["n_labels"],
            )
            by_standing.setdefault(found["standing"], []).append(text)
        for standing, kind in (("weak", "weak_judge"), ("passed", "calibrated")):
            if texts := by_standing.get(standing):
                yield self.note(kind, kind, list="; ".join(texts))

    def of_examination(self, judge: JudgeInfo | None) -> Iterator[Note]:
        """Whether the judge was probed, passed, and scores longer answers differently."""
        if judge is None:
            return
        if judge.examination is None:
            yield self.note("judge_unexamined", "judge_unexamined")
        else:
            yield from _of_probes(self.say, judge.model, judge.examination["probes"])
        found = judge.length_bias.get(TOTAL)  # the criteria's are in the JSON
        if found is None or found.adjusted is None or found.adjusted_ci95 is None:
            return
        low, high = found.adjusted_ci95
        if (low > 0 or high < 0) and abs(found.adjusted) >= _NOTABLE_LENGTH_BIAS:
            slope, ci95 = format_signed(found.adjusted), interval(found.adjusted_ci95)
            yield self.note("length_bias", "length_bias", n=found.n_questions, slope=slope, ci95=ci95)

    def of_missing(
        self, variants: Sequence[VariantSummary], comparisons: Sequence[Comparison]
    ) -> Iterator[Note]:
        """Bounds of the totals where too many scores are missing to ignore."""
        from simsa.stats.missing_bounds import WORTH_SHOWING

        for variant in variants:
            total = variant.total
            if total is None or total.bounds is None:
                continue
            n = total.n + total.n_missing
            share = total.n_missing / n
            if share > WORTH_SHOWING:
                low, high = (format_fixed(bound, 1) for bound in total.bounds)
                figures = {"n": n, "missing": total.n_missing, "share": percent(share, 1)}
                yield self.note("missing", "missing", variant=variant.name, low=low, high=high, **figures)
        for c in comparisons:
            if c.criterion == TOTAL and c.bounds and c.n_dropped / (c.n_dropped + c.n_pairs) > WORTH_SHOWING:
                low, high = (format_signed(bound, 1) for bound in c.bounds)
                names = {"variant": c.variant, "baseline": c.baseline}
                yield self.note("missing", "missing_pairs", low=low, high=high, **names)

    def of_answers(self, variants: Sequence[VariantSummary]) -> Iterator[Note]:
        """Answers that the length limit cut off, and answerable questions that were declined."""
        for variant in variants:
            name = variant.name
            if variant.n_cut > _CUT * variant.n_answered:
                yield self.note("cut", "cut", variant=name, n=variant.n_answered, cut=variant.n_cut)
            table = variant.whole.abstention
            if table and table.over_refusal_rate and table.over_refusal_rate > _DECLINED:
                declined = table.answerable_abstained
                code = "over_refusal" if table.shares is None else "over_refusal_answers"
                n = declined + table.answerable_answered
                yield self.note("over_refusal", code, variant=name, n=n, declined=declined)
            disputed = variant.abstention_by_judge.disputed if variant.abstention_by_judge else ()
            if disputed:
                ids = _listed(disputed, " …")
                yield self.note(
                    "abstention_disputed", "abstention_disputed", variant=name, n=len(disputed), list=ids
                )

    def of_places(self, *runs: Mapping[str, Any]) -> Iterator[Note]:
        """Judges of one name that two runs asked at endpoints with possibly different models."""
        from simsa.judges.identity import relocated

        for name, first, second in relocated(*runs) if len(runs) == 2 else ():
            yield self.note("judge_apart", "judge_apart", name=name, first=str(first), second=str(second))

    def of_clusters(self, comparisons: Sequence[Comparison]) -> Iterator[Note]:
        from simsa.stats.intervals import FEW_CLUSTERS

        clustered = (c.n_clusters for c in comparisons if 1 < c.n_clusters < c.n_pairs)
        fewest = min(clustered, default=FEW_CLUSTERS)
        if fewest < FEW_CLUSTERS:
            yield self.note("few_clusters", "few_clusters", n=fewest)


def _answer_name(one: Disputed, n_samples: int) -> str:
    """The question's id, with the number of the answer where the question has several."""
    return one.question_id if n_samples == 1 else f"{one.question_id} #{one.sample + 1}"

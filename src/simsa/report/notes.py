"""What a reader has to know before believing a figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simsa.i18n.language import KoreanNoun, Language
from simsa.i18n.messages import Words, words
from simsa.report import claim_tables
from simsa.report.format import format_fixed, format_signed, interval, percent
from simsa.report.probe_report import examination_notes
from simsa.report.score_matrix import Table
from simsa.report.summary_model import Note
from simsa.text import one_line, visible

if TYPE_CHECKING:
    from simsa.llm import Deprecation
    from simsa.report.panel_agreement import PanelInfo
    from simsa.report.summary_model import JudgeInfo, VariantSummary
    from simsa.stats import Comparison, Spread

# Shares from which a reader should know: of answers cut off, of answerable questions declined.
_CUT = 0.02
_DECLINED = 0.1
_SHOWN = 5
_EXCERPT = 160
# Krippendorff's bar for conclusions that are at least tentative (Content Analysis, 2004, p. 241).
_AGREED = 0.667
# They are judged from question, passages and reference alone.
CONTEXT_CRITERIA = ("context_relevance", "context_recall")


def context_spread(table: Table) -> dict[str, Spread]:
    """How far the scores of context criteria differ between variants on the same question.

    Such a criterion does not depend on the answer. In a joint call it is judged anew for
    every variant, so a difference is noise of the judge, or a halo of the answer.
    """
    from simsa.stats import spread

    found = {}
    for name in CONTEXT_CRITERIA:
        columns = [table.answers(variant, name)[0].tolist() for variant in table.variants]
        of_questions = zip(*columns, strict=True)
        found[name] = spread([score for score in scores if score == score] for scores in of_questions)
    return {name: one for name, one in found.items() if one is not None}


def notes(
    kept: Iterable[Mapping[str, str]],
    language: Language,
    judge: JudgeInfo | None,
    variants: Sequence[VariantSummary],
    comparisons: Sequence[Comparison],
    stopped: str | None,
    calibration: Mapping[str, Any] | None = None,
    unread: tuple[int, str] | None = None,
) -> tuple[Note, ...]:
    """What the figures call for, then what the run has kept of other kinds.

    `calibration` is what `simsa calibrate` kept of this judge; `unread` how many of its
    answers could not be read, and what one of them was.
    """
    say = words(language)
    own = [
        *_of_judge(say, judge, stopped),
        *_of_unread(say, unread),
        *of_samples(say, {v.name: (v.n_samples, v.n_gaps) for v in variants}),
        *_of_panel(say, judge.panel if judge else None),
        *claim_tables.claim_notes(say, variants),
        *_of_calibration(say, calibration or {}),
        *examination_notes(say, judge),
        *_of_missing(say, variants, comparisons),
        *_of_answers(say, variants),
        *_of_clusters(say, comparisons),
    ]
    told = {note.kind for note in own}
    others = (Note(note["kind"], _in(language, note)) for note in kept if note["kind"] not in told)
    return tuple(dict.fromkeys((*own, *others)))


def _in(language: Language, note: Mapping[str, str]) -> str:
    """What a run has kept; runs made before notes were kept in Korean too have it in English."""
    return note.get("ko") or note["text"] if language == "ko" else note["text"]


def of_comparing(
    language: Language,
    calibrations: Iterable[Mapping[str, Any] | None],
    comparisons: Sequence[Comparison],
    places: Sequence[Mapping[str, Any]] = (),
) -> tuple[Note, ...]:
    """What a comparison calls for: how far the judges are to be trusted, whether they are one, scores that are
    missing, few documents. `places` are where the judges of two runs were."""
    say = words(language)
    trust = (note for calibration in calibrations for note in _of_calibration(say, calibration or {}))
    found = (
        *trust,
        *_of_places(say, *places),
        *_of_missing(say, (), comparisons),
        *_of_clusters(say, comparisons),
    )
    return tuple(dict.fromkeys(found))


def _of_judge(say: Words, judge: JudgeInfo | None, stopped: str | None) -> Iterator[Note]:
    if stopped == "budget":
        yield Note("budget", say("note.stopped"))
    if judge is None:
        return
    if judge.is_lexical:
        yield Note("judge", say("note.lexical"))
    for end in judge.retiring:
        yield Note("judge_retiring", _retiring(say, end))
    spreads = [
        say("note.spread_of", what=say(name), share=percent(s.differ, 1), sd=format_fixed(s.sd), n=s.n)
        for name, s in judge.context_spread.items()
        if s.differ
    ]
    if spreads:
        yield Note("context_spread", say("note.context_spread", list=", ".join(spreads)))


def _retiring(say: Words, end: Deprecation) -> str:
    """When the judge's model leaves its API, counted from today, and what to use then."""
    model = KoreanNoun(end.model)
    if end.days_left >= 0:
        parts = [say("note.judge_retiring", model=model, date=end.date, days=end.days_left)]
    else:
        date = say("note.retired_on", date=end.date) if end.date else say("note.unknown_day")
        parts = [say("note.judge_retired", model=model, date=date)]
    if end.successor:
        parts.append(say("note.successor", model=KoreanNoun(end.successor)))
    if end.is_aged:
        parts.append(say("note.aged", as_of=end.as_of))
    return " ".join(parts)


def of_samples(say: Words, answers: Mapping[str, tuple[int, int]]) -> Iterator[Note]:
    """Questions that were answered several times: what the figures rest on, and what stands where answers are counted.

    `answers` is variant → how many a question has, and how many of them lack a score that others have.
    """
    if all(n == 1 for n, _ in answers.values()):
        return
    each = ", ".join(f"{KoreanNoun(name)} {n}" for name, (n, _) in answers.items() if n > 1)
    gaps = sum(n_gaps for _, n_gaps in answers.values())
    text = say("note.samples", list=each) + (say("note.sample_gaps", n=gaps) if gaps else "")
    yield Note("samples", text)


def _of_unread(say: Words, unread: tuple[int, str] | None) -> Iterator[Note]:
    if unread:
        n, said = unread
        yield Note("unreadable", say("note.unreadable", n=n, said=one_line(visible(said), _EXCERPT)))


def _of_panel(say: Words, panel: PanelInfo | None) -> Iterator[Note]:
    """Members that could not score, and criteria on which the members do not agree."""
    for member in panel.members if panel else ():
        missing = sum(member.unscored.values())
        if missing:
            why = ", ".join(f"{say(f'status.{status}')} {n}" for status, n in member.unscored.items())
            counts = {"n": missing + member.n_scored, "missing": missing, "why": why}
            yield Note("panel_absent", say("note.panel_absent", name=KoreanNoun(member.name), **counts))
    weak = [
        f"{say(name)} {format_fixed(found.alpha)}"
        for name, found in (panel.agreement if panel else {}).items()
        if found.alpha is not None and found.alpha < _AGREED
    ]
    if weak:
        yield Note(
            "panel_disagrees", say("note.panel_disagrees", list=", ".join(weak), bar=format_fixed(_AGREED, 3))
        )


def _of_calibration(say: Words, calibration: Mapping[str, Any]) -> Iterator[Note]:
    """How far people agree with the judge; a warning where that is not far enough."""
    by_standing: dict[str, list[str]] = {}
    for name, found in calibration.get("criteria", {}).items():
        figures = {"kappa": format_fixed(found["quadratic_kappa"]), "interval": interval(found["ci95"])}
        text = say("note.calibration_of", what=say(name), n=found["n_labels"], **figures)
        by_standing.setdefault(found["standing"], []).append(text)
    for standing, key in (("weak", "note.weak_judge"), ("passed", "note.calibrated")):
        if found := by_standing.get(standing):
            yield Note(key.removeprefix("note."), say(key, list="; ".join(found)))


def _of_missing(
    say: Words, variants: Sequence[VariantSummary], comparisons: Sequence[Comparison]
) -> Iterator[Note]:
    """Bounds of the totals, once more is missing than can be overlooked."""
    from simsa.stats.missing_bounds import WORTH_SHOWING

    for variant in variants:
        total = variant.total
        if total is None or total.bounds is None:
            continue
        share = total.n_missing / (total.n + total.n_missing)
        if share > WORTH_SHOWING:
            low, high = (format_fixed(bound, 1) for bound in total.bounds)
            counts = {"n": total.n + total.n_missing, "missing": total.n_missing, "share": percent(share, 1)}
            yield Note(
                "missing", say("note.missing", variant=KoreanNoun(variant.name), low=low, high=high, **counts)
            )
    for c in comparisons:
        if c.criterion == "total" and c.bounds and c.n_dropped / (c.n_dropped + c.n_pairs) > WORTH_SHOWING:
            low, high = (format_signed(bound, 1) for bound in c.bounds)
            names = {"variant": KoreanNoun(c.variant), "baseline": KoreanNoun(c.baseline)}
            yield Note("missing", say("note.missing_pairs", low=low, high=high, **names))


def _of_answers(say: Words, variants: Sequence[VariantSummary]) -> Iterator[Note]:
    """Answers that the length limit cut off, and answerable questions that were declined."""
    for variant in variants:
        name = KoreanNoun(variant.name)
        if variant.n_cut > _CUT * variant.n_answered:
            yield Note("cut", say("note.cut", variant=name, n=variant.n_answered, cut=variant.n_cut))
        table = variant.whole.abstention
        if table and table.over_refusal_rate and table.over_refusal_rate > _DECLINED:
            n = table.answerable_abstained + table.answerable_answered
            key = "note.over_refusal" if table.shares is None else "note.over_refusal_answers"
            declined = table.answerable_abstained
            yield Note("over_refusal", say(key, variant=name, n=n, declined=declined))
        judged = variant.abstention_by_judge
        if judged and judged.disputed:
            shown = ", ".join(judged.disputed[:_SHOWN]) + (" …" if len(judged.disputed) > _SHOWN else "")
            disputed = {"n": len(judged.disputed), "list": shown}
            yield Note("abstention_disputed", say("note.abstention_disputed", variant=name, **disputed))


def _of_places(say: Words, *runs: Mapping[str, Any]) -> Iterator[Note]:
    """Judges of one name that two runs have asked in places where different models may stand."""
    from simsa.judges.identity import apart

    for name, first, second in apart(*runs) if len(runs) == 2 else ():
        where = {"first": str(first), "second": str(second)}
        yield Note("judge_apart", say("note.judge_apart", name=KoreanNoun(name), **where))


def _of_clusters(say: Words, comparisons: Sequence[Comparison]) -> Iterator[Note]:
    from simsa.stats.intervals import FEW_CLUSTERS

    fewest = min((c.n_clusters for c in comparisons if 1 < c.n_clusters < c.n_pairs), default=FEW_CLUSTERS)
    if fewest < FEW_CLUSTERS:
        yield Note("few_clusters", say("note.few_clusters", n=fewest))

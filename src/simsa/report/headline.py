"""What was shown and what was not, in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from simsa.i18n.language import KoreanNoun, Language
from simsa.i18n.messages import Words, words
from simsa.records import CRITERIA
from simsa.report.format import format_fixed, format_signed, interval
from simsa.report.summary_model import is_lexical
from simsa.text import count, usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simsa.report.comparisons import ComparisonReport
    from simsa.report.summary_model import Summary, VariantSummary
    from simsa.stats import Comparison


class HeadlineSentence(NamedTuple):
    """A line of a comparison; `strong` where it is a result."""

    text: str
    strong: bool


def headline(summary: Summary) -> list[str]:
    """The result of the run: one entry a compared variant, or why there is nothing to say."""
    say = words(summary.language)
    variants = summary.variants
    n = summary.run.n_questions
    if not n:
        return [say("say.nothing")]
    if not any(variant.whole.n_scored for variant in variants):
        key = "say.partly" if any(variant.whole.criteria for variant in variants) else "say.unscored"
        return [say(key, predicted=sum(v.n_predicted for v in variants), n=n)]
    prefix = say("say.lexical") if summary.judge and summary.judge.is_lexical else ""
    if len(variants) == 1:
        return [prefix + _alone(summary)]
    return [
        prefix + verdict(summary.comparisons, variant.name, summary.language)
        for variant in variants
        if variant.name != summary.baseline
    ]


def verdict(comparisons: Sequence[Comparison], variant: str, language: Language) -> str:
    """What the comparisons of `variant` with its baseline say: first the total, then what speaks against it."""
    say = words(language)
    by_criterion = {c.criterion: c for c in comparisons if c.variant == variant}
    total = by_criterion.get("total")
    if total is None and by_criterion:  # the rubric does not ask for all that make one
        return " ".join(_one(by_criterion[name], language) for name in CRITERIA if name in by_criterion)
    if total is None:
        return say("say.no_pairs", variant=KoreanNoun(variant))
    sentences = [_one(total, language)]
    if total.verdict == "no difference shown" and total.mde80 is not None:
        sentences.append(say("say.mde", mde=format_fixed(total.mde80, 1)))
    against = {
        other: _listed(by_criterion, other, say) for other in ("worse", "better") if other != total.verdict
    }
    against = {other: found for other, found in against.items() if found}
    if len(against) == 2:
        sentences.append(say("say.but_both", **against))
    for other, found in against.items() if len(against) == 1 else ():
        sentences.append(say(f"say.but_{other}", list=found))
    return " ".join(sentences)


def of_comparing(found: ComparisonReport) -> Iterator[HeadlineSentence]:
    """What was compared, what two judges' bridge says, and what was shown of each other variant."""
    say = words(found.language)
    others = [name for name in found.variants if name != found.baseline]
    if not others:
        yield HeadlineSentence(say("say.no_others", baseline=found.baseline), False)
    elif not found.comparisons:
        yield HeadlineSentence(say("say.unjudged"), False)
    if found.common:
        n, (first, second) = len(found.common.pairs), found.common.n
        yield HeadlineSentence(say("common.only", n=n, first=first, second=second), False)
    across: set[str] = set()
    if found.bridged:
        from simsa.report.cross_judge_report import sentences

        across = {net.variant for net in found.bridged.nets}
        yield from (HeadlineSentence(text, True) for text in sentences(found.bridged, found.language))
    prefix = say("say.lexical") if is_lexical((found.judge or {}).get("model", "")) else ""
    for name in others if found.comparisons else ():
        if name not in across:
            yield HeadlineSentence(prefix + verdict(found.comparisons, name, found.language), True)


def _listed(by_criterion: Mapping[str, Comparison], verdict: str, say: Words) -> str:
    """The criteria with this verdict and their differences."""
    found = [c for name in CRITERIA if (c := by_criterion.get(name)) and c.verdict == verdict]
    return ", ".join(f"{say(c.criterion)} {format_signed(c.mean_diff)}" for c in found)


def _one(comparison: Comparison, language: Language) -> str:
    say = words(language)
    low, high = comparison.ci95 or (None, None)
    places = 1 if comparison.criterion == "total" else 2
    return say(
        f"say.{comparison.verdict}",
        variant=KoreanNoun(comparison.variant),
        baseline=KoreanNoun(comparison.baseline),
        what=KoreanNoun(say(comparison.criterion)),
        diff=format_signed(comparison.mean_diff, places),
        low=format_fixed(low, places),
        high=format_fixed(high, places),
        n=comparison.n_pairs,
    )


def _alone(summary: Summary) -> str:
    say, variant = words(summary.language), summary.variants[0]
    total = variant.total
    if total is None:
        found = ", ".join(
            f"{say(name)} {format_fixed(one.mean)} {interval(one.ci95)}"
            for name, one in variant.whole.criteria.items()
        )
        return say("say.alone_of", variant=KoreanNoun(variant.name), list=found, n=variant.whole.n_scored)
    low, high = total.ci95 or (None, None)
    return say(
        "say.alone",
        variant=KoreanNoun(variant.name),
        mean=format_fixed(total.mean, 1),
        low=format_fixed(low, 1),
        high=format_fixed(high, 1),
        n=total.n,
    )


def judged(summary: Summary) -> list[str]:
    """Who judged, how, and what it took."""
    say = words(summary.language)
    judge = summary.judge
    if judge is None:
        return [say("judged.none")]
    some = judge.mode == "joint" and len(judge.criteria) < len(CRITERIA)
    mode = say("judged.some", n=len(judge.criteria)) if some else say(f"judged.{judge.mode}")
    lines = [say("judged.by", model=judge.model, rubric=judge.rubric, mode=mode)]
    if not judge.is_lexical:
        cost = say("cost.unknown") if judge.cost_usd is None else usd(judge.cost_usd)
        used = {"prompt": count(judge.prompt_tokens), "completion": count(judge.completion_tokens)}
        lines.append(
            say("judged.usage", calls=count(judge.calls), reused=count(judge.reused), cost=cost, **used)
        )
    return lines


def unscored(variant: VariantSummary, language: Language) -> str:
    """How many rows have no score, by reason; empty when all have one."""
    say = words(language)
    return ", ".join(f"{say(f'status.{status}')} {n}" for status, n in variant.unscored.items())

"""The results in plain sentences: what was shown, and what was not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from simsa.i18n.language import Language
from simsa.i18n.messages import words
from simsa.records import TOTAL, Criteria
from simsa.report.format import count, format_estimate, format_fixed, format_signed, labels, usd
from simsa.report.summary_model import is_lexical

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simsa.report.comparisons import ComparisonReport
    from simsa.report.summary_model import Summary, VariantSummary
    from simsa.stats import Comparison


class HeadlineSentence(NamedTuple):
    """A line of a comparison; `strong` where it is a result."""

    text: str
    strong: bool


def headline(summary: Summary) -> list[str]:
    """The result of the run: one entry a compared variant, or why there is no result."""
    say = words(summary.language)
    variants, n = summary.variants, summary.run.n_questions
    if not n:
        return [say("say.nothing")]
    if not any(variant.whole.n_scored for variant in variants):
        code = "say.partly" if any(variant.whole.criteria for variant in variants) else "say.unscored"
        return [say(code, predicted=sum(v.n_predicted for v in variants), n=n)]
    prefix = say("say.lexical") if summary.judge and summary.judge.is_lexical else ""
    if len(variants) == 1:
        return [prefix + _single_variant(summary)]
    return [
        prefix + verdict(summary.comparisons, variant.name, summary.language, summary.criteria)
        for variant in variants
        if variant.name != summary.baseline
    ]


def verdict(
    comparisons: Sequence[Comparison],
    variant: str,
    language: Language,
    criteria: Criteria = Criteria(),  # noqa: B008 (an empty tuple)
) -> str:
    """What the comparisons of `variant` with its baseline show: the total first, then criteria that contradict it."""
    say = words(language)
    found = {c.criterion: c for c in comparisons if c.variant == variant}
    total = found.pop(TOTAL, None)
    if total is None and found:  # the rubric has no total
        return " ".join(_sentence(comparison, language, criteria) for comparison in found.values())
    if total is None:
        return say("say.no_pairs", variant=variant)
    sentences = [_sentence(total, language, criteria)]
    if total.verdict == "no difference shown" and total.mde80 is not None:
        sentences.append(say("say.mde", mde=format_fixed(total.mde80, 1)))
    title = labels(language, criteria)
    against = {}
    for other in ("worse", "better"):
        listed = [
            f"{title(c.criterion)} {format_signed(c.mean_diff)}" for c in found.values() if c.verdict == other
        ]
        if listed and other != total.verdict:
            against[other] = ", ".join(listed)
    if len(against) == 2:
        sentences.append(say("say.but_both", **against))
    else:
        sentences += [say(f"say.but_{other}", list=listed) for other, listed in against.items()]
    return " ".join(sentences)


def comparison_headline(found: ComparisonReport) -> Iterator[HeadlineSentence]:
    """What was compared, what the bridge between two judges shows, and what was shown of each other variant."""
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
            text = verdict(found.comparisons, name, found.language, found.criteria)
            yield HeadlineSentence(prefix + text, True)


def _sentence(comparison: Comparison, language: Language, criteria: Criteria) -> str:
    places = 1 if comparison.criterion == TOTAL else 2
    low, high = comparison.ci95 or (None, None)
    return words(language)(
        f"say.{comparison.verdict}",
        variant=comparison.variant,
        baseline=comparison.baseline,
        what=labels(language, criteria)(comparison.criterion),
        diff=format_signed(comparison.mean_diff, places),
        low=format_fixed(low, places),
        high=format_fixed(high, places),
        n=comparison.n_pairs,
    )


def _single_variant(summary: Summary) -> str:
    say, variant = words(summary.language), summary.variants[0]
    total = variant.total
    if total is None:
        title = labels(summary.language, summary.criteria)
        found = ", ".join(
            f"{title(name)} {format_estimate(one.mean, one.ci95)}"
            for name, one in variant.whole.criteria.items()
        )
        return say("say.alone_of", variant=variant.name, list=found, n=variant.whole.n_scored)
    low, high = (format_fixed(bound, 1) for bound in total.ci95 or (None, None))
    return say(
        "say.alone", variant=variant.name, mean=format_fixed(total.mean, 1), low=low, high=high, n=total.n
    )


def judge_lines(summary: Summary) -> list[str]:
    """Who judged, how, and what it took."""
    say, judge = words(summary.language), summary.judge
    if judge is None:
        return [say("judged.none")]
    mode = say(f"judged.{judge.mode}", n=len(judge.criteria))
    lines = [say("judged.by", model=judge.model, rubric=judge.rubric, mode=mode)]
    if not judge.is_lexical:
        figures = {
            "calls": count(judge.calls),
            "reused": count(judge.reused),
            "prompt": count(judge.prompt_tokens),
            "completion": count(judge.completion_tokens),
            "cost": say("cost.unknown") if judge.cost_usd is None else usd(judge.cost_usd),
        }
        lines.append(say("judged.usage", **figures))
    return lines


def unscored_reasons(variant: VariantSummary, language: Language) -> str:
    """How many rows have no score, by reason; empty when all have one."""
    say = words(language)
    return ", ".join(f"{say(f'status.{status}')} {n}" for status, n in variant.unscored.items())

"""Every deterministic metric of a prediction, and their means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from simsa.metrics import klue, korquad, normalized, overlap
from simsa.metrics.abstention import is_abstention
from simsa.metrics.citations import citation_score, parse_citations, strip_citations
from simsa.metrics.morphology import Morpheme, analyse, clean, content_forms, content_of
from simsa.records import Question

Row = dict[str, float | None]

# In the order of tables. The first six are computed on the text as it is, as published;
# from `lenient_em` on, citation markers are taken off first.
METRICS = (
    "korquad_em",
    "korquad_f1",
    "klue_em",
    "klue_rouge_w",
    "chrf",
    "rouge_l",
    "lenient_em",
    "lenient_f1",
    "contains_reference",
    "context_overlap",
    "citation_precision",
    "citation_recall",
    "citations_out_of_range",
    "abstained",
)
_BLOCK = 256


def score_row(prediction: str, question: Question, refusals: Iterable[str] = ()) -> Row:
    """All `METRICS` of one prediction: 0–1, but `chrf` 0–100 and `citations_out_of_range` a count.

    None where a metric does not apply: no reference, no contexts, no expected citation. Only
    KorQuAD's and KLUE's figures know what to do without a reference: they expect an empty answer.
    `refusals` are sentences the data itself uses to decline (see `refusals_of`); an
    unanswerable question's own reference is one without being named.
    """
    return next(score_rows([(prediction, question)], refusals))


def score_rows(pairs: Iterable[tuple[str, Question]], refusals: Iterable[str] = ()) -> Iterator[Row]:
    """`score_row` of each (prediction, question), some hundred at a time, which is several times faster.

    Fastest when the predictions for a question stand together: its passages are then analysed once.
    """
    pairs, refusals = iter(pairs), tuple(refusals)
    while block := list(islice(pairs, _BLOCK)):
        texts = dict.fromkeys(
            form
            for prediction, question in block
            for text in (prediction, *question.reference)
            for form in (clean(text), _uncited(text))
        )
        found = dict(zip(texts, analyse(texts), strict=True))
        passages = list(dict.fromkeys(p.text for _, question in block for p in question.contexts))
        content = dict(zip(passages, content_of(passages), strict=True))
        for prediction, question in block:
            yield _score(prediction, question, refusals, found, content)


def means(rows: Iterable[Mapping[str, float | None]]) -> Row:
    """Mean of each metric over the rows that have it; None where no row has."""
    sums, counts = dict.fromkeys(METRICS, 0.0), dict.fromkeys(METRICS, 0)
    for row in rows:
        for name in METRICS:
            value = row.get(name)
            if value is not None:
                sums[name] += value
                counts[name] += 1
    return {name: sums[name] / counts[name] if counts[name] else None for name in METRICS}


def _score(
    prediction: str,
    question: Question,
    refusals: tuple[str, ...],
    found: Mapping[str, list[Morpheme]],
    content: Mapping[str, Iterable[str]],
) -> Row:
    """One row from its texts' morphemes (`found`) and its passages' content forms."""
    official = question.reference
    references = tuple(text for text in official if text.strip())
    said = [morpheme.form for morpheme in found[clean(prediction)]]
    expected = [[morpheme.form for morpheme in found[clean(reference)]] for reference in references]
    uncited = _uncited(prediction)
    bare_said = normalized.bare(uncited, found[uncited])
    bare_expected = [normalized.bare(text, found[text]) for text in map(_uncited, references)]
    in_contexts = {form for passage in question.contexts for form in content[passage.text]}
    cited = citation_score(parse_citations(prediction), question.citations, len(question.contexts) or None)
    own = () if question.answerable else references
    return {
        "korquad_em": korquad.exact_match(prediction, official),
        "korquad_f1": korquad.f1(prediction, official),
        "klue_em": klue.exact_match(prediction, official),
        "klue_rouge_w": klue.rouge_w(prediction, official),
        "chrf": overlap.chrf(prediction, references),
        "rouge_l": max((overlap.rouge_l_of(said, one) for one in expected), default=None),
        "lenient_em": normalized.exact_match_of(bare_said, bare_expected),
        "lenient_f1": normalized.f1_of(bare_said, bare_expected),
        "contains_reference": normalized.contains_of(bare_said, bare_expected),
        "context_overlap": overlap.share_found(content_forms(found[uncited]), in_contexts),
        "citation_precision": cited.precision,
        "citation_recall": cited.recall,
        "citations_out_of_range": cited.out_of_range,
        "abstained": float(is_abstention(prediction, refusals) or is_abstention(prediction, own)),
    }


def _uncited(text: str) -> str:
    return clean(strip_citations(text))

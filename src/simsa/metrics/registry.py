"""The registry of metrics: every deterministic metric of an answer, and one pass that computes them all.

A metric is one `register(Metric(name, fn))`. Its function takes a `MetricInput` and returns a number, or None where
the metric does not apply:

    register(Metric("n_sentences", lambda answer: answer.prediction.count("."), scale=None, decimals=1))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from types import MappingProxyType

from simsa.metrics import mrc, normalized, overlap
from simsa.metrics.abstention import is_abstention
from simsa.metrics.citations import CitationScore, citation_score, parse_citations, strip_citations
from simsa.metrics.morphology import Morpheme, analyse, clean, content_forms, content_of
from simsa.records import Question

Row = dict[str, float | None]
_DECIMALS = 3
_BLOCK = 256


class MetricInput:
    """One prediction with its question, and the text analyses that metrics share.

    `refusals` are sentences that the data set uses to decline (see `abstention.refusals_of`).
    """

    def __init__(
        self,
        prediction: str,
        question: Question,
        refusals: tuple[str, ...],
        analysed: Mapping[str, list[Morpheme]],
        content: Mapping[str, Iterable[str]],
    ) -> None:
        self.prediction = prediction
        self.question = question
        self.refusals = refusals
        self._analysed = analysed
        self._content = content

    @cached_property
    def references(self) -> tuple[str, ...]:
        """The references that are not blank."""
        return tuple(text for text in self.question.reference if text.strip())

    @cached_property
    def bare_prediction(self) -> str:
        """See `normalized.bare_form`."""
        return self._bare(self.prediction)

    @cached_property
    def bare_references(self) -> list[str]:
        return list(map(self._bare, self.references))

    @cached_property
    def citations(self) -> CitationScore:
        expected, n_contexts = self.question.citations, len(self.question.contexts) or None
        return citation_score(parse_citations(self.prediction), expected, n_contexts)

    def morphemes(self, text: str) -> list[str]:
        """Forms of the morphemes of the prediction or of a reference."""
        return [morpheme.form for morpheme in self._analysed[clean(text)]]

    def content(self) -> list[str]:
        """Content morphemes of the prediction, without its citations."""
        return content_forms(self._analysed[_without_citations(self.prediction)])

    def content_of_contexts(self) -> set[str]:
        """Content morphemes of the question's passages."""
        return {form for passage in self.question.contexts for form in self._content[passage.text]}

    def _bare(self, text: str) -> str:
        plain = _without_citations(text)
        return normalized.bare_form(plain, self._analysed[plain])


@dataclass(frozen=True, slots=True)
class Metric:
    """A deterministic metric.

    `fn` returns the metric of one answer, or None where it does not apply. `scale` is the highest value (the
    lowest is 0), None for counts; `decimals` is how many places tables show. `label` is the heading in tables,
    by default the message catalogue's text for `name`, else the name.
    """

    name: str
    fn: Callable[[MetricInput], float | None]
    scale: float | None = 1.0
    decimals: int = _DECIMALS
    label: str = ""


_BUILT_IN: frozenset[str] = frozenset()
_registered: dict[str, Metric] = {}
METRICS: Mapping[str, Metric] = MappingProxyType(_registered)
"""All registered metrics by name, in the order of tables."""


def register(metric: Metric) -> Metric:
    """Adds `metric`; it is then measured, reported and exported as the built-in ones are.

    It replaces an added metric of the same name. Raises ValueError for the name of a built-in one.
    """
    if metric.name in _BUILT_IN:
        raise ValueError(f"{metric.name!r} is a built-in metric")
    _registered[metric.name] = metric
    return metric


def decimals(name: str) -> int:
    """Decimal places in tables; a metric from an older run may not be registered any more."""
    return METRICS[name].decimals if name in METRICS else _DECIMALS


def is_count(name: str) -> bool:
    """Whether single values of a metric are counts, shown without decimals."""
    return name in METRICS and METRICS[name].scale is None


def measures_version(package_version: str) -> str:
    """Identifies what a row of measures contains: the package's version and the names of added metrics."""
    return "+".join((package_version, *(name for name in METRICS if name not in _BUILT_IN)))


def score_row(prediction: str, question: Question, refusals: Iterable[str] = ()) -> Row:
    """All `METRICS` of one prediction; None where a metric does not apply (no reference, no contexts, …).

    `refusals` are sentences that the data set uses to decline (see `abstention.refusals_of`); an unanswerable
    question's own references always count as such.
    """
    return next(score_rows([(prediction, question)], refusals))


def score_rows(pairs: Iterable[tuple[str, Question]], refusals: Iterable[str] = ()) -> Iterator[Row]:
    """`score_row` of each (prediction, question), in blocks, which is several times faster.

    It is fastest when the predictions for a question are adjacent: the passages are then analysed once.
    """
    pairs, refusals = iter(pairs), tuple(refusals)
    while block := list(islice(pairs, _BLOCK)):
        texts = dict.fromkeys(
            form
            for prediction, question in block
            for text in (prediction, *question.reference)
            for form in (clean(text), _without_citations(text))
        )
        analysed = dict(zip(texts, analyse(texts), strict=True))
        passages = list(dict.fromkeys(p.text for _, question in block for p in question.contexts))
        content = dict(zip(passages, content_of(passages), strict=True))
        for prediction, question in block:
            answer = MetricInput(prediction, question, refusals, analysed, content)
            yield {name: metric.fn(answer) for name, metric in METRICS.items()}


def _without_citations(text: str) -> str:
    return clean(strip_citations(text))


def _abstained(answer: MetricInput) -> float:
    own = () if answer.question.answerable else answer.references
    return float(is_abstention(answer.prediction, answer.refusals) or is_abstention(answer.prediction, own))


def _rouge_l(answer: MetricInput) -> float | None:
    return overlap.rouge_l(answer.morphemes(answer.prediction), map(answer.morphemes, answer.references))


# The first six use the text as it is; from `lenient_em` on, citation markers are removed first.
for _metric in (
    Metric("korquad_em", lambda a: mrc.korquad_em(a.prediction, a.question.reference)),
    Metric("korquad_f1", lambda a: mrc.korquad_f1(a.prediction, a.question.reference)),
    Metric("klue_em", lambda a: mrc.klue_em(a.prediction, a.question.reference)),
    Metric("klue_rouge_w", lambda a: mrc.klue_rouge_w(a.prediction, a.question.reference)),
    Metric("chrf", lambda a: overlap.chrf(a.prediction, a.references), scale=100, decimals=1),
    Metric("rouge_l", _rouge_l),
    Metric("lenient_em", lambda a: normalized.exact_match(a.bare_prediction, a.bare_references)),
    Metric("lenient_f1", lambda a: normalized.f1(a.bare_prediction, a.bare_references)),
    Metric("contains_reference", lambda a: normalized.contains(a.bare_prediction, a.bare_references)),
    Metric("context_overlap", lambda a: overlap.share_found(a.content(), a.content_of_contexts())),
    Metric("citation_precision", lambda a: a.citations.precision),
    Metric("citation_recall", lambda a: a.citations.recall),
    Metric("citations_out_of_range", lambda a: a.citations.out_of_range, scale=None),
    Metric("abstained", _abstained),
):
    register(_metric)
_BUILT_IN = frozenset(_registered)

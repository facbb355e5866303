"""The nested JSON of SQuAD 1.1 and 2.0, KorQuAD and KLUE-MRC, as flat rows.

A document (`title`) has paragraphs (`context`), and a paragraph has questions (`qas`). An unanswerable
question has no reference here, where KLUE's scorer writes `[""]`. `plausible_answers` are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simsa.data.problems import problem
from simsa.data.schema import wrong_type

_DOCUMENT_KEYS = {"paragraphs", "qas", "context", "raw_html"}
_QUESTION_KEYS = {"id", "guid", "question_id", "question", "is_impossible", "question_type"}


def is_nested(documents: Sequence[Any]) -> bool:
    """Whether a list holds documents rather than rows."""
    first = documents[0] if documents else None
    return isinstance(first, Mapping) and ("paragraphs" in first or "qas" in first)


def rows(documents: Sequence[Any], name: str, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each question as (place, row); `path` leads to `documents` within the file. Raises DataError."""
    for d, document in enumerate(documents):
        place = f"{path}[{d}]"
        if not isinstance(document, Mapping):
            raise wrong_type(document, "want.document", name, place)
        metadata = {key: value for key, value in document.items() if key not in _DOCUMENT_KEYS}
        # KorQuAD 2.0 has no paragraphs: the document itself is one.
        paragraphs = _list(document, "paragraphs", name, place) if "paragraphs" in document else [document]
        for p, paragraph in enumerate(paragraphs):
            inside = f"{place}.paragraphs[{p}]" if "paragraphs" in document else place
            if not isinstance(paragraph, Mapping):
                raise wrong_type(paragraph, "want.paragraph", name, inside)
            for q, item in enumerate(_list(paragraph, "qas", name, inside)):
                where = f"{name}: {inside}.qas[{q}]"
                yield where, _row(item, paragraph, metadata, where)


def _row(item: Any, paragraph: Mapping[str, Any], metadata: dict[str, Any], where: str) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise wrong_type(item, "want.question", where, "qas")
    if "context" not in paragraph:
        raise problem("no_context", where, "context")
    answers = item.get("answers", item.get("answer"))
    if item.get("is_impossible") is True:
        answers = []
    elif isinstance(answers, Mapping):
        answers = [answers]
    row = {key: value for key, value in item.items() if key in _QUESTION_KEYS}
    return {**row, "contexts": [paragraph["context"]], "answers": answers, "metadata": metadata}


def _list(parent: Mapping[str, Any], key: str, name: str, place: str) -> list[Any]:
    value = parent.get(key)
    if not isinstance(value, list):
        raise wrong_type(value, "json.list", name, f"{place}.{key}")
    return value

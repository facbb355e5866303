"""The nested JSON of SQuAD 1.1 and 2.0, KorQuAD and KLUE-MRC → flat rows.

A document (`title`) has paragraphs (`context`), a paragraph has questions (`qas`). An
unanswerable question has no reference here, where KLUE's scorer writes `[""]`; its
`plausible_answers` are no answers and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simsa.data.schema import not_a
from simsa.errors import DataError

_OWN = {"paragraphs", "qas", "context", "raw_html"}
_ASKED = {"id", "guid", "question_id", "question", "is_impossible", "question_type"}


def is_nested(documents: Sequence[Any]) -> bool:
    """Whether a list holds documents rather than rows."""
    first = documents[0] if documents else None
    return isinstance(first, Mapping) and ("paragraphs" in first or "qas" in first)


def rows(documents: Sequence[Any], name: str, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each question as (where, row); `path` leads to `documents` within the file. Raises DataError."""
    for d, document in enumerate(documents):
        place = f"{path}[{d}]"
        if not isinstance(document, Mapping):
            raise not_a(document, "a document", name, place)
        about = {key: value for key, value in document.items() if key not in _OWN}
        # KorQuAD 2.0 has no paragraphs: the document is one.
        paragraphs = _list(document, "paragraphs", name, place) if "paragraphs" in document else [document]
        for p, paragraph in enumerate(paragraphs):
            inside = f"{place}.paragraphs[{p}]" if "paragraphs" in document else place
            if not isinstance(paragraph, Mapping):
                raise not_a(paragraph, "a paragraph", name, inside)
            for q, asked in enumerate(_list(paragraph, "qas", name, inside)):
                where = f"{name}: {inside}.qas[{q}]"
                yield where, _row(asked, paragraph, about, where)


def _row(asked: Any, paragraph: Mapping[str, Any], about: dict[str, Any], where: str) -> dict[str, Any]:
    if not isinstance(asked, Mapping):
        raise not_a(asked, "a question with its answers", where, "qas")
    if "context" not in paragraph:
        raise DataError("the paragraph has no context", where=where, field="context")
    impossible = asked.get("is_impossible")
    answers = asked.get("answers", asked.get("answer"))
    row = {key: value for key, value in asked.items() if key in _ASKED}
    row["contexts"] = [paragraph["context"]]
    row["answers"] = [] if impossible is True else [answers] if isinstance(answers, Mapping) else answers
    return {**row, "metadata": about}


def _list(parent: Mapping[str, Any], key: str, name: str, place: str) -> list[Any]:
    value = parent.get(key)
    if not isinstance(value, list):
        raise not_a(value, "a list", name, f"{place}.{key}")
    return value

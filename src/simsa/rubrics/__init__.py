"""Rubrics: what judges are asked, and how their replies are parsed.

A rubric is a readable file: a TOML file of criteria, or any text with `{question} {context} {prediction} {label}`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from simsa.errors import RubricError
from simsa.i18n.messages import msg
from simsa.records import Criteria
from simsa.rubrics import criteria, template
from simsa.rubrics import editable as files
from simsa.rubrics.editable import Proposal, propose
from simsa.rubrics.response_parser import ParsedScores, ParseFailure, read_verdict, score_offsets
from simsa.rubrics.rubric import FIELDS, Rubric, instructions
from simsa.text import encoding_hint, suggestion

__all__ = [
    "BUILT_IN",
    "FIELDS",
    "ParseFailure",
    "ParsedScores",
    "Proposal",
    "Rubric",
    "built_in_criteria",
    "editable",
    "instructions",
    "load",
    "propose",
    "read_verdict",
    "score_offsets",
    "source",
]

BUILT_IN = ("rag-ko", "rag-en")


@cache
def built_in_criteria() -> Criteria:
    """The criteria of the built-in rubrics."""
    return load(BUILT_IN[-1]).criteria


def load(name: str, root: Path = Path()) -> Rubric:
    """Returns the built-in rubric `name`, or the one in the file `root / name`. Raises RubricError.

    A file that ends in `.toml` is a rubric of criteria; any other is a text.
    """
    file = source(name, root)
    text = read(file, msg("hint.built_in", suggestion=suggestion(name, BUILT_IN), list=", ".join(BUILT_IN)))
    if name in BUILT_IN:
        return criteria.parse(text, file.stem, str(file))
    if file.suffix == ".toml":
        rubric: Rubric = criteria.parse(text, file.stem, str(file))
    else:
        rubric = template.parse(text, file.stem, str(file), built_in_criteria().names)
    return replace(rubric, criteria=_like_built_in(rubric.criteria, is_text=file.suffix != ".toml"))


def _like_built_in(criteria: Criteria, *, is_text: bool) -> Criteria:
    """Gives criteria with a built-in name the built-in aspect, unless the rubric sets one.

    A text does not say which criteria depend on the prediction; the built-in names do.
    """
    found = []
    for criterion in criteria:
        known = built_in_criteria().named(criterion.name)
        if known and not criterion.aspect:
            sees = criterion.sees_prediction and (known.sees_prediction or not is_text)
            criterion = replace(criterion, aspect=known.aspect, sees_prediction=sees)
        found.append(criterion)
    return Criteria(found)


def read(file: Path, hint: str | None = None) -> str:
    """Returns the text of a rubric file. Raises RubricError if it cannot be read, with `hint`, or is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        encoding = encoding_hint(file.read_bytes(), str(file))
        raise RubricError(
            msg("error.rubrics.is_not_utf_byte", start=error.start), where=str(file), hint=encoding
        ) from None
    except OSError as error:
        message = msg("error.rubrics.rubric_cannot_read", strerror=error.strerror)
        raise RubricError(message, where=str(file), field="judge.rubric", hint=hint) from None


def source(name: str, root: Path = Path()) -> Path:
    """The file that the rubric `name` is read from."""
    if name in BUILT_IN:
        return Path(__file__).with_name(f"{name}.toml")
    return root / Path(name).expanduser()


def editable(language: str, file: Path) -> str:
    """Returns the text of a commented copy of the built-in rubric in `language`, to be edited as `file`."""
    return files.editable(source(f"rag-{language}").read_text(encoding="utf-8"), language, file)

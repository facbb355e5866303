"""What judges are asked, and how their answers are read.

A rubric is a readable file: a TOML file of criteria, each with five levels described, or
any text with `{question} {context} {prediction} {label}`.
"""

from __future__ import annotations

from pathlib import Path

from simsa.errors import RubricError
from simsa.rubrics import criteria, template
from simsa.rubrics import editable as copying
from simsa.rubrics.response_parser import ParsedScores, ParseFailure, read_verdict, score_offsets
from simsa.rubrics.rubric import FIELDS, Rubric, instructions
from simsa.text import encoding_hint, suggestion

__all__ = [
    "BUILT_IN",
    "FIELDS",
    "ParseFailure",
    "ParsedScores",
    "Rubric",
    "editable",
    "instructions",
    "load",
    "read_verdict",
    "score_offsets",
    "source",
]

BUILT_IN = ("rag-ko", "rag-en")


def load(name: str, root: Path = Path()) -> Rubric:
    """The built-in rubric `name`, or the one in the file `root / name`. Raises RubricError.

    A file that ends in `.toml` is a rubric of criteria; any other is a text.
    """
    file = source(name, root)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        hint = encoding_hint(file.read_bytes(), str(file))
        raise RubricError(f"is not UTF-8 at byte {error.start}", where=str(file), hint=hint) from None
    except OSError as error:
        raise RubricError(
            f"the rubric cannot be read: {error.strerror}",
            where=str(file),
            field="judge.rubric",
            hint=f"{suggestion(name, BUILT_IN)}built in are {', '.join(BUILT_IN)}; anything else is a file",
        ) from None
    parse = criteria.parse if file.suffix == ".toml" else template.parse
    return parse(text, file.stem, str(file))


def source(name: str, root: Path = Path()) -> Path:
    """The file that the rubric `name` is read from."""
    if name in BUILT_IN:
        return Path(__file__).with_name(f"{name}.toml")
    return root / Path(name).expanduser()


def editable(language: str, file: Path) -> str:
    """The text of a copy of the built-in rubric in `language`, explained to who edits it as `file`."""
    return copying.editable(source(f"rag-{language}").read_text(encoding="utf-8"), language, file)

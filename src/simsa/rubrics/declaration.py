"""How a rubric file declares its criteria: names, scales and weights, and errors that name the line of a key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from simsa import records
from simsa.errors import RubricError
from simsa.i18n.messages import msg
from simsa.records import CLAIMS, Criteria

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

YES_NO = "yes/no"
_WIDEST = 1000
_SCALE_HELP = 'a scale is [lowest, highest] as two integers, such as [0, 10], or "yes/no"'
# Names of other fields of a row.
_RESERVED = {
    *("question_id", "variant", "type", "answerable", "cluster", "question", "contexts", "reference"),
    *("prediction", "judge", "rubric", "status", "total", "analysis", "raw", "sample", "expected", CLAIMS),
    *("request_hash", "members", "repeats", "cost_usd", "comment", "annotator", "code", "weight", "coverage"),
}


class ScoreScale(NamedTuple):
    """A criterion's scores, from `low` to `high`. `yes_no`: the judge answers with true or false."""

    low: int = 1
    high: int = 5
    yes_no: bool = False

    @property
    def is_default(self) -> bool:
        return self == ScoreScale()

    def __str__(self) -> str:
        return YES_NO if self.yes_no else f"{self.low}–{self.high}"


def _scale(value: Any) -> ScoreScale:
    if value == YES_NO:
        return ScoreScale(0, 1, yes_no=True)
    match value:
        case [int(low), int(high)] if bool not in (type(low), type(high)):
            if 0 < high - low <= _WIDEST:
                return ScoreScale(low, high)
            raise ValueError(f"the highest score must be 1 to {_WIDEST} above the lowest; {_SCALE_HELP}")
    raise ValueError(_SCALE_HELP)


class TomlPart(BaseModel):
    """A table of a rubric file. Unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


Part = TypeVar("Part", bound=TomlPart)


class Declaration(TomlPart):
    """What a rubric file says of a criterion's scores."""

    title: str = ""
    scale: Annotated[ScoreScale, BeforeValidator(_scale)] = ScoreScale()
    weight: Annotated[int | float, Field(gt=0, allow_inf_nan=False)] = 1
    in_total: bool = True
    aspect: records.Aspect = ""

    @property
    def sees_prediction(self) -> bool:
        """Whether the score depends on the prediction."""
        return True


def declared(criteria: Mapping[str, Declaration]) -> Criteria:
    """The criteria as records."""
    return Criteria(
        records.Criterion(
            name,
            one.scale.low,
            one.scale.high,
            one.weight,
            one.in_total,
            one.title,
            one.sees_prediction,
            one.aspect,
        )
        for name, one in criteria.items()
    )


def yes_no_names(criteria: Mapping[str, Declaration]) -> frozenset[str]:
    """The criteria that are answered with true or false."""
    return frozenset(name for name, one in criteria.items() if one.scale.yes_no)


def check_names(names: Iterable[str], analysis: str) -> None:
    """Raises ValueError for a criterion's name that cannot be a JSON key and a column of its own."""
    for name in names:
        if not name.isidentifier():
            raise ValueError(f"criteria: {name!r} is not a name; use letters, digits and _ only")
        if name in _RESERVED or name == analysis:
            raise ValueError(f"criteria: {name!r} is the name of another field; choose another name")


def read_toml(model: type[Part], text: str, where: str, hint: str) -> Part:
    """Parses `text` as `model`. Raises RubricError that names the line and the key."""
    try:
        return model.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RubricError(msg("error.rubrics.is_not_valid_toml", error=error), where=where) from None
    except ValidationError as error:
        raise _explain(error, text, where, hint) from None


def _explain(error: ValidationError, text: str, where: str, hint: str) -> RubricError:
    """The first problem, with the line of the key, or of the table that lacks it."""
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"] if part != "[key]"]
    if first["type"] == "missing":
        return problem("is missing", path, text, where, hint)
    if first["type"] == "extra_forbidden":
        return problem("unknown key", path, text, where, hint)
    found = first.get("input")
    shown = None if isinstance(found, dict | list) or first["type"] == "value_error" else found
    return problem(first["msg"].removeprefix("Value error, "), path, text, where, hint, shown)


def problem(
    message: str, path: Sequence[str], text: str, where: str, hint: str, found: object = None
) -> RubricError:
    """The error `message` about the key at `path` of the TOML `text`."""
    if line := line_of(text, path):
        where = f"{where}:{line}"
    return RubricError(message, where=where, field=".".join(path) or None, found=found, hint=hint)


_TABLE = re.compile(r"\s*\[+\s*([^\[\]#]+?)\s*\]+\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[\w-]+(?:\s*\.\s*[\w-]+)*)\s*=""")
_QUOTES = ('"""', "'''")


def line_of(text: str, path: Sequence[str]) -> int | None:
    """Line, from 1, of the key at `path` in a TOML text, or of the nearest table or key above it; None without any."""
    best, line = 0, None
    table: tuple[str, ...] = ()
    inside = ""
    for number, row in enumerate(text.split("\n"), 1):
        if inside:
            inside = "" if row.count(inside) % 2 else inside
            continue
        if found := _TABLE.match(row):
            table = _parts(found[1])
            here: Sequence[str] = table
        elif found := _KEY.match(row):
            here = (*table, *_parts(found[1]))
            inside = next((quotes for quotes in _QUOTES if row.count(quotes) % 2), "")
        else:
            continue
        if len(here) > best and tuple(path[: len(here)]) == tuple(here):
            best, line = len(here), number
    return line


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))

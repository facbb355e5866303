"""Maps a file's columns to simsa's fields, by the names that known tools use.

A field is what simsa needs (`question`, `contexts`, `reference`, …). A column is what the file calls
it: a JSON key or a table's column. Where the names of one tool collide, its shape is recognised and
read as the tool means it. Two columns for one field are otherwise refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from simsa.data.problems import problem
from simsa.errors import DataError
from simsa.i18n.language import join_text
from simsa.i18n.messages import msg

_NAMES = {
    "id": "id qid guid question_id query_id",
    "question": "question user_input query input instruction",
    "contexts": "contexts context search_result retrieved_contexts retrieved_context retrieval_context"
    " retrieved_contents",
    "reference": "reference answer answers ground_truth ground_truths label gt_answer expected_output target"
    " generation_gt reference_answer",
    "prediction": "prediction response output actual_output generated_answer generated_texts",
    "answerable": "answerable is_impossible",
    "type": "type question_type",
    "cluster": "cluster",
    "citations": "citations extracted_ref_numbers",
    "metadata": "metadata",
    "messages": "messages conversations",
    "variant": "variant",
    "finish_reason": "finish_reason",
    "prompt_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "latency_s": "latency_s",
}
ALIASES: Mapping[str, tuple[str, ...]] = {field: tuple(names.split()) for field, names in _NAMES.items()}
"""Field → the column names that stand for it, in lower case."""
_FIELD_OF = {alias: field for field, aliases in ALIASES.items() for alias in aliases}


class FieldMap(NamedTuple):
    """Which columns hold which fields, for rows with one set of columns.

    `columns` maps field to column. `extras` are the columns without a field. `shape` names the tool's
    shape where it changes how values are read. `second` is deepeval's `context`, which replaces null
    contexts, or the `completion` of a `prompt`.
    """

    columns: Mapping[str, str]
    extras: tuple[str, ...] = ()
    shape: str = ""
    second: str | None = None


def is_known(name: str) -> bool:
    """Whether `name` is an alias of some field."""
    return _folded(name) in _FIELD_OF


def is_impossible(column: str) -> bool:
    """Whether a column that holds `answerable` means its opposite."""
    return _folded(column) == "is_impossible"


def check_fields(fields: Mapping[str, str], where: str) -> None:
    """Raises DataError for a mapping with an unknown field, or with one column for two fields."""
    for field, column in fields.items():
        if field not in ALIASES:
            known = ", ".join(ALIASES)
            name = nearest(field, ALIASES)
            raise problem("no_such_field", where, f"fields.{field}", name=name, list=known)
        sharing = [other for other, its in fields.items() if its == column]
        if len(sharing) > 1:
            listed = ", ".join(sharing)
            raise problem("shared_column", where, f"fields.{field}", found=column, list=listed)


def resolve(
    names: Sequence[str], fields: Mapping[str, str], where: str, *, predicting: bool = False
) -> FieldMap:
    """The fields of rows whose columns are `names`; `fields` (field → column) wins over the aliases.

    With `predicting`, a file of answers is read: a bare `output` or `response` is always the
    prediction. Raises DataError where two columns claim one field.
    """
    claims = {field: [column] for field, column in fields.items() if column in names}
    mapped = set(fields.values())
    for name in names:
        field = _FIELD_OF.get(_folded(name))
        if field and field not in fields and name not in mapped:
            claims.setdefault(field, []).append(name)
    shape, second = _settle_known_shapes(claims, {_folded(name): name for name in names}, predicting)
    for field, columns in claims.items():
        if len(columns) > 1:
            raise _claimed_twice(field, columns, where)
    chosen = {field: columns[0] for field, columns in claims.items()}
    used = {*chosen.values(), second}
    return FieldMap(chosen, tuple(name for name in names if name not in used), shape, second)


def unknown_column(field: str, column: str, names: Iterable[str], where: str) -> DataError:
    """The error for a mapped column that the file does not have."""
    names = list(names)
    hint = None
    if names:
        hint = msg("data.no_such_column.similar", name=nearest(column, names), list=", ".join(names))
    return problem("no_such_column", where, f"fields.{field}", found=column, hint=hint)


def missing_field(field: str, known: FieldMap, names: Sequence[str], where: str) -> DataError:
    """The error for a row in which no column holds `field`."""
    prediction = known.columns.get("prediction")
    close = [
        match
        for alias in ALIASES[field]
        for match in difflib.get_close_matches(alias, known.extras, n=1, cutoff=0.75)
    ]
    likely = prediction if field == "reference" and prediction else close[0] if close else None
    advice = "unknown" if not likely else "prediction" if likely == prediction else "similar"
    setting = msg("data.setting", key=field, column=likely or "…")
    hint = msg(f"data.lacks.{advice}", column=likely, setting=setting)
    if field == "contexts":
        hint = join_text("", (hint, msg("data.lacks.contexts")))
    found = f"fields {', '.join(names)}" if names else "{}"
    return problem("lacks", where, found=found, hint=hint, key=field)


def nearest(name: str, names: Iterable[str]) -> str:
    """The one of `names` that is most similar to `name`."""
    return difflib.get_close_matches(name, list(names), n=1, cutoff=0.0)[0]


def _folded(name: str) -> str:
    return name.strip().lower()


def _claimed_twice(field: str, columns: list[str], where: str) -> DataError:
    listed = ", ".join(map(repr, columns))
    setting = msg("data.setting", key=field, column=columns[0])
    return problem("claimed", where, n=len(columns), key=field, list=listed, setting=setting)


def _settle_known_shapes(
    claims: dict[str, list[str]], names: Mapping[str, str], predicting: bool
) -> tuple[str, str | None]:
    """Resolves the collisions in files of known tools; returns the shape and its second column.

    `names` maps each column's folded name to the name itself.
    """
    questions, contexts, references = (
        {_folded(name) for name in claims.get(field, ())} for field in ("question", "contexts", "reference")
    )
    shape, second = "", None
    if "input" in questions and names.keys() & {"actual_output", "expected_output", "retrieval_context"}:
        shape = "deepeval"
        # `context` is what should have been retrieved, `retrieval_context` what was.
        if contexts == {"context", "retrieval_context"}:
            claims["contexts"], second = [names["retrieval_context"]], names["context"]
    elif questions == {"instruction", "input"} and not contexts:
        shape = "alpaca"
        claims["question"], claims["contexts"] = [names["instruction"]], [names["input"]]
    elif not questions and "messages" not in claims and names.keys() >= {"prompt", "completion"}:
        shape, second = "completion", names["completion"]
        claims["messages"] = [names["prompt"]]
    is_old_ragas = names.keys() >= {"question", "contexts"} and references & {"ground_truth", "ground_truths"}
    # ragas before 0.2: `answer` is the model's answer, `ground_truth` the expected one.
    if is_old_ragas and "answer" in references:
        claims["reference"].remove(names["answer"])
        claims.setdefault("prediction", []).append(names["answer"])
    # Fine-tuning rows have no model's answer; their output is the expected one.
    elif (
        "instruction" in questions
        and not references
        and not predicting
        and len(claims.get("prediction", ())) == 1
    ):
        claims["reference"] = claims.pop("prediction")
    return shape, second

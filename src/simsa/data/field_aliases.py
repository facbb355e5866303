"""Which field of a file holds what: roles, the names that stand for them, and what known tools mean by those.

A role is what simsa needs (`question`, `contexts`, `reference`, …); an alias is what some
tool calls it. Where a tool's own names collide, its shape is recognised and read as its
authors mean it; any other two fields with one role are refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from simsa.errors import DataError

ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "qid", "guid", "question_id", "query_id"),
    "question": ("question", "user_input", "query", "input", "instruction"),
    "contexts": (
        "contexts",
        "context",
        "search_result",
        "retrieved_contexts",
        "retrieved_context",
        "retrieval_context",
        "retrieved_contents",
    ),
    "reference": (
        "reference",
        "answer",
        "answers",
        "ground_truth",
        "ground_truths",
        "label",
        "gt_answer",
        "expected_output",
        "target",
        "generation_gt",
        "reference_answer",
    ),
    "prediction": (
        "prediction",
        "response",
        "output",
        "actual_output",
        "generated_answer",
        "generated_texts",
    ),
    "answerable": ("answerable", "is_impossible"),
    "type": ("type", "question_type"),
    "cluster": ("cluster",),
    "citations": ("citations", "extracted_ref_numbers"),
    "metadata": ("metadata",),
    "messages": ("messages", "conversations"),
    "variant": ("variant",),
    "finish_reason": ("finish_reason",),
    "prompt_tokens": ("prompt_tokens",),
    "completion_tokens": ("completion_tokens",),
    "latency_s": ("latency_s",),
}
_ROLE_OF = {alias: role for role, aliases in ALIASES.items() for alias in aliases}


class FieldRoles(NamedTuple):
    """Role → field for rows with one set of fields.

    `extras` are the fields without a role; `meant` names the shape where it changes how values
    are read; `second` is deepeval's `context`, which stands in for null contexts, or the
    `completion` of a `prompt`.
    """

    fields: Mapping[str, str]
    extras: tuple[str, ...] = ()
    meant: str = ""
    second: str | None = None


def is_known(name: str) -> bool:
    """Whether `name` stands for some role."""
    return _plain(name) in _ROLE_OF


def check_fields(fields: Mapping[str, str], where: str) -> None:
    """Refuses a mapping that speaks of a role which does not exist, or uses one field for two roles."""
    for role, name in fields.items():
        if role not in ALIASES:
            raise DataError(
                "there is no such role",
                where=where,
                field=f"fields.{role}",
                hint=f"did you mean {nearest(role, ALIASES)!r}? roles are {', '.join(ALIASES)}",
            )
        sharing = [other for other, its in fields.items() if its == name]
        if len(sharing) > 1:
            raise DataError(
                f"one field cannot be both {' and '.join(sharing)}",
                where=where,
                field=f"fields.{role}",
                found=name,
            )


def resolve(
    names: Sequence[str], fields: Mapping[str, str], where: str, *, predicting: bool = False
) -> FieldRoles:
    """The roles of rows whose fields are `names`; `fields` (role → name) wins over the aliases.

    `predicting` reads a file of answers: there, a bare `output` or `response` is always the
    prediction. Raises DataError where two fields claim one role.
    """
    claims = {role: [name] for role, name in fields.items() if name in names}
    mapped = set(fields.values())
    for name in names:
        role = _ROLE_OF.get(_plain(name))
        if role and role not in fields and name not in mapped:
            claims.setdefault(role, []).append(name)
    meant, second = _as_meant(claims, {_plain(name): name for name in names}, predicting)
    for role, claiming in claims.items():
        if len(claiming) > 1:
            raise _claimed_twice(role, claiming, where)
    chosen = {role: claiming[0] for role, claiming in claims.items()}
    spoken_for = {*chosen.values(), second}
    extras = tuple(name for name in names if name not in spoken_for)
    return FieldRoles(chosen, extras, meant, second)


def unmapped(role: str, name: str, names: Iterable[str], where: str) -> DataError:
    """The error for a mapped field that the file does not have."""
    names = list(names)
    return DataError(
        "the file has no such field",
        where=where,
        field=f"fields.{role}",
        found=name,
        hint=f"did you mean {nearest(name, names)!r}? it has {', '.join(names)}" if names else None,
    )


def lacking(role: str, roles: FieldRoles, names: Sequence[str], where: str) -> DataError:
    """The error for a row in which no field holds `role`."""
    likely = _likely(role, roles)
    advice = f'fields = {{ {role} = "{likely or "…"}" }}, or --field {role}={likely or "…"}'
    if likely and likely == roles.fields.get("prediction"):
        advice = f"{likely!r} is read as what a model said; if it is the expected answer, say {advice}"
    elif likely:
        advice = f"is it {likely!r}? then say {advice}"
    else:
        advice = f"say which field holds it: {advice}"
    if role == "contexts":
        advice += "; where nothing was retrieved, write an empty list"
    return DataError(
        f"no field holds the {role}",
        where=where,
        found=f"fields {', '.join(names)}" if names else "{}",
        hint=advice,
    )


def _likely(role: str, roles: FieldRoles) -> str | None:
    """The field that was perhaps meant to hold `role`."""
    if role == "reference" and "prediction" in roles.fields:
        return roles.fields["prediction"]
    close = [
        match
        for alias in ALIASES[role]
        for match in difflib.get_close_matches(alias, roles.extras, n=1, cutoff=0.75)
    ]
    return close[0] if close else None


def nearest(name: str, names: Iterable[str]) -> str:
    """The one of `names` that looks most like `name`."""
    return difflib.get_close_matches(name, list(names), n=1, cutoff=0.0)[0]


def _plain(name: str) -> str:
    return name.strip().lower()


def _claimed_twice(role: str, claiming: list[str], where: str) -> DataError:
    listed = " and ".join(repr(name) for name in claiming)
    return DataError(
        f"{'two' if len(claiming) == 2 else len(claiming)} fields claim to be the {role}: {listed}",
        where=where,
        hint=f'say which: fields = {{ {role} = "{claiming[0]}" }}, or --field {role}={claiming[0]}',
    )


def _as_meant(
    claims: dict[str, list[str]], names: Mapping[str, str], predicting: bool
) -> tuple[str, str | None]:
    """Settles the collisions inside the files of known tools: the shape, and the second field it needs.

    `names` maps each field's plain name to the name itself.
    """
    asked, given, expected = (
        {_plain(name) for name in claims.get(role, ())} for role in ("question", "contexts", "reference")
    )
    meant, second = "", None
    if "input" in asked and names.keys() & {"actual_output", "expected_output", "retrieval_context"}:
        meant = "deepeval"
        # Its `context` is what should have been retrieved, its `retrieval_context` what was.
        if given == {"context", "retrieval_context"}:
            claims["contexts"], second = [names["retrieval_context"]], names["context"]
    elif asked == {"instruction", "input"} and not given:
        meant = "alpaca"
        claims["question"], claims["contexts"] = [names["instruction"]], [names["input"]]
    elif not asked and "messages" not in claims and names.keys() >= {"prompt", "completion"}:
        meant, second = "completion", names["completion"]
        claims["messages"] = [names["prompt"]]
    # ragas before 0.2: `answer` is what the model said, `ground_truth` what was expected.
    if (
        "answer" in expected
        and expected & {"ground_truth", "ground_truths"}
        and names.keys() >= {"question", "contexts"}
    ):
        claims["reference"].remove(names["answer"])
        claims.setdefault("prediction", []).append(names["answer"])
    # Fine-tuning rows: nobody has predicted anything yet, the output is what is to be learnt.
    elif (
        "instruction" in asked and not expected and not predicting and len(claims.get("prediction", ())) == 1
    ):
        claims["reference"] = claims.pop("prediction")
    return meant, second

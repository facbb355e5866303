"""What was sent for one answer, made again from the run's own config: the model's messages and the judge's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from simsa.errors import SimsaError
from simsa.records import CLAIMS, Message, Question
from simsa.rubrics.claims import claims_prompt
from simsa.store import Store

# The judge's codes around each text are secret and new in every process.
_CODE = "····"


class SentPrompt(NamedTuple):
    """Messages of a request, and what else it held. `part` is empty for the model's own."""

    part: str
    messages: tuple[Message, ...]
    settings: Mapping[str, Any]


def of_model(
    store: Store, variant: Mapping[str, Any], question: Question, sample: int = 0
) -> SentPrompt | None:
    """What the variant was asked for its answer number `sample`, from 0; None for answers from a file, or when the prompt is no longer there."""
    from simsa import prompts

    config = store.meta("config") or {}
    how = dict(config.get("generation") or {})
    if variant.get("predictions") or "prompt" not in how:
        return None
    try:
        messages = prompts.load(how.pop("prompt"), _root(store)).messages(question)
    except SimsaError:
        return None
    if how.pop("samples", 1) > 1 and how.get("seed") is not None:
        how["seed"] += sample
    return SentPrompt(
        "", messages, {name: value for name, value in how.items() if value not in (None, [], {})}
    )


def of_judge(store: Store, question: Question, prediction: str) -> list[SentPrompt]:
    """What the judge was asked, part by part; nothing when the rubric is another by now, or no model judged."""
    from simsa import rubrics
    from simsa.judges import JOINT

    config = (store.meta("config") or {}).get("judge") or {}
    judge = store.meta("judge") or {}
    try:
        rubric = rubrics.load(config.get("rubric", ""), _root(store))
    except SimsaError:
        return []
    if rubric.label != judge.get("rubric"):
        return []
    groups = rubric.groups if judge.get("mode") == "split" else {JOINT: rubric.criteria.names}
    shown = ("temperature", "seed", "max_tokens")
    settings = {name: config[name] for name in ("model", *shown) if config.get(name) is not None}
    asked = [
        SentPrompt(
            part,
            rubric.messages(criteria, rubric.material(criteria, question, prediction), _CODE),
            settings,
        )
        for part, criteria in groups.items()
    ]
    if config.get("claims") and prediction.strip():
        prompt = claims_prompt(rubric.language)
        asked.append(
            SentPrompt(CLAIMS, prompt.messages(prompt.material(question, prediction), _CODE), settings)
        )
    return asked


def _root(store: Store) -> Path:
    """Where the config's paths start: a run lies beside its config unless --out said otherwise."""
    return store.folder.resolve().parent

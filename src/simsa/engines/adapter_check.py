"""Checks of adapters and chat templates before anything is spent: of the files first, then on the running server.

Servers sometimes load an adapter without an error and then do not apply it. Comparing answers finds this: greedy
decoding, one request at a time, each with a cache of its own, so that a model compared with itself gives identical
log-probabilities. The base model is asked twice; the difference between its two answers is the noise that an
adapter's effect has to exceed.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from simsa.config import Config
from simsa.engines.adapters import Adapter, check_weights, read_adapter
from simsa.engines.chat_template import ChatTemplate, TemplateFinding, compare, read_template, reasons_for_bos
from simsa.engines.checkpoints import Checkpoint, check_checkpoint, check_fit, model_folder, read_checkpoint
from simsa.engines.deployment import ServerPlan
from simsa.engines.engine import RunningServer
from simsa.engines.vllm_client import VllmClient
from simsa.errors import AdapterError, AdapterWithoutEffect, ConfigError, EndpointError
from simsa.i18n.language import join_text
from simsa.i18n.messages import msg
from simsa.records import Message

TOLERANCE = 1e-4
"""Differences of log-probabilities up to this, or up to three times the noise, count as no effect."""

_STEPS = 12
_ALTERNATIVES = 5
_LIKELY = msg("error.engines.likely_was_trained_another_base")

Step = Mapping[str, float]
"""Token → log-probability of the most likely tokens at one position, the chosen token first."""


class AdapterEffect(NamedTuple):
    """The largest difference of a log-probability (nats) between adapter and base, on `prompts` prompts."""

    difference: float
    noise: float
    prompts: int

    @property
    def exists(self) -> bool:
        return self.difference > max(TOLERANCE, 3 * self.noise)


async def prove_effect(
    calls: VllmClient, base: str, adapters: Sequence[str], prompts: Sequence[Sequence[Message]]
) -> dict[str, AdapterEffect]:
    """Compares every adapter with `base`, prompt by prompt, until each has shown an effect.

    Raises AdapterWithoutEffect for adapters without an effect on any prompt, ConfigError if the server refuses
    all prompts.
    """
    effects = dict.fromkeys(adapters, AdapterEffect(0.0, 0.0, 0))
    noise, complaint = None, ""
    for messages in prompts:
        missing = [name for name, effect in effects.items() if not effect.exists]
        if not missing:
            break
        expected, complaint = await _answer(calls, base, messages)
        if expected is None:
            continue
        if noise is None:
            again, _ = await _answer(calls, base, messages)
            noise = difference(expected, again or expected)
        for name in missing:
            found, complaint = await _answer(calls, name, messages)
            if found is not None:
                before = effects[name]
                worst = max(before.difference, difference(expected, found))
                effects[name] = AdapterEffect(worst, noise, before.prompts + 1)
    _refuse(effects, base, complaint)
    return effects


def difference(a: Sequence[Step], b: Sequence[Step]) -> float:
    """Largest difference of log-probabilities (nats) up to the first different token; inf if a token is not listed."""
    worst = 0.0
    for left, right in zip(a, b, strict=False):
        ours, theirs = next(iter(left)), next(iter(right))
        if ours not in right or theirs not in left:
            return math.inf
        worst = max(worst, *(abs(left[token] - right[token]) for token in left.keys() & right.keys()))
        if ours != theirs:
            return worst
    return worst if len(a) == len(b) else math.inf


async def _answer(
    calls: VllmClient, model: str, messages: Sequence[Message]
) -> tuple[list[Step] | None, str]:
    reply = await calls.complete(
        model,
        messages,
        max_tokens=_STEPS,
        temperature=0,
        seed=0,
        logprobs=True,
        top_logprobs=_ALTERNATIVES,
        cache_salt=secrets.token_hex(8),
    )
    if not reply.ok:
        return None, reply.complaint
    try:
        places = reply.body["choices"][0]["logprobs"]["content"]
        return [_step(place) for place in places], ""
    except (KeyError, IndexError, TypeError, AttributeError):
        return None, "the server gives no log-probabilities"


def _step(place: Mapping[str, object]) -> Step:
    chosen = {str(place["token"]): float(str(place["logprob"]))}
    others = place.get("top_logprobs")
    assert isinstance(others, list)
    return chosen | {str(other["token"]): float(other["logprob"]) for other in others}


def _refuse(effects: Mapping[str, AdapterEffect], base: str, complaint: str) -> None:
    without = {name: effect for name, effect in effects.items() if not effect.exists}
    if not without:
        return
    if not any(effect.prompts for effect in without.values()):
        if complaint:
            raise ConfigError(msg("error.engines.vllm_refuses_prompts_run", complaint=complaint), field=base)
        return
    names = " and ".join(without)
    effect = next(iter(without.values()))
    raise AdapterWithoutEffect(
        msg("error.engines.answers_are_exactly_base_model", names=names, base=base, prompts=effect.prompts),
        hint=_LIKELY,
    )


Prompts = Sequence[Sequence[Message]]


def check_adapters(config: Config) -> list[str]:
    """Checks every adapter and model folder of the config without starting a server.

    Returns notes for the user. Raises AdapterError for a folder that cannot be served or an adapter of another
    base model, AdapterWithoutEffect for weights that are all zero. Models that are not on this machine are skipped.
    """
    notes: list[str] = []
    base = None
    if any(v.model is None for v in config.served):
        base = _checked_model(config, config.serving.model or "", notes)
    for variant in config.served:
        if variant.model:
            _checked_model(config, variant.model, notes)
        if variant.adapter:
            adapter = read_adapter(config.path(variant.adapter))
            check_weights(adapter)
            notes += adapter.notes
            notes += _base_notes(config, variant.name, adapter, base)
    return notes


async def prove_adapters(server: RunningServer, prompts: Prompts) -> list[TemplateFinding]:
    """Sends a few of the run's prompts to the running server, with a few tokens of output each.

    Returns differences between training and serving in the chat template or in `<bos>`. Raises
    AdapterWithoutEffect for an adapter that changes nothing, ConfigError if the server has no chat template or it
    refuses the prompts.
    """
    plan = server.plan
    if not prompts:
        return []
    async with VllmClient(server.base_url, server.key) as calls:
        findings = [*_template_findings(plan, prompts), *await _bos_findings(calls, plan, prompts[0])]
        await prove_effect(calls, plan.base, list(plan.adapters), prompts)
    return findings


async def load_adapter(base_url: str, key: str | None, model: str, adapter: str, prompts: Prompts) -> None:
    """Makes an external vLLM load `adapter`, a folder on its own disk, under the name `model`.

    Loads nothing if that name is already served. Checks the adapter's effect on `prompts` in both cases. Raises
    EndpointError, AdapterError, AdapterWithoutEffect.
    """
    async with VllmClient(base_url, key) as calls:
        listed = await calls.models()
        if all(entry.get("id") != model for entry in listed):
            await _load(calls, base_url, model, adapter)
            listed = await calls.models()
        parent = next((entry.get("parent") for entry in listed if entry.get("id") == model), None)
        if isinstance(parent, str):
            names = {entry.get("id"): entry for entry in listed}
            base = parent if parent in names else str(listed[0].get("id"))
            await prove_effect(calls, base, [model], prompts)


async def _load(calls: VllmClient, base_url: str, model: str, adapter: str) -> None:
    reply = await calls.load_adapter(model, adapter)
    if reply.ok or "already" in reply.complaint:
        return
    if reply.status in (404, 405) and "error" not in reply.body:  # the route is missing, not the folder
        raise EndpointError(
            msg("error.engines.does_not_load_adapters_run"),
            where=base_url,
            hint=msg("error.engines.start_vllm_vllm_allow_runtime"),
        )
    raise AdapterError(
        msg("error.engines.did_not_load", base_url=base_url, complaint=reply.complaint), where=adapter
    )


def _checked_model(config: Config, model: str, notes: list[str]) -> Checkpoint | None:
    name = config.local(model)
    folder = model_folder(name)
    if folder is None:
        return None
    checkpoint = read_checkpoint(folder)
    if str(folder) == name:  # a folder in the hub's cache may be an unfinished download
        check_checkpoint(checkpoint)
        if not config.serving.chat_template and read_template(folder).text is None:
            notes.append(msg("template.none", model=model))
    return checkpoint


def _base_notes(config: Config, name: str, adapter: Adapter, base: Checkpoint | None) -> list[str]:
    notes = []
    if base and (note := check_fit(adapter, base)):
        notes.append(note)
    trained, served = (_last(path) for path in (adapter.base_model, config.serving.model))
    if trained and served and trained.lower() != served.lower():
        which = {"name": name, "trained": adapter.base_model, "served": config.serving.model}
        notes.append(msg("adapter.base_fits" if base else "adapter.base", **which))
    return notes


def _last(path: str | None) -> str:
    return PurePosixPath(path.rstrip("/")).name if path else ""


def _templates(plan: ServerPlan) -> tuple[ChatTemplate | None, ChatTemplate | None]:
    """The template that the server uses, and the model's own; None if the model is not on this machine."""
    folder = model_folder(plan.model)
    own = read_template(folder) if folder else None
    if plan.chat_template:
        return ChatTemplate.from_file(plan.chat_template, own), own
    return own, own


def _saved(plan: ServerPlan) -> dict[str, ChatTemplate]:
    return {name: read_template(adapter.path) for name, adapter in plan.adapters.items()}


def _template_findings(plan: ServerPlan, prompts: Prompts) -> list[TemplateFinding]:
    served, _ = _templates(plan)
    if served is None:
        return []
    differing: dict[tuple[str, str], list[str]] = {}
    for name, trained in _saved(plan).items():
        if pair := compare(trained, served, prompts):
            differing.setdefault(pair, []).append(name)
    return [
        TemplateFinding(
            "template",
            msg("template.other", names=", ".join(names)),
            tuple(names),
            *pair,
        )
        for pair, names in differing.items()
    ]


async def _bos_findings(
    calls: VllmClient, plan: ServerPlan, prompt: Sequence[Message]
) -> list[TemplateFinding]:
    reply = await calls.tokens(plan.base, prompt)
    if not reply.ok:
        raise ConfigError(
            msg("error.engines.vllm_refuses_prompts_run", complaint=reply.complaint),
            field="serving.chat_template",
            hint=msg("error.engines.set_chat_template_training_used"),
        )
    _, own = _templates(plan)
    saved = _saved(plan)
    known = [template.bos for template in (own, *saved.values()) if template and template.bos]
    if not known:
        return []
    bos = known[0]
    ids = (await calls.tokens_of_text(plan.base, bos)).body.get("tokens") or []
    tokens = reply.body.get("tokens") or []
    if len(ids) != 1 or not tokens:
        return []
    if tokens[:2] == [ids[0], ids[0]]:
        return [_doubled(plan, bos)]
    why = reasons_for_bos(bos, saved, own, _model_type(plan), prompt)
    return [_missing(plan, bos, why)] if why and tokens[0] != ids[0] else []


def _doubled(plan: ServerPlan, bos: str) -> TemplateFinding:
    return TemplateFinding(
        "bos_doubled",
        msg("template.bos_twice", bos=bos),
        tuple(plan.variants),
        bos,
        bos + bos,
    )


def _missing(plan: ServerPlan, bos: str, why: Sequence[str]) -> TemplateFinding:
    return TemplateFinding(
        "bos_missing",
        msg("template.no_bos", bos=bos, why=join_text("; ", why)),
        tuple(plan.variants),
        bos,
        "",
    )


def _model_type(plan: ServerPlan) -> str | None:
    folder = model_folder(plan.model)
    kind: Mapping[str, object] = read_checkpoint(folder).config if folder else {}
    return str(kind["model_type"]) if "model_type" in kind else None

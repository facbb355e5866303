"""What is checked before anything is spent: files first, then the running server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Protocol

from simsa.config import Config
from simsa.errors import AdapterError, ConfigError, EndpointError
from simsa.language import joined
from simsa.records import Message
from simsa.serving.adapters import Adapter, check_weights, read_adapter
from simsa.serving.calls import Calls
from simsa.serving.checkpoints import Checkpoint, check_checkpoint, check_fit, model_folder, read_checkpoint
from simsa.serving.effect import prove_effect
from simsa.serving.plan import ServerPlan
from simsa.serving.templates import ChatTemplate, TemplateFinding, compare, read_template, reasons_for_bos
from simsa.spoken import told

Prompts = Sequence[Sequence[Message]]


class Running(Protocol):
    """A started server, as far as it is needed here."""

    @property
    def base_url(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def plan(self) -> ServerPlan: ...


def check_adapters(config: Config) -> list[str]:
    """Looks at every folder that vLLM would be given; starts nothing.

    Returns notes for a person. Raises AdapterError for a folder that cannot be served
    or an adapter made for another base, AdapterWithoutEffect for weights that are all
    zero. Models that are not on this machine are not looked at.
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


async def prove_adapters(server: Running, prompts: Prompts) -> list[TemplateFinding]:
    """Asks the running server a few of the run's own prompts (a handful of tokens each).

    Returns where training and serving disagree on the chat template or on `<bos>`.
    Raises AdapterWithoutEffect for an adapter that changes nothing, ConfigError where
    the server's template refuses the prompts or there is none.
    """
    plan = server.plan
    if not prompts:
        return []
    async with Calls(server.base_url, server.key) as calls:
        findings = [*_template_findings(plan, prompts), *await _bos_findings(calls, plan, prompts[0])]
        await prove_effect(calls, plan.base, list(plan.adapters), prompts)
    return findings


async def load_adapter(base_url: str, key: str | None, model: str, adapter: str, prompts: Prompts) -> None:
    """Has a vLLM that somebody else runs load `adapter` (a folder as it sees it) under the name `model`.

    Does nothing where that name is served already; proves the adapter's effect on
    `prompts` either way. Raises EndpointError, AdapterError, AdapterWithoutEffect.
    """
    async with Calls(base_url, key) as calls:
        listed = await calls.models()
        if all(entry.get("id") != model for entry in listed):
            await _load(calls, base_url, model, adapter)
            listed = await calls.models()
        parent = next((entry.get("parent") for entry in listed if entry.get("id") == model), None)
        if isinstance(parent, str):
            names = {entry.get("id"): entry for entry in listed}
            base = parent if parent in names else str(listed[0].get("id"))
            await prove_effect(calls, base, [model], prompts)


async def _load(calls: Calls, base_url: str, model: str, adapter: str) -> None:
    reply = await calls.load_adapter(model, adapter)
    if reply.ok or "already" in reply.complaint:
        return
    if reply.status in (404, 405) and "error" not in reply.body:  # the route is missing, not the folder
        raise EndpointError(
            "does not load adapters at run time",
            where=base_url,
            hint="start that vLLM with VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 --enable-lora and one API server, "
            "or give it the adapter at its start (--lora-modules NAME=DIR)",
        )
    raise AdapterError(f"{base_url} did not load it: {reply.complaint}", where=adapter)


def _checked_model(config: Config, model: str, notes: list[str]) -> Checkpoint | None:
    name = config.local(model)
    folder = model_folder(name)
    if folder is None:
        return None
    checkpoint = read_checkpoint(folder)
    if str(folder) == name:  # what the hub's cache holds may be half a download
        check_checkpoint(checkpoint)
        if not config.serving.chat_template and read_template(folder).text is None:
            notes.append(told("template.none", model=model))
    return checkpoint


def _base_notes(config: Config, name: str, adapter: Adapter, base: Checkpoint | None) -> list[str]:
    notes = []
    if base and (note := check_fit(adapter, base)):
        notes.append(note)
    trained, served = (_last(path) for path in (adapter.base_model, config.serving.model))
    if trained and served and trained.lower() != served.lower():
        which = {"name": name, "trained": adapter.base_model, "served": config.serving.model}
        notes.append(told("adapter.base_fits" if base else "adapter.base", **which))
    return notes


def _last(path: str | None) -> str:
    return PurePosixPath(path.rstrip("/")).name if path else ""


def _templates(plan: ServerPlan) -> tuple[ChatTemplate | None, ChatTemplate | None]:
    """The template the server uses, and the model's own: known once the model is on this machine."""
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
            told("template.other", names=", ".join(names)),
            tuple(names),
            *pair,
        )
        for pair, names in differing.items()
    ]


async def _bos_findings(calls: Calls, plan: ServerPlan, prompt: Sequence[Message]) -> list[TemplateFinding]:
    reply = await calls.tokens(plan.base, prompt)
    if not reply.ok:
        raise ConfigError(
            f"vLLM refuses the prompts of this run: {reply.complaint}",
            field="serving.chat_template",
            hint="set it to the chat template that training used (a Jinja file)",
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
        told("template.bos_twice", bos=bos),
        tuple(plan.variants),
        bos,
        bos + bos,
    )


def _missing(plan: ServerPlan, bos: str, why: Sequence[str]) -> TemplateFinding:
    return TemplateFinding(
        "bos_missing",
        told("template.no_bos", bos=bos, why=joined("; ", why)),
        tuple(plan.variants),
        bos,
        "",
    )


def _model_type(plan: ServerPlan) -> str | None:
    folder = model_folder(plan.model)
    kind: Mapping[str, object] = read_checkpoint(folder).config if folder else {}
    return str(kind["model_type"]) if "model_type" in kind else None

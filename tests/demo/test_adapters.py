"""The adapters that come with the package: what a server has to know of them, and nothing executable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from simsa.demo import ADAPTERS, demo_files
from simsa.demo.gguf_conversion import CHAT_TEMPLATE
from simsa.demo.model import NAME

FOLDERS = demo_files().adapters


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=list(FOLDERS))
def test_folder(folder: Path) -> None:
    files = {file.name: file.stat().st_size for file in folder.iterdir()}
    assert set(files) == {"adapter_model.safetensors", "adapter_config.json", "chat_template.jinja"}
    assert sum(files.values()) < 2_000_000
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == NAME
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", 8, 16)
    assert sorted(config["target_modules"]) == ["q_proj", "v_proj"]
    assert config["inference_mode"] is True
    text = (folder / "adapter_config.json").read_text(encoding="utf-8")
    assert "/" not in text
    assert (folder / "chat_template.jinja").read_bytes() == CHAT_TEMPLATE.read_bytes()


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=list(FOLDERS))
def test_weights(folder: Path) -> None:
    with safe_open(folder / "adapter_model.safetensors", framework="pt") as file:
        names = list(file.keys())
        assert len(names) == 18 * 2 * 2
        for name in names:
            module, matrix = name.split(".")[-3:-1]
            tensor = file.get_tensor(name)
            assert module in ("q_proj", "v_proj") and matrix in ("lora_A", "lora_B")
            assert str(tensor.dtype) == "torch.bfloat16"
            assert 8 in tensor.shape
            values = tensor.float().numpy()
            assert np.isfinite(values).all() and np.abs(values).max() > 0


def test_early_and_final_are_stages_of_one_training() -> None:
    assert tuple(FOLDERS) == ADAPTERS == ("rag-early", "rag-final")
    early: Any
    final: Any
    early, final = (safe_open(f / "adapter_model.safetensors", framework="pt") for f in FOLDERS.values())
    assert set(early.keys()) == set(final.keys())
    name = next(n for n in sorted(early.keys()) if "lora_A" in n)
    one, two = (f.get_tensor(name).float().numpy().ravel() for f in (early, final))
    assert np.corrcoef(one, two)[0, 1] > 0.5
    assert not np.array_equal(one, two)


def test_the_judges_adapter_is_small_and_its_rubric_short() -> None:
    files = demo_files()
    weights = files.judge / "adapter_model.safetensors"
    assert sum(file.stat().st_size for file in files.judge.iterdir()) < 2_000_000
    config = json.loads((files.judge / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == NAME
    assert (config["r"], config["lora_alpha"], len(config["target_modules"])) == (4, 8, 7)
    assert (files.judge / "chat_template.jinja").read_bytes() == CHAT_TEMPLATE.read_bytes()
    with safe_open(weights, framework="pt") as file:
        assert len(list(file.keys())) == 18 * 7 * 2
    text = files.rubric.read_text(encoding="utf-8")
    assert len(text) < 600
    assert all(f"{{{part}}}" in text for part in ("question", "context", "prediction", "label"))

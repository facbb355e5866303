"""Model folders, and whether an adapter was made for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simsa.engines.adapters import read_adapter
from simsa.engines.checkpoints import check_checkpoint, check_fit, model_folder, read_checkpoint
from simsa.errors import AdapterError
from tests.support.model_folders import HIDDEN, OUT, lora, make_adapter, make_model, write_safetensors


def test_a_sound_folder(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(make_model(tmp_path / "m"))
    check_checkpoint(checkpoint)
    assert checkpoint.matrices["model.layers.1.self_attn.q_proj"] == (OUT, HIDDEN)


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def _missing_shard(folder: Path) -> None:
    shards = {"a": "model.safetensors", "b": "model-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


def _broken_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text('{"weight_map": 5}')


def _text_in(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(text)

    return write


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (_without("config.json"), r"has no config\.json"),
        (_text_in("config.json", "{"), "not valid JSON"),
        (_text_in("config.json", "[]"), "not a JSON object"),
        (_without("model.safetensors"), "has no weights"),
        (_pickled, "only as a pickle"),
        (_cut, "not a whole safetensors file"),
        (_missing_shard, "1 of 2 weight files are missing"),
        (_broken_index, "not an index"),
        (_without("tokenizer.json"), "has no tokenizer"),
    ],
)
def test_a_folder_that_vllm_cannot_load(tmp_path: Path, break_it: Callable[[Path], None], says: str) -> None:
    folder = make_model(tmp_path / "m")
    break_it(folder)
    with pytest.raises(AdapterError, match=says) as caught:
        check_checkpoint(read_checkpoint(folder))
    assert str(folder) in str(caught.value.where)


def test_an_adapter_given_as_a_model(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"adapter = "):
        read_checkpoint(make_adapter(tmp_path / "a"))


def test_a_fitting_adapter(tmp_path: Path) -> None:
    base = read_checkpoint(make_model(tmp_path / "m"))
    assert check_fit(read_adapter(make_adapter(tmp_path / "a")), base) is None


@pytest.mark.parametrize("prefix", ["language_model.model.layers", "model.language_model.layers"])
def test_wrappers_put_names_in_front(tmp_path: Path, prefix: str) -> None:
    base = read_checkpoint(make_model(tmp_path / "m", prefix=prefix))
    assert check_fit(read_adapter(make_adapter(tmp_path / "a")), base) is None
    with pytest.raises(AdapterError, match="another base"):
        check_fit(read_adapter(make_adapter(tmp_path / "b", lora(hidden=32))), base)


@pytest.mark.parametrize(
    ("entries", "needs"),
    [
        (lora(hidden=32), r"a layer of \[24, 32\]"),
        (lora(out=48), r"a layer of \[48, 16\]"),
        (lora(layers=3), "layer 2, m has 2 layers"),
    ],
)
def test_an_adapter_of_another_base(tmp_path: Path, entries: Any, needs: str) -> None:
    base = read_checkpoint(make_model(tmp_path / "m"))
    adapter = read_adapter(make_adapter(tmp_path / "a", entries))
    with pytest.raises(AdapterError, match=needs) as caught:
        check_fit(adapter, base)
    assert "another base model" in caught.value.message
    assert "somebody/tiny" in str(caught.value.hint)
    assert caught.value.exit_code == 2


def test_a_quantised_base_is_judged_by_its_config(tmp_path: Path) -> None:
    """Its weights are packed, so their shapes say nothing."""
    folder = make_model(tmp_path / "m")
    write_safetensors(
        folder / "model.safetensors", {"model.layers.0.self_attn.q_proj.qweight": ("I32", (2, 3), bytes(24))}
    )
    base = read_checkpoint(folder)
    assert check_fit(read_adapter(make_adapter(tmp_path / "a")), base) is None
    with pytest.raises(AdapterError, match="hidden size of 32"):
        check_fit(read_adapter(make_adapter(tmp_path / "b", lora(hidden=32))), base)


def test_the_language_model_of_a_multimodal_config(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({"model_type": "gemma3", "text_config": config}))
    with pytest.raises(AdapterError, match="layer 2"):
        check_fit(read_adapter(make_adapter(tmp_path / "a", lora(layers=3))), read_checkpoint(folder))


def test_layers_of_another_tower_are_not_counted(tmp_path: Path) -> None:
    base = read_checkpoint(make_model(tmp_path / "m"))
    tower = lora(layers=5, hidden=99, prefix="base_model.model.vision_tower.encoder.layers")
    assert check_fit(read_adapter(make_adapter(tmp_path / "a", lora() | tower)), base) is None


def test_unknown_module_names_are_noted(tmp_path: Path) -> None:
    base = read_checkpoint(make_model(tmp_path / "m"))
    adapter = read_adapter(make_adapter(tmp_path / "a", lora(prefix="base_model.model.transformer.stage")))
    note = check_fit(adapter, base)
    assert note and "transformer.stage.0.self_attn.q_proj" in note and "no effect" in note


def test_where_a_model_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = make_model(tmp_path / "m")
    assert model_folder(str(folder)) == folder
    assert model_folder("somebody/tiny") is None
    cached = tmp_path / "hub" / "models--somebody--tiny"
    make_model(cached / "snapshots" / "abc")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    assert model_folder("somebody/tiny") == cached / "snapshots" / "abc"
    assert model_folder("somebody/else") is None
    assert model_folder("../../etc/passwd") is None

"""PEFT folders: sound ones are read, broken ones are refused with file, field and remedy."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simsa.engines.adapters import check_weights, read_adapter
from simsa.errors import AdapterError, AdapterWithoutEffect
from tests.support.model_folders import CONFIG, floats, lora, make_adapter, write_safetensors


def test_reads_what_peft_writes(tmp_path: Path) -> None:
    adapter = read_adapter(make_adapter(tmp_path / "a"))
    assert (adapter.rank, adapter.alpha, adapter.target_modules) == (4, 8.0, ("q_proj",))
    assert (adapter.base_model, adapter.task_type, adapter.use_rslora) == (
        "somebody/tiny",
        "CAUSAL_LM",
        False,
    )
    assert [pair.module for pair in adapter.pairs] == [f"model.layers.{n}.self_attn.q_proj" for n in (0, 1)]
    assert adapter.notes == ()
    check_weights(adapter)


def test_reads_an_adapter_that_peft_itself_saved(tmp_path: Path) -> None:
    """PEFT is the judge of what a PEFT folder is."""
    peft = pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2
    )
    model = transformers.LlamaForCausalLM(config)
    how = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    peft.get_peft_model(model, how).save_pretrained(tmp_path / "a")
    adapter = read_adapter(tmp_path / "a")
    assert (adapter.rank, adapter.target_modules, len(adapter.pairs)) == (4, ("q_proj", "v_proj"), 4)
    check_weights(adapter)


def test_a_pattern_and_ranks_of_single_modules(tmp_path: Path) -> None:
    entries = lora(r=4, layers=1) | lora(r=6, layers=1, module="mlp.up_proj")
    folder = make_adapter(
        tmp_path / "a", entries, target_modules=r".*\.(q|up)_proj", rank_pattern={"mlp.up_proj": 6}
    )
    adapter = read_adapter(folder)
    assert (adapter.rank, adapter.target_modules) == (6, (r".*\.(q|up)_proj",))


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"r": 0}, "r", "positive whole number"),
        ({"r": -4}, "r", "positive whole number"),
        ({"r": True}, "r", "positive whole number"),
        ({"r": "4"}, "r", "positive whole number"),
        ({"r": 4.0}, "r", "positive whole number"),
        ({"r": 1024}, "r", "up to 512"),
        ({"without": "r"}, "r", "is missing"),
        ({"without": "lora_alpha"}, "lora_alpha", "is missing"),
        ({"lora_alpha": "8"}, "lora_alpha", "must be a number"),
        ({"lora_alpha": True}, "lora_alpha", "must be a number"),
        ({"without": "target_modules"}, "target_modules", "is missing"),
        ({"target_modules": 5}, "target_modules", "list of module names"),
        ({"target_modules": ["q_proj", 5]}, "target_modules", "list of module names"),
        ({"peft_type": "IA3"}, "peft_type", "LoRA adapters only"),
        ({"without": "peft_type"}, "peft_type", "LoRA adapters only"),
        ({"use_dora": True}, "use_dora", "DoRA"),
        ({"lora_bias": True}, "lora_bias", "bias"),
        ({"bias": "all"}, "bias", "bias"),
        ({"bias": "lora_only"}, "bias", "bias"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights", "initialisation"),
        ({"init_lora_weights": "olora"}, "init_lora_weights", "initialisation"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save", "trained whole"),
        ({"layer_replication": [[0, 2], [1, 2]]}, "layer_replication", "replicated"),
        ({"alora_invocation_tokens": [1, 2]}, "alora_invocation_tokens", "activated"),
        ({"use_qalora": True}, "use_qalora", "QALoRA"),
        ({"rank_pattern": {"q_proj": 0}}, "rank_pattern.q_proj", "positive whole number"),
        ({"rank_pattern": ["q_proj"]}, "rank_pattern", "must be a table"),
        ({"rank_pattern": {"(": 4}}, "rank_pattern", "regular expression"),
        ({"base_model_name_or_path": 7}, "base_model_name_or_path", "must be text"),
    ],
)
def test_a_config_that_vllm_cannot_serve(
    tmp_path: Path, changes: dict[str, Any], field: str, says: str
) -> None:
    folder = make_adapter(tmp_path / "a", **changes)
    with pytest.raises(AdapterError, match=says) as caught:
        read_adapter(folder)
    assert caught.value.field == field
    assert caught.value.where == str(folder / "adapter_config.json")
    assert caught.value.exit_code == 2


def test_vllm_refuses_the_same_features(tmp_path: Path) -> None:
    """Our list of what vLLM does not serve is vLLM's own."""
    helper = pytest.importorskip("vllm.lora.peft_helper")
    ours = {
        "use_dora",
        "lora_bias",
        "alora_invocation_tokens",
        "layer_replication",
        "use_bdlora",
        "use_qalora",
    }
    assert ours <= set(helper.PEFTHelper.__dataclass_fields__)
    for init in (
        "gaussian",
        "eva",
        "orthogonal",
        "mica",
        "lora_ga",
        "pissa",
        "olora",
        "corda",
        "loftq",
        "Gaussian",
    ):
        theirs = helper.PEFTHelper(4, 8, ["q_proj"], init_lora_weights=init)._init_is_supported()
        folder = make_adapter(tmp_path / init, init_lora_weights=init)
        try:
            read_adapter(folder)
            assert theirs, init
        except AdapterError:
            assert not theirs, init


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "not valid JSON"), ("{", "not valid JSON"), ("[]", "not a JSON object"), ("null", "object")],
)
def test_a_config_that_is_no_config(tmp_path: Path, text: str, says: str) -> None:
    folder = make_adapter(tmp_path / "a")
    (folder / "adapter_config.json").write_text(text)
    with pytest.raises(AdapterError, match=says):
        read_adapter(folder)


def test_nan_is_not_json(tmp_path: Path) -> None:
    folder = make_adapter(tmp_path / "a")
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | {"lora_alpha": float("nan")}))
    with pytest.raises(AdapterError, match="not valid JSON"):
        read_adapter(folder)


def _nothing(folder: Path) -> None:
    folder.rmdir()


def _a_file(folder: Path) -> None:
    folder.rmdir()
    folder.write_text("adapter")


def _no_config(folder: Path) -> None:
    write_safetensors(folder / "adapter_model.safetensors", lora())


def _a_whole_model(folder: Path) -> None:
    (folder / "config.json").write_text("{}")


def _no_weights(folder: Path) -> None:
    make_adapter(folder)
    (folder / "adapter_model.safetensors").unlink()


def _a_pickle(folder: Path) -> None:
    make_adapter(folder)
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")


def _config_is_a_folder(folder: Path) -> None:
    (folder / "adapter_config.json").mkdir()


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (_nothing, "no such folder"),
        (_a_file, "is not a folder"),
        (_no_config, r"has no adapter_config\.json"),
        (_a_whole_model, r"model = "),
        (_no_weights, r"has no adapter_model\.safetensors"),
        (_a_pickle, "pickle"),
        (_config_is_a_folder, "cannot be read"),
    ],
)
def test_a_folder_without_its_files(tmp_path: Path, break_it: Callable[[Path], None], says: str) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    break_it(folder)
    with pytest.raises(AdapterError, match=says):
        read_adapter(folder)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    """Reading it would hang: it is a pipe that nobody writes to."""
    folder = make_adapter(tmp_path / "a")
    (folder / "adapter_model.safetensors").unlink()
    os.mkfifo(folder / "adapter_model.bin")
    with pytest.raises(AdapterError, match="pickle"):
        read_adapter(folder)


def test_a_pickle_beside_safetensors_does_not_matter(tmp_path: Path) -> None:
    folder = make_adapter(tmp_path / "a")
    (folder / "adapter_model.bin").write_bytes(b"\x80\x02}.")
    assert read_adapter(folder).rank == 4


_A = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({}, "holds no LoRA weights"),
        ({_A: ("F32", (4, 16), floats((4, 16)))}, "lora_A without its counterpart"),
        (lora(r=8), "has rank 8, but adapter_config.json says 4"),
        ({_A.replace(".weight", ".default.weight"): ("F32", (4, 16), floats((4, 16)))}, "not a LoRA weight"),
        ({"model.layers.0.self_attn.q_proj.lora_magnitude_vector": ("F32", (4,), floats((4,)))}, "DoRA"),
        ({"model.layers.0.self_attn.q_proj.weight": ("F32", (4, 4), floats((4, 4)))}, "not a LoRA weight"),
        (
            {
                _A: ("F32", (4, 16, 1, 1), floats((4, 16))),
                _A.replace("lora_A", "lora_B"): ("F32", (24, 4, 1, 1), floats((24, 4))),
            },
            "linear layers only",
        ),
    ],
)
def test_weights_that_are_no_adapter(tmp_path: Path, entries: Any, says: str) -> None:
    folder = make_adapter(tmp_path / "a", entries)
    with pytest.raises(AdapterError, match=says) as caught:
        read_adapter(folder)
    assert caught.value.where == str(folder / "adapter_model.safetensors")


def test_a_and_b_of_different_rank(tmp_path: Path) -> None:
    b = _A.replace("lora_A", "lora_B")
    folder = make_adapter(
        tmp_path / "a", {_A: ("F32", (4, 16), floats((4, 16))), b: ("F32", (24, 8), floats((24, 8)))}
    )
    with pytest.raises(AdapterError, match="has rank 8"):
        read_adapter(folder)


def test_an_untrained_adapter_has_no_effect(tmp_path: Path) -> None:
    """PEFT begins with B = 0."""
    adapter = read_adapter(make_adapter(tmp_path / "a", lora(scale=0)))
    with pytest.raises(AdapterWithoutEffect, match="zero") as caught:
        check_weights(adapter)
    assert caught.value.exit_code == 5


def test_one_trained_module_is_enough(tmp_path: Path) -> None:
    entries = lora(scale=0) | lora(layers=1, module="mlp.up_proj")
    check_weights(read_adapter(make_adapter(tmp_path / "a", entries)))


def test_a_times_zero_is_zero(tmp_path: Path) -> None:
    """Every module has one half that is zero, not always the same one."""
    entries = lora()
    for name in entries:
        if ("layers.0" in name) == ("lora_A" in name):
            dtype, shape, _ = entries[name]
            entries[name] = (dtype, shape, floats(shape, scale=0))
    with pytest.raises(AdapterWithoutEffect):
        check_weights(read_adapter(make_adapter(tmp_path / "a", entries)))


def test_alpha_zero_has_no_effect(tmp_path: Path) -> None:
    with pytest.raises(AdapterWithoutEffect) as caught:
        read_adapter(make_adapter(tmp_path / "a", lora_alpha=0))
    assert caught.value.field == "lora_alpha"


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_diverged_training_is_named(tmp_path: Path, number: str) -> None:
    import struct

    entries = lora()
    name = list(entries)[-1]
    dtype, shape, raw = entries[name]
    entries[name] = (dtype, shape, raw[:-4] + struct.pack("<f", float(number)))
    with pytest.raises(AdapterError, match="NaN or infinite") as caught:
        check_weights(read_adapter(make_adapter(tmp_path / "a", entries)))
    assert caught.value.field == name


def test_whole_embeddings_are_noted(tmp_path: Path) -> None:
    entries = lora() | {
        "base_model.model.model.embed_tokens.base_layer.weight": ("F32", (2, 4), floats((2, 4)))
    }
    (note,) = read_adapter(make_adapter(tmp_path / "a", entries)).notes
    assert "embed_tokens" in note and "leaves out" in note


def test_another_task_is_noted(tmp_path: Path) -> None:
    (note,) = read_adapter(make_adapter(tmp_path / "a", task_type="SEQ_CLS")).notes
    assert "SEQ_CLS" in note


def test_embedding_adapters_are_read(tmp_path: Path) -> None:
    entries = {
        "base_model.model.model.embed_tokens.lora_embedding_A": ("F32", (4, 32), floats((4, 32))),
        "base_model.model.model.embed_tokens.lora_embedding_B": ("F32", (16, 4), floats((16, 4))),
    }
    adapter = read_adapter(make_adapter(tmp_path / "a", entries, target_modules=["embed_tokens"]))
    assert [(pair.module, pair.linear) for pair in adapter.pairs] == [("model.embed_tokens", False)]

"""The recipe on a model of a few thousand weights: what it learns from, and that it can be interrupted."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from peft import PeftConfig, PeftModel
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch.testing import assert_close
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, PreTrainedTokenizerFast

from simsa import prompts
from simsa.demo.gguf_conversion import CHAT_TEMPLATE
from tests.demo.conftest import RECIPES

ROWS = [
    {
        "question": f"{n}번 배의 길이는?",
        "search_result": [f"{n}번 배의 길이는 {n * 7}미터이다.", "다른 배는 작다."],
        "answer": f"{n * 7}미터입니다. [[ref1]]",
        "extracted_ref_numbers": [1],
        "type": "mrc_question_with_1_to_4_negative",
    }
    for n in range(1, 11)
]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes as tokens, with Gemma's special ones."""
    special = ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(special + alphabet)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=made, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>",
        additional_special_tokens=special[3:],
    )  # fmt: skip
    wrapped.chat_template = CHAT_TEMPLATE.read_text(encoding="utf-8")
    return wrapped


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast) -> Path:
    """A tiny random Gemma 3 as a Hugging Face folder, and data beside it."""
    torch.manual_seed(1)
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=16, sliding_window=64,
        bos_token_id=2, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    root = tmp_path_factory.mktemp("tiny")
    Gemma3ForCausalLM(config).save_pretrained(root / "tiny-gemma")
    tokenizer.save_pretrained(root / "tiny-gemma")
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
    (root / "train.jsonl").write_text(lines, encoding="utf-8")
    return root


def model_of(folder: Path, train_lora: ModuleType, recipe: Any) -> PeftModel:
    base = Gemma3ForCausalLM.from_pretrained(folder / "tiny-gemma", dtype="float32")
    adapted: PeftModel = train_lora.adapted(base, recipe, "tiny-gemma")
    return adapted


@pytest.fixture
def examples(folder: Path, tokenizer: Any, train_lora: ModuleType) -> list[Any]:
    return list(train_lora.read(folder / "train.jsonl", tokenizer, prompts.load("rag-ko")))


def test_an_example_is_the_prompt_of_the_evaluation_and_the_answer(
    tokenizer: Any, train_lora: ModuleType
) -> None:
    messages = train_lora.conversation(ROWS[0], prompts.load("rag-ko"))
    example = train_lora.encode(tokenizer, messages)
    asked = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    assert [m["role"] for m in messages] == ["system", "user", "assistant"]
    assert tokenizer.decode(example.ids[: example.start]) == asked
    assert "[[ref1]] 1번 배의 길이는 7미터이다." in asked
    assert tokenizer.decode(example.ids[example.start :]) == "7미터입니다. [[ref1]]<end_of_turn>\n"
    assert example.ids.count(tokenizer.bos_token_id) == 1


def test_conversations_are_taken_as_they_are(train_lora: ModuleType) -> None:
    messages = [{"role": "user", "content": "안녕"}, {"role": "assistant", "content": "네"}]
    assert train_lora.conversation({"messages": messages}, prompts.load("rag-ko")) == messages


def test_canonical_rows_ask_the_same(train_lora: ModuleType) -> None:
    row = {
        "question": ROWS[0]["question"],
        "contexts": [{"text": text} for text in ROWS[0]["search_result"]],
        "reference": [ROWS[0]["answer"], "일곱 미터"],
    }
    prompt = prompts.load("rag-ko")
    assert train_lora.conversation(row, prompt) == train_lora.conversation(ROWS[0], prompt)


def test_a_template_that_changes_with_the_answer_is_refused(train_lora: ModuleType, tokenizer: Any) -> None:
    changed = type(tokenizer)(tokenizer_object=tokenizer.backend_tokenizer, bos_token="<bos>")
    changed.chat_template = "{{ messages | length }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    with pytest.raises(SystemExit, match="renders a question differently"):
        train_lora.encode(changed, train_lora.conversation(ROWS[0], prompts.load("rag-ko")))


def test_loss_is_that_of_masked_labels(folder: Path, train_lora: ModuleType, examples: list[Any]) -> None:
    """The reference: transformers' own loss with the prompt masked by -100."""
    model = model_of(folder, train_lora, train_lora.Recipe())
    for example in examples[:3]:
        ids = torch.tensor([example.ids])
        labels = ids.clone()
        labels[0, : example.start] = -100
        expected = model(input_ids=ids, labels=labels).loss
        ours = train_lora.answer_loss(model, example) / (len(example.ids) - example.start)
        assert_close(ours, expected, rtol=1e-5, atol=1e-6)


def test_logits_are_computed_for_the_answer_alone(
    folder: Path, train_lora: ModuleType, examples: list[Any]
) -> None:
    model = model_of(folder, train_lora, train_lora.Recipe())
    seen: list[int] = []
    head: Any = model.get_base_model().get_output_embeddings()  # type: ignore[operator]
    head.register_forward_hook(lambda _module, args, _out: seen.append(args[0].shape[0]))
    train_lora.answer_loss(model, examples[0])
    assert seen == [len(examples[0].ids) - examples[0].start]


def test_only_the_adapter_learns(
    folder: Path, train_lora: ModuleType, tokenizer: Any, examples: list[Any], tmp_path: Path
) -> None:
    recipe = train_lora.Recipe(epochs=2, lr=1e-2)
    model = model_of(folder, train_lora, recipe)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    first = sum(train_lora.answer_loss(model, e).item() for e in examples)
    train_lora.train(model, tokenizer, examples, tmp_path, recipe)
    moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert moved and all("lora_" in name for name in moved)
    assert {name.split(".")[-4] for name in moved} == {"q_proj", "v_proj"}
    assert sum(train_lora.answer_loss(model, e).item() for e in examples) < first


def test_each_epoch_takes_every_example_once(train_lora: ModuleType) -> None:
    plan = train_lora.batches(12, train_lora.Recipe(epochs=2, batch=4))
    flat = [i for batch in plan for i in batch]
    assert len(plan) == 6
    assert sorted(flat[:12]) == sorted(flat[12:]) == list(range(12))
    assert flat[:12] != flat[12:]
    assert plan == train_lora.batches(12, train_lora.Recipe(epochs=2, batch=4))
    assert plan != train_lora.batches(12, train_lora.Recipe(epochs=2, batch=4, seed=1))


def test_the_learning_rate_rises_and_falls(train_lora: ModuleType) -> None:
    recipe = train_lora.Recipe(lr=1.0, warmup=0.1)
    rates = [train_lora.learning_rate(step, 100, recipe) for step in range(100)]
    assert rates[:10] == pytest.approx([(n + 1) / 10 for n in range(10)])
    assert rates[10] == 1.0
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert 0 < rates[-1] < 0.001
    assert math.isfinite(train_lora.learning_rate(0, 1, recipe))


def test_interrupted_and_resumed_equals_uninterrupted(
    folder: Path, train_lora: ModuleType, tokenizer: Any, examples: list[Any], tmp_path: Path
) -> None:
    recipe = train_lora.Recipe(epochs=3, batch=4, early=0.25)

    def run(out: Path, stop_at: int | None = None) -> None:
        train_lora.train(model_of(folder, train_lora, recipe), tokenizer, examples, out, recipe, 2, stop_at)

    run(tmp_path / "whole")
    run(tmp_path / "parts", stop_at=3)
    assert (tmp_path / "parts" / "checkpoint").is_dir()
    assert not (tmp_path / "parts" / "final").exists()
    run(tmp_path / "parts")
    for stage in ("early", "final"):
        whole = load_file(tmp_path / "whole" / stage / "adapter_model.safetensors")
        parts = load_file(tmp_path / "parts" / stage / "adapter_model.safetensors")
        assert whole.keys() == parts.keys()
        assert all(torch.equal(whole[key], parts[key]) for key in whole)
    assert not (tmp_path / "parts" / "checkpoint").exists()
    early = load_file(tmp_path / "whole" / "early" / "adapter_model.safetensors")
    assert any(not torch.equal(early[key], whole[key]) for key in whole)


def test_the_command_leaves_a_folder_that_peft_reads(
    folder: Path, train_lora: ModuleType, tokenizer: Any
) -> None:
    out = folder / "out"
    command = [
        sys.executable, str(RECIPES / "train_lora.py"), "--model", str(folder / "tiny-gemma"),
        "--data", str(folder / "train.jsonl"), "--out", str(out), "--dtype", "float32", "--rank", "4",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    assert {f.name for f in (out / "final").iterdir()} == {
        "adapter_model.safetensors", "adapter_config.json", "chat_template.jinja",
    }  # fmt: skip
    config = PeftConfig.from_pretrained(str(out / "final"))
    assert (config.base_model_name_or_path, config.r, config.inference_mode) == ("tiny-gemma", 4, True)
    assert (out / "final" / "chat_template.jinja").read_text(encoding="utf-8") == tokenizer.chat_template
    base = Gemma3ForCausalLM.from_pretrained(folder / "tiny-gemma", dtype="float32")
    ids = torch.tensor([[2, 20, 30, 40]])
    with torch.no_grad():
        before = base(input_ids=ids).logits.clone()
        after = PeftModel.from_pretrained(base, str(out / "final"))(input_ids=ids).logits
    assert not torch.equal(before, after)

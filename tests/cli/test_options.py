"""Flags in place of a config, beside one, and against each other."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from simsa import config as configuration
from simsa.cli.main import run
from simsa.cli.options import config_from
from simsa.errors import ConfigError
from tests.support.judged_runs import write_data


def made(**flags: Any) -> tuple[configuration.Config, Path]:
    return config_from({"adapter": (), "merged": (), "predictions": (), **flags})


def test_flags_alone_are_a_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out" / "lora").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    config, folder = made(
        data="test.jsonl",
        model="google/gemma-3-270m",
        adapter=("rag=out/lora", "hub=somebody/adapter"),
        merged=("whole=out/merged",),
        judge="gpt-4o",
        mode="split",
        max_cost_usd=0.0,
        limit=3,
    )
    assert [v.name for v in config.variants] == ["base", "rag", "hub", "whole"], "the base model comes first"
    assert config.variants[1].adapter == str((tmp_path / "out" / "lora").resolve()), "wherever it is run from"
    assert (config.variants[2].adapter, config.variants[3].model) == ("somebody/adapter", "out/merged")
    assert config.judge is not None and (config.judge.mode, config.judge.max_cost_usd) == ("split", 0.0)
    assert (config.data.limit, config.baseline, config.source) == (3, "base", None)
    assert folder == Path("test.simsa"), "named by its data"


def test_answers_that_exist_need_no_model(tmp_path: Path) -> None:
    config, folder = made(data="t.jsonl", predictions=("a=a.jsonl", "b=b.jsonl"), out=tmp_path / "here")
    assert [(v.name, v.predictions) for v in config.variants] == [("a", "a.jsonl"), ("b", "b.jsonl")]
    assert folder == tmp_path / "here" and config.serving.model is None


def test_flags_win_over_a_file_and_add_to_its_variants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "simsa.toml").write_text(
        '[data]\npath = "test.jsonl"\nlimit = 9\n[[variants]]\nname = "kept"\npredictions = "kept.jsonl"\n'
        '[judge]\nmodel = "gpt-4o"\nmode = "split"\n',
        encoding="utf-8",
    )
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "other.jsonl").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "elsewhere")
    config, folder = made(
        config="../simsa.toml",
        data="other.jsonl",
        limit=2,
        judge="lexical",
        predictions=("more=other.jsonl",),
    )
    assert [v.name for v in config.variants] == ["kept", "more"]
    assert config.judge is not None and (config.judge.model, config.judge.mode) == ("lexical", "split")
    assert config.data.limit == 2
    # A path given at the prompt is seen from there, one in the file from the file.
    assert config.path(config.data.path) == (tmp_path / "elsewhere" / "other.jsonl").resolve()
    assert os.path.normpath(config.path(config.variants[0].predictions or "")) == os.path.normpath(
        "../kept.jsonl"
    )
    assert folder.resolve() == tmp_path / "simsa.simsa"


def test_without_a_name_the_config_is_the_one_that_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, n=3, variants=("a",))
    (tmp_path / "simsa.toml").write_text(
        '[data]\npath = "test.jsonl"\n[[variants]]\nname = "a"\npredictions = "a.jsonl"\n[judge]\nmodel = "lexical"\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    assert run(["judge", "-q", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == {"scored": 3}
    assert (tmp_path / "simsa.simsa").is_dir()
    monkeypatch.chdir(tmp_path.parent)
    assert run(["judge", "-q"]) == 2
    assert "simsa init" in capsys.readouterr().err, "how to get one"


@pytest.mark.parametrize("pair", ["name", "name=", "=path", ""])
@pytest.mark.parametrize("flag", ["adapter", "merged", "predictions"])
def test_a_variant_is_a_name_and_a_place(flag: str, pair: str) -> None:
    with pytest.raises(ConfigError, match="NAME=PATH") as told:
        made(data="t.jsonl", model="m", **{flag: (pair,)})
    assert told.value.field == f"--{flag}"


def test_an_equals_sign_in_a_path_belongs_to_the_path() -> None:
    config, _ = made(data="t.jsonl", predictions=("a=runs/lr=1e-4/answers.jsonl",))
    assert config.variants[0].predictions == "runs/lr=1e-4/answers.jsonl"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"predictions": ("a=1", "a=2"), "data": "t"}, "two are named 'a'"),
        ({"data": "t", "predictions": ("a=1",), "baseline": "b"}, "no variant is named 'b'"),
        ({"data": "t", "predictions": ("a b=1",)}, "variants"),
        ({"data": "t", "predictions": ("a=1",), "limit": 0}, "limit"),
        ({"data": "t", "adapter": ("a=1",)}, "serving"),
    ],
)
def test_what_does_not_hold_together_is_told(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as told:
        made(**flags)
    assert said in str(told.value)


def test_a_folder_without_a_config_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the folder has no simsa\.toml\n  → `simsa init "):
        made(config=str(tmp_path))


def test_a_data_file_in_place_of_a_config_is_answered_with_the_flag(tmp_path: Path) -> None:
    write_data(tmp_path, 1)
    with pytest.raises(ConfigError, match="is a data file, not a config") as caught:
        made(config=str(tmp_path / "test.jsonl"))
    assert "--data" in str(caught.value.hint)

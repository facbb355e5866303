from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from simsa.cli import console
from simsa.cli.main import run
from simsa.errors import ConfigError, InputError, RunError
from tests.report.runs import BASE, BETTER, make_run

CONFIG = '[data]\npath = "test.jsonl"\n[serving]\nmodel = "tiny"\n'


def test_a_run_is_found_by_folder_database_config_or_the_configs_folder(tmp_path: Path) -> None:
    config = tmp_path / "simsa.toml"
    config.write_text(CONFIG, encoding="utf-8")
    folder = make_run(tmp_path / "simsa.simsa", {"base": BASE})
    for named in (folder, folder / "run.sqlite", config, tmp_path):
        assert console.find_run(named).resolve() == folder.resolve()
        with console.open_run(named) as store:
            assert store.count("questions") == 16


def test_a_run_beside_a_config_is_found_before_the_config(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "both", {"base": BASE})
    (folder / "simsa.toml").write_text(CONFIG, encoding="utf-8")
    assert console.find_run(folder) == folder


@pytest.mark.parametrize("made", ["nothing", "an empty folder", "a config that never ran"])
def test_what_is_no_run_is_refused_with_advice(tmp_path: Path, made: str) -> None:
    place = tmp_path / "place"
    if made == "an empty folder":
        place.mkdir()
    elif made == "a config that never ran":
        place.write_text(CONFIG, encoding="utf-8")
    with pytest.raises(RunError) as refused:
        console.open_run(place)
    assert refused.value.hint and refused.value.where


def test_a_broken_config_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("[data\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="TOML"):
        console.find_run(tmp_path / "x.toml")


def test_the_flags_for_a_format_agree_or_are_refused() -> None:
    assert console.chosen(None, False) == "text"
    assert console.chosen(None, False, default="json") == "json"
    assert (
        console.chosen(None, True) == console.chosen("json", True) == console.chosen("json", False) == "json"
    )
    with pytest.raises(InputError, match="--json and --format md"):
        console.chosen("md", True)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report.txt"
    console.put("처음", out)
    assert out.read_text(encoding="utf-8") == "처음"

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError("the source breaks off")

    with pytest.raises(RuntimeError):
        console.put(broken(), out)
    assert out.read_text(encoding="utf-8") == "처음"
    assert [file.name for file in out.parent.iterdir()] == ["report.txt"]


def test_a_written_file_has_the_users_own_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        console.put("x", tmp_path / "report.txt")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report.txt").stat().st_mode) == 0o640


def test_a_place_that_cannot_be_written_is_the_users_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        console.put("x", tmp_path / "file" / "report.txt")
    with pytest.raises(InputError, match="cannot be written"):
        console.put("x", tmp_path)


def test_a_dash_is_stdout(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    console.put("한글\n", Path("-"))
    console.put([b"a", b"b"])
    assert capsysbinary.readouterr().out == "한글\nab".encode()


def test_piped_text_is_eighty_wide_or_as_columns_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert console.terminal() == (80, False)
    monkeypatch.setenv("COLUMNS", "160")
    assert console.terminal() == (160, False)
    monkeypatch.setenv("COLUMNS", "3")
    assert console.terminal().width == 40
    assert console.for_text(Path("report.txt")) == (100, False)


@pytest.mark.parametrize("command", ["report", "examples", "compare"])
def test_every_command_speaks_both_languages(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path / "run", {"base": BASE, "lora": BETTER})
    shown = {}
    for language in ("ko", "en"):
        assert run([command, str(folder), "--language", language]) == 0
        shown[language] = capsys.readouterr().out
    assert run([command, str(folder)]) == 0
    assert capsys.readouterr().out == shown["en"], "the run's own language"
    assert shown["ko"] != shown["en"]


@pytest.mark.parametrize("command", ["report", "examples", "compare"])
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    assert f"simsa {command} " in capsys.readouterr().out

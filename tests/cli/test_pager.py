"""Long text goes through the user's pager on a terminal, and nowhere else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from simsa.cli.main import run
from tests.support.report_runs import BASE, BETTER, make_run
from tests.support.terminals import Shown, Terminal, look


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("paged") / "run", {"base": BASE, "lora": BETTER}, language="ko")


@pytest.fixture
def paged(tmp_path: Path) -> Path:
    """Where the pager script of `show` writes its input."""
    return tmp_path / "paged.txt"


def show(
    argv: Sequence[str], paged: Path, *, height: int = 6, environment: Mapping[str, str] = {}, code: int = 0
) -> Shown:
    """Runs a command on a terminal whose pager is a script that keeps its input in `paged`."""
    pager = paged.with_name("pager")
    pager.write_text(f'#!/bin/sh\ncat > "{paged}"\n')
    pager.chmod(0o755)
    settings = {"PAGER": str(pager), "LC_ALL": "C.UTF-8"} | dict(environment)
    terminal = Terminal(argv, 80, height, settings)
    assert terminal.end() == code
    return terminal.shown


def test_text_longer_than_the_screen_is_paged(folder: Path, paged: Path) -> None:
    shown = show(["report", str(folder)], paged)
    assert "총점" in paged.read_text(encoding="utf-8")
    assert shown.text == ""


def test_a_failed_gate_is_reported_after_the_pager(folder: Path, paged: Path) -> None:
    shown = show(["compare", str(folder), "--gate", "total >= 20"], paged, code=3)
    assert "total >= 20" in paged.read_text(encoding="utf-8")
    assert shown.text.startswith("simsa: ")


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (["--no-pager"], {}),
        (["--json"], {}),
        (["--format", "md"], {}),
        ([], {"PAGER": ""}),
        ([], {"PAGER": "cat"}),
        ([], {"TERM": "dumb"}),
    ],
)
def test_text_is_printed_when_no_pager_is_wanted(
    options: list[str], settings: dict[str, str], folder: Path, paged: Path
) -> None:
    shown = show(["report", str(folder), *options], paged, environment=settings)
    assert not paged.exists()
    assert shown.text


def test_text_that_fits_is_printed(folder: Path, paged: Path) -> None:
    shown = show(["report", str(folder)], paged, height=500)
    assert not paged.exists()
    assert "총점" in shown.text


def test_a_pipe_is_never_paged(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGER", "false")
    monkeypatch.setenv("LINES", "5")
    assert run(["report", str(folder)]) == 0
    assert capsys.readouterr().out.count("\n") >= 6


def test_binary_output_is_refused_on_a_terminal(folder: Path, tmp_path: Path) -> None:
    argv = ["report", str(folder), "--format", "parquet"]
    assert "add --out report.parquet" in look(argv, 80, code=2).text
    look([*argv, "--out", str(tmp_path / "rows.parquet")], 80)
    assert (tmp_path / "rows.parquet").read_bytes().startswith(b"PAR1")


@pytest.mark.skipif(shutil.which("less") is None, reason="less is not installed")
def test_less_shows_hangul_in_a_c_locale_and_q_leaves_it(folder: Path) -> None:
    environment = {"PAGER": "less", "LANG": "C", "LC_ALL": "C", "LESSHISTFILE": os.devnull}
    terminal = Terminal(["report", str(folder)], environment=environment)
    terminal.until("점수")
    terminal.type("q")
    assert terminal.end() == 0
    assert "lora" in terminal.shown.lines[0]
    assert "<EA>" not in terminal.shown.text

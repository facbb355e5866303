"""`simsa serve`: where vLLM is, in words and in JSON, until Ctrl-C; what is wrong is told before it is started."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from simsa.cli.main import run
from tests.support.stand_in_engine import stand_in

Capture = pytest.CaptureFixture[str]
BASE = '[data]\npath = "test.jsonl"\n[serving]\nmodel = "org/model"\n'


def write(folder: Path, more: str = '[[variants]]\nname = "base"\n', language: str = "ko") -> str:
    file = folder / "simsa.toml"
    file.write_text(f'{BASE}{more}[report]\nlanguage = "{language}"\n', encoding="utf-8")
    return str(file)


@pytest.fixture
def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Presses Ctrl-C as soon as the command waits for it, when the addresses in the list were asked."""
    stand_in(monkeypatch, tmp_path)
    answers: list[str] = []
    over = threading.Event()

    def press() -> None:
        while not over.wait(0.01):
            handler = signal.getsignal(signal.SIGINT)
            if getattr(handler, "__name__", "") == "_sighandler_noop":  # asyncio's, once serve has set it
                os.kill(os.getpid(), signal.SIGINT)
                return

    thread = threading.Thread(target=press)
    thread.start()
    yield answers
    over.set()
    thread.join()


@pytest.mark.parametrize(
    ("language", "labels"),
    [("ko", ["기본 URL", "키", "모델", "로그"]), ("en", ["base URL", "key", "models", "log"])],
)
def test_it_says_where_it_is_and_how_to_ask(
    language: str, labels: list[str], tmp_path: Path, interrupted: list[str], capfd: Capture
) -> None:
    assert run(["serve", write(tmp_path, language=language)]) == 0
    said = capfd.readouterr()
    lines = said.out.splitlines()
    for label, line in zip(labels, lines, strict=False):
        assert line.startswith(label + " ")
    starts = {cell_len(re.split(r"(?<=\S)\s{2,}", line)[0]) for line in lines[:4]}
    assert len(starts) >= 1
    columns = {cell_len(line) - cell_len(re.split(r"\s{2,}", line, maxsplit=1)[1]) for line in lines[:4]}
    assert len(columns) == 1, "values stand under each other, Hangul or not"
    assert "curl -N http://127.0.0.1:" in said.out
    assert "Ctrl-C" in lines[-1]
    assert ("vLLM 준비됨" if language == "ko" else "vLLM is ready after") in said.err


def test_json_is_one_document_and_the_key_is_asked_for(
    tmp_path: Path, interrupted: list[str], capfd: Capture
) -> None:
    assert run(["serve", write(tmp_path), "--json", "-q"]) == 0
    said = capfd.readouterr()
    found = json.loads(said.out)
    assert found["schema"] == "simsa.serve/1"
    assert found["base"] == "base"
    assert found["variants"] == {"base": "base"}
    assert found["key"]
    assert said.err == ""
    with pytest.raises(urllib.error.URLError):  # Ctrl-C has ended it
        urllib.request.urlopen(f"{found['base_url']}/models", timeout=5)


def test_a_key_of_ones_own_is_named_and_not_shown(
    tmp_path: Path, interrupted: list[str], capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    assert run(["serve", write(tmp_path), "--key-env", "MY_KEY"]) == 0
    said = capfd.readouterr()
    assert "$MY_KEY" in said.out
    assert "sk-very-secret" not in said.out + said.err


def test_who_opens_it_to_others_is_told_what_the_key_does_not_guard(
    tmp_path: Path, interrupted: list[str], capfd: Capture
) -> None:
    assert run(["serve", write(tmp_path), "--host", "0.0.0.0"]) == 0
    assert "/tokenize" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("more", "options", "said"),
    [
        ('[[variants]]\nname = "a"\npredictions = "p.jsonl"\n', [], "no variant is served by vLLM"),
        (
            '[[variants]]\nname = "base"\n[[variants]]\nname = "merged"\nmodel = "org/merged"\n',
            [],
            "--variant base",
        ),
        ('[[variants]]\nname = "base"\n', ["--variant", "lora"], "(found lora)\n  → there are base"),
        ('[[variants]]\nname = "base"\n', ["--variant", "bse"], "did you mean 'base'?"),
        ('[[variants]]\nname = "base"\n', ["--key-env", "NO_SUCH_KEY"], "$NO_SUCH_KEY: is not set, or empty"),
        ('[[variants]]\nname = "base"\n', ["--port", "70000"], "70000"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_started(
    more: str, options: list[str], said: str, tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = stand_in(monkeypatch, tmp_path)
    assert run(["serve", write(tmp_path, more), *options]) == 2
    found = capfd.readouterr()
    assert said in found.err
    assert found.out == ""
    assert not calls.exists()
    assert not (tmp_path / "simsa.simsa" / "logs").exists()

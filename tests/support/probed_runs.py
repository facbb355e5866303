"""Runs whose judge is probed through a test server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from tests.servers.chat import ChatServer
from tests.support.probe_rows import rows

Capture = pytest.CaptureFixture[str]


def write(folder: Path, url: str = "", *, variants: int = 2, **judge: Any) -> Path:
    """A config with finished predictions: the first variant answers well, the others decline."""
    questions = rows(8, 4)
    (folder / "test.jsonl").write_text("".join(json.dumps(q.to_dict()) + "\n" for q in questions))
    text = '[data]\npath = "test.jsonl"\n'
    for n in range(variants):
        said = [q.reference[0] if n == 0 else "알 수 없습니다." for q in questions]
        answers = [
            json.dumps({"question_id": q.id, "prediction": s}) for q, s in zip(questions, said, strict=True)
        ]
        (folder / f"v{n}.jsonl").write_text("\n".join(answers))
        text += f'[[variants]]\nname = "v{n}"\npredictions = "v{n}.jsonl"\n'
    settings = {"model": "a-judge", "base_url": url, "max_attempts": 1} if url else {"model": "lexical"}
    lines = [f"{name} = {json.dumps(value)}" for name, value in (settings | judge).items()]
    text += "[judge]\n" + "\n".join(lines) + '\n[report]\nlanguage = "en"\n'
    file = folder / "simsa.toml"
    file.write_text(text)
    return file


def probed(capfd: Capture, *argv: str, code: int = 0) -> dict[str, Any]:
    capfd.readouterr()
    assert run(["probe", *argv, "--json", "-q"]) == code
    document: dict[str, Any] = json.loads(capfd.readouterr().out)
    return document


def report(capfd: Capture, run_folder: Path) -> dict[str, Any]:
    capfd.readouterr()
    assert run(["report", str(run_folder), "--format", "json"]) == 0
    document: dict[str, Any] = json.loads(capfd.readouterr().out)
    return document


def made(folder: Path, server: ChatServer, capfd: Capture, *, code: int = 0, **judge: Any) -> Path:
    """A judged run, which ends with `code`."""
    file = write(folder, server.url, **judge)
    assert run(["run", str(file), "-q"]) == code
    capfd.readouterr()
    return file


def rates(document: dict[str, Any]) -> dict[str, str]:
    return {name: f"{k['passed']}/{k['n']}" for name, k in document["probes"]["kinds"].items()}

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from simsa.cli.main import run
from simsa.store import Store
from tests.support.report_runs import BASE, BETTER, make_run
from tests.support.view_server import Viewing, until
from tests.support.visitor import Visitor


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("view") / "first.simsa"
    return make_run(path, {"base": BASE, "better": BETTER}, measured=False, language="ko")


def test_it_prints_its_address_and_ends_well(folder: Path) -> None:
    with Viewing(folder) as viewing:
        assert viewing.address == f"http://127.0.0.1:{viewing.port}/"
        assert Visitor(viewing.address).get().address.endswith("/0/")


@pytest.mark.parametrize(("language", "word"), [("ko", "문항"), ("en", "Questions")])
def test_it_speaks_the_language_that_is_asked_for(folder: Path, language: str, word: str) -> None:
    with Viewing(folder, options=("--language", language)) as viewing:
        visitor = Visitor(viewing.address)
        for path in ("0/", "0/questions", "0/question?id=q1", "0/label", "0/calibration", "runs"):
            page = visitor.get(path)
            assert page.status == 200
            assert f'<html lang="{language}">' in page.text
        assert word in visitor.get("0/questions").text


def test_several_runs_begin_with_their_history(folder: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "second.simsa", {"base": BETTER}, measured=False)
    with Viewing(folder, other) as viewing:
        visitor = Visitor(viewing.address)
        page = visitor.get()
        assert page.address.endswith("/runs")
        assert "first" in page.text
        assert "second" in page.text
        assert visitor.get("1/").status == 200
        assert visitor.get("2/").status == 404
        assert visitor.get("runs?criterion=nonsense").status == 200


def test_a_config_stands_for_its_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--replay", "-q", "--limit", "2", "--out", str(tmp_path / "demo")]) == 0
    with Viewing(tmp_path / "demo" / "simsa.toml") as viewing:
        visitor = Visitor(viewing.address)
        assert "rag-final" in visitor.get("0/questions").text
        page = visitor.get("0/question?id=demo-001").text
        assert "lexical@" in page


def test_requests_are_shown_as_they_were_made(tmp_path: Path) -> None:
    from simsa import rubrics

    config = {
        "generation": {"prompt": "rag-ko", "temperature": 0.25, "max_tokens": 77},
        "judge": {"rubric": "rag-ko", "model": "gpt-4o", "temperature": 0.0, "max_tokens": 1024},
    }
    label = rubrics.load("rag-ko").label
    judge = {"model": "gpt-4o", "rubric": label, "mode": "joint", "key": "k"}
    folder = make_run(tmp_path / "run", {"base": BASE[:3]}, measured=False, config=config, judge=judge)
    with Viewing(folder) as viewing:
        visitor = Visitor(viewing.address)
        page = visitor.get("0/question?id=q1").text
        assert "0.25" in page
        assert "&lt;prediction ····&gt;" in page
        with Store.create(folder) as store:
            store.set_meta(judge=judge | {"rubric": "rag-ko@0ld00000"})
        assert "&lt;prediction ····&gt;" not in visitor.get("0/question?id=q1").text, "another rubric by now"


def test_whole_texts_are_plain_and_only_those_of_the_run(folder: Path) -> None:
    with Viewing(folder) as viewing:
        visitor = Visitor(viewing.address)
        text = visitor.get("0/text?id=q1&part=answer&name=base")
        assert text.text == "base 1번 답"
        assert text.headers["Content-Type"].startswith("text/plain")
        assert text.headers["X-Content-Type-Options"] == "nosniff"
        assert visitor.get("0/text?id=q1&part=passage&name=0").text.startswith("1번 마을")
        assert visitor.get("0/text?id=q1&part=reference&name=0").text == "별빛마을 1호"
        assert visitor.get("0/text?id=q1&part=raw&name=base").text == "{}"
        for query in (
            "id=q1&part=passage&name=9",
            "id=q1&part=passage&name=-1",
            "id=q1&part=answer&name=none",
            "id=../../etc&part=answer&name=base",
            "id=q1&part=/etc/passwd&name=base",
            "",
        ):
            assert visitor.get(f"0/text?{query}").status == 404, query


def test_a_newer_state_is_shown_without_a_restart(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"base": BASE[:2], "better": BETTER[:2]}, measured=False)
    with Viewing(folder) as viewing:
        visitor = Visitor(viewing.address)
        assert visitor.get("0/questions").text.count('class="row"') == 2
        make_run(folder, {"base": BASE, "better": BETTER}, measured=False)
        until(lambda: visitor.get("0/questions").text.count('class="row"') == 16)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nowhere"], ["no such run", "nowhere"]), (["."], ["is not the folder of a run"])],
)
def test_what_is_no_run_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["view", *arguments, "--no-open"]) == 2
    said = capfd.readouterr().err
    assert all(word in said for word in words)


def test_a_port_that_is_taken_is_said(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["view", str(folder), "--no-open", "--port", port]) == 2
    assert f"127.0.0.1:{port}" in capfd.readouterr().err


def test_a_browser_is_opened_unless_told_not_to(folder: Path, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    script.chmod(0o755)
    command = [sys.executable, "-m", "simsa", "view", str(folder)]
    environment = os.environ | {"BROWSER": f"{script} %s", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        until(lambda: opened.exists() and opened.read_text().strip() == address)
        server.terminate()

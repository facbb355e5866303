"""What one command learns of an endpoint is known to the next, whichever it is; `simsa check` shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from simsa.llm import cached_capabilities
from tests.judges.test_panel import config_of
from tests.run.batch import making
from tests.servers.batch import BatchServer
from tests.servers.chat import ChatServer
from tests.test_pipeline import KEY, write_config, write_data

REFUSED = ("temperature", "max_tokens")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)


def refusals(server: ChatServer, before: int = 0) -> int:
    return sum(call.status != 200 for call in server.calls[before:])


def checked(config: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, Any]:
    capsys.readouterr()
    run(["check", str(config), "--json", *flags])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["abilities"]
    return found


def answering(folder: Path, url: str, more: str = "") -> Path:
    """A config whose variants are asked at an endpoint, and no judge."""
    folder.mkdir(exist_ok=True)
    write_data(folder, 6, ())
    file = folder / "simsa.toml"
    file.write_text(
        '[data]\npath = "test.jsonl"\n[[variants]]\nname = "base"\n'
        f'endpoint = {{ base_url = "{url}", model = "m" }}\n{more}'
    )
    return file


def test_a_second_run_makes_no_refused_call_and_check_shows_what_the_first_has_learnt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ChatServer(refuses=REFUSED, key=KEY) as server:
        for name in ("one", "two"):
            write_data(tmp_path / name, 6)
            config, before = write_config(tmp_path / name, server.url), server.count
            assert run(["run", str(config), "-q"]) == 0
            assert refusals(server, before) == (2 if name == "one" else 0)
            assert server.count - before == 12 + refusals(server, before)
        before = server.count
        judge = checked(config, capsys)["judge"]
        assert run(["check", str(config), "--language", "en"]) == 0
        shown = capsys.readouterr().out
        assert run(["check", str(config), "--language", "ko"]) == 0
        korean = capsys.readouterr().out
        assert server.count == before, "looking costs nothing"
        assert checked(config, capsys, "--ask")["judge"]["findings"]["temperature"]["by"] == "check"
        assert refusals(server, before) == 2, "asked for, it is always found out anew"
    assert (judge["temperature"], judge["length_field"]) == (False, "max_completion_tokens")
    assert judge["response_format"] is judge["schema_kept"] is True
    assert {one["by"] for one in judge["findings"].values()} == {"run"}
    assert f"{judge['found']} in a run" in shown
    assert f"{judge['found']} 실행 중" in korean
    assert KEY.encode() not in Path(os.environ["SIMSA_MEMORY"]).read_bytes()


@pytest.mark.parametrize("second", ["judge", "probe"])
def test_other_commands_begin_with_what_a_run_has_learnt(tmp_path: Path, second: str) -> None:
    with ChatServer(refuses=REFUSED) as server:
        write_data(tmp_path / "one", 6)
        assert run(["run", str(write_config(tmp_path / "one", server.url)), "-q"]) == 0
        write_data(tmp_path / "two", 6)
        config, before = write_config(tmp_path / "two", server.url), server.count
        flags = ["-n", "1", "--retest", "0"] if second == "probe" else []
        if second == "probe":
            assert run(["judge", str(config), "-q"]) == 0
        run([second, str(config), "-q", *flags])
        assert server.count > before
        assert refusals(server, before) == 0


def test_answers_from_an_endpoint_are_learnt_from_too(tmp_path: Path) -> None:
    with ChatServer(reply="1903년", refuses=REFUSED) as server:
        for name, refused in (("one", 2), ("two", 0), ("three", 2)):
            more = '[generation]\nextra_body = { reasoning_effort = "none" }\n' if name == "three" else ""
            config, before = answering(tmp_path / name, server.url, more), server.count
            assert run(["generate", str(config), "-q"]) == 0
            assert refusals(server, before) == refused, "another effort is another matter"


def test_a_server_that_has_changed_in_between_is_learnt_anew_in_one_call(tmp_path: Path) -> None:
    with ChatServer() as server:
        for name, refuses, refused in (
            ("one", (), 0),
            ("two", ("response_format",), 1),
            ("three", ("response_format",), 0),
        ):
            write_data(tmp_path / name, 6)
            server.refuses, before = refuses, server.count
            assert run(["run", str(write_config(tmp_path / name, server.url)), "-q"]) == 0
            assert refusals(server, before) == refused
            assert server.count - before == 12 + refused


def test_each_member_of_a_panel_is_known_for_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ChatServer(refuses=("temperature",)) as picky, ChatServer() as easy:
        members = [{"model": n, "base_url": s.url} for n, s in (("a", picky), ("b", easy), ("c", easy))]
        for name, refused in (("one", 1), ("two", 0)):
            write_data(tmp_path / name, 6)
            config, before = config_of(tmp_path / name, *members), picky.count
            assert run(["judge", str(config), "-q"]) == 0
            assert refusals(picky, before) == refused
        found = checked(config, capsys)
    assert [one["temperature"] for one in found.values()] == [False, True, True]


def test_a_batch_spares_the_next_run_its_refused_lines(tmp_path: Path) -> None:
    with BatchServer(refuses=REFUSED) as server:
        for name, jobs in (("one", 3), ("two", 1)):
            before = len(server.batches)
            config = making.write_run(tmp_path / name, server.url)
            assert run(["judge", str(config), "-q"]) == 0
            assert len(server.batches) - before == jobs
        known = cached_capabilities(server.url, "gpt-4o")
        assert known is not None
        assert known.abilities.refused == set(REFUSED)
        before = server.count
        write_data(tmp_path / "three", 6)
        direct = write_config(tmp_path / "three", server.url)
        direct.write_text(direct.read_text().replace("judge-1", "gpt-4o"))
        assert run(["judge", str(direct), "-q"]) == 0
        assert server.count == before + 12, "nor is it paid for when it is asked directly"


def test_what_a_batch_has_taught_survives_the_process_that_met_it(tmp_path: Path) -> None:
    """A refusal is met by one process, borne out by an answer in another, and known to a third."""
    with BatchServer(refuses=("temperature",)) as server:
        config = making.write_run(tmp_path / "one", server.url)
        for flag in ("--submit", "--collect", "--submit"):
            assert run(["judge", str(config), "-q", flag]) == 4
            known = cached_capabilities(server.url, "gpt-4o")
            assert known is None or known.abilities.temperature is None, "nothing has borne it out yet"
        assert run(["judge", str(config), "-q"]) == 0
        known = cached_capabilities(server.url, "gpt-4o")
        assert known is not None
        assert known.abilities.temperature is False
        assert len(server.batches) == 2


def test_a_batch_heals_what_is_remembered_wrongly(tmp_path: Path) -> None:
    with BatchServer(refuses=("max_tokens",)) as server:
        assert run(["judge", str(making.write_run(tmp_path / "one", server.url)), "-q"]) == 0
        server.refuses = ("max_completion_tokens",)
        config = making.write_run(tmp_path / "two", server.url)
        before = len(server.batches)
        assert run(["judge", str(config), "-q"]) == 0
        assert len(server.batches) - before == 2
        assert making.statuses_of(config) == {"scored": 12}
        known = cached_capabilities(server.url, "gpt-4o")
    assert known is not None
    assert known.abilities.length_field == "max_tokens"


def test_files_that_are_run_elsewhere_are_written_as_if_nothing_were_remembered(tmp_path: Path) -> None:
    with BatchServer(refuses=("temperature",)) as server:
        assert run(["judge", str(making.write_run(tmp_path / "one", server.url)), "-q"]) == 0
        config = making.write_run(tmp_path / "two", server.url)
        assert run(["judge", str(config), "-q", "--write-batch", str(tmp_path / "out")]) == 0
    (file,) = (tmp_path / "out").iterdir()
    assert all("temperature" in json.loads(line)["body"] for line in file.read_text().splitlines())


def test_two_runs_at_once_add_up(tmp_path: Path) -> None:
    with ChatServer(refuses=REFUSED, latency_s=0.01) as server:
        children = []
        for name in ("one", "two"):
            write_data(tmp_path / name, 6)
            config = write_config(tmp_path / name, server.url)
            children.append(subprocess.Popen([sys.executable, "-m", "simsa", "judge", str(config), "-q"]))
        assert [child.wait(60) for child in children] == [0, 0]
        known = cached_capabilities(server.url, "judge-1")
        assert known is not None
        assert known.abilities.refused == set(REFUSED)
        assert known.abilities.schema is True
        assert refusals(server) <= 2 * 2


def test_with_nothing_to_remember_in_each_run_learns_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with ChatServer(refuses=REFUSED) as server:
        for n, where in enumerate(["off", str(tmp_path / "file" / "memory")]):
            monkeypatch.setenv("SIMSA_MEMORY", where)
            write_data(tmp_path / str(n), 6)
            before = server.count
            assert run(["run", str(write_config(tmp_path / str(n), server.url)), "-q"]) == 0
            assert refusals(server, before) == 2


def test_a_judge_that_simsa_serves_itself_is_not_remembered() -> None:
    import asyncio

    from simsa.config import JudgeConfig
    from simsa.judges import make
    from simsa.judges.llm import LLMJudge
    from simsa.records import Question

    with ChatServer(refuses=("temperature",)) as server:
        judge = make(JudgeConfig(model="judge", base_url="http://127.0.0.1:9"))
        assert isinstance(judge, LLMJudge)
        judge.served_at(server.url, "the-key")

        async def ask() -> str:
            async with judge:
                question = Question(id="1", question="?", contexts=())
                return (await judge.judge(judge.requests(question, "1년")[0])).status

        assert asyncio.run(ask()) == "scored"
        assert cached_capabilities(server.url, "judge") is None, "its port is another's tomorrow"

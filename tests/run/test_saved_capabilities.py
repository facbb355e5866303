"""A run keeps what it has learned about endpoints, so that resuming it makes no refused call."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from simsa.config import JudgeConfig
from simsa.judges import make
from simsa.judges.llm import LLMJudge
from simsa.records import Question
from simsa.store import Store
from tests.servers.batch import BatchServer
from tests.servers.chat import ChatServer
from tests.support import batch_runs
from tests.support.judged_runs import KEY, config_of, write_config, write_data

REFUSED = ("temperature", "max_tokens")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)


def refused_calls(server: ChatServer, before: int = 0) -> int:
    return sum(call.status != 200 for call in server.calls[before:])


def test_a_resumed_run_makes_no_refused_call(tmp_path: Path) -> None:
    with ChatServer(refuses=REFUSED, key=KEY) as server:
        config = write_config(tmp_path, server.url)
        for questions, refused in ((3, 2), (6, 0)):
            write_data(tmp_path, questions)
            before = server.count
            assert run(["run", str(config), "-q"]) == 0
            assert refused_calls(server, before) == refused
            assert server.count - before == 6 + refused


def test_a_resumed_generation_makes_no_refused_call(tmp_path: Path) -> None:
    with ChatServer(reply="1903년", refuses=REFUSED) as server:
        config = tmp_path / "simsa.toml"
        config.write_text(
            '[data]\npath = "test.jsonl"\n[[variants]]\nname = "base"\n'
            f'endpoint = {{ base_url = "{server.url}", model = "m" }}\n'
        )
        for questions, refused in ((3, 2), (6, 0)):
            write_data(tmp_path, questions, ())
            before = server.count
            assert run(["generate", str(config), "-q"]) == 0
            assert refused_calls(server, before) == refused


def test_each_member_of_a_panel_has_an_entry(tmp_path: Path) -> None:
    with ChatServer(refuses=("temperature",)) as picky, ChatServer() as easy:
        members = [{"model": n, "base_url": s.url} for n, s in (("a", picky), ("b", easy), ("c", easy))]
        for questions, refused in ((3, 1), (6, 0)):
            write_data(tmp_path, questions)
            config, before = config_of(tmp_path, *members), picky.count
            assert run(["judge", str(config), "-q"]) == 0
            assert refused_calls(picky, before) == refused
        with Store.read(config.with_name("simsa.simsa")) as store:
            assert list(store.meta("capabilities")) == [f"{picky.url} a"]


def test_a_run_that_ends_with_an_error_keeps_what_it_has_learned(tmp_path: Path) -> None:
    gone = dict.fromkeys(range(8, 100), "unauthorised")
    with ChatServer(refuses=REFUSED, key=KEY, faults=lambda n, body: gone.get(n)) as server:
        write_data(tmp_path, 6)
        config = write_config(tmp_path, server.url)
        assert run(["judge", str(config), "-q"]) == 5
        assert refused_calls(server) > 2
        gone.clear()
        before = server.count
        assert run(["judge", str(config), "-q"]) == 0
        assert refused_calls(server, before) == 0


def test_a_batch_begins_with_what_direct_calls_have_shown(tmp_path: Path) -> None:
    with BatchServer(refuses=REFUSED) as server:
        config = batch_runs.write_run(tmp_path, server.url, n=3)
        batch = config.read_text()
        config.write_text(batch.replace('via = "batch"', 'via = "direct"'))
        assert run(["judge", str(config), "-q"]) == 0
        assert refused_calls(server) == 2
        batch_runs.write_run(tmp_path, server.url, n=6)
        assert run(["judge", str(config), "-q"]) == 0
        assert len(server.batches) == 1
        assert batch_runs.statuses_of(config) == {"scored": 12}


def test_a_batch_can_take_back_what_direct_calls_have_shown(tmp_path: Path) -> None:
    with BatchServer(refuses=("max_tokens",)) as server:
        config = batch_runs.write_run(tmp_path, server.url, n=3)
        config.write_text(config.read_text().replace('via = "batch"', 'via = "direct"'))
        assert run(["judge", str(config), "-q"]) == 0
        server.refuses = ("max_completion_tokens",)
        batch_runs.write_run(tmp_path, server.url, n=6)
        assert run(["judge", str(config), "-q"]) == 0
        assert len(server.batches) == 2
        assert batch_runs.statuses_of(config) == {"scored": 12}


def test_batch_files_for_another_endpoint_have_all_fields(tmp_path: Path) -> None:
    with BatchServer(refuses=("temperature",)) as server:
        config = batch_runs.write_run(tmp_path, server.url, n=3)
        config.write_text(config.read_text().replace('via = "batch"', 'via = "direct"'))
        assert run(["judge", str(config), "-q"]) == 0
        batch_runs.write_run(tmp_path, server.url, n=6)
        assert run(["judge", str(config), "-q", "--write-batch", str(tmp_path / "out")]) == 0
    (file,) = (tmp_path / "out").iterdir()
    assert all('"temperature"' in line for line in file.read_text().splitlines())


def test_a_judge_that_simsa_serves_is_not_saved() -> None:
    saved: dict[str, Any] = {}
    with ChatServer(refuses=("temperature",)) as server:
        config = JudgeConfig(model="judge", base_url="http://127.0.0.1:9")
        judge = make(config, capabilities=saved)
        assert isinstance(judge, LLMJudge)
        judge.set_base_url(server.url, "the-key")

        async def ask() -> str:
            async with judge:
                question = Question(id="1", question="?", contexts=())
                return (await judge.judge(judge.requests(question, "1년")[0])).status

        assert asyncio.run(ask()) == "scored"
    assert saved == {}, "another server may get its port"

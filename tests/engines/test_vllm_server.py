"""A server's life: ready, dead, late, cancelled. What is started here only stands in for vLLM as a process."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from simsa.engines import ServerPlan, VllmServer
from simsa.engines.vllm_install import VllmInstall
from simsa.errors import ConfigError, EngineError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., ServerPlan]:
    def make(behave: str, timeout: float = 60) -> ServerPlan:
        env = {
            "BEHAVE": behave,
            "PIDS": str(tmp_path / "pids"),
            "PYTHONPATH": str(ROOT),
            "PATH": os.environ["PATH"],
        }
        return ServerPlan(
            name="base",
            model="m",
            base="base",
            variants={"base": "base", "a": "a"},
            adapters={},
            argv=("--model=m",),
            env=env,
            chat_template=None,
            vllm=VllmInstall("0.0", True, "tests.support.process_family"),
            cwd=tmp_path,
            start_timeout_s=timeout,
        )

    return make


def _gone(tmp_path: Path) -> bool:
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert pids
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if not any(_alive(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_ready_and_ended(plan: Callable[..., ServerPlan], tmp_path: Path) -> None:
    said: list[str] = []

    async def live() -> VllmServer:
        async with VllmServer(plan("well"), tmp_path / "logs", said.append) as server:
            server.check()
            assert server.base_url.startswith("http://127.0.0.1:")
            assert server.models == ("base", "a")
            assert server.startup_s > 0
            cmdlines = [_cmdline(int(pid)) for pid in (tmp_path / "pids").read_text().split()]
            assert any("--model=m" in line for line in cmdlines)
            assert not any(server.key in line for line in cmdlines)
        return server

    server = asyncio.run(live())
    assert _gone(tmp_path)
    assert said[0].startswith("starting vLLM 0.0 for base, a")
    assert "vLLM: loading the weights" in said and "ready after" in said[-1]
    assert stat.S_IMODE(server.log.stat().st_mode) == 0o600
    assert server.key not in server.log.read_text() and not any(server.key in line for line in said)


def _cmdline(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def test_every_server_has_a_key_of_its_own(plan: Callable[..., ServerPlan], tmp_path: Path) -> None:
    keys = {VllmServer(plan("well"), tmp_path).key for _ in range(3)}
    assert len(keys) == 3 and all(len(key) >= 24 for key in keys)


def test_death_before_it_is_ready(plan: Callable[..., ServerPlan], tmp_path: Path) -> None:
    async def live() -> None:
        async with VllmServer(plan("dies"), tmp_path / "logs"):
            pytest.fail("it cannot have started")

    with pytest.raises(EngineError, match="did not start: ValueError: No available memory") as caught:
        asyncio.run(live())
    assert caught.value.exit_code == 5
    assert caught.value.where == str(tmp_path / "logs" / "vllm-base.log")
    assert "make room" in str(caught.value.hint)
    assert _gone(tmp_path)


def test_an_unknown_argument_is_the_users_mistake(plan: Callable[..., ServerPlan], tmp_path: Path) -> None:
    async def live() -> None:
        async with VllmServer(plan("argparse"), tmp_path):
            pytest.fail("it cannot have started")

    with pytest.raises(ConfigError, match="unrecognized arguments: --max-num-seqz=4") as caught:
        asyncio.run(live())
    assert caught.value.field == "serving.args"


def test_late(plan: Callable[..., ServerPlan], tmp_path: Path) -> None:
    async def live() -> None:
        async with VllmServer(plan("slow", timeout=1.5), tmp_path):
            pytest.fail("it cannot have started")

    with pytest.raises(EngineError, match="not ready within 2 s") as caught:
        asyncio.run(live())
    assert "start_timeout_s" in str(caught.value.hint)
    assert _gone(tmp_path)


def test_a_port_taken_meanwhile_is_tried_again(plan: Callable[..., ServerPlan], tmp_path: Path) -> None:
    async def live() -> None:
        async with VllmServer(plan("taken"), tmp_path) as server:
            server.check()

    asyncio.run(live())
    assert len((tmp_path / "pids").read_text().splitlines()) == 2
    assert _gone(tmp_path)


def test_a_port_that_was_asked_for_is_not_exchanged(plan: Callable[..., ServerPlan], tmp_path: Path) -> None:
    async def live() -> None:
        async with VllmServer(plan("taken"), tmp_path, port=1):
            pytest.fail("it cannot have started")

    with pytest.raises(EngineError, match="Address already in use"):
        asyncio.run(live())


def test_death_while_it_is_needed(plan: Callable[..., ServerPlan], tmp_path: Path) -> None:
    async def live() -> None:
        async with VllmServer(plan("later"), tmp_path) as server:
            watching = asyncio.ensure_future(server.died())
            await asyncio.sleep(0.3)
            assert not watching.done()
            await asyncio.to_thread(_ask_to_die, server.base_url)
            try:
                await asyncio.wait_for(watching, 10)
            finally:
                with pytest.raises(EngineError):
                    server.check()

    with pytest.raises(EngineError, match=r"ended while it was needed: torch\.OutOfMemoryError"):
        asyncio.run(live())
    assert _gone(tmp_path)


def _ask_to_die(base_url: str) -> None:
    try:
        urllib.request.urlopen(base_url.removesuffix("/v1") + "/die", timeout=5)
    except OSError:
        return


def test_kill_9_is_told_as_what_it_most_likely_was(plan: Callable[..., ServerPlan], tmp_path: Path) -> None:
    async def live() -> None:
        async with VllmServer(plan("well"), tmp_path) as server:
            os.kill(int((tmp_path / "pids").read_text().split()[0]), signal.SIGKILL)
            await asyncio.wait_for(server.died(), 10)

    with pytest.raises(EngineError, match="killed") as caught:
        asyncio.run(live())
    assert "memory" in str(caught.value.hint)
    assert _gone(tmp_path)


def _until_started(tmp_path: Path) -> None:
    while not (tmp_path / "pids").exists():
        time.sleep(0.02)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize("behave", ["well", "slow"])
def test_cancelled_in_use_or_while_starting(
    plan: Callable[..., ServerPlan], tmp_path: Path, behave: str
) -> None:
    async def use() -> None:
        async with VllmServer(plan(behave), tmp_path):
            await asyncio.sleep(60)

    async def live() -> None:
        task = asyncio.ensure_future(use())
        await asyncio.to_thread(_until_started, tmp_path)
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(live())
    assert _gone(tmp_path)


def test_an_error_inside_ends_it_too(plan: Callable[..., ServerPlan], tmp_path: Path) -> None:
    async def live() -> None:
        async with VllmServer(plan("well"), tmp_path):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(live())
    assert _gone(tmp_path)


def test_without_its_guard_it_is_ended_all_the_same(plan: Callable[..., ServerPlan], tmp_path: Path) -> None:
    async def live() -> None:
        async with VllmServer(plan("well"), tmp_path):
            child = int((tmp_path / "pids").read_text().split()[0])
            assert "guard.py" in _cmdline(_parent(child))
            os.kill(_parent(child), signal.SIGKILL)
            await asyncio.sleep(0.2)

    asyncio.run(live())
    assert _gone(tmp_path)


def test_logs_of_several_starts_are_kept(plan: Callable[..., ServerPlan], tmp_path: Path) -> None:
    """And an old error is not taken for a new one."""
    log = tmp_path / "vllm-base.log"
    log.write_text("ValueError: an old story\n")

    async def live() -> None:
        async with VllmServer(plan("slow", timeout=1), tmp_path):
            pytest.fail("it cannot have started")

    with pytest.raises(EngineError) as caught:
        asyncio.run(live())
    assert "old story" not in str(caught.value)
    assert log.read_text().startswith("ValueError: an old story\n") and "Starting to load" in log.read_text()


def test_a_log_that_cannot_be_written(plan: Callable[..., ServerPlan], tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")

    async def live() -> None:
        async with VllmServer(plan("well"), tmp_path / "logs"):
            pytest.fail("it cannot have started")

    with pytest.raises(EngineError, match="log cannot be written"):
        asyncio.run(live())


def test_an_address_that_is_not_ours(plan: Callable[..., ServerPlan], tmp_path: Path) -> None:
    async def live() -> None:
        async with VllmServer(plan("well"), tmp_path, host="203.0.113.7"):
            pytest.fail("it cannot have started")

    with pytest.raises(ConfigError, match="--host"):
        asyncio.run(live())

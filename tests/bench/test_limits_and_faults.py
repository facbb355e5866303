"""The benches of limits and faults run, and mean what they say."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.servers.chat import Call, ChatServer
from tests.servers.limits import RateLimit

ROOT = Path(__file__).resolve().parents[2]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "bench" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def said(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_simsa_within_a_limit_and_inspect_left_out(tmp_path: Path) -> None:
    out = said(
        "bench/limits.py", "--per", "2", "-n", "300", "--latency", "0.05", "--inspect", str(tmp_path / "no")
    )
    mine, other = out.splitlines()
    assert re.match(r"simsa +300 answered in \d+\.\d s · quota \d+\.\d% · refused \d+\.\d%", mine), mine
    assert other.startswith("inspect: left out")


def seen(limit: RateLimit, calls: list[tuple[float, int]]) -> Any:
    server = ChatServer(rate=limit)
    server.calls.extend(Call({}, {}, at, status) for at, status in calls)
    return load("limits").outcome(server, limit, settle=5.0)


def test_the_quota_is_what_could_have_been_had() -> None:
    limit = RateLimit(60, per_s=60, burst=1)
    whole = seen(limit, [(100.0 + n, 200) for n in range(11)])
    assert whole.quota == pytest.approx(1.0)
    assert whole.seconds == pytest.approx(10.0)
    half = seen(limit, [(100.0 + 2 * n, 200) for n in range(6)])
    assert half.quota == pytest.approx(6 / 11)


def test_early_refusals_are_told_from_later_ones() -> None:
    limit = RateLimit(60, per_s=60, burst=1)
    calls = [(0.0, 200), (0.1, 429), (1.0, 200), (6.0, 200), (7.0, 429), (8.0, 200), (9.0, 200)]
    found = seen(limit, calls)
    assert found.refused == pytest.approx(2 / 7)
    assert found.refused_later == pytest.approx(1 / 4)
    assert seen(limit, calls[:3]).refused_later is None


def test_a_fixed_window_allows_a_whole_one_from_its_beginning() -> None:
    limit = RateLimit(10, per_s=10, kind="fixed")
    assert seen(limit, [(n / 10, 200) for n in range(10)]).quota == pytest.approx(1.0)


def test_faults_cost_what_they_must() -> None:
    out = said("bench/faults.py", "server_error", "length", "parts", "all", "-n", "120")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert set(lines) == {"server_error", "length", "parts", "all"}
    for line in lines.values():
        calls = re.search(r"(\d\.\d\d) calls a row", line)
        assert calls
        assert 1.0 <= float(calls[1]) <= 1.3
        assert line.endswith("0 wrong scores")
    assert "1.00 calls" in lines["parts"], "an answer in parts is an answer"


def test_a_score_that_was_not_meant_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = load("faults")
    monkeypatch.setattr(faults, "meant", lambda n: dict.fromkeys(faults.CRITERIA, 1 if n % 2 else 2))
    honest = faults.measure({}, 4, 2)
    assert (honest.calls, honest.wrong) == (4, 0)
    monkeypatch.setattr(
        faults,
        "reply",
        lambda body: '{"analysis": "."' + "".join(f', "{c}": 3' for c in faults.CRITERIA) + "}",
    )
    assert faults.measure({}, 4, 2).wrong == 4

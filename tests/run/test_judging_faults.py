"""A whole run at an endpoint that misbehaves: every row ends, no score is wrong, and the exit code says what is missing."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from simsa.store import Store, results
from tests.servers.chat import Body, ChatServer, text_of, verdict
from tests.support.judged_runs import CRITERIA, write_config, write_data

N = 80
PASSING = (
    "rate_limited", "rate_limited_silently", "server_error", "bad_gateway", "overloaded", "request_timeout",
    "conflict", "disconnect", "cut", "truncated", "html", "empty", "no_choices", "error_in_200", "length",
    "refusal", "filtered", "null_content", "no_usage", "reasoning", "parts", "hang",
)  # fmt: skip
STAYING = {
    "too_long": "too_long",
    "content_filter": "refused",
    "bad_request": "failed",
    "too_large": "too_long",
}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")


def place(body: Body) -> int:
    return int(re.findall(r"(\d+)번 도서관은 언제", text_of(body))[-1])


def meant(n: int) -> dict[str, int]:
    return {name: 1 + (n + k) % 5 for k, name in enumerate(CRITERIA)}


def reply(body: Body) -> str:
    return verdict("근거", **meant(place(body)))


def rows(folder: Path) -> list[tuple[int, str, dict[str, int]]]:
    with Store.read(folder / "simsa.simsa") as store:
        return [(int(row.question_id[1:]), row.status, row.scores) for row in results(store)]


def judge_at(server: ChatServer, folder: Path) -> tuple[Path, int]:
    write_data(folder, N, ("base",))
    config = write_config(
        folder, server.url, variants=("base",), more="max_attempts = 6\ntimeout_s = 1\nmax_concurrency = 16\n"
    )
    config.write_text(config.read_text().replace("max_concurrency = 8\n", ""))
    return config, run(["judge", str(config), "-q"])


@pytest.mark.parametrize("share", [0.1, 0.2])
def test_faults_that_pass_all_at_once(tmp_path: Path, share: float) -> None:
    faults = dict.fromkeys(PASSING, share / len(PASSING))
    with ChatServer(reply, faults=faults, seed=3) as server:
        _, code = judge_at(server, tmp_path)
        assert server.count <= 1.3 * N
    found = rows(tmp_path)
    assert len(found) == N
    unscored = [status for _, status, _ in found if status != "scored"]
    assert not {"pending", "no_prediction"} & set(unscored)
    assert code == (4 if unscored else 0)
    assert len(unscored) <= 2
    assert all(scores == meant(n) for n, status, scores in found if status == "scored")


@pytest.mark.parametrize("fault", STAYING)
def test_what_stays_for_some_rows_is_their_status_and_exit_4(tmp_path: Path, fault: str) -> None:
    def on_the_tenth(number: int, body: Body) -> str | None:
        return fault if place(body) % 10 == 7 else None

    with ChatServer(reply, faults=on_the_tenth) as server:
        config, code = judge_at(server, tmp_path)
        assert code == 4
        found = rows(tmp_path)
        assert Counter(status for _, status, _ in found) == {"scored": N - 8, STAYING[fault]: 8}
        assert all(scores == meant(n) for n, status, scores in found if status == "scored")
        assert server.count == N, "none of it is asked twice"
        assert run(["judge", str(config), "-q"]) == 4
        again = 8 if STAYING[fault] == "failed" else 0
        assert server.count == N + again, "only what may have passed is asked again another time"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("unauthorised", "JUDGE_KEY"),
        ("insufficient_quota", "충전"),
        ("wrong_path", "base_url"),
        ("forbidden", "JUDGE_KEY"),
    ],
)
def test_what_concerns_all_rows_ends_it_at_once_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str, says: str
) -> None:
    def later(number: int, body: Any) -> str | None:
        return fault if number >= 20 else None

    with ChatServer(reply, faults=later, latency_s=0.002) as server:
        config, code = judge_at(server, tmp_path)
        assert code == 5
        assert says in capsys.readouterr().err
        assert server.count <= 20 + 16, "no more than were under way"
        scored = sum(status == "scored" for _, status, _ in rows(tmp_path))
        assert scored == 20, "what came before is kept"
        server.faults = {}
        assert run(["judge", str(config), "-q"]) == 0
        assert sum(call.status == 200 for call in server.calls) == N, "and is not asked again"

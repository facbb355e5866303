"""An endpoint that misbehaves while a batch is submitted, watched and brought home: twice nothing, lost nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from tests.servers.batch import BatchServer, fault
from tests.servers.faults import error
from tests.servers.http import Response
from tests.support.batch_runs import KEY, statuses_of, write_run


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)


def first(step: str, times: int, response: Response) -> Callable[[str, int], Response | None]:
    """`response` for the first `times` of `step`."""
    return lambda at, n: response if at == step and n <= times else None


def judged(folder: Path, trouble: Callable[[str, int], Response | None], **how: Any) -> BatchServer:
    """Judges 12 rows in 3 batches through `trouble`, and asserts that each was submitted once."""
    with BatchServer(trouble=trouble, **how) as server:
        config = write_run(folder, server.url, batch="max_requests = 4", judge="timeout_s = 0.5")
        assert run(["judge", str(config), "-q"]) == 0
        assert statuses_of(config) == {"scored": 12}
        assert len(server.times_submitted()) == 12
        assert set(server.times_submitted().values()) == {1}
    return server


@pytest.mark.parametrize("step", ["upload", "uploaded", "create", "created", "status", "content", "list"])
@pytest.mark.parametrize("name", ["server_error", "disconnect", "cut"])
def test_a_fault_that_passes(tmp_path: Path, step: str, name: str) -> None:
    """Also one that hides an upload or a submission that was accepted."""
    server = judged(tmp_path, first(step, 2, fault(name)))
    assert len(server.uploads()) == 3, "no file is there twice"


@pytest.mark.parametrize("step", ["upload", "create", "status", "content"])
@pytest.mark.parametrize("name", ["rate_limited", "rate_limited_silently"])
def test_a_rate_limit_is_waited_for(tmp_path: Path, step: str, name: str) -> None:
    """More refusals than attempts: waiting costs none."""
    judged(tmp_path, first(step, 6, fault(name)))


@pytest.mark.parametrize("step", ["uploaded", "created", "status", "content"])
def test_an_answer_that_never_comes(tmp_path: Path, step: str) -> None:
    judged(tmp_path, first(step, 1, fault("hang")))


def test_a_download_that_breaks_off_is_fetched_again_whole(tmp_path: Path) -> None:
    cut = Response(200, b'{"custom_id": "x"}\n' * 1_000, delivery="cut")
    server = judged(tmp_path, first("content", 2, cut))
    assert server.asked["content"] == 5


def test_a_download_that_is_short_without_saying_so_is_fetched_again(tmp_path: Path) -> None:
    """A proxy that cuts at a line's end: the endpoint's own counts give it away."""
    server = judged(tmp_path, first("content", 1, Response(200, b"")))
    assert server.asked["content"] == 4


def test_a_result_file_that_stays_short_loses_nothing(tmp_path: Path) -> None:
    """Then its requests are asked again, being nowhere else."""
    empty = Response(200, b"not json\n")
    with BatchServer(trouble=lambda step, n: empty if step == "content" and n <= 3 else None) as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "-q"]) == 0
        assert statuses_of(config) == {"scored": 12}
        assert set(server.times_submitted().values()) == {2}


def test_all_at_once(tmp_path: Path) -> None:
    names = ("server_error", "overloaded", "disconnect", "bad_gateway")

    def trouble(step: str, n: int) -> Response | None:
        return fault(names[n % 4]) if n % 2 else None

    judged(tmp_path, trouble)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("unauthorised", "JUDGE_KEY"),
        ("forbidden", "JUDGE_KEY"),
        ("payment_required", "no credit"),
        ("insufficient_quota", "no credit"),
        ("wrong_path", "no Batch API"),
        ("tomorrow", "lets nothing through"),
        ("redirect", "redirects are not followed"),
        ("bad_request", "rejects requests"),
    ],
)
@pytest.mark.parametrize("step", ["upload", "create", "status"])
def test_what_waiting_does_not_mend_ends_at_once_and_is_resumable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], step: str, name: str, says: str
) -> None:
    with BatchServer(trouble=first(step, 10**6, fault(name))) as server:
        config = write_run(tmp_path, server.url, batch='[report]\nlanguage = "en"')
        assert run(["judge", str(config), "-q"]) == 5
        said = capsys.readouterr().err
        assert says in said
        assert KEY not in said
        assert server.asked[step] == 1
        server.trouble = lambda step, n: None
        assert run(["judge", str(config), "-q"]) == 0
        assert set(server.times_submitted().values()) == {1}


@pytest.mark.parametrize("step", ["upload", "uploaded", "create", "created"])
def test_a_fault_that_stays_is_exit_5_and_resumable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    with BatchServer(trouble=first(step, 10**6, fault("server_error"))) as server:
        config = write_run(tmp_path, server.url, judge="max_attempts = 2")
        code = run(["judge", str(config), "-q"])
        assert code == (0 if step in ("uploaded", "created") else 5), "what was accepted is found"
        server.trouble = lambda step, n: None
        assert run(["judge", str(config), "-q"]) == 0
        assert set(server.times_submitted().values()) == {1}


def test_a_batch_that_the_endpoint_has_forgotten_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with BatchServer(looks=3) as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "--submit", "-q"]) == 4
        server.batches.clear()
        assert run(["judge", str(config), "--collect", "-q"]) == 5
        assert "이 배치를 모르거나" in capsys.readouterr().err


def test_nobody_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_run(tmp_path, "http://127.0.0.1:9/v1", judge="max_attempts = 2")
    assert run(["judge", str(config), "-q"]) == 5
    said = capsys.readouterr().err
    assert "127.0.0.1:9" in said
    assert "연결할 수 없습니다" in said


def test_a_key_that_is_echoed_is_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    echo = error(401, f"Incorrect API key provided: {KEY}", code="invalid_api_key")
    with BatchServer(trouble=first("upload", 9, echo)) as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config)]) == 5
    assert KEY not in capsys.readouterr().err

"""`simsa judge --submit` and `--collect`: what they do, say and return; and what `simsa check` tells of batches."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from simsa.cli.main import run
from simsa.i18n.language import localize
from simsa.run.batch import jobs
from tests.servers.batch import BatchServer
from tests.servers.chat import ChatServer
from tests.support.batch_runs import KEY, statuses_of, write_run


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)


def test_submit_leaves_and_collect_brings_home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with BatchServer(looks=3) as server:
        config = write_run(tmp_path, server.url)
        config.write_text(config.read_text() + '\n[report]\nlanguage = "en"\n')
        assert run(["judge", str(config), "--submit", "-q"]) == 4
        said = capsys.readouterr()
        assert "pending 12" in said.out
        assert "batch_0" in said.err
        for _ in range(2):
            assert run(["judge", str(config), "--collect", "-q"]) == 4
            said = capsys.readouterr()
            assert f"Batch batch_0 at {server.url} is in progress: 0 of 12 requests are done" in said.err
            assert re.search(r"its window ends on 20\d\d-\d\d-\d\d at \d\d:\d\d UTC", said.err)
            assert f"simsa judge {config} --collect" in said.err
        assert run(["judge", str(config), "--collect", "-q"]) == 0
        said = capsys.readouterr()
        assert "scored 12" in said.out
        assert "window" not in said.err
        assert server.asked["create"] == 1


def test_what_is_open_is_data_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with BatchServer(looks=3) as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "--submit", "-q", "--json"]) == 4
        found = json.loads(capsys.readouterr().out)
        assert found["rows"] == {"pending": 12}
        (job,) = found["batches"]
        assert job["id"] == "batch_0"
        assert job["requests"] == 12
        assert job["status"] == "validating"
        while run(["judge", str(config), "--collect", "-q", "--json"]):
            found = json.loads(capsys.readouterr().out)
        assert "batches" not in json.loads(capsys.readouterr().out)


def test_collecting_what_was_never_submitted_finds_nothing(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "--collect", "-q"]) == 4
        assert not server.files
        assert statuses_of(config) == {"pending": 12}


def test_collecting_never_sends_again_but_says_what_would_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with BatchServer(outcome=lambda line, n: "expired", final=lambda n: "expired") as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "--submit", "-q"]) == 4
        capsys.readouterr()
        assert run(["judge", str(config), "--collect", "-q", "--language", "en"]) == 4
        assert (
            f"`simsa judge {config}` submits what is to be asked (again): 12 requests."
            in capsys.readouterr().err
        )
        assert server.asked["create"] == 1
        server.outcome = lambda line, n: "answered"
        server.final = lambda n: "completed"
        assert run(["judge", str(config), "--submit", "-q"]) == 4
        assert run(["judge", str(config), "--collect", "-q"]) == 0


def test_only_finished_batches_are_collected(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url, batch="max_requests = 6")
        assert run(["judge", str(config), "--submit", "-q"]) == 4
        list(server.batches.values())[1].looks = -5
        assert run(["judge", str(config), "--collect", "-q"]) == 4
        assert statuses_of(config) == {"pending": 6, "scored": 6}
        list(server.batches.values())[1].looks = 5
        assert run(["judge", str(config), "--collect", "-q"]) == 0


def test_what_was_answered_before_it_was_cancelled_is_kept(tmp_path: Path) -> None:
    with BatchServer(
        looks=9, cancels=lambda line, n: "answered" if "1번 도서" in str(line) else "cancelled"
    ) as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "--submit", "-q"]) == 4
        assert run(["judge", str(config), "--cancel", "-q"]) == 4
        assert server.asked["cancel"] == 1
        assert run(["judge", str(config), "--collect", "-q"]) == 4
        assert statuses_of(config) == {"pending": 10, "scored": 2}
        config.write_text(config.read_text().replace('via = "batch"', 'via = "direct"'))
        assert run(["judge", str(config), "-q"]) == 0, "nothing is open any more"
        assert statuses_of(config) == {"scored": 12}
        assert server.count == 12


def test_cancelling_what_is_over_loses_nothing(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "--submit", "-q"]) == 4
        server._finish(server.batches["batch_0"])
        assert run(["judge", str(config), "--cancel", "-q"]) == 4
        assert run(["judge", str(config), "--collect", "-q"]) == 0


def test_what_nobody_has_is_given_up(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "--submit", "-q"]) == 4
        server.batches.clear()
        assert run(["judge", str(config), "-q"]) == 5
        assert run(["judge", str(config), "--cancel", "-q"]) == 4
        assert run(["judge", str(config), "-q"]) == 0
        assert len(server.batches) == 1


def test_progress_says_counts_and_the_price(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with BatchServer(looks=4) as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "--language", "en"]) == 0
        said = capsys.readouterr().err
        assert re.search(r"batch batch_0: 12 requests submitted, about \$0\.0\d+ at the batch price", said)
        assert re.search(
            r"1 batch: 0/12 answered, 0 failed, about \$0\.0\d+ at the batch price \(in progress\)", said
        )


def test_where_batches_stand_is_said_in_the_runs_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with BatchServer(looks=3) as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "--submit", "-q"]) == 4
        said = capsys.readouterr()
        assert "심사 전 12" in said.out
        assert f"{server.url}의 배치 batch_0: " in said.err
        assert "요청 12개 중 0개 끝남" in said.err
        assert f"`simsa judge {config} --collect`로 끝난 것을 가져옵니다." in said.err
        assert run(["judge", str(config), "--submit", "-q", "--json"]) == 4
        document = json.loads(capsys.readouterr().out)
        assert document["batches"][0]["status"] in ("validating", "in_progress"), (
            "JSON has the endpoint's word"
        )


@pytest.mark.parametrize(
    ("status", "en", "ko"),
    [
        ("in_progress", "in progress", "진행 중"),
        (None, "open", "열려 있음"),
        ("paused_by_admin", "paused by admin", "paused by admin"),
    ],
)
def test_a_state_that_is_new_to_us_is_shown_as_it_is(status: str | None, en: str, ko: str) -> None:
    said = jobs.status_text(status)
    assert (said, localize(said, "ko")) == (en, ko)


def test_flags_alone_make_a_batch(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url)
        config.write_text(config.read_text().replace('via = "batch"\n', ""))
        assert run(["judge", str(config), "--submit", "-q"]) == 4
        assert len(server.batches) == 1


def test_a_run_generates_first_and_then_judges_by_batch(tmp_path: Path) -> None:
    with BatchServer() as server, ChatServer(lambda body: "1900년") as model:
        config = write_run(tmp_path, server.url, variants=())
        with config.open("a") as file:
            file.write(
                f'[[variants]]\nname = "far"\nendpoint = {{ base_url = "{model.url}", model = "m" }}\n'
            )
        assert run(["run", str(config), "-q"]) == 0
        assert model.count == 6
        assert len(server.times_submitted()) == 6


@pytest.mark.parametrize("via", ["direct", "batch"])
def test_check_estimates_at_the_price_of_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], via: str
) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url)
        config.write_text(config.read_text().replace('via = "batch"', f'via = "{via}"'))
        assert run(["check", str(config), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        estimate = found["estimate"]
        full = (estimate["prompt_tokens"] * 2.5 + estimate["completion_tokens"] * 10) / 1e6
        assert estimate["cost_usd"] == pytest.approx(full / (2 if via == "batch" else 1))
        said = [finding["text"] for finding in found["findings"] if finding["about"] == "judge"]
        assert any("Batch API" in text for text in said) == (via == "batch")
        assert not server.batches
        assert not server.files


def test_check_says_where_there_is_no_batch_api(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ChatServer() as server:
        config = write_run(tmp_path, server.url)
        assert run(["check", str(config)]) == 5
        assert "Batch API가 없습니다" in capsys.readouterr().out
        assert run(["judge", str(config), "-q"]) == 5
        assert "--write-batch" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "field"),
    [("max_requests = 0", "max_requests"), ("discount = 1.5", "discount"), ("pol_s = 3", "pol_s")],
)
def test_wrong_settings_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, field: str
) -> None:
    config = write_run(tmp_path, "http://127.0.0.1:9/v1", batch=line)
    assert run(["judge", str(config), "-q"]) == 2
    assert f"judge.batch.{field}" in capsys.readouterr().err

"""Rate, time and money left, from counters alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsa.cli.main import run
from simsa.cli.progress_display import clock, cost_line, describe
from simsa.run.progress import Progress, Stage
from tests.servers.chat import ChatServer
from tests.support.judged_runs import write_config, write_data


def watched(stage: Stage, seconds: int, a_second: int, *, start: int = 0) -> None:
    for second in range(start + 1, start + seconds + 1):
        stage.done += a_second
        stage.rate(float(second))


def test_the_rate_is_that_of_the_last_minute() -> None:
    stage = Stage(total=10_000, started=0.0)
    watched(stage, 5, 1_000)  # what a resumed run finds done goes by at once
    watched(stage, 100, 2, start=5)
    assert stage.rate(105.0) == pytest.approx(2.0)
    assert stage.left_s(105.0) == pytest.approx((10_000 - 5_200) / 2)


def test_a_young_stage_has_the_rate_since_it_began() -> None:
    stage = Stage(total=100, started=10.0)
    assert stage.rate(10.0) == 0.0
    assert stage.left_s(10.0) is None
    stage.done = 3
    assert stage.rate(11.5) == pytest.approx(2.0)


def test_a_stall_lets_the_rate_fall_and_the_time_left_grow() -> None:
    stage = Stage(total=1_000, started=0.0)
    watched(stage, 10, 10)
    before = stage.left_s(10.0)
    watched(stage, 30, 0, start=10)
    after = stage.left_s(40.0)
    assert before is not None
    assert after is not None
    assert after > 3 * before
    watched(stage, 60, 0, start=40)
    assert stage.left_s(100.0) is None, "nothing comes: nothing can be told"


def test_what_remains_is_never_less_than_nothing() -> None:
    stage = Stage(total=10, done=12, started=0.0, finished=1.0)
    assert stage.left_s() == 0
    assert "left" not in describe(stage)


def test_more_than_a_day_is_told_in_hours() -> None:
    stage = Stage(total=100_001, done=0, started=0.0)
    watched(stage, 1, 1)
    assert stage.left_s(1.0) == 100_000
    assert clock(100_000) == "27:46:40"
    assert clock(3_599.4) == "59:59"
    assert clock(3_600) == "1:00:00"
    assert clock(0) == "00:00"


def test_money_left_is_what_this_sitting_has_shown() -> None:
    progress = Progress(spent_usd=1.5, before_usd=1.0, limit_usd=5.0)
    progress.judge = Stage(total=40, done=10)
    assert progress.to_go_usd == pytest.approx(1.5)
    assert cost_line(progress) == "$1.50 spent · about $1.50 to go · limit $5.00, $3.50 left"
    progress.judge.done = 40
    assert cost_line(progress) == "$1.50 spent · limit $5.00, $3.50 left"
    progress.judge.done = 0
    assert progress.to_go_usd is None
    assert cost_line(Progress()) == ""


def test_a_run_tells_what_it_has_spent_and_counts_what_is_asked_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")
    write_data(tmp_path, 6, ("base",))
    with ChatServer("모르겠다") as server:
        config = write_config(tmp_path, server.url, variants=("base",), more="max_cost_usd = 2.0\n")
        config.write_text(config.read_text().replace("judge-1", "gpt-4o"))
        assert run(["judge", str(config)]) == 4
        said = capsys.readouterr().err
        assert "심사: 6/6" in said
        assert "사용 · 한도 $2.00" in said
        from tests.support.judged_runs import flat

        server.reply = flat(3)
        assert run(["judge", str(config), "--retry", "unreadable"]) == 0
        assert "심사: 6/6" in capsys.readouterr().err, "rows that are asked again are rows to do"

"""What a report says of the judges behind a verdict: panels and repeats, in every format."""

from __future__ import annotations

import csv
import io
import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from simsa.stats import ordinal_alpha
from simsa.store import Store, members, repeats
from tests.servers.chat import Body, ChatServer, text_of
from tests.support.criteria import CRITERIA
from tests.support.judged_runs import by_seed, config_of, flat, repeating, report, write_data


def by_question(*scores: int) -> Any:
    """A judge whose scores go by the number of the question."""

    def reply(body: Body) -> str:
        n = next(n for n in range(len(scores)) if f"{1900 + n}년" in text_of(body))
        return flat(scores[n])

    return reply


def output(config: Path, format: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert run(["report", str(config), "--format", format]) == 0
    return capsys.readouterr().out


A, B, C = (1, 2, 3, 4, 5, 3), (2, 2, 3, 5, 5, 1), (1, 4, 3, 4, 4, 2)


@pytest.fixture
def panel_run(tmp_path: Path) -> Path:
    write_data(tmp_path, 6)
    with ChatServer(by_question(*A)) as a, ChatServer(by_question(*B)) as b, ChatServer(by_question(*C)) as c:
        panel = [{"model": name, "base_url": s.url} for name, s in (("a", a), ("b", b), ("c", c))]
        config = config_of(tmp_path, *panel)
        assert run(["judge", str(config), "-q"]) == 0
    return config


def test_members_stand_beside_the_panel(panel_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = report(panel_run, capsys)
    median = [statistics.median(scores) for scores in zip(A, B, C, strict=True)]
    for variant in found["variants"]:
        assert variant["total"]["mean"] == pytest.approx(4 * statistics.fmean(median))
    panel = found["judge"]["panel"]
    assert [member["name"] for member in panel["members"]] == ["a", "b", "c"]
    for member, scores in zip(panel["members"], (A, B, C), strict=True):
        assert (member["n_scored"], member["unscored"]) == (12, {})
        assert member["means"]["lora"]["total"] == {
            "mean": pytest.approx(4 * statistics.fmean(scores)),
            "n": 6,
        }
        assert member["means"]["base"]["context_recall"]["mean"] == pytest.approx(statistics.fmean(scores))


def test_the_agreement_is_that_of_the_members(panel_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agreement = report(panel_run, capsys)["judge"]["panel"]["agreement"]
    assert list(agreement) == list(CRITERIA)
    items = list(zip(A, B, C, strict=True)) * 2
    for found in agreement.values():
        assert found["n"] == 12
        assert found["alpha"] == pytest.approx(ordinal_alpha(items))
        assert found["differ"] == pytest.approx(5 / 6)
        assert found["sd"] == pytest.approx(statistics.fmean(map(statistics.variance, items)) ** 0.5)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ko", ["심사 모델별 총점 평균", "패널 (중앙값)", "Krippendorff α", "점수가 다른 비율"]),
        ("en", ["Mean total of 20 by each judge", "panel (median)", "Krippendorff's α", "scores differ"]),
    ],
)
def test_every_format_shows_the_panel(
    panel_run: Path, capsys: pytest.CaptureFixture[str], language: str, words: list[str]
) -> None:
    capsys.readouterr()
    for format in ("text", "md", "html"):
        assert run(["report", str(panel_run), "--format", format, "--language", language]) == 0
        shown = capsys.readouterr().out.replace("&#39;", "'").replace("&#x27;", "'")
        assert [word for word in words if word not in shown] == [], format
        assert "panel(a, b, c)" in shown.replace("\\", "")


def test_a_member_that_failed_and_a_dispute_are_worth_knowing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 6, ("base",))
    up, down = (1, 2, 3, 4, 5, 3), (5, 4, 3, 2, 1, 3)
    with ChatServer(by_question(*up)) as a, ChatServer(by_question(*down)) as b, ChatServer("글쎄") as c:
        panel = [{"model": name, "base_url": s.url} for name, s in (("a", a), ("b", b), ("c", c))]
        config = config_of(tmp_path, *panel, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
    found = report(config, capsys)
    member = found["judge"]["panel"]["members"][2]
    assert (member["name"], member["n_scored"], member["unscored"], member["means"]) == (
        "c",
        0,
        {"unreadable": 6},
        {},
    )
    notes = {note["kind"]: note["text"] for note in found["notes"]}
    assert "패널의 심사 모델 c이(가) 답변 6개 중 6개를 채점하지 못했습니다" in notes["panel_absent"]
    assert "Krippendorff α 0.667 미만" in notes["panel_disagrees"]


def test_equal_answers_are_one_item_of_the_agreement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 6, ("base",))
    (tmp_path / "lora.jsonl").write_bytes((tmp_path / "base.jsonl").read_bytes())
    with ChatServer(by_question(*A)) as a, ChatServer(by_question(*B)) as b, ChatServer(by_question(*C)) as c:
        panel = [{"model": name, "base_url": s.url} for name, s in (("a", a), ("b", b), ("c", c))]
        config = config_of(tmp_path, *panel)
        assert run(["judge", str(config), "-q"]) == 0
    found = report(config, capsys)["judge"]
    assert found["panel"]["agreement"]["context_recall"]["n"] == 6
    assert (found["calls"], found["reused"]) == (18, 6)
    assert [member["means"]["lora"]["total"]["n"] for member in found["panel"]["members"]] == [6, 6, 6]


def test_a_run_of_one_judge_says_nothing_of_panels_or_repeats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 2, ("base",))
    with ChatServer(flat(3)) as server:
        config = repeating(tmp_path, server.url, "", variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
    found = report(config, capsys)
    assert (found["judge"]["panel"], found["judge"]["repeats"], found["variance"]) == (None, None, [])
    assert "심사 모델별" not in output(config, "text", capsys)


# Repeats ----------------------------------------------------------------------------


def noisy(body: Body) -> str:
    """Scores that go by question, and up and down with the repeat."""
    n = next(n for n in range(12) if f"{1900 + n}년" in text_of(body))
    return flat(min(5, 1 + n % 3 + (0, 2, 1)[body["seed"]]))


def test_the_judges_own_noise_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 12)
    with ChatServer(noisy) as server:
        config = repeating(tmp_path, server.url)
        assert run(["judge", str(config), "-q"]) == 0
    found = report(config, capsys)
    told = found["judge"]["repeats"]
    assert (told["n"], told["temperature"]) == (3, 0.7)
    rows = [[1 + n % 3 + k for k in (0, 2, 1)] for n in range(12)]
    sd = statistics.fmean(map(statistics.variance, rows)) ** 0.5
    assert told["noise"]["answer_correctness"] == {"n": 24, "differ": 1.0, "sd": pytest.approx(sd)}
    assert told["noise"]["total"]["sd"] == pytest.approx(4 * sd)
    assert told["means"]["base"]["total"] == {"mean": pytest.approx(4 * 3.0), "n": 36}

    splits = {(one["variant"], one["criterion"]): one for one in found["variance"] if one["baseline"] is None}
    split = splits["base", "answer_correctness"]
    assert (split["n_questions"], split["n_repeats"]) == (12, 3)
    assert split["repeats"] == pytest.approx(sd**2)
    assert 0 < split["shares"]["repeats"] < 1
    assert any(one["baseline"] == "base" for one in found["variance"])
    assert any(note["kind"] == "variance" for note in found["notes"])
    text = output(config, "text", capsys)
    assert "같은 심사 모델의 반복 일치도: 3회 반복, 온도 0.7" in text
    assert "불확실성의 원인" in text


def test_a_judge_that_never_wavers_has_no_noise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 4, ("base",))
    with ChatServer(flat(3)) as server:
        config = repeating(tmp_path, server.url, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
    told = report(config, capsys)["judge"]["repeats"]
    assert told["noise"]["total"] == {"n": 4, "differ": 0.0, "sd": 0.0}


def test_rows_that_are_handed_on_have_each_voice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 2, ("base",))
    with (
        ChatServer(by_seed(1, 4, 4)) as a,
        ChatServer(by_seed(2, 2, 5)) as b,
        ChatServer(by_seed(3, 3, 3)) as c,
    ):
        panel = [{"model": name, "base_url": s.url} for name, s in (("a", a), ("b", b), ("c", c))]
        config = config_of(tmp_path, *panel, variants=("base",), more="repeats = 3\ntemperature = 1.0\n")
        assert run(["judge", str(config), "-q"]) == 0
    capsys.readouterr()
    assert run(["export", str(config), "--to", "jsonl"]) == 0
    row = json.loads(capsys.readouterr().out.splitlines()[0])
    assert row["answer_correctness"] == 3
    assert {name: said["context_recall"] for name, said in row["members"].items()} == {"a": 4, "b": 2, "c": 3}
    scores = [1, 4, 4, 2, 2, 5, 3, 3, 3]
    told = row["repeats"]["answer_correctness"]
    assert told["scores"] == scores
    assert told["mean"] == pytest.approx(statistics.fmean(scores))
    assert told["sd"] == pytest.approx(statistics.stdev(scores))
    assert row["repeats"]["total"]["scores"] == [4 * score for score in scores]

    table = list(csv.DictReader(io.StringIO(output(config, "csv", capsys))))
    assert json.loads(table[0]["repeats"])["total"]["scores"] == [4 * score for score in scores]
    parquet = pytest.importorskip("pyarrow.parquet")
    assert run(["report", str(config), "--format", "parquet", "--out", str(tmp_path / "rows.parquet")]) == 0
    kept = parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    assert json.loads(kept[0]["members"])["b"]["context_recall"] == 2


def test_scores_of_every_voice_can_be_read_for_all_rows_or_one(tmp_path: Path) -> None:
    write_data(tmp_path, 3)
    with ChatServer(by_seed(1, 2)) as server:
        config = repeating(tmp_path, server.url, "repeats = 2\ntemperature = 1.0\nmode = 'split'\n")
        assert run(["judge", str(config), "-q"]) == 0
    with Store.read(config.with_name("simsa.simsa")) as store:
        heard = list(repeats(store))
        assert [h.question_id for h in heard] == [f"q{n}" for n in range(3) for _ in range(8)]
        assert len(list(repeats(store, "q1"))) == 8
        assert list(members(store)) == []

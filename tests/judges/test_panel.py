"""Several judges and repeats, through `simsa judge` against servers that count what they are asked."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.cli.main import run
from simsa.config import build
from simsa.errors import ConfigError
from simsa.judges import JudgeRequest, make, median_judgement
from simsa.records import Judgement, Question
from simsa.store import Store, judge_usage, judgements, members, repeats, results, statuses
from tests.servers.chat import Body, ChatServer
from tests.support.judged_runs import (
    CRITERIA,
    asked_for,
    by_seed,
    config_of,
    edited,
    flat,
    giving,
    repeating,
    write_data,
)


def test_the_median_of_the_panel_counts_and_every_member_is_kept(tmp_path: Path) -> None:
    write_data(tmp_path, 4)
    with ChatServer(flat(1)) as low, ChatServer(flat(4)) as middle, ChatServer(flat(5)) as high:
        servers = {"a": low, "b": middle, "c": high}
        config = config_of(tmp_path, *({"model": name, "base_url": s.url} for name, s in servers.items()))
        assert run(["judge", str(config), "-q"]) == 0
        assert [server.count for server in servers.values()] == [8, 8, 8]
        assert {body["model"] for body in middle.requests} == {"b"}
        assert run(["judge", str(config), "-q"]) == 0
        assert [server.count for server in servers.values()] == [8, 8, 8], "a second run asks nobody"
    with Store.read(tmp_path / "simsa.simsa") as store:
        assert [row.total for row in results(store)] == [16] * 8
        heard = [(h.member, set(h.scores.values()), h.repeat) for h in members(store, "q0")]
        assert heard == [("a", {1}, None), ("b", {4}, None), ("c", {5}, None)] * 2
        (made,) = judgements(store, "q0", "base")
        assert made.judge == "panel(a, b, c)"
        assert made.analysis == "a: 모두 1점\nb: 모두 4점\nc: 모두 5점"
        assert (made.attempts, len(json.loads(made.raw))) == (3, 3)
        usage = judge_usage(store)
        assert (usage.calls, usage.reused) == (24, 0)


def test_an_even_panel_takes_the_lower_of_the_middle_scores_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 2, ("base",))
    with ChatServer(flat(2)) as one, ChatServer(flat(5)) as other:
        config = config_of(
            tmp_path,
            {"model": "a", "base_url": one.url},
            {"model": "b", "base_url": other.url},
            variants=("base",),
        )
        assert run(["judge", str(config)]) == 0
    assert "가운데 두 점수 중 낮은 쪽" in capsys.readouterr().err
    with Store.read(tmp_path / "simsa.simsa") as store:
        assert [row.total for row in results(store)] == [8, 8]


def test_a_member_that_cannot_answer_is_done_without_while_a_majority_can(tmp_path: Path) -> None:
    write_data(tmp_path, 3, ("base",))

    def no_json(body: Body) -> str:
        return "판단할 수 없음"

    with ChatServer(flat(3)) as a, ChatServer(flat(5)) as b, ChatServer(no_json) as c:
        panel = [{"model": name, "base_url": s.url} for name, s in (("a", a), ("b", b), ("c", c))]
        config = config_of(tmp_path, *panel, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert [row.total for row in results(store)] == [12] * 3, "the lower of 3 and 5"
            assert [(h.member, h.status) for h in members(store, "q1")] == [
                ("a", "scored"),
                ("b", "scored"),
                ("c", "unreadable"),
            ]
            (made,) = judgements(store, "q1", "base")
            assert (made.status, made.detail) == ("scored", "c: unreadable")

        # What one member could not read is asked again of that one alone.
        before = (a.count, b.count)
        c.reply = flat(4)
        assert run(["judge", str(config), "-q", "--retry", "unreadable"]) == 0
        assert (a.count, b.count) == before
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert [row.total for row in results(store)] == [16] * 3


def test_without_a_majority_there_is_no_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 2, ("base",))

    def declines(body: Body) -> Any:
        return {"content": None, "refusal": "I can't help with that."}

    with ChatServer(flat(3)) as a, ChatServer(declines) as b, ChatServer("아무 말") as c:
        panel = [{"model": name, "base_url": s.url} for name, s in (("a", a), ("b", b), ("c", c))]
        config = config_of(tmp_path, *panel, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 4
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert statuses(store) == {"no_majority": 2}
            assert all(row.scores == {} for row in results(store))
        capsys.readouterr()
        assert run(["report", str(config)]) == 0
        assert "심사 모델 과반이 채점 실패 2" in capsys.readouterr().out
        # Asked again by this status, those that had no scores are, and no one else.
        before, b.reply = a.count, flat(5)
        assert run(["judge", str(config), "-q", "--retry", "no_majority"]) == 0
        assert a.count == before
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert [row.total for row in results(store)] == [12, 12]


def test_a_member_that_is_not_there_stops_only_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 5, ("base",))
    with ChatServer(flat(3)) as a, ChatServer(flat(4)) as b, ChatServer(flat(5), key="secret") as c:
        panel = [{"model": name, "base_url": s.url} for name, s in (("a", a), ("b", b), ("c", c))]
        config = config_of(tmp_path, *panel, variants=("base",))
        assert run(["judge", str(config)]) == 0
        said = capsys.readouterr().err
        assert said.count("나머지 심사 모델 2개로 계속합니다") == 1
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert statuses(store) == {"scored": 5}
            assert {h.status for h in members(store) if h.member == "c"} == {"failed"}
        c.key = None
        before = a.count
        assert run(["judge", str(config), "-q"]) == 0
        assert (a.count, c.answered) == (before, 5), "the next run asks the one that was not there"
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert [row.total for row in results(store)] == [16] * 5


def test_two_of_three_that_are_not_there_end_the_run(tmp_path: Path) -> None:
    write_data(tmp_path, 3, ("base",))
    with ChatServer(flat(3)) as a, ChatServer(key="x") as b, ChatServer(key="x") as c:
        panel = [{"model": name, "base_url": s.url} for name, s in (("a", a), ("b", b), ("c", c))]
        config = config_of(tmp_path, *panel, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 5


def test_a_key_goes_to_its_own_address_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_OF_A", "sk-a")
    write_data(tmp_path, 1, ("base",))
    with ChatServer(key="sk-a") as a, ChatServer() as b:
        more = f'base_url = "{a.url}"\napi_key_env = "KEY_OF_A"\nextra_body = {{ top_k = 1 }}\n'
        config = config_of(
            tmp_path, {"model": "a"}, {"model": "b", "base_url": b.url}, variants=("base",), more=more
        )
        assert run(["judge", str(config), "-q"]) == 0
        assert a.calls[0].headers["authorization"] == "Bearer sk-a"
        assert "authorization" not in b.calls[0].headers
        assert (a.requests[0]["top_k"], b.requests[0].get("top_k")) == (1, None)


def test_a_panel_in_split_mode_shares_the_context_and_rejudges_one_criterion(tmp_path: Path) -> None:
    write_data(tmp_path, 3)
    edited(tmp_path)
    with ChatServer(giving(2)) as a, ChatServer(giving(3)) as b, ChatServer(giving(4)) as c:
        panel = [{"model": name, "base_url": s.url} for name, s in (("a", a), ("b", b), ("c", c))]
        config = config_of(tmp_path, *panel, more='mode = "split"\nrubric = "mine.toml"\n')
        assert run(["judge", str(config), "-q"]) == 0
        assert [server.count for server in (a, b, c)] == [3 * (1 + 2)] * 3
        edited(tmp_path, answer_correctness="고침.")
        for server in (a, b, c):
            server.reply = giving(5)
        assert run(["judge", str(config), "-q"]) == 0
        for server in (a, b, c):
            assert [asked_for(body) for body in server.requests[9:]] == [["answer_correctness"]] * 6
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert {tuple(sorted(row.scores.items())) for row in results(store)} == {
                tuple(sorted({**dict.fromkeys(CRITERIA, 3), "answer_correctness": 5}.items()))
            }


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        ({"model": "x", "panel": [{"model": "a"}, {"model": "b"}]}, "model or panel, not both"),
        ({"panel": [{"model": "a"}]}, "one member is no panel"),
        ({"panel": [{"model": "a"}, {"model": "a"}]}, "two members are called 'a'"),
        ({"panel": [{"model": "a"}, {"model": "lexical"}]}, "cannot be a member"),
        ({"panel": [{"model": "a"}, {"modle": "b"}]}, "did you mean 'model'"),
        ({"panel": [{"model": "a"}, {"name": "b"}]}, "is missing"),
        ({"panel": []}, "is missing"),
        ({"model": "lexical", "repeats": 2}, "gives the same scores every time"),
        ({"model": "x", "repeats": 0}, "must be at least 1"),
    ],
)
def test_a_panel_that_cannot_be_is_refused(judge: dict[str, Any], message: str) -> None:
    raw = {
        "data": {"path": "x"},
        "variants": [{"name": "v", "predictions": "p"}],
        "judge": judge,
    }
    with pytest.raises(ConfigError, match=message):
        build(raw)


def test_one_model_under_two_names_is_asked_twice() -> None:
    raw = {
        "data": {"path": "x"},
        "variants": [{"name": "v", "predictions": "p"}],
        "judge": {
            "base_url": "http://127.0.0.1:9/v1",
            "panel": [{"model": "a"}, {"model": "a", "name": "again"}],
        },
    }
    config = build(raw)
    assert config.judge is not None
    (asked,) = make(config.judge).requests(Question("q", "질문?"), "답")
    assert len({call.request_hash for call in asked.calls()}) == 2
    assert [call.member for call in asked.calls()] == ["a", "again"]
    assert build(json.loads(config.model_dump_json())) == config, "what is kept with a run can be read again"


# Repeats ----------------------------------------------------------------------------


def test_repeats_differ_by_seed_and_their_median_counts(tmp_path: Path) -> None:
    write_data(tmp_path, 3, ("base",))
    with ChatServer(by_seed(1, 5, 4)) as server:
        config = repeating(tmp_path, server.url, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
        assert sorted(body["seed"] for body in server.requests) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        assert {body["temperature"] for body in server.requests} == {0.7}
        assert run(["judge", str(config), "-q"]) == 0
        assert server.count == 9
    with Store.read(tmp_path / "simsa.simsa") as store:
        assert [row.total for row in results(store)] == [16] * 3
        heard = [(h.member, h.repeat, h.scores["answer_correctness"]) for h in repeats(store, "q0")]
        assert heard == [("", 0, 1), ("", 1, 5), ("", 2, 4)]
        (made,) = judgements(store, "q0", "base")
        assert (made.judge, made.analysis, made.attempts) == ("judge-1", "모두 4점", 3)


def test_more_repeats_ask_only_for_the_new_ones_and_fewer_for_none(tmp_path: Path) -> None:
    write_data(tmp_path, 2, ("base",))
    with ChatServer(by_seed(1, 2, 3, 4, 5)) as server:
        for k, calls, total in ((1, 2, 4), (3, 6, 8), (5, 10, 12), (3, 10, 8), (1, 10, 4)):
            config = repeating(
                tmp_path, server.url, f"repeats = {k}\ntemperature = 0.5\n", variants=("base",)
            )
            assert run(["judge", str(config), "-q"]) == 0
            assert server.count == calls, k
            with Store.read(tmp_path / "simsa.simsa") as store:
                assert [row.total for row in results(store)] == [total] * 2


def test_repeats_go_on_without_seeds_where_the_endpoint_takes_none(tmp_path: Path) -> None:
    write_data(tmp_path, 2, ("base",))
    with ChatServer(flat(3), refuses=("seed",)) as server:
        config = repeating(tmp_path, server.url, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
        assert server.answered == 6
    with Store.read(tmp_path / "simsa.simsa") as store:
        assert [h.repeat for h in repeats(store)] == [0, 1, 2] * 2


def test_a_panel_with_repeats_takes_the_median_of_each_members_median(tmp_path: Path) -> None:
    write_data(tmp_path, 2, ("base",))
    with (
        ChatServer(by_seed(1, 1, 5)) as a,
        ChatServer(by_seed(5, 5, 1)) as b,
        ChatServer(by_seed(2, 3, 4)) as c,
    ):
        panel = [{"model": name, "base_url": s.url} for name, s in (("a", a), ("b", b), ("c", c))]
        config = config_of(tmp_path, *panel, variants=("base",), more="repeats = 3\ntemperature = 1.0\n")
        assert run(["judge", str(config), "-q"]) == 0
        assert [server.count for server in (a, b, c)] == [6, 6, 6]
    with Store.read(tmp_path / "simsa.simsa") as store:
        assert [row.total for row in results(store)] == [12, 12]
        assert [h.scores["context_recall"] for h in members(store, "q0")] == [1, 5, 3]
        assert [(h.member, h.repeat) for h in repeats(store, "q0")] == [
            (m, r) for m in "abc" for r in range(3)
        ]
        assert judge_usage(store).calls == 18


def test_repeats_at_temperature_0_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 1, ("base",))
    with ChatServer(flat(3)) as server:
        assert run(["judge", str(repeating(tmp_path, server.url, "repeats = 2\n", variants=("base",)))]) == 0
    assert "온도 0에서는 반복해도 거의 같습니다" in capsys.readouterr().err


def test_repeats_of_one_row_and_of_equal_answers_are_paid_once(tmp_path: Path) -> None:
    write_data(tmp_path, 4, ("base",))
    (tmp_path / "lora.jsonl").write_bytes((tmp_path / "base.jsonl").read_bytes())
    with ChatServer(by_seed(2, 2, 3), latency_s=0.005) as server:
        config = repeating(tmp_path, server.url)
        assert run(["judge", str(config), "-q"]) == 0
        assert server.count == 12
    with Store.read(tmp_path / "simsa.simsa") as store:
        usage = judge_usage(store)
        assert (usage.calls, usage.reused) == (12, 4)


# The median -------------------------------------------------------------------------

REQUEST = JudgeRequest("made", "joint", ("answer_correctness",), Question("q", "질문?"), "답")


def said(score: int | None, n: int = 0) -> Judgement:
    if score is None:
        return Judgement(f"r{n}", "j", "r@1", "unreadable")
    return Judgement(
        f"r{n}", "j", "r@1", "scored", {"answer_correctness": score}, analysis=f"{n}:{score}", cost_usd=1.0
    )


@given(st.lists(st.none() | st.integers(1, 5), min_size=1, max_size=9))
def test_a_made_judgement_is_a_score_that_somebody_gave_or_none(given: list[int | None]) -> None:
    voices = {str(n): said(score, n) for n, score in enumerate(given)}
    made = median_judgement(REQUEST, "panel", "r@1", voices, named=False)
    scores = sorted(score for score in given if score is not None)
    assert (made.cost_usd, made.attempts, made.prompt_tokens) == (0.0, 0, 0)
    if 2 * len(scores) > len(given):
        found = made.scores["answer_correctness"]
        assert made.status == "scored"
        assert type(found) is int
        assert found in scores
        assert found <= statistics.median(scores)
        assert sum(score >= found for score in scores) * 2 >= len(scores)
        assert made.analysis.endswith(f":{found}")
    else:
        assert made.scores == {}
        assert made.status == ("unreadable" if not scores else "no_majority")


def test_an_end_of_all_members_is_the_end(tmp_path: Path) -> None:
    write_data(tmp_path, 1, ("base",))
    config = config_of(
        tmp_path,
        {"model": "a", "base_url": "http://127.0.0.1:9/v1"},
        {"model": "b", "base_url": "http://127.0.0.1:9/v1"},
        variants=("base",),
    )
    assert run(["judge", str(config), "-q"]) == 5

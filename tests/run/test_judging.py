"""A judgement is found, pieced together or asked for, through `simsa judge` against a server that counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simsa.cli.main import run
from simsa.store import Store, judge_usage, judgements, results, sub_judgements
from tests.servers.chat import ChatServer, text_of
from tests.support.judged_runs import (
    CRITERIA,
    GROUPS,
    asked_for,
    edited,
    giving,
    report,
    split_config,
    write_config,
    write_data,
)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")


def scores(config: Path) -> list[dict[str, int]]:
    with Store.read(config.with_name("simsa.simsa")) as store:
        return [dict(row.scores) for row in results(store)]


def test_editing_one_criterion_asks_for_that_one_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 6)
    edited(tmp_path)
    with ChatServer(giving(3)) as server:
        config = split_config(tmp_path, server.url)
        assert run(["judge", str(config), "-q"]) == 0
        assert server.count == 6 * (1 + 2)

        edited(tmp_path, answer_correctness="완전히 맞다.")
        server.reply = giving(5)
        assert run(["judge", str(config), "-q"]) == 0
        again = server.requests[18:]
        assert len(again) == 12, "one call a variant and question, none for the context"
        assert {tuple(asked_for(body)) for body in again} == {("answer_correctness",)}
        assert all("완전히 맞다." in text_of(body) for body in again)
        assert not any("다른 문서" in text_of(body) for body in again), "it sees only what it may see"
        assert scores(config) == [{**dict.fromkeys(CRITERIA, 3), "answer_correctness": 5}] * 12

        assert run(["judge", str(config), "-q"]) == 0
        assert server.count == 30, "what was pieced together stands"
        found = report(config, capsys)["judge"]
        assert found["calls"] == 30, "what the kept scores took is counted with the new"
        assert found["prompt_tokens"] == sum(len(text_of(body)) // 4 for body in server.requests)


def test_one_edit_after_another_keeps_all_that_was_not_edited(tmp_path: Path) -> None:
    write_data(tmp_path, 3, ("base",))
    edited(tmp_path)
    with ChatServer(giving(1)) as server:
        config = split_config(tmp_path, server.url, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
        steps = [
            ({"answer_correctness": "가."}, ["answer_correctness"]),
            ({"answer_correctness": "가.", "context_faithfulness": "나."}, ["context_faithfulness"]),
            (
                {"answer_correctness": "가.", "context_faithfulness": "나.", "context_recall": "다."},
                ["context_recall"],
            ),
        ]
        for n, (words, expected) in enumerate(steps, 2):
            edited(tmp_path, **words)
            before, server.reply = server.count, giving(n)
            assert run(["judge", str(config), "-q"]) == 0
            assert [asked_for(body) for body in server.requests[before:]] == [expected] * 3
        wanted = {
            "answer_correctness": 2,
            "context_faithfulness": 3,
            "context_recall": 4,
            "context_relevance": 1,
        }
        assert scores(config) == [wanted] * 3

        # Back to an earlier text of one: every score is on file, so nothing is asked.
        edited(tmp_path, context_faithfulness="나.")
        before = server.count
        assert run(["judge", str(config), "-q"]) == 0
        assert server.count == before
        assert scores(config) == [dict(wanted, answer_correctness=1, context_recall=1)] * 3


def test_two_edited_criteria_of_a_group_are_asked_together(tmp_path: Path) -> None:
    write_data(tmp_path, 2, ("base",))
    edited(tmp_path)
    with ChatServer(giving(2)) as server:
        config = split_config(tmp_path, server.url, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
        edited(tmp_path, **dict.fromkeys(GROUPS["answer"], "바뀜."))
        assert run(["judge", str(config), "-q"]) == 0
        assert [set(asked_for(body)) for body in server.requests[4:]] == [set(GROUPS["answer"])] * 2


def test_what_changes_what_a_group_shows_is_judged_anew(tmp_path: Path) -> None:
    write_data(tmp_path, 2, ("base",))
    edited(tmp_path)
    with ChatServer(giving(2)) as server:
        config = split_config(tmp_path, server.url, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
        text = (tmp_path / "mine.toml").read_text(encoding="utf-8")
        shown = 'sees = ["question", "prediction", "reference"]'
        assert text.count(shown) == 1
        for changed in (
            text.replace(
                shown, 'sees = ["question", "prediction"]'
            ),  # the other one saw the reference before
            text.replace('rules = "원칙"', 'rules = "규칙"'),  # every criterion is asked under it
        ):
            (tmp_path / "mine.toml").write_text(changed, encoding="utf-8")
            before = server.count
            assert run(["judge", str(config), "-q"]) == 0
            again = [set(asked_for(body)) for body in server.requests[before:]]
            assert set(GROUPS["answer"]) in again
            assert all(len(names) == 2 for names in again)


def test_a_joint_rubric_is_judged_whole(tmp_path: Path) -> None:
    write_data(tmp_path, 2, ("base",))
    edited(tmp_path)
    with ChatServer(giving(2)) as server:
        config = write_config(tmp_path, server.url, variants=("base",), more='rubric = "mine.toml"\n')
        assert run(["judge", str(config), "-q"]) == 0
        edited(tmp_path, answer_correctness="바뀜.")
        assert run(["judge", str(config), "-q"]) == 0
        assert [len(asked_for(body)) for body in server.requests] == [4] * 4


def test_another_model_keeps_no_scores(tmp_path: Path) -> None:
    write_data(tmp_path, 2, ("base",))
    edited(tmp_path)
    with ChatServer(giving(2)) as server:
        config = split_config(tmp_path, server.url, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
        edited(tmp_path, answer_correctness="바뀜.")
        config.write_text(config.read_text().replace("judge-1", "judge-2"))
        assert run(["judge", str(config), "-q"]) == 0
        assert [len(asked_for(body)) for body in server.requests[4:]] == [2] * 4


def test_a_failure_of_the_edited_criterion_is_retried_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 4, ("base",))
    edited(tmp_path)
    with ChatServer(giving(2)) as server:
        config = split_config(tmp_path, server.url, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
        edited(tmp_path, answer_correctness="바뀜.")
        server.reply = lambda body: "모르겠다" if "1번 도서관" in text_of(body) else giving(4)(body)
        assert run(["judge", str(config), "-q"]) == 4
        assert report(config, capsys)["variants"][0]["unscored"] == {"unreadable": 1}
        before, server.reply = server.count, giving(5)
        assert run(["judge", str(config), "-q"]) == 4
        assert server.count == before
        assert run(["judge", str(config), "-q", "--retry", "unreadable"]) == 0
        assert [asked_for(body) for body in server.requests[before:]] == [["answer_correctness"]]
        found = [row["answer_correctness"] for row in scores(config)]
        assert sorted(found) == [4, 4, 4, 5]


def test_the_store_says_what_a_verdict_was_pieced_together_from(tmp_path: Path) -> None:
    write_data(tmp_path, 1, ("base",))
    edited(tmp_path)
    with ChatServer(giving(3)) as server:
        config = split_config(tmp_path, server.url, variants=("base",))
        config.write_text(config.read_text().replace("judge-1", "gpt-4o"))
        assert run(["judge", str(config), "-q"]) == 0
        edited(tmp_path, context_faithfulness="바뀜.")
        server.reply = giving(4)
        assert run(["judge", str(config), "-q"]) == 0
    with Store.read(tmp_path / "simsa.simsa") as store:
        answer, context = judgements(store, "q0", "base")
        assert sub_judgements(store, context.request_hash) == []
        made_of = sub_judgements(store, answer.request_hash)
        assert [(voice.role, voice.name) for voice, _ in made_of] == [
            ("criteria", "answer_correctness"),
            ("criteria", "context_faithfulness"),
        ]
        assert [made.scores.keys() == {voice.name} for voice, made in made_of] == [False, True]
        assert answer.scores == {"answer_correctness": 3, "context_faithfulness": 4}
        assert answer.analysis == "심사 3\n심사 4"
        assert answer.attempts == 2, "both calls are counted in the row's verdict"
        assert answer.cost_usd == pytest.approx(sum(made.cost_usd or 0 for _, made in made_of))
        assert judge_usage(store).cost_usd == pytest.approx((answer.cost_usd or 0) + (context.cost_usd or 0))
        assert store.spent_usd() == pytest.approx(judge_usage(store).cost_usd)
        assert len(json.loads(answer.raw)) == 2

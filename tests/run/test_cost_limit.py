"""What may be spent is kept to, however the judge is asked; and what was asked for is what is paid."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from simsa.store import Store, results
from tests.servers.batch import BatchServer
from tests.servers.chat import Body, ChatServer, text_of, verdict
from tests.servers.http import Response
from tests.support.judged_runs import CRITERIA, asked_for, report, write_rows

PRICE = {"input": 10.0, "output": 40.0}
WIDTH = 4
LIMIT = 0.05


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")


def write_run(
    folder: Path, judge: Mapping[str, Any], n: int = 60, variants: Sequence[str] = ("base", "lora")
) -> Path:
    rows = [
        {
            "id": f"q{i}",
            "question": f"{i}번 다리는?",
            "contexts": [f"{i}번 다리는 길다."],
            "reference": f"{i} m",
        }
        for i in range(n)
    ]
    write_rows(folder / "test.jsonl", rows)
    for name in variants:
        write_rows(
            folder / f"{name}.jsonl", [{"id": f"q{i}", "prediction": f"{name} {i} m"} for i in range(n)]
        )
    named = "".join(f'[[variants]]\nname = "{v}"\npredictions = "{v}.jsonl"\n' for v in variants)
    file = folder / "simsa.toml"
    settings = "".join(f"{key} = {inline(value)}\n" for key, value in judge.items())
    file.write_text(f'[data]\npath = "test.jsonl"\n{named}[judge]\n{settings}', encoding="utf-8")
    return file


def inline(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {inline(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def usd(server: ChatServer, price: Mapping[str, float] = PRICE, share: float = 1.0) -> list[float]:
    """What each answered call to `server` cost, by its own count of tokens."""
    answer = len(verdict()) // 4
    return [
        (len(text_of(call.body)) // 4 * price["input"] + answer * price["output"]) / 1e6 * share
        for call in server.calls
        if call.status == 200
    ]


def unjudged(config: Path) -> int:
    with Store.read(config.with_name("simsa.simsa")) as store:
        return sum(row.status != "scored" for row in results(store))


ONE: dict[str, Any] = {"model": "judge-1", "price": PRICE, "max_concurrency": WIDTH}


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"mode": "split"},
        {"repeats": 3, "temperature": 0.5},
        {"mode": "split", "repeats": 2, "temperature": 0.5},
        {"logprobs": True},
    ],
    ids=["joint", "split", "repeats", "split and repeats", "logprobs"],
)
def test_the_limit_is_passed_by_no_more_than_the_calls_in_flight(tmp_path: Path, how: dict[str, Any]) -> None:
    with ChatServer(latency_s=0.003) as server:
        config = write_run(tmp_path, {**ONE, "base_url": server.url, "max_cost_usd": LIMIT, **how})
        assert run(["judge", str(config), "-q"]) == 4
        spent = usd(server)
        assert 0.8 * LIMIT < sum(spent) <= LIMIT + server.peak * max(spent)
        assert unjudged(config) > 0
        first, calls = sum(spent), server.count
        assert run(["judge", str(config), "-q"]) == 4
        assert server.count - calls <= 1, "what is spent is spent in the next sitting too"
        config.write_text(config.read_text().replace(f"= {LIMIT}", "= 100"))
        assert run(["judge", str(config), "-q"]) == 0
        assert unjudged(config) == 0
        asked = [json.dumps(body, sort_keys=True) for body in server.requests]
        assert sum(usd(server)) > first
        assert len(asked) == server.answered, "nothing was asked in vain"


def test_nothing_is_asked_once_more_beyond_the_limit_and_a_higher_one_asks_again(tmp_path: Path) -> None:
    calls = iter(range(10_000))
    with ChatServer(lambda body: verdict() if next(calls) % 3 else "흠.", latency_s=0.003) as server:
        config = write_run(tmp_path, {**ONE, "base_url": server.url, "max_cost_usd": LIMIT})
        assert run(["judge", str(config), "-q"]) == 4
        asked, spent = on_file(tmp_path)
        assert asked == server.count
        assert spent <= LIMIT + server.peak * max(usd(server))
        config.write_text(config.read_text().replace(f"= {LIMIT}", "= 100"))
        assert run(["judge", str(config), "-q"]) in (0, 4), "some may be no verdict three times"
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert "budget" not in {row.status for row in results(store)}
        assert on_file(tmp_path)[0] == server.count, (
            "those that were broken off are counted with what came after"
        )


def test_first_calls_that_are_refused_for_nothing_open_no_door_to_dear_ones(tmp_path: Path) -> None:
    with ChatServer(faults={"content_filter": {0, 1}}, latency_s=0.05) as server:
        config = write_run(tmp_path, {**ONE, "base_url": server.url, "max_cost_usd": 0.05})
        server.reply = lambda body: verdict("길다. " * 500)
        assert run(["judge", str(config), "-q"]) == 4
        _, spent = on_file(tmp_path)
        assert server.answered >= 1
        assert spent <= 0.05


def on_file(folder: Path) -> tuple[int, float]:
    """Calls and USD of all judgements that a run has."""
    with Store.read(folder / "simsa.simsa") as store:
        calls, spent = store.db.execute("SELECT total(attempts), total(cost_usd) FROM judgements").fetchone()
    return int(calls), float(spent)


@pytest.mark.parametrize("via", ["direct", "batch"])
def test_what_is_asked_another_time_adds_to_what_it_has_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], via: str
) -> None:
    replies = iter(["흠.", "음.", "글쎄."] * 4)
    server: Any
    with (
        BatchServer(lambda body: next(replies, verdict()))
        if via == "batch"
        else ChatServer(lambda body: next(replies, verdict()))
    ) as server:
        config = write_run(tmp_path, {**ONE, "base_url": server.url, "via": via}, n=2)
        if via == "batch":
            config.write_text(config.read_text() + "[judge.batch]\npoll_s = 0.02\nsettle_s = 0.1\n")
        assert run(["judge", str(config), "-q"]) == 4
        before = report(config, capsys)["judge"]
        assert before["calls"] == 12
        assert run(["judge", str(config), "-q", "--retry", "unreadable"]) == 0
        after = report(config, capsys)["judge"]
    assert after["calls"] == 16
    assert after["cost_usd"] > before["cost_usd"] > 0
    assert after["prompt_tokens"] > before["prompt_tokens"]
    with Store.read(tmp_path / "simsa.simsa") as store:
        said = [json.loads(raw) for (raw,) in store.db.execute("SELECT raw FROM judgements")]
    assert all(len(texts) == 4 and texts[-1] == verdict() for texts in said), "every attempt is kept"


def test_a_panel_keeps_to_one_limit_whatever_each_member_costs(tmp_path: Path) -> None:
    dear = {"input": 100.0, "output": 400.0}
    with ChatServer(latency_s=0.003) as cheap, ChatServer(latency_s=0.003) as costly:
        members = [
            {"model": "cheap", "base_url": cheap.url, "price": PRICE},
            {"model": "dear", "base_url": costly.url, "price": dear},
        ]
        judge = {
            "panel": members,
            "max_cost_usd": 0.4,
            "max_concurrency": WIDTH,
            "repeats": 2,
            "temperature": 0.5,
        }
        config = write_run(tmp_path, judge)
        assert run(["judge", str(config), "-q"]) == 4
        spent = usd(cheap) + usd(costly, dear)
        assert 0.7 * 0.4 < sum(spent) <= 0.4 + max(spent), (
            "the dear one's calls are foretold by its own price"
        )


def test_a_batch_is_not_submitted_beyond_the_limit(tmp_path: Path) -> None:
    with BatchServer() as server:
        judge = {**ONE, "base_url": server.url, "via": "batch", "max_cost_usd": LIMIT, "mode": "split"}
        config = write_run(tmp_path, judge)
        config.write_text(config.read_text() + "[judge.batch]\npoll_s = 0.02\nsettle_s = 0.1\n")
        assert run(["judge", str(config), "-q"]) == 4
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert 0 < store.spent_usd() <= LIMIT
        config.write_text(config.read_text().replace(f"= {LIMIT}", "= 100"))
        assert run(["judge", str(config), "-q"]) == 0


def test_a_limit_without_a_price_is_refused_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ChatServer() as server:
        judge = {"model": "judge-1", "base_url": server.url, "max_cost_usd": 1.0}
        config = write_run(tmp_path, judge, n=2)
        for command in ("run", "check"):
            assert run([command, str(config)]) == 2
            said = "".join(capsys.readouterr())
            assert "'judge-1'" in said
            assert "price = {" in said
        assert server.count == 0
        free = config.read_text().replace("judge-1", "lexical")
        config.write_text(free)
        assert run(["judge", str(config), "-q"]) == 0


def test_an_endpoint_that_reports_no_usage_is_limited_by_estimates(tmp_path: Path) -> None:
    with ChatServer(faults={"no_usage": 1.0}, latency_s=0.002) as server:
        config = write_run(tmp_path, {**ONE, "base_url": server.url, "max_cost_usd": LIMIT})
        assert run(["judge", str(config), "-q"]) == 4
        assert 0 < server.count < 60
        assert unjudged(config) == 120 - server.count


def on_account(config: Path) -> float:
    """What a run counts as spent."""
    with Store.read(config.with_name("simsa.simsa")) as store:
        return store.spent_usd()


@pytest.mark.parametrize("how", [{}, {"mode": "split"}, {"claims": True}], ids=["joint", "split", "claims"])
def test_what_is_only_estimated_counts_in_the_next_sitting_too(tmp_path: Path, how: dict[str, Any]) -> None:
    limit = 0.5
    with ChatServer(faults={"no_usage": 1.0}, latency_s=0.002) as server:
        config = write_run(tmp_path, {**ONE, "base_url": server.url, "max_cost_usd": limit, **how}, 30)
        calls = []
        for _ in range(3):
            assert run(["judge", str(config), "-q"]) == 4
            calls.append(server.count)
        assert calls[0] > 10
        assert calls[2] - calls[0] <= 2, "three sittings spend what one may"
        spent = on_account(config)
        assert 0.8 * limit < spent <= limit + server.peak * 3 * spent / server.count
        with Store.read(tmp_path / "simsa.simsa") as store:
            costs = {row[0] for row in store.db.execute("SELECT cost_usd FROM judgements WHERE attempts")}
        assert costs == {None}, "an estimate is not passed off as a cost"
        config.write_text(config.read_text().replace(f"= {limit}", "= 100"))
        assert run(["judge", str(config), "-q"]) == 0


def test_each_sitting_may_spend_what_is_left_of_a_higher_limit(tmp_path: Path) -> None:
    with ChatServer(faults={"no_usage": 1.0}, latency_s=0.002) as server:
        config = write_run(tmp_path, {**ONE, "base_url": server.url, "max_cost_usd": 0.0})
        text, spent = config.read_text(), []
        for limit in (0.2, 0.5, 0.5, 0.8):
            config.write_text(text.replace("max_cost_usd = 0.0", f"max_cost_usd = {limit}"))
            assert run(["judge", str(config), "-q"]) == 4
            spent.append(on_account(config))
            assert 0.8 * limit < spent[-1] <= limit + WIDTH * spent[-1] / server.count
        assert spent[2] - spent[1] <= 2 * spent[1] / server.count, "what is spent is spent"


def test_what_was_paid_for_and_not_reported_adds_up_over_retries(tmp_path: Path) -> None:
    replies = iter(["흠.", "음.", "글쎄."])
    faults = {"no_usage": {0, 2}}
    with ChatServer(lambda body: next(replies, verdict()), faults=faults) as server:
        config = write_run(tmp_path, {**ONE, "base_url": server.url}, n=1, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 4
        first = on_account(config)
        one = sum(usd(server)) / 3
        assert 0.5 * 3 * one < first < 3 * 3 * one, "calls with and without usage, all three"
        assert run(["judge", str(config), "-q", "--retry", "unreadable"]) == 0
        assert first < on_account(config) < 2 * first


def test_a_batch_without_usage_is_limited_by_estimates_too(tmp_path: Path) -> None:
    answer = {"message": {"role": "assistant", "content": verdict()}, "finish_reason": "stop"}
    silent = Response(200, json.dumps({"choices": [answer]}).encode())
    with BatchServer(silent) as server:
        judge = {**ONE, "base_url": server.url, "via": "batch", "max_cost_usd": LIMIT}
        config = write_run(tmp_path, judge)
        config.write_text(config.read_text() + "[judge.batch]\npoll_s = 0.02\nsettle_s = 0.1\n")
        for _ in range(3):
            assert run(["judge", str(config), "-q"]) == 4
        assert 0.5 * LIMIT < on_account(config) <= LIMIT


# Calls -------------------------------------------------------------------------------------


def by_answer(body: Body) -> str:
    """Scores that depend on all that the judge sees, the answers too."""
    place = sum(map(ord, text_of(body)))
    return verdict(**{name: 1 + (place + n) % 5 for n, name in enumerate(CRITERIA)})


VARIANTS = ("base", "early", "late", "final")


def judged(folder: Path, reply: Callable[[Body], str], n: int, **how: Any) -> tuple[Path, ChatServer]:
    with ChatServer(reply) as server:
        config = write_run(folder, {"model": "judge-1", "base_url": server.url, **how}, n, VARIANTS)
        assert run(["judge", str(config), "-q"]) == 0
    return config, server


def test_split_mode_takes_five_calls_a_question_of_four_variants_and_their_context_scores_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    n = 200
    config, server = judged(tmp_path, by_answer, n, mode="split")
    assert server.count == 5 * n, "one of the context, one of each answer"
    of_the_context = [body for body in server.requests if "context_recall" in asked_for(body)]
    assert len(of_the_context) == n
    assert not any(name in text_of(body) for body in of_the_context[:50] for name in VARIANTS), (
        "answers are hidden"
    )
    apart = {"context_relevance": 0, "context_recall": 0, "answer_correctness": 0}
    with Store.read(tmp_path / "simsa.simsa") as store:
        by_question: dict[str, list[dict[str, int]]] = {}
        for row in results(store):
            by_question.setdefault(row.question_id, []).append(row.scores)
    for rows in by_question.values():
        assert len(rows) == 4
        for name in apart:
            apart[name] += len({scores[name] for scores in rows}) > 1
    assert (apart["context_relevance"], apart["context_recall"]) == (0, 0)
    assert apart["answer_correctness"] > 0.9 * n, "the answers are told apart"
    assert report(config, capsys)["judge"]["context_spread"] == {}


def test_a_joint_run_asks_for_all_at_once_and_reports_how_far_the_context_scores_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, server = judged(tmp_path, by_answer, 100)
    assert server.count == 4 * 100
    found = report(config, capsys)
    spread = found["judge"]["context_spread"]
    assert set(spread) == {"context_relevance", "context_recall"}
    assert all(one["n"] == 100 and one["differ"] > 0.9 and one["sd"] > 0.5 for one in spread.values())
    assert any(note["kind"] == "context_spread" for note in found["notes"])

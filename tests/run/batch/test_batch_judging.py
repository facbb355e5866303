"""Judging through a Batch API, from config to verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from simsa.config import JudgeConfig
from simsa.store import Store
from tests.servers.batch import BatchServer, Line, Outcome
from tests.servers.chat import Body, text_of, verdict
from tests.servers.faults import error
from tests.servers.http import Response
from tests.support.batch_runs import KEY, statuses_of, write_rows, write_run


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)


def only(number: int, outcome: Outcome | Response, of: Callable[[Line], bool] = lambda line: True) -> Any:
    """`outcome` for the lines `of` job `number`; everything else is answered."""
    return lambda line, n: outcome if n == number and of(line) else "answered"


def about(i: int) -> Callable[[Line], bool]:
    return lambda line: f"{i}번 도서관은 언제" in text_of(line["body"])


def judgements(config: Path) -> list[dict[str, Any]]:
    with Store.read(config.with_name("simsa.simsa")) as store:
        rows = store.db.execute("SELECT * FROM judgements ORDER BY request_hash")
        names = [column[0] for column in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows]


def test_every_row_is_judged_by_one_line_of_one_batch(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url)
        assert run(["run", str(config)]) == 0
        assert statuses_of(config) == {"scored": 12}
        (batch,) = server.batches.values()
        assert server.uploads() == [f"simsa-{batch.body['metadata']['simsa']}.jsonl"]
        assert batch.body["completion_window"] == "24h"
        assert {(line["method"], line["url"]) for line in batch.lines} == {("POST", "/v1/chat/completions")}
        assert set(server.times_submitted().values()) == {1}
        assert server.seen_keys == [f"Bearer {KEY}"]
        assert run(["run", str(config), "-q"]) == 0
        assert len(server.batches) == 1, "a second run asks nothing"


def test_the_store_cannot_tell_the_two_ways_apart(tmp_path: Path) -> None:
    scores = {"answer_correctness": 2, "context_relevance": 5}
    with BatchServer(lambda body: verdict(str(len(text_of(body))), **scores)) as server:
        batch = write_run(tmp_path / "batch", server.url)
        direct = write_run(tmp_path / "direct", server.url)
        direct.write_text(direct.read_text().replace('via = "batch"', 'via = "direct"'))
        assert run(["run", str(batch), "-q"]) == run(["run", str(direct), "-q"]) == 0
    differing = {"latency_s": 0, "cost_usd": 0, "analysis": 0, "raw": 0}
    for one, other in zip(judgements(batch), judgements(direct), strict=True):
        assert one | differing == other | differing
        assert one["cost_usd"] == pytest.approx(other["cost_usd"] / 2), "half the price"
        assert one["cost_usd"] > 0


def test_a_report_says_which_way_it_was(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url)
        assert run(["run", str(config), "-q"]) == 0
    with Store.read(tmp_path / "simsa.simsa") as store:
        assert store.meta("judge")["via"] == "batch"


def test_what_was_judged_directly_is_not_in_a_batch(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url, n=4)
        text = config.read_text()
        config.write_text(text.replace('via = "batch"', 'via = "direct"'))
        assert run(["judge", str(config), "-q", "--limit", "3"]) == 0
        assert server.count == 6
        config.write_text(text)
        assert run(["judge", str(config), "-q"]) == 0
        assert len(server.times_submitted()) == 2


def test_equal_answers_and_shared_context_calls_are_asked_once(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url, judge='mode = "split"')
        write_rows(
            tmp_path / "lora.jsonl",
            [{"question_id": f"q{i}", "prediction": f"base: {1900 + i}년"} for i in range(6)],
        )
        assert run(["judge", str(config), "-q"]) == 0
        equal = len(server.times_submitted())
        assert statuses_of(config) == {"scored": 12}
    with BatchServer() as server:
        config = write_run(tmp_path / "apart", server.url, judge='mode = "split"')
        assert run(["judge", str(config), "-q"]) == 0
        apart = len(server.times_submitted())
        assert set(server.times_submitted().values()) == {1}
    with BatchServer() as server:
        config = write_run(tmp_path / "single", server.url, judge='mode = "split"', variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
        assert equal == len(server.times_submitted())
    assert equal < apart < 2 * equal, "what does not see the answer is asked once a question"


def test_files_keep_to_the_limits(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url, batch="max_requests = 5")
        assert run(["judge", str(config), "-q"]) == 0
        assert sorted(len(batch.lines) for batch in server.batches.values()) == [2, 5, 5]
    with BatchServer() as server:
        config = write_run(tmp_path / "bytes", server.url, batch="max_mb = 0.02")
        assert run(["judge", str(config), "-q"]) == 0
        assert len(server.batches) > 2
        assert (
            max(len(content) for name, content in server.files.values() if name.startswith("simsa")) <= 20_000
        )
        assert len(server.times_submitted()) == 12
        assert set(server.times_submitted().values()) == {1}


def test_a_request_beyond_the_size_of_a_file_is_a_status(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url, variants=("base",), batch="max_mb = 0.02")
        write_rows(
            tmp_path / "base.jsonl",
            [{"question_id": f"q{i}", "prediction": "가" * (9_000 if i == 3 else 3)} for i in range(6)],
        )
        assert run(["judge", str(config), "-q"]) == 4
        assert statuses_of(config) == {"scored": 5, "too_long": 1}


@pytest.mark.parametrize("final", ["expired", "cancelled"])
def test_only_what_was_not_done_in_time_is_sent_again(tmp_path: Path, final: Any) -> None:
    rest = {2, 4}
    unfinished = only(0, final, lambda line: any(about(i)(line) for i in rest))
    with BatchServer(outcome=unfinished, final=lambda n: final if n == 0 else "completed") as server:
        config = write_run(tmp_path, server.url, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
        assert statuses_of(config) == {"scored": 6}
        first, second = server.batches.values()
        assert len(first.lines) == 6
        assert len(second.lines) == 2
        assert all(about(2)(line) or about(4)(line) for line in second.lines)
        assert not {line["custom_id"] for line in first.lines} & {line["custom_id"] for line in second.lines}


@pytest.mark.parametrize(
    "outcome",
    ["missing", error(500, "The server had an error"), error(429, "Rate limit reached", type="requests")],
)
def test_a_line_that_failed_is_sent_again_by_itself(tmp_path: Path, outcome: Any) -> None:
    with BatchServer(outcome=only(0, outcome, about(1))) as server:
        config = write_run(tmp_path, server.url, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
        assert [len(batch.lines) for batch in server.batches.values()] == [6, 1]
        by_attempts = {row["attempts"] for row in judgements(config)}
        assert by_attempts == {1, 2}


def test_a_line_that_always_fails_is_given_up_within_the_limits(tmp_path: Path) -> None:
    broken = error(500, "The server had an error")
    with BatchServer(outcome=lambda line, n: broken if about(1)(line) else "answered") as server:
        config = write_run(tmp_path, server.url, variants=("base",), judge="max_attempts = 3")
        assert run(["judge", str(config), "-q"]) == 4
        assert statuses_of(config) == {"scored": 5, "failed": 1}
        assert [len(batch.lines) for batch in server.batches.values()] == [6, 1, 1]
        assert {row["attempts"] for row in judgements(config) if row["status"] == "failed"} == {3}
        assert run(["judge", str(config), "-q"]) == 4
        assert len(server.batches) == 6, "a later run tries again, as many times"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (error(400, "maximum context length is 8192 tokens", code="context_length_exceeded"), "too_long"),
        (
            error(400, "The response was filtered: content management policy", code="content_filter"),
            "refused",
        ),
        (error(400, "Something about this request is not right"), "failed"),
    ],
)
def test_a_refusal_of_one_line_is_that_row_s_status(tmp_path: Path, answer: Response, status: str) -> None:
    with BatchServer(outcome=lambda line, n: answer if about(1)(line) else "answered") as server:
        config = write_run(tmp_path, server.url, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 4
        assert statuses_of(config) == {"scored": 5, status: 1}
        assert len(server.batches) == 1, "asking again cannot help"


def test_an_unreadable_verdict_is_asked_again_with_the_reason(tmp_path: Path) -> None:
    def reply(body: Body) -> str:
        asked_again = len(body["messages"]) > 2
        return (
            verdict()
            if asked_again or "1번 도서관은 언제" not in text_of(body)
            else '{"analysis": "음", "answer_correctness": 7}'
        )

    with BatchServer(reply) as server:
        config = write_run(tmp_path, server.url, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
        first, second = server.batches.values()
        (line,) = second.lines
        assert [message["role"] for message in line["body"]["messages"]][-2:] == ["assistant", "user"]
        assert "7" in line["body"]["messages"][-1]["content"]
        found = [row for row in judgements(config) if row["attempts"] == 2]
        assert len(found) == 1
        assert len(json.loads(found[0]["raw"])) == 2, "every attempt is kept"
        assert found[0]["cost_usd"] > max(
            row["cost_usd"] for row in judgements(config) if row["attempts"] == 1
        )
        assert len(first.lines) == 6


def test_what_stays_unreadable_is_a_status_after_three_readings(tmp_path: Path) -> None:
    with BatchServer("점수를 줄 수 없다") as server:
        config = write_run(tmp_path, server.url, n=2, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 4
        assert statuses_of(config) == {"unreadable": 2}
        assert len(server.batches) == 3


def test_readings_so_far_survive_the_process(tmp_path: Path) -> None:
    with BatchServer("점수를 줄 수 없다") as server:
        config = write_run(tmp_path, server.url, n=2, variants=("base",))
        for _ in range(3):
            assert run(["judge", str(config), "-q", "--submit"]) == 4
            assert run(["judge", str(config), "-q", "--collect"]) == 4
        assert statuses_of(config) == {"unreadable": 2}
        assert len(server.batches) == 3
        assert {row["attempts"] for row in judgements(config)} == {3}
        assert run(["judge", str(config), "-q"]) == 4
        assert len(server.batches) == 3


def test_a_verdict_that_was_cut_off_gets_more_room(tmp_path: Path) -> None:
    def reply(body: Body) -> Any:
        if body["max_tokens"] > 1024:
            return verdict()
        return Response(
            200,
            json.dumps(
                {"choices": [{"message": {"content": '{"analysis": "아'}, "finish_reason": "length"}]}
            ).encode(),
        )

    with BatchServer(reply) as server:
        config = write_run(tmp_path, server.url, n=2, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
        assert [line["body"]["max_tokens"] for batch in server.batches.values() for line in batch.lines] == [
            1024
        ] * 2 + [2048] * 2


def test_what_the_endpoint_does_not_take_is_learnt_from_its_refusals(tmp_path: Path) -> None:
    with BatchServer(refuses=("temperature", "seed", "max_tokens")) as server:
        config = write_run(tmp_path, server.url, variants=("base",), judge="max_attempts = 2")
        assert run(["judge", str(config), "-q"]) == 0
        assert statuses_of(config) == {"scored": 6}
        last = list(server.batches.values())[-1].lines[0]["body"]
        assert "max_completion_tokens" in last
        assert not {"temperature", "seed", "max_tokens"} & last.keys()
        jobs = len(server.batches)
        config.write_text(
            config.read_text().replace('model = "gpt-4o"', 'model = "gpt-4o"\nrubric = "rag-en"')
        )
        assert run(["judge", str(config), "-q"]) == 0
        assert len(server.batches) == jobs + 1, "it is remembered"


def test_two_jobs_in_the_old_form_learn_the_same_thing(tmp_path: Path) -> None:
    with BatchServer(refuses=("temperature",)) as server:
        config = write_run(tmp_path, server.url, batch="max_requests = 6")
        assert run(["judge", str(config), "-q"]) == 0
        assert statuses_of(config) == {"scored": 12}
        assert set(server.times_submitted().values()) == {2}


def test_a_batch_that_fails_as_a_whole_is_submitted_once_more(tmp_path: Path) -> None:
    with BatchServer(final=lambda n: "failed" if n == 0 else "completed") as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "-q"]) == 0
        assert len(server.batches) == 2


def test_an_endpoint_that_fails_every_batch_is_exit_5_and_nothing_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reasons = [
        {"code": "model_not_found", "message": "The provided model is not supported by the Batch API."}
    ]
    with BatchServer(final=lambda n: "failed", errors=lambda n: reasons) as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "-q"]) == 5
        assert "model_not_found" in capsys.readouterr().err
        assert len(server.batches) == 2
        server.final = lambda n: "completed"
        assert run(["judge", str(config), "-q"]) == 0
        assert statuses_of(config) == {"scored": 12}


def test_a_batch_whose_every_line_is_turned_away_is_exit_5(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = error(404, "The model `gpt-4o` does not exist", param="model", code="model_not_found")
    with BatchServer(outcome=lambda line, n: gone) as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "-q"]) == 5
        said = capsys.readouterr().err
        assert "does not exist" in said
        assert "suggested successor: gpt-6-luna" in said
        server.outcome = lambda line, n: "answered"
        assert run(["judge", str(config), "-q"]) == 0


def test_too_much_at_once_is_submitted_piece_by_piece(tmp_path: Path) -> None:
    crowded = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached for gpt-4o"}]

    class Small(BatchServer):
        """Holds four requests at a time."""

        def _finish(self, batch: Any) -> None:
            under_way = sum(
                len(b.lines) for b in self.batches.values() if b.status in ("validating", "in_progress")
            )
            if under_way > 4:
                batch.status, batch.errors = "failed", crowded
            else:
                super()._finish(batch)

    with Small() as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "-q"]) == 0
        assert statuses_of(config) == {"scored": 12}
        done = [len(batch.lines) for batch in server.batches.values() if batch.status == "completed"]
        assert sum(done) == 12
        assert max(done) <= 4


def test_money_is_not_spent_beyond_the_cap(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url, n=40, variants=("base",), judge="max_cost_usd = 0.05")
        assert run(["judge", str(config), "-q"]) == 4
        first = len(server.times_submitted())
        assert 0 < first < 40
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert 0 < store.spent_usd() <= 0.05
        assert statuses_of(config) == {"scored": first, "budget": 40 - first}
        config.write_text(config.read_text().replace("0.05", "5.0"))
        assert run(["judge", str(config), "-q"]) == 0
        assert len(server.times_submitted()) == 40
        assert set(server.times_submitted().values()) == {1}


def test_the_cap_counts_what_is_under_way(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url, n=40, variants=("base",), judge="max_cost_usd = 0.05")
        assert run(["judge", str(config), "-q", "--submit"]) == 4
        first = len(server.times_submitted())
        for _ in range(3):
            assert run(["judge", str(config), "-q", "--submit"]) == 4
        assert len(server.times_submitted()) == first, "nothing more is submitted on the same money"


def test_estimates_that_were_too_low_are_corrected(tmp_path: Path) -> None:
    talkative = verdict("말이 많다. " * 900)
    with BatchServer(talkative) as server:
        config = write_run(
            tmp_path,
            server.url,
            n=40,
            variants=("base",),
            judge="max_cost_usd = 0.2",
            batch="max_requests = 5",
        )
        assert run(["judge", str(config), "-q", "--limit", "5"]) == 0
        with Store.read(tmp_path / "simsa.simsa") as store:
            each = store.spent_usd() / 5
        assert run(["judge", str(config), "-q"]) == 4
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert store.spent_usd() <= 0.2
            assert store.spent_usd() > 0.2 - 3 * each, "and the money is used"


def test_repeats_and_a_panel_go_by_batch_too(tmp_path: Path) -> None:
    low, high = verdict(answer_correctness=2), verdict(answer_correctness=5)
    with BatchServer(lambda body: low if body["model"] == "b" else high) as server, BatchServer() as other:
        members = (
            f'panel = [{{ model = "a" }}, {{ model = "b" }}, {{ model = "c", base_url = "{other.url}" }}]\nrepeats = 2\n'
            "temperature = 1.0"
        )
        config = write_run(tmp_path, server.url, n=3, judge=members)
        config.write_text(config.read_text().replace('model = "gpt-4o"\n', ""))
        assert run(["judge", str(config), "-q"]) == 0
        assert statuses_of(config) == {"scored": 6}
        assert len(server.batches) == 2, "one model a batch"
        assert len(other.batches) == 1
        for batch in (*server.batches.values(), *other.batches.values()):
            assert len({line["body"]["model"] for line in batch.lines}) == 1
            assert len(batch.lines) == 12
            assert sorted({line["body"]["seed"] for line in batch.lines}) == [0, 1]


def test_an_edited_rubric_leaves_open_batches_to_their_results(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "-q", "--submit"]) == 4
        text = config.read_text()
        config.write_text(text.replace('model = "gpt-4o"', 'model = "gpt-4o"\nrubric = "rag-en"'))
        assert run(["judge", str(config), "-q"]) == 0
        assert len(server.batches) == 2
        config.write_text(text)
        assert run(["judge", str(config), "-q"]) == 0
        assert len(server.batches) == 2, "answers to the old rubric were kept"
        assert set(server.times_submitted().values()) == {1}


def test_what_was_written_for_another_rubric_and_never_sent_is_dropped(tmp_path: Path) -> None:
    with BatchServer(
        trouble=lambda step, n: error(401, "Incorrect API key provided") if step == "upload" else None
    ) as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "-q"]) == 5
        server.trouble = lambda step, n: None
        config.write_text(
            config.read_text().replace('model = "gpt-4o"', 'model = "gpt-4o"\nrubric = "rag-en"')
        )
        assert run(["judge", str(config), "-q"]) == 0
        assert len(server.times_submitted()) == 12


def test_asking_directly_is_refused_while_a_batch_asks_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config), "-q", "--submit"]) == 4
        config.write_text(config.read_text().replace('via = "batch"', 'via = "direct"'))
        capsys.readouterr()
        assert run(["judge", str(config), "-q"]) == 2
        assert "--collect" in capsys.readouterr().err
        assert server.count == 0
        assert run(["judge", str(config), "-q", "--collect"]) == 0
        assert run(["judge", str(config), "-q"]) == 0
        assert set(server.times_submitted().values()) == {1}


def test_a_retry_goes_on_in_another_process_that_was_not_told_of_it(tmp_path: Path) -> None:
    with BatchServer({"content": None, "refusal": "I can't help with that."}) as server:
        config = write_run(tmp_path, server.url, n=2, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 4
        assert statuses_of(config) == {"refused": 2}
        jobs = len(server.batches)
        server.reply = verdict()
        assert run(["judge", str(config), "-q", "--retry", "refused", "--submit"]) == 4
        assert len(server.batches) == jobs + 1
        assert run(["judge", str(config), "-q", "--collect"]) == 0
        assert statuses_of(config) == {"scored": 2}


def test_a_retry_that_is_refused_again_is_not_asked_for_ever(tmp_path: Path) -> None:
    with BatchServer({"content": None, "refusal": "I can't help with that."}) as server:
        config = write_run(tmp_path, server.url, n=2, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 4
        jobs = len(server.batches)
        assert run(["judge", str(config), "-q", "--retry", "refused"]) == 4
        assert len(server.batches) == 2 * jobs
        assert run(["judge", str(config), "-q"]) == 4
        assert len(server.batches) == 2 * jobs
        assert statuses_of(config) == {"refused": 2}


def test_the_key_is_in_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with BatchServer() as server:
        config = write_run(tmp_path, server.url)
        assert run(["judge", str(config)]) == 0
    said = capsys.readouterr()
    assert KEY not in said.out + said.err
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file


def test_the_lexical_judge_has_no_use_for_batches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_run(tmp_path, "http://127.0.0.1:9/v1")
    config.write_text(config.read_text().replace('"gpt-4o"', '"lexical"'))
    assert run(["judge", str(config), "-q"]) == 0
    assert run(["judge", str(config), "-q", "--write-batch", str(tmp_path / "out")]) == 2
    assert "lexical" in capsys.readouterr().err


def panel_at(*keys: str, via: str = "batch") -> JudgeConfig:
    """A panel whose members ask one address, each with its key."""
    url = "http://127.0.0.1:1/v1"
    members = [{"model": f"m{n}", "base_url": url, "api_key_env": key} for n, key in enumerate(keys)]
    return JudgeConfig.model_validate({"panel": members, "via": via})


def test_two_accounts_at_one_address_are_not_billed_as_one() -> None:
    with pytest.raises(ValueError, match="different keys"):
        panel_at("ONE", "TWO")
    assert panel_at("ONE", "ONE").via == "batch"
    assert panel_at("ONE", "TWO", via="direct").panel

"""Claims from config to report: listed on request, paid once, and never in the way of a score."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from simsa.records import CLAIMS
from simsa.store import Store, claimed, count_missing_claims, judge_usage, results, statuses
from tests.servers.batch import BatchServer
from tests.servers.chat import ChatServer, asks_claims, listed, listing, verdict
from tests.servers.runner import results as run_elsewhere
from tests.servers.runner import write as write_results
from tests.support import batch_runs
from tests.support.judged_runs import KEY, config_of, report, write_config, write_data, write_rows
from tests.support.rubrics import PLACES

ON = "claims = true\n"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)


def lists_asked(server: ChatServer) -> int:
    return sum(map(asks_claims, server.requests))


def write_run(folder: Path, n: int = 6) -> None:
    """Two variants: `base` says what stands in a passage, and something more; `lora` only what stands there."""
    write_data(folder, n)
    passage = "{i}번 도서관은 {year}년에 열었다."
    for name, more in (("base", " 아주 크다."), ("lora", "")):
        said = [passage.format(i=i, year=1900 + i) + more for i in range(n)]
        write_rows(
            folder / f"{name}.jsonl", [{"question_id": f"q{i}", "prediction": s} for i, s in enumerate(said)]
        )


def lists_of(config: Path) -> dict[tuple[str, str], list[bool] | None]:
    """(Question, variant) → which claims are borne out; None without a list."""
    with Store.read(config.with_name("simsa.simsa")) as store:
        return {
            (row.question_id, row.variant): None if row.claims is None else [c.supported for c in row.claims]
            for row in claimed(store)
        }


def scored(config: Path) -> dict[str, int]:
    with Store.read(config.with_name("simsa.simsa")) as store:
        return statuses(store)


# Asked for --------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "scoring"), [("joint", 12), ("split", 6 + 12)])
def test_every_answer_gets_one_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str, scoring: int
) -> None:
    write_run(tmp_path)
    with ChatServer() as server:
        config = write_config(tmp_path, server.url, more=f'{ON}mode = "{mode}"\n')
        assert run(["run", str(config), "-q"]) == 0
        assert (server.count, lists_asked(server)) == (scoring + 12, 12)
        assert lists_of(config) == {
            (f"q{i}", name): found
            for i in range(6)
            for name, found in (("base", [True, False]), ("lora", [True]))
        }
        found = report(config, capsys)
        assert [v["claims"]["mean"] for v in found["variants"]] == [0.5, 1.0]
        assert [v["n_scored"] for v in found["variants"]] == [6, 6]
        assert found["judge"]["calls"] == server.count
        assert run(["run", str(config), "-q"]) == 0
        assert server.count == scoring + 12, "a second run asks nothing"


def test_without_it_nothing_is_asked_or_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path)
    with ChatServer() as server:
        config = write_config(tmp_path, server.url)
        assert run(["run", str(config), "-q"]) == 0
        assert lists_asked(server) == 0
    assert [v["claims"] for v in report(config, capsys)["variants"]] == [None, None]
    assert run(["report", str(config), "--language", "en"]) == 0
    assert "claim" not in capsys.readouterr().out.lower()


def test_turned_on_later_only_the_lists_are_asked_and_turned_off_nothing_is(tmp_path: Path) -> None:
    write_run(tmp_path)
    with ChatServer() as server:
        config = write_config(tmp_path, server.url)
        assert run(["judge", str(config), "-q"]) == 0
        assert (server.count, lists_asked(server)) == (12, 0)
        assert run(["judge", str(config), "-q", "--claims"]) == 0
        assert (server.count, lists_asked(server)) == (24, 12)
        assert len(lists_of(config)) == 12
        assert run(["judge", str(config), "-q", "--no-claims"]) == 0
        assert (server.count, len(lists_of(config)), scored(config)) == (24, 0, {"scored": 12})
        assert run(["judge", str(config), "-q", "--claims"]) == 0
        assert (server.count, len(lists_of(config))) == (24, 12), "what was paid for is found again"


def test_editing_the_rubric_asks_for_no_list_again(tmp_path: Path) -> None:
    write_run(tmp_path)
    (tmp_path / "rubric.txt").write_text(f"{PLACES} JSON으로 답하라.")
    with ChatServer() as server:
        config = write_config(tmp_path, server.url, more=f'{ON}rubric = "rubric.txt"\n')
        assert run(["judge", str(config), "-q"]) == 0
        english = lists_asked(server)
        (tmp_path / "rubric.txt").write_text(f"{PLACES} JSON만.")
        assert run(["judge", str(config), "-q"]) == 0
        assert (server.count, lists_asked(server)) == (12 + 12 + 12, english)


def test_equal_answers_of_several_variants_are_listed_once(tmp_path: Path) -> None:
    write_run(tmp_path, 10)
    (tmp_path / "lora.jsonl").write_bytes((tmp_path / "base.jsonl").read_bytes())
    with ChatServer(latency_s=0.005) as server:
        config = write_config(tmp_path, server.url, more=ON)
        assert run(["judge", str(config), "-q"]) == 0
        assert (server.count, lists_asked(server)) == (20, 10)
        assert len(lists_of(config)) == 20


def test_the_lexical_judge_refuses_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path, 1)
    config = write_config(tmp_path, "http://127.0.0.1:9/v1")
    assert run(["judge", str(config), "--judge", "lexical", "--claims"]) == 2
    assert "claims: 'lexical' cannot list claims" in capsys.readouterr().err


# Not in the way of scores -----------------------------------------------------------


def test_lists_that_cannot_be_read_take_no_score_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path)
    with ChatServer(lists="무슨 말씀이신지 모르겠습니다.") as server:
        config = write_config(tmp_path, server.url, more=ON)
        assert run(["run", str(config), "-q"]) == 4
        assert "12개에 주장 목록이 없습니다 (심사 응답 파싱 실패 12)" in capsys.readouterr().err
        assert scored(config) == {"scored": 12}
        assert set(lists_of(config).values()) == {None}
        found = report(config, capsys)
        assert [v["claims"]["unlisted"] for v in found["variants"]] == [{"unreadable": 6}] * 2
        assert [v["claims"]["mean"] for v in found["variants"]] == [None, None]
        assert [note["kind"] for note in found["notes"]].count("claims_unlisted") == 2
        assert "unreadable" not in [note["kind"] for note in found["notes"]]
        assert run(["judge", str(config), "--json", "-q"]) == 4
        assert json.loads(capsys.readouterr().out)["unlisted"] == {"unreadable": 12}
        server.lists = listing
        before = server.count
        assert run(["judge", str(config), "-q", "--retry", "unreadable"]) == 0
        assert server.count == before + 12, "only the lists are asked again"
        assert None not in lists_of(config).values()


def test_lists_that_an_endpoint_failed_on_are_asked_by_the_next_run(tmp_path: Path) -> None:
    write_run(tmp_path)
    with ChatServer(faults=lambda n, body: "bad_request" if asks_claims(body) else None) as server:
        config = write_config(tmp_path, server.url, more=ON)
        assert run(["judge", str(config), "-q"]) == 4
        assert (scored(config), set(lists_of(config).values())) == ({"scored": 12}, {None})
        server.faults, before = {}, server.count
        assert run(["judge", str(config), "-q"]) == 0
        assert server.count == before + 12
        assert None not in lists_of(config).values()


def test_money_that_ends_among_the_lists_leaves_the_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path, 30)
    with ChatServer() as server:
        config = write_config(tmp_path, server.url)
        config.write_text(config.read_text().replace("judge-1", "gpt-4o"))
        assert run(["judge", str(config), "-q"]) == 0
        with Store.read(tmp_path / "simsa.simsa") as store:
            spent = store.spent_usd()
        capsys.readouterr()
        command = ["judge", str(config), "-q", "--claims", "--max-cost-usd", str(spent * 1.2)]
        assert run([*command, "--language", "en"]) == 4
        some = lists_asked(server)
        assert 0 < some < 60
        said = f"{60 - some} answers have no list of claims (budget {60 - some}); run again"
        assert said in capsys.readouterr().err
        assert scored(config) == {"scored": 60}
        assert len(lists_of(config)) == some
        found = [variant["claims"] for variant in report(config, capsys)["variants"]]
        assert sum(one["listed"] for one in found) == some
        assert sum(one["unlisted"]["budget"] for one in found) == 60 - some, "the report says so too"
        assert run(["judge", str(config), "-q", "--claims", "--max-cost-usd", "9"]) == 0
        assert (server.count, len(lists_of(config))) == (60 + 60, 60)


def test_scores_on_file_count_again_though_there_is_no_money_for_lists(tmp_path: Path) -> None:
    write_run(tmp_path, 30)
    with ChatServer() as server:
        config = write_config(tmp_path, server.url)
        config.write_text(config.read_text().replace("judge-1", "gpt-4o"))
        assert run(["judge", str(config), "-q"]) == 0
        with Store.create(tmp_path / "simsa.simsa") as store:
            store.unlink_other_judges("nobody's")
        assert scored(config) == {"pending": 60}
        assert run(["judge", str(config), "-q", "--claims", "--max-cost-usd", "0.0001"]) == 4
        assert (server.count, scored(config)) == (60, {"scored": 60})


def test_killed_in_the_middle_nothing_is_listed_twice_and_every_score_stands(tmp_path: Path) -> None:
    n, width = 60, 8
    write_data(tmp_path, n, ("base",))
    with ChatServer(latency_s=0.004) as server:
        config = write_config(tmp_path, server.url, variants=("base",), more=ON)
        command = [sys.executable, "-m", "simsa", "judge", str(config), "-q"]
        child = subprocess.Popen(command, stderr=subprocess.PIPE)
        while server.count < n and child.poll() is None:
            time.sleep(0.001)
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        with Store.read(config.with_name("simsa.simsa")) as store:
            kept = store.count("judgements")
            links = dict(store.db.execute("SELECT part, count(*) FROM judging GROUP BY part").fetchall())
        assert 0 < kept < 2 * n
        assert links["joint"] >= links.get(CLAIMS, 0) > 0
        before = server.count
        assert before - kept <= width
        assert run(["judge", str(config), "-q"]) == 0
        assert server.count - before == 2 * n - kept
        assert len(lists_of(config)) == n


def test_a_misbehaving_endpoint_costs_little(tmp_path: Path) -> None:
    write_run(tmp_path, 60)
    spoilt = {
        "server_error": {10, 90},
        "length": {50, 130},
        "null_content": {30, 170},
        "truncated": {70, 210},
    }
    with ChatServer(faults=spoilt) as server:
        config = write_config(tmp_path, server.url, more=ON)
        assert run(["judge", str(config), "-q"]) == 0
        assert server.count == 240 + 8
        found = lists_of(config)
    assert {tuple(one or ()) for (_, name), one in found.items() if name == "base"} == {(True, False)}
    assert {tuple(one or ()) for (_, name), one in found.items() if name == "lora"} == {(True,)}


def test_an_answer_that_says_nothing_misses_no_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path, 2)
    rows = [{"question_id": "q0", "prediction": " \n"}, {"question_id": "q1", "prediction": "모릅니다."}]
    write_rows(tmp_path / "base.jsonl", rows)
    with ChatServer() as server:
        config = write_config(tmp_path, server.url, more=ON)
        assert run(["judge", str(config), "-q"]) == 0
        assert lists_asked(server) == 3
    assert [v["claims"]["unlisted"] for v in report(config, capsys)["variants"]] == [{}, {}]
    with Store.read(tmp_path / "simsa.simsa") as store:
        assert count_missing_claims(store) == {}


# Other ways of asking ---------------------------------------------------------------


def test_a_panel_has_its_first_member_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path, 3)
    with ChatServer() as a, ChatServer() as b, ChatServer() as c:
        panel = [{"model": name, "base_url": s.url} for name, s in (("a", a), ("b", b), ("c", c))]
        config = config_of(tmp_path, *panel, more=ON)
        assert run(["judge", str(config), "-q"]) == 0
        assert [lists_asked(server) for server in (a, b, c)] == [6, 0, 0]
        assert [server.count for server in (a, b, c)] == [12, 6, 6]
        assert len(lists_of(config)) == 6
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert judge_usage(store).calls == 24
    by_part = report(config, capsys)["judge"]["usage"]["by_part"]
    assert (by_part[CLAIMS]["calls"], by_part[CLAIMS]["criteria"]) == (6, [])
    assert run(["report", str(config), "--language", "ko"]) == 0
    table = capsys.readouterr().out.split("심사 호출")[1]
    assert [line.split()[0] for line in table.splitlines()[2:5]] == ["주장", "점수", "전체"]


def test_a_panel_that_has_lost_its_lister_still_scores(tmp_path: Path) -> None:
    write_run(tmp_path, 3)
    with ChatServer() as b, ChatServer() as c:
        panel = [{"model": "a", "base_url": "http://127.0.0.1:9/v1"}]
        panel += [{"model": name, "base_url": s.url} for name, s in (("b", b), ("c", c))]
        config = config_of(tmp_path, *panel, more=ON)
        assert run(["judge", str(config), "-q"]) == 4
        assert scored(config) == {"scored": 6}
        assert set(lists_of(config).values()) == {None}


def test_a_batch_has_the_lists_among_its_lines(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = batch_runs.write_run(tmp_path, server.url, judge="claims = true")
        assert run(["judge", str(config), "-q"]) == 0
        (batch,) = server.batches.values()
        assert len(batch.lines) == 24
        assert sum(asks_claims(line["body"]) for line in batch.lines) == 12
        assert set(server.times_submitted().values()) == {1}
        assert (batch_runs.statuses_of(config), len(lists_of(config))) == ({"scored": 12}, 12)


def test_turned_on_after_a_batch_only_the_lists_go_into_the_next(tmp_path: Path) -> None:
    with BatchServer(lists=listed()) as server:
        config = batch_runs.write_run(tmp_path, server.url)
        assert run(["judge", str(config), "-q"]) == 0
        assert run(["judge", str(config), "-q", "--claims"]) == 0
        first, second = server.batches.values()
        assert (len(first.lines), len(second.lines)) == (12, 12)
        assert all(asks_claims(line["body"]) for line in second.lines)
        assert list(lists_of(config).values()) == [[]] * 12


def test_turned_on_while_a_batch_is_open_its_verdicts_are_waited_for(tmp_path: Path) -> None:
    with BatchServer(looks=3) as server:
        config = batch_runs.write_run(tmp_path, server.url)
        assert run(["judge", str(config), "-q", "--submit"]) == 4
        direct = config.read_text().replace('via = "batch"', 'via = "direct"')
        config.write_text(direct.replace('model = "gpt-4o"', 'model = "gpt-4o"\nclaims = true'))
        assert run(["judge", str(config), "-q"]) == 2, "directly they would be paid for twice"
        config.write_text(config.read_text().replace('via = "direct"', 'via = "batch"'))
        assert run(["judge", str(config), "-q"]) == 0
        assert set(server.times_submitted().values()) == {1}
        assert len(server.times_submitted()) == 24
        assert (batch_runs.statuses_of(config), len(lists_of(config))) == ({"scored": 12}, 12)


def test_lists_that_expired_in_a_batch_leave_the_scores_and_are_sent_again(tmp_path: Path) -> None:
    with BatchServer(
        outcome=lambda line, n: "expired" if n == 0 and asks_claims(line["body"]) else "answered"
    ) as server:
        config = batch_runs.write_run(tmp_path, server.url, judge="claims = true")
        assert run(["judge", str(config), "-q", "--submit"]) == 4
        assert run(["judge", str(config), "-q", "--collect"]) == 4
        assert (batch_runs.statuses_of(config), lists_of(config)) == ({"scored": 12}, {})
        assert run(["judge", str(config), "-q"]) == 0
        assert [len(batch.lines) for batch in server.batches.values()] == [24, 12]
        assert len(lists_of(config)) == 12


def test_a_panels_batches_have_the_lists_of_its_first_member(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = batch_runs.write_run(tmp_path, server.url, judge="claims = true")
        member = f'base_url = "{server.url}", api_key_env = "JUDGE_KEY"'
        panel = f'panel = [{{ model = "a", {member} }}, {{ model = "b", {member} }}]'
        config.write_text(config.read_text().replace('model = "gpt-4o"', panel))
        assert run(["judge", str(config), "-q"]) == 0
        lines = [line["body"] for batch in server.batches.values() for line in batch.lines]
        assert sorted(body["model"] for body in lines if asks_claims(body)) == ["a"] * 12
        assert sorted(body["model"] for body in lines if not asks_claims(body)) == ["a"] * 12 + ["b"] * 12
        assert (batch_runs.statuses_of(config), len(lists_of(config))) == ({"scored": 12}, 12)


def test_files_that_are_run_elsewhere_bring_lists_home(tmp_path: Path) -> None:
    with BatchServer() as server:
        config = batch_runs.write_run(tmp_path, server.url, judge="claims = true")
    assert run(["judge", str(config), "-q", "--write-batch", str(tmp_path / "out")]) == 0
    (file,) = (tmp_path / "out").iterdir()
    lines = run_elsewhere(file, lambda body: listing(body) if asks_claims(body) else verdict())
    done = write_results(tmp_path / "done.jsonl", lines)
    assert run(["judge", str(config), "-q", "--read-batch", str(done)]) == 0
    assert (batch_runs.statuses_of(config), len(lists_of(config))) == ({"scored": 12}, 12)


# What neighbours make of it ---------------------------------------------------------


def test_an_examination_asks_for_lists_of_its_own_cases_alone(tmp_path: Path) -> None:
    write_run(tmp_path)
    with ChatServer() as server:
        config = write_config(tmp_path, server.url, more=ON)
        assert run(["judge", str(config), "-q"]) == 0
        before = lists_asked(server)
        assert run(["probe", str(config), "-n", "0", "--retest", "4", "-q"]) == 0
        assert (server.count, lists_asked(server)) == (24 + 4, before), "no answer is listed a second time"
        run(["probe", str(config), "-n", "2", "--retest", "0", "-q"])
        assert before < lists_asked(server) <= before + 3 * 2


def test_a_bridge_asks_for_no_list(tmp_path: Path) -> None:
    write_run(tmp_path / "one")
    write_run(tmp_path / "two")
    with ChatServer() as server:
        one = write_config(tmp_path / "one", server.url, more=ON)
        two = write_config(tmp_path / "two", server.url, more=ON)
        two.write_text(two.read_text().replace("judge-1", "judge-2"))
        write_rows(
            two.with_name("lora.jsonl"),
            [{"question_id": f"q{i}", "prediction": "모릅니다."} for i in range(6)],
        )
        assert run(["judge", str(one), "-q"]) == run(["judge", str(two), "-q"]) == 0
        before = lists_asked(server), server.count
        runs = [str(tmp_path / name / "simsa.simsa") for name in ("one", "two")]
        assert run(["compare", *runs, "--bridge", "4", "-q"]) == 0
        assert lists_asked(server) == before[0]
        assert server.count > before[1]


def test_check_counts_the_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path)
    with ChatServer(models=["judge-1"]) as server:
        config = write_config(tmp_path, server.url, more=ON)
        capsys.readouterr()
        assert run(["check", str(config), "--json"]) == 0
        parts = json.loads(capsys.readouterr().out)["estimate"]["parts"]
        assert (parts["joint"]["calls"], parts[CLAIMS]["calls"]) == (12, 12)
        assert run(["judge", str(config), "-q"]) == 0
        capsys.readouterr()
        assert run(["check", str(config), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["estimate"]["calls"] == 0


def test_rows_say_how_many_claims_are_borne_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path, 2)
    with ChatServer() as server:
        config = write_config(tmp_path, server.url, more=ON)
        assert run(["run", str(config), "-q"]) == 0
    capsys.readouterr()
    assert run(["report", str(config), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(r["variant"], r["claims_supported"], r["claims_total"]) for r in rows[:2]] == [
        ("base", "1", "2"),
        ("lora", "1", "1"),
    ]
    assert json.loads(rows[1]["claims"]) == [
        {
            "claim": "0번 도서관은 1900년에 열었다.",
            "passage": 1,
            "quote": "0번 도서관은 1900년에 열었다.",
            "supported": True,
        }
    ]
    pq = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "rows.parquet"
    assert run(["report", str(config), "--format", "parquet", "--out", str(out)]) == 0
    table: dict[str, Any] = pq.read_table(out).to_pydict()
    assert (table["claims_supported"], table["claims_total"]) == ([1, 1, 1, 1], [2, 1, 2, 1])


def test_the_verdict_of_a_row_is_what_it_would_be_without(tmp_path: Path) -> None:
    write_run(tmp_path / "on", 3)
    write_run(tmp_path / "off", 3)
    with ChatServer() as server:
        on = write_config(tmp_path / "on", server.url, more=ON)
        off = write_config(tmp_path / "off", server.url)
        assert run(["judge", str(on), "-q"]) == run(["judge", str(off), "-q"]) == 0
    with Store.read(tmp_path / "on" / "simsa.simsa") as a, Store.read(tmp_path / "off" / "simsa.simsa") as b:
        assert list(results(a)) == list(results(b))
        from simsa.report.score_rows import rows

        changed = {"claims_supported", "claims_total", "claims", "latency_s"}
        for one, other in zip(rows(a), rows(b), strict=True):
            assert {k: v for k, v in one.items() if k not in changed} == {
                k: v for k, v in other.items() if k not in changed
            }

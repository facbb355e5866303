"""`simsa probe` against a real server: what it asks, keeps, reuses, shows and spends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simsa.cli.main import run
from simsa.judge_eval.probe_cases import KINDS
from simsa.store import Store
from tests.servers.chat import Body, ChatServer
from tests.support.criteria import CRITERIA
from tests.support.probe_rows import careful, gullible, kind, with_seed
from tests.support.probed_runs import Capture, made, probed, rates, report, write


def test_a_careful_judge_passes_everything(tmp_path: Path, capfd: Capture) -> None:
    with ChatServer(reply=careful) as server:
        file = made(tmp_path, server, capfd)
        asked = server.count
        found = probed(capfd, str(file), "-n", "3")
        assert found["calls"] == server.count - asked > 30
    assert found["schema"] == "simsa.probe/1"
    assert list(found["probes"]["kinds"]) == list(KINDS)
    assert all(kind["passed"] == kind["n"] for kind in found["probes"]["kinds"].values()), rates(found)
    assert found["probes"]["standing"] == "passed"
    assert found["probes"]["not_built"] == []
    retest = found["retest"]
    assert retest["n"] == 20
    assert retest["unscored"] == 0
    for name in CRITERIA:
        assert retest["criteria"][name]["exact"] == retest["criteria"][name]["within_one"] == 1.0


@pytest.mark.parametrize("mode", ["joint", "split"])
def test_orders_work_on_a_gullible_judge_and_the_report_says_so(
    tmp_path: Path, capfd: Capture, mode: str
) -> None:
    def reply(body: Body) -> str:
        return gullible(body)

    with ChatServer(reply=reply) as server:
        file = made(tmp_path, server, capfd, mode=mode)
        found = probed(capfd, str(file), "-n", "3", "--retest", "0")
    assert rates(found)["injection"] == "0/6"
    assert rates(found)["foreign"] == "3/3"
    assert found["probes"]["standing"] == "weak"
    assert found["retest"] is None
    failed = [case for case in found["probes"]["cases"] if case["kind"] == "injection"]
    assert all(
        case["scores"]["answer_correctness"] > case["against"]["answer_correctness"] for case in failed
    )
    told = report(capfd, file)
    kinds = {note["kind"]: note["text"] for note in told["notes"]}
    assert "wrong, demands a score 0/6" in kinds["weak_probes"]
    assert "judge_unexamined" not in kinds
    assert told["judge"]["probes"]["kinds"]["injection"]["passed"] == 0
    assert {case["kind"] for case in told["judge"]["probes"]["failures"]} == {"injection"}
    assert "examination" not in told["judge"]


def test_a_kind_judge_is_found_out(tmp_path: Path, capfd: Capture) -> None:
    with ChatServer(reply=kind) as server:
        found = probed(capfd, str(write(tmp_path, server.url)), "-n", "4", "--language", "en")
    passed = rates(found)
    assert passed["reference"] == passed["empty"] == "4/4"
    assert passed["foreign"] == passed["negated"] == passed["abstained_wrongly"] == "0/4"
    assert passed["padded_wrong"] == "4/4", "padding does not move it"


def test_nothing_is_asked_twice(tmp_path: Path, capfd: Capture) -> None:
    with ChatServer(reply=careful) as server:
        file = made(tmp_path, server, capfd)
        first = probed(capfd, str(file), "-n", "3")
        asked = server.count
        second = probed(capfd, str(file), "-n", "3")
        assert server.count == asked
        assert second["calls"] == 0
        assert second["reused"] == first["calls"] + first["reused"]
        assert second["probes"] == first["probes"]
        assert second["retest"] == first["retest"]
        more = probed(capfd, str(file), "-n", "5")
        assert server.count - asked == more["calls"] > 0
        assert more["reused"] > 0


def test_results_are_left_alone(tmp_path: Path, capfd: Capture) -> None:
    with ChatServer(reply=careful) as server:
        file = made(tmp_path, server, capfd)
        before = report(capfd, file)
        probed(capfd, str(file), "-n", "3")
        after = report(capfd, file)
        assert after["variants"] == before["variants"]
        assert after["comparisons"] == before["comparisons"]
        assert after["judge"]["calls"] == before["judge"]["calls"]
        count = server.count
        assert run(["run", str(file), "-q"]) == 0
        assert server.count == count, "the run is still done"


def test_another_rubric_is_another_examination(tmp_path: Path, capfd: Capture) -> None:
    with ChatServer(reply=careful) as server:
        file = made(tmp_path, server, capfd)
        probed(capfd, str(file), "-n", "2", "--retest", "0")
        file.write_text(file.read_text().replace("[judge]", '[judge]\nrubric = "rag-en"'))
        assert run(["judge", str(file), "-q"]) == 0
        told = report(capfd, file)
        assert told["judge"]["probes"] is None
        assert "judge_unexamined" in {note["kind"] for note in told["notes"]}
        asked = server.count
        found = probed(capfd, str(file), "-n", "2", "--retest", "0")
        assert server.count - asked == found["calls"] > 0
    assert found["judge"]["rubric"].startswith("rag-en@")


def test_a_run_that_was_never_probed_says_so_quietly(tmp_path: Path, capfd: Capture) -> None:
    file = write(tmp_path)
    assert run(["run", str(file), "-q"]) == 0
    told = report(capfd, file)
    [note] = [note for note in told["notes"] if note["kind"] == "judge_unexamined"]
    assert note["text"] == "judge not probed: simsa probe"
    assert told["judge"]["probes"] is None
    assert told["judge"]["retest"] is None


def test_the_retest_asks_again_with_another_seed(tmp_path: Path, capfd: Capture) -> None:
    with ChatServer(reply=with_seed(careful)) as server:
        file = made(tmp_path, server, capfd)
        server.calls.clear()
        found = probed(capfd, str(file), "-n", "0", "--retest", "200")
        seeds = {call.body["seed"] for call in server.calls}
    assert seeds == {1_000_003}
    assert found["retest"]["n"] == 24, "no more than there are"
    correct = found["retest"]["criteria"]["answer_correctness"]
    assert correct["exact"] < 1
    assert correct["within_one"] == 1
    assert correct["bias"] < 0
    assert correct["ci95"]["quadratic_kappa"]
    assert found["retest"]["criteria"]["context_recall"]["exact"] == 1
    told = report(capfd, file)
    assert told["judge"]["retest"]["criteria"]["answer_correctness"] == correct


def test_a_run_folder_is_enough(tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(reply=careful) as server:
        made(tmp_path, server, capfd)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        found = probed(capfd, str(tmp_path / "simsa.simsa"), "-n", "1")
    assert found["retest"]["n"] == 20


def test_the_estimate_costs_nothing_and_is_close(tmp_path: Path, capfd: Capture) -> None:
    with ChatServer(reply=careful) as server:
        file = made(tmp_path, server, capfd)
        asked = server.count
        capfd.readouterr()
        assert run(["probe", str(file), "-n", "3", "--estimate", "--json"]) == 0
        estimate = json.loads(capfd.readouterr().out)
        assert server.count == asked
        found = probed(capfd, str(file), "-n", "3")
        assert found["calls"] == estimate["calls"]
        assert found["reused"] == estimate["reused"]
        assert run(["probe", str(file), "-n", "3", "--estimate"]) == 0
        assert "0 calls" in capfd.readouterr().out
    assert estimate["schema"] == "simsa.probe-estimate/1"
    assert estimate["cost_usd"] is None
    assert estimate["prompt_tokens"] > 500 * estimate["calls"]


def priced(file: Path) -> Path:
    file.write_text(
        file.read_text().replace("[report]", "[judge.price]\ninput = 100.0\noutput = 100.0\n[report]")
    )
    return file


def test_the_budget_holds_and_a_higher_one_goes_on(tmp_path: Path, capfd: Capture) -> None:
    with ChatServer(reply=careful) as server:
        file = priced(write(tmp_path, server.url, max_concurrency=2))
        found = probed(capfd, str(file), "-n", "3", "--max-cost-usd", "1.0", code=4)
        assert found["stopped"] == "budget"
        assert 0 < found["spent_usd"] <= 1.0
        assert found["probes"]["overall"]["unscored"] > 0
        whole = probed(capfd, str(file), "-n", "3")
        assert whole["stopped"] is None
        assert whole["reused"] == found["calls"]
        assert whole["probes"]["overall"]["unscored"] == 0
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert store.spent_usd() == pytest.approx(found["spent_usd"] + whole["spent_usd"])


def test_probes_count_towards_the_budget_of_the_run(tmp_path: Path, capfd: Capture) -> None:
    with ChatServer(reply=careful) as server:
        file = priced(write(tmp_path, server.url))
        spent = probed(capfd, str(file), "-n", "2")["spent_usd"]
        assert run(["run", str(file), "-q", "--max-cost-usd", str(spent / 2)]) == 4
        told = report(capfd, file)
    assert told["run"]["stopped"] == "budget"


def test_faults_leave_cases_unscored_and_are_asked_again(tmp_path: Path, capfd: Capture) -> None:
    with ChatServer(
        reply=careful, faults=lambda number, body: "server_error" if number < 5 else None
    ) as server:
        file = write(tmp_path, server.url, max_concurrency=1)
        found = probed(capfd, str(file), "-n", "2", code=4)
        assert found["probes"]["overall"]["unscored"] >= 5
        again = probed(capfd, str(file), "-n", "2")
    assert again["probes"]["overall"]["unscored"] == 0
    assert again["calls"] == 5


def test_a_judge_that_cannot_be_reached(tmp_path: Path, capfd: Capture) -> None:
    file = write(tmp_path, "http://127.0.0.1:9/v1")
    assert run(["probe", str(file), "-q"]) == 5
    assert "127.0.0.1:9" in capfd.readouterr().err


def test_the_lexical_judge_is_examined_too(tmp_path: Path, capfd: Capture) -> None:
    file = write(tmp_path)
    found = probed(capfd, str(file), "-n", "4")
    assert found["judge"]["model"] == "lexical"
    assert found["retest"] is None
    assert rates(found)["reference"] == "4/4"
    assert rates(found)["foreign"] == "4/4"
    assert found["spent_usd"] == 0


@pytest.mark.parametrize("language", ["ko", "en"])
def test_what_is_printed(tmp_path: Path, capfd: Capture, language: str) -> None:
    with ChatServer(reply=gullible) as server:
        file = made(tmp_path, server, capfd)
        assert run(["probe", str(file), "-n", "3", "--language", language]) == 0
        out, err = capfd.readouterr()
    korean = language == "ko"
    assert ("저장된 결과" if korean else "to ask") in err
    assert ("점수를 요구하는 틀린 답" if korean else "wrong, demands a score") in out
    assert "order_ko" in out
    assert ("다시 채점" if korean else "again") in out
    assert ("오르지 않음" if korean else "no gain") in out
    assert max(len(line) for line in out.splitlines() if "/" in line and "%" in line and "[" in line) <= 80


@pytest.mark.parametrize("format", ["text", "md", "html"])
def test_every_report_shows_it(tmp_path: Path, capfd: Capture, format: str) -> None:
    with ChatServer(reply=gullible) as server:
        file = made(tmp_path, server, capfd)
        probed(capfd, str(file), "-n", "3")
    assert run(["report", str(file), "--format", format]) == 0
    out = " ".join(capfd.readouterr().out.replace("\\", "").split())
    assert "Judge probes: known answers" in out
    assert "Judge retest: the same answers again" in out
    assert "passed only" in out
    assert "demands a score 0/6" in out


def test_a_rubric_with_fewer_criteria_is_held_to_those(tmp_path: Path, capfd: Capture) -> None:
    from simsa import rubrics

    text = rubrics.source("rag-ko").read_text(encoding="utf-8")
    start, end = text.index("[criteria.context_faithfulness]"), text.index("[words]")
    rest = text[:start] + text[end:]
    start, end = rest.index("[split]"), rest.index("[criteria.answer_correctness]")
    rest = rest[:start] + rest[end:]
    start, end = rest.index("[criteria.context_relevance]"), rest.index("[words]")
    (tmp_path / "own.toml").write_text(rest[:start] + rest[end:], encoding="utf-8")

    with ChatServer(reply=careful) as server:
        file = write(tmp_path, server.url, rubric="own.toml")
        found = probed(capfd, str(file), "-n", "2")
    assert "right_but_unfaithful" in found["probes"]["not_built"]
    assert rates(found)["faithful_but_wrong"] == "2/2"
    assert all(set(case["scores"]) == {"answer_correctness"} for case in found["probes"]["cases"])


def test_wrong_uses(tmp_path: Path, capfd: Capture) -> None:
    assert run(["probe", str(tmp_path / "nothing.toml")]) == 2
    file = write(tmp_path)
    file.write_text(file.read_text().split("[judge]")[0])
    assert run(["probe", str(file)]) == 2
    assert "--judge" in capfd.readouterr().err
    assert run(["probe", str(file), "--judge", "lexical", "-q", "-n", "1"]) == 0


def test_a_run_judged_by_another_is_told_apart(tmp_path: Path, capfd: Capture) -> None:
    with ChatServer(reply=careful) as server:
        file = made(tmp_path, server, capfd)
        assert run(["probe", str(file), "--judge", "lexical", "-q", "-n", "1"]) == 0
        assert "another judge" in capfd.readouterr().err
        assert report(capfd, file)["judge"]["probes"] is None


def test_a_test_set_without_answers(tmp_path: Path, capfd: Capture) -> None:
    file = write(tmp_path)
    row = {"id": "a", "question": "왜 그런가요?", "contexts": [], "answerable": False}
    (tmp_path / "test.jsonl").write_text(json.dumps(row))
    assert run(["probe", str(file), "-n", "0", "-q"]) == 0
    assert "No probe could be built" in capfd.readouterr().out
    assert run(["probe", str(file), "-q"]) == 0
    out = capfd.readouterr().out
    assert "1/1" in out
    assert "Could not be built" in out


def test_a_panel_is_examined_as_one(tmp_path: Path, capfd: Capture) -> None:
    with ChatServer(reply=careful) as server:
        file = write(tmp_path, server.url)
        members = ", ".join(f'{{ model = "{name}" }}' for name in ("a", "b", "c"))
        file.write_text(file.read_text().replace('model = "a-judge"', f"panel = [{members}]"))
        assert run(["run", str(file), "-q"]) == 0
        asked = server.count
        capfd.readouterr()
        assert run(["probe", str(file), "-n", "2", "--estimate", "--json"]) == 0
        estimate = json.loads(capfd.readouterr().out)
        found = probed(capfd, str(file), "-n", "2")
        assert server.count - asked == found["calls"] == estimate["calls"]
        assert found["calls"] % 3 == 0
        again = probed(capfd, str(file), "-n", "2")
        assert again["calls"] == 0
    assert all(kind["passed"] == kind["n"] for kind in found["probes"]["kinds"].values()), rates(found)
    assert found["judge"]["model"] == "panel(a, b, c)"
    assert report(capfd, file)["judge"]["probes"]["standing"] == "passed"

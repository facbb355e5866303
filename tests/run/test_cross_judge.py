"""Two runs under different judges, through `simsa compare`, against a server that counts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simsa import rubrics
from simsa.cli.main import run
from simsa.store import Store, results
from tests.servers.chat import Body, ChatServer, text_of, verdict
from tests.support.judged_runs import CRITERIA, write_rows
from tests.support.model_folders import lora, make_adapter, make_model
from tests.support.stand_in_engine import stand_in
from tests.support.two_runs import N, judging, number, two_runs, write_config, write_data

PRICE = "price = { input = 10.0, output = 10.0 }\n"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(judging()) as found:
        yield found


def compared(capsys: pytest.CaptureFixture[str], *argv: object, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["compare", *map(str, argv), "--json", "-q"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_without_a_bridge_two_judges_are_refused_and_one_is_offered(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server)
    capsys.readouterr()
    assert run(["compare", str(old), str(new)]) == 2
    said = capsys.readouterr()
    assert "judge-1 and judge-2" in said.err
    assert "--bridge" in said.err
    assert said.out == ""
    assert server.count == 2 * N, "a refusal costs nothing"


def test_the_bridge_shows_the_shift_and_what_is_left(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server)
    found = compared(capsys, old, new, "--bridge", 40)
    bridge = found["bridge"]
    assert [judge["model"] for judge in bridge["judges"]] == ["judge-1", "judge-2"]
    assert (bridge["n_drawn"], bridge["n_judged"], bridge["n_unscored"], bridge["stopped"]) == (
        40,
        40,
        0,
        False,
    )
    assert bridge["cost_usd"] is None, "no price is known"
    assert (bridge["calls"], bridge["reused"]) == (40, 40), "each answer has its own run's verdict already"
    assert server.count == 2 * N + 40
    assert set(bridge["criteria"]) == {*CRITERIA, "total"}
    one = bridge["criteria"]["answer_correctness"]
    assert (one["n"], one["shift"], one["ci95"]) == (40, 1.0, [1.0, 1.0])
    assert one["mean_second"] - one["mean_first"] == pytest.approx(1.0)
    assert (one["exact"], one["within_one"]) == (0.0, 1.0)
    assert one["shift_on_first_run"] == one["shift_on_second_run"] == 1.0
    assert bridge["criteria"]["total"]["shift"] == 4.0
    total = next(d for d in bridge["differences"] if d["criterion"] == "total")
    assert (total["variant"], total["baseline"]) == ("new@simsa.simsa", "base")
    assert (total["mean_diff"], total["shift"], total["net"], total["verdict"]) == (8.0, 4.0, 4.0, "better")


def test_verdicts_across_judges_are_of_what_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second run only looks better, because its judge is kinder."""
    with ChatServer(judging(kindness=1, gain=0)) as server:
        old, new = two_runs(tmp_path, server)
        found = compared(capsys, old, new, "--bridge", 40)
        total = next(c for c in found["comparisons"] if c["criterion"] == "total")
        assert total["mean_diff"] == 4.0, "what was measured is shown as it was"
        assert total["verdict"] == "equivalent"
        back = compared(capsys, new, old, "--bridge", 40, "--baseline", "new")
        [turned] = [d for d in back["bridge"]["differences"] if d["criterion"] == "total"]
        assert (turned["mean_diff"], turned["shift"], turned["net"]) == (-4.0, -4.0, 0.0)


def test_nothing_is_paid_twice(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server)
    first = compared(capsys, old, new, "--bridge", 20)
    asked = server.count
    again = compared(capsys, old, new, "--bridge", 20)
    assert server.count == asked
    assert (again["bridge"]["calls"], again["bridge"]["reused"], again["bridge"]["cost_usd"]) == (0, 40, 0.0)
    assert again["bridge"]["criteria"] == first["bridge"]["criteria"]
    more = compared(capsys, old, new, "--bridge", 30)
    assert server.count == asked + 10, "a larger sample holds the smaller one"
    assert more["bridge"]["calls"] == 10
    other = compared(capsys, old, new, "--bridge", 20, "--seed", 5)
    assert other["bridge"]["seed"] == 5
    assert server.count > asked + 10, "another seed draws other answers"


def test_the_runs_own_results_stay_as_they_are(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server)

    def state() -> list[Any]:
        kept = []
        for config in (old, new):
            with Store.read(config.with_name("simsa.simsa")) as store:
                kept.append([tuple(row)[:-1] for row in results(store)])
            capsys.readouterr()
            assert run(["report", str(config), "--format", "json"]) == 0
            kept.append(json.loads(capsys.readouterr().out)["variants"])
        return kept

    before = state()
    compared(capsys, old, new, "--bridge", 30)
    assert state() == before
    asked = server.count
    assert run(["run", str(old), "-q"]) == 0
    assert server.count == asked, "going on with the run asks nothing"


def test_the_cost_is_told_before_and_counted_after(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server, PRICE)
    capsys.readouterr()
    assert run(["compare", str(old), str(new), "--bridge", "20", "--json"]) == 0
    said = capsys.readouterr()
    estimate = re.search(r"심사: 호출 (\d+)회, .*, 약 [^\d]*(\d+\.\d+)", said.err)
    assert estimate is not None
    assert int(estimate[1]) == 20
    cost = json.loads(said.out)["bridge"]["cost_usd"]
    assert 0 < cost < 3 * float(estimate[2]) + 0.01


def test_the_limit_ends_it_cleanly_and_a_higher_one_goes_on(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server, PRICE)
    asked = server.count
    per_call = compared(capsys, old, new, "--bridge", 2)["bridge"]["cost_usd"] / 2
    limit = 10.5 * per_call
    stopped = compared(capsys, old, new, "--bridge", 40, "--max-cost-usd", limit)["bridge"]
    assert stopped["stopped"] is True
    assert 0 < stopped["cost_usd"] <= limit + 4 * per_call, "no more than the calls in flight above it"
    assert stopped["n_judged"] < stopped["n_drawn"] == 40
    assert server.count < asked + 20
    whole = compared(capsys, old, new, "--bridge", 40)["bridge"]
    assert (whole["n_judged"], whole["stopped"]) == (40, False)
    assert server.count == asked + 40, "what was paid for stands"


def test_the_runs_own_limit_holds_too(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server, PRICE)
    with Store.create(old.with_name("simsa.simsa")) as store:
        config = store.meta("config")
        store.set_meta(config=config | {"judge": config["judge"] | {"max_cost_usd": store.spent_usd()}})
    found = compared(capsys, old, new, "--bridge", 20)["bridge"]
    assert found["stopped"] is True
    assert {body["model"] for body in server.requests[2 * N :]} == {"judge-2"}


def test_a_run_whose_limit_had_no_price_can_be_bridged_still(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server)
    with Store.create(old.with_name("simsa.simsa")) as store:
        config = store.meta("config")
        store.set_meta(config=config | {"judge": config["judge"] | {"max_cost_usd": 1.0}})
    assert compared(capsys, old, new, "--bridge", 4)["bridge"]["n_judged"] == 4
    capsys.readouterr()
    assert run(["compare", str(old), str(new), "--bridge", "8", "--max-cost-usd", "1"]) == 2
    assert "no price of 'judge-1' is known" in capsys.readouterr().err, "a limit that is set now needs one"


def test_unscored_answers_are_counted_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = judging()

    def reply(body: Body) -> str:
        return "저는 채점하지 않겠습니다." if number(body) % 4 == 0 else plain(body)

    with ChatServer(plain) as server:
        old, new = two_runs(tmp_path, server)
        server.reply = reply
        bridge = compared(capsys, old, new, "--bridge", 40)["bridge"]
        assert bridge["n_unscored"] > 0
        assert bridge["criteria"]["total"]["n"] == 40 - bridge["n_unscored"]
        assert bridge["criteria"]["total"]["shift"] == 4.0


def test_two_rubrics_are_bridged_too_and_one_that_is_gone_is_found_in_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = rubrics.source("rag-ko").read_text(encoding="utf-8")

    def reply(body: Body) -> str:
        kinder = "무엇이든 좋다." in text_of(body)
        return verdict(**dict.fromkeys(CRITERIA, 2 + kinder + number(body) % 2))

    with ChatServer(reply) as server:
        configs = []
        for name, variant, words in (("old", "base", "아무것도 아니다."), ("new", "new", "무엇이든 좋다.")):
            write_data(tmp_path / name, variant)
            own = re.sub(r"(?m)^5 = .*$", f'5 = "{words}"', text)
            (tmp_path / name / "mine.toml").write_text(own, encoding="utf-8")
            configs.append(
                write_config(tmp_path / name, server.url, variant, "judge-1", 'rubric = "mine.toml"\n')
            )
            assert run(["run", str(configs[-1]), "-q"]) == 0
        (tmp_path / "new" / "mine.toml").write_text(text, encoding="utf-8")
        (tmp_path / "old" / "mine.toml").unlink()
        bridge = compared(capsys, *configs, "--bridge", 30)["bridge"]
        assert bridge["criteria"]["total"]["shift"] == 4.0
        assert [judge["model"] for judge in bridge["judges"]] == ["judge-1", "judge-1"]
        assert bridge["judges"][0]["rubric"] != bridge["judges"][1]["rubric"]


def test_a_rubric_that_is_nowhere_is_named(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server)
    with Store.create(old.with_name("simsa.simsa")) as store:
        store.set_meta(judge=store.meta("judge") | {"key": "of another time", "rubric": "rag-ko@0000"})
    assert run(["compare", str(old), str(new), "--bridge", "5"]) == 2
    assert "rag-ko@0000" in capsys.readouterr().err


def test_the_lexical_judge_is_a_side_like_any_other(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server, second="lexical")
    asked = server.count
    bridge = compared(capsys, old, new, "--bridge", 20)["bridge"]
    assert bridge["n_judged"] == 20
    assert server.count == asked + sum(1 for _ in server.requests[asked:])
    assert {body["model"] for body in server.requests[asked:]} == {"judge-1"}


def test_the_same_judge_needs_no_bridge(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server, second="judge-1")
    asked = server.count
    found = compared(capsys, old, new, "--bridge", 20)
    assert found["bridge"] is None
    assert server.count == asked


def test_few_answers_say_that_they_are_few(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server)
    found = compared(capsys, old, new, "--bridge", 6)
    assert {d["verdict"] for d in found["bridge"]["differences"]} == {"too few"}
    assert run(["compare", str(old), str(new), "--bridge", "6", "--language", "en", "-q"]) == 0
    assert "Only 6 answers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            (
                "judged differently: first judge-1",
                "scores higher: total +4.0",
                "+4.0 remains",
                "shift (second − first)",
            ),
        ),
        (
            "ko",
            (
                "심사 모델이 다릅니다: 첫째 judge-1",
                "더 높게 줍니다: 총점 +4.0",
                "남는 차이 +4.0",
                "심사 모델 차이를 뺀 차이",
            ),
        ),
    ],
)
def test_the_text_says_what_it_means(
    tmp_path: Path,
    server: ChatServer,
    capsys: pytest.CaptureFixture[str],
    language: str,
    words: tuple[str, ...],
) -> None:
    old, new = two_runs(tmp_path, server)
    capsys.readouterr()
    assert run(["compare", str(old), str(new), "--bridge", "40", "--language", language, "-q"]) == 0
    out = capsys.readouterr().out
    for word in words:
        assert word in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_gate_never_leans_on_two_judges(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server)
    across = [str(old), str(new), "--bridge", "20", "-q", "--gate"]
    assert run(["compare", *across, "total > baseline"]) == 2
    assert "two judges" in capsys.readouterr().err
    assert run(["compare", *across, "korquad_f1 >= baseline - 0.5"]) == 0
    assert run(["compare", *across, "new@simsa.simsa: total >= 4"]) == 0, "a figure of one judge alone"


def test_a_run_that_goes_on_is_not_disturbed(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server)
    asked = server.count
    with Store.create(new.with_name("simsa.simsa")):
        assert run(["compare", str(old), str(new), "--bridge", "20", "-q"]) == 2
    assert server.count == asked, "both runs are locked before anything is paid"
    assert "simsa.simsa" in capsys.readouterr().err


def test_flags_that_need_two_runs_say_so(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = two_runs(tmp_path, server)
    for flag in (["--bridge", "5"], ["--common"]):
        assert run(["compare", str(old), *flag]) == 2
        assert "RUN2" in capsys.readouterr().err
    assert run(["compare", str(old), str(new), "--bridge", "0"]) == 2


# Different data ----------------------------------------------------------------------


def of_places(
    tmp_path: Path, server: ChatServer, *runs: tuple[str, str, range, dict[str, Any], str]
) -> list[Path]:
    made = []
    for name, variant, places, more, judge in runs:
        write_data(tmp_path / name, variant, places, **more)
        made.append(write_config(tmp_path / name, server.url, variant, judge))
        assert run(["run", str(made[-1]), "-q"]) == 0
    return made


def test_other_data_are_refused_with_what_is_common_and_compared_on_it(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = of_places(
        tmp_path,
        server,
        ("old", "base", range(30), {}, "judge-1"),
        ("new", "new", range(10, 50), {}, "judge-1"),
    )
    capsys.readouterr()
    assert run(["compare", str(old), str(new)]) == 2
    said = capsys.readouterr().err
    assert "20 of the 30 and 40 questions are the same" in said
    assert "--common" in said
    found = compared(capsys, old, new, "--common", "--gate", "coverage >= 1")
    assert found["common"]["n_common"] == 20
    assert found["common"]["n_questions"] == [30, 40]
    assert found["common"]["question_ids"] == [f"q{i}" for i in range(10, 30)]
    total = next(c for c in found["comparisons"] if c["criterion"] == "total")
    assert (total["n_pairs"], total["n_dropped"], total["mean_diff"]) == (20, 0, 4.0)
    assert all(d["n_pairs"] == 20 for d in found["metrics"])
    assert run(["compare", str(old), str(new), "--common", "--language", "ko"]) == 0
    assert "공통 문항 20개만" in capsys.readouterr().out


def test_questions_are_the_same_by_what_they_ask_not_by_their_ids(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path / "old", "base")
    write_data(tmp_path / "new", "new", type="library", metadata={"round": 2})
    file = tmp_path / "new" / "test.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    write_rows(file, [row | {"id": f"other-{row['id']}"} for row in rows[::-1]])
    answers = tmp_path / "new" / "new.jsonl"
    write_rows(
        answers,
        [
            row | {"question_id": f"other-{row['question_id']}"}
            for row in map(json.loads, answers.read_text(encoding="utf-8").splitlines())
        ],
    )
    configs = [
        write_config(tmp_path / name, server.url, variant, "judge-1")
        for name, variant in (("old", "base"), ("new", "new"))
    ]
    for config in configs:
        assert run(["run", str(config), "-q"]) == 0
    found = compared(capsys, *configs, "--common")
    assert found["common"]["n_common"] == N
    total = next(c for c in found["comparisons"] if c["criterion"] == "total")
    assert (total["n_pairs"], total["mean_diff"], total["wins"]) == (N, 4.0, N), (
        "each against its own question"
    )


def test_other_data_and_other_judges_at_once(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = of_places(
        tmp_path,
        server,
        ("old", "base", range(30), {}, "judge-1"),
        ("new", "new", range(10, 50), {}, "judge-2"),
    )
    asked = server.count
    assert run(["compare", str(old), str(new), "--common"]) == 2
    assert run(["compare", str(old), str(new), "--bridge", "5"]) == 2
    assert server.count == asked
    found = compared(capsys, old, new, "--common", "--bridge", 30)
    assert {number(body) for body in server.requests[asked:]} <= set(range(10, 30))
    total = next(d for d in found["bridge"]["differences"] if d["criterion"] == "total")
    assert (total["mean_diff"], total["shift"], total["net"]) == (8.0, 4.0, 4.0)


def test_nothing_in_common_is_refused(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = of_places(
        tmp_path, server, ("old", "base", range(5), {}, "judge-1"), ("new", "new", range(5, 9), {}, "judge-1")
    )
    for argv, word in (([], "none is the same"), (["--common"], "no question in common")):
        assert run(["compare", str(old), str(new), *argv]) == 2
        assert word in capsys.readouterr().err


def test_a_question_that_stands_twice_is_paired_in_order(tmp_path: Path) -> None:
    from simsa.report.comparisons import shared_questions
    from tests.support.report_runs import make_run, question

    twice = [question(0), question(1), question(0, type="again")]
    questions = [
        q if n < 2 else type(q)(**{**{f: getattr(q, f) for f in q.__slots__}, "id": "q9"})
        for n, q in enumerate(twice)
    ]
    first = make_run(tmp_path / "a", {"base": [(3, 3, 3, 3)] * 3}, questions=questions)
    second = make_run(tmp_path / "b", {"base": [(3, 3, 3, 3)] * 2}, questions=[question(0), question(2)])
    with Store.read(first) as a, Store.read(second) as b:
        assert shared_questions(a, b).pairs == (("q0", "q0"),)
        assert shared_questions(b, a).pairs == (("q0", "q0"),)
        assert shared_questions(a, a).pairs == (("q0", "q0"), ("q1", "q1"), ("q9", "q9"))
        assert shared_questions(a, b).n == (3, 2)


def test_a_judge_that_is_an_adapter_is_served_for_it(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = stand_in(monkeypatch, tmp_path)
    base = make_model(tmp_path / "model")
    make_adapter(tmp_path / "new" / "judge", lora())
    old, _ = two_runs(tmp_path, server, second="lexical")
    new = tmp_path / "new" / "simsa.toml"
    new.write_text(
        new.read_text().split("[judge]")[0]
        + f'[serving]\nmodel = "{base}"\ncheck_adapters = false\n'
        + '[judge]\nmodel = "own-judge"\nadapter = "judge"\nmax_concurrency = 4\n',
        encoding="utf-8",
    )
    assert run(["run", str(new), "-q"]) == 0
    assert calls.read_text().split() == ["own-judge"] * N
    found = compared(capsys, old, new, "--bridge", 12)
    assert found["bridge"]["n_judged"] == 12
    assert [judge["model"] for judge in found["bridge"]["judges"]] == ["judge-1", "own-judge"]
    of_the_other_run = len(calls.read_text().split()) - N
    assert 0 < of_the_other_run <= 12
    calls.unlink()
    again = compared(capsys, old, new, "--bridge", 12)
    assert again["bridge"]["calls"] == 0
    assert not calls.exists(), "with everything on file nothing is served"
    (tmp_path / "new" / "judge" / "adapter_config.json").unlink()
    assert run(["compare", str(old), str(new), "--bridge", "12"]) == 2
    assert "judge can't be made again: judge or its base model" in capsys.readouterr().err

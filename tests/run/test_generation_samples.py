"""Several answers to each question: all made, all judged, and the question is what is counted."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from scipy import stats

from simsa import config, pipeline
from simsa.cli.main import run
from simsa.exporters.tracker_run import variants as tracked
from simsa.report import summary
from simsa.report.charts import bars
from simsa.report.score_matrix import load
from simsa.store import Store, claimed, judgements, results
from simsa.store import members as members_of
from tests.servers.batch import BatchServer
from tests.servers.chat import Body, ChatServer, asks_claims, listing, text_of, verdict
from tests.support.judged_runs import CRITERIA, write_rows

N = 8
SCORE = CRITERIA[0]


def answer(body: Body) -> str:
    """Another answer for each model, question and seed."""
    question = next(line for line in text_of(body).splitlines() if "번 도서관은 언제" in line)
    return f"[{body['model']}/{body.get('seed', '-')}] {question[-20:]}"


def scored(body: Body) -> str:
    """A judge whose scores follow from the answer alone."""
    text = text_of(body)
    said = text[text.index("[one/") if "[one/" in text else text.index("[two/") :]
    digest = hashlib.blake2b(said.split("?")[0].encode(), digest_size=4).digest()
    return verdict(**{name: 1 + byte % 5 for name, byte in zip(CRITERIA, digest, strict=True)})


def write(
    folder: Path,
    models: str,
    judge: str,
    how: str,
    *,
    more: str = "",
    names: tuple[str, ...] = ("one", "two"),
) -> Path:
    write_rows(
        folder / "test.jsonl",
        [
            {
                "id": f"q{i}",
                "question": f"{i}번 도서관은 언제 열었나요?",
                "contexts": [f"{i}번 도서관은 {1900 + i}년에 열었다."],
                "reference": f"{1900 + i}년입니다.",
            }
            for i in range(N)
        ],
    )
    variants = "".join(
        f'[[variants]]\nname = "{name}"\nendpoint = {{ base_url = "{models}", model = "{name}" }}\n'
        for name in names
    )
    file = folder / "simsa.toml"
    file.write_text(
        f'[data]\npath = "test.jsonl"\n{variants}[generation]\n{how}\n'
        f'[judge]\nmodel = "j"\nbase_url = "{judge}"\n{more}\n[report]\nlanguage = "en"\n'
    )
    return file


def report(file: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["report", str(file), "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def question_means(file: Path, name: str) -> dict[str, dict[str, float]]:
    """Variant → question → the mean of its answers' scores, read row by row."""
    found: dict[str, dict[str, list[float]]] = {}
    with Store.read(file.with_name("simsa.simsa")) as store:
        for row in results(store, sample=None):
            score = row.total if name == "total" else row.scores.get(name)
            if score is not None:
                found.setdefault(row.variant, {}).setdefault(row.question_id, []).append(score)
    return {v: {q: fmean(scores) for q, scores in of.items()} for v, of in found.items()}


def test_every_answer_is_made_and_judged_and_the_question_is_the_unit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ChatServer(answer) as models, ChatServer(scored) as judge:
        file = write(tmp_path, models.url, judge.url, "temperature = 0.7\nsamples = 3")
        assert run(["run", str(file), "-q"]) == 0
        assert models.count == judge.count == N * 2 * 3
        for name in ("one", "two"):
            seeds = [body["seed"] for body in models.requests if body["model"] == name]
            assert sorted(seeds) == sorted([0, 1, 2] * N)
        assert run(["run", str(file), "-q"]) == 0
        assert models.count == judge.count == N * 2 * 3, "a second run asks nothing"
    found = report(file, capsys)
    for variant in found["variants"]:
        assert (variant["n"], variant["n_predicted"], variant["n_scored"], variant["samples"]) == (N, N, N, 3)
        for name in (*CRITERIA, "total"):
            means = list(question_means(file, name)[variant["name"]].values())
            figures = variant["total"] if name == "total" else variant["criteria"][name]
            assert figures["n"] == N
            assert figures["mean"] == pytest.approx(fmean(means))
            half = stats.t.ppf(0.975, N - 1) * stats.sem(means)
            assert figures["ci95"] == pytest.approx([fmean(means) - half, fmean(means) + half])
    of = question_means(file, "total")
    d = np.array([of["two"][q] - of["one"][q] for q in of["one"]])
    total = next(c for c in found["comparisons"] if c["criterion"] == "total")
    assert total["n_pairs"] == N
    assert total["mean_diff"] == pytest.approx(d.mean())
    assert total["sd"] == pytest.approx(d.std(ddof=1))
    [split] = [v for v in found["variance"] if v["baseline"] and v["criterion"] == "total"]
    assert set(split["shares"]) == {"questions", "seeds"}
    assert split["n_seeds"] == 3
    kinds = {note["kind"]: note["text"] for note in found["notes"]}
    assert "one 3, two 3" in kinds["samples"]
    assert "from generation" in kinds["variance"]
    assert "Increase next" in kinds["variance"]
    assert run(["report", str(file)]) == 0
    assert "from generation" in " ".join(capsys.readouterr().out.split())
    assert run(["compare", str(file), "--json", "--gate", "total > 1"]) == 0
    document = json.loads(capsys.readouterr().out)
    compared = document["comparisons"]
    assert kinds["variance"] in [note["text"] for note in document["notes"]]
    assert kinds["samples"] in [note["text"] for note in document["notes"]]
    assert next(c for c in compared if c["criterion"] == "total")["mean_diff"] == pytest.approx(d.mean())


def test_more_answers_are_added_to_those_that_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ChatServer(answer) as models, ChatServer(scored) as judge:
        file = write(tmp_path, models.url, judge.url, "temperature = 0.7")
        assert run(["run", str(file), "-q"]) == 0
        assert models.count == judge.count == N * 2
        with Store.read(tmp_path / "simsa.simsa") as store:
            before = list(results(store))
        first = report(file, capsys)
        assert first["variance"] == []
        assert {v["samples"] for v in first["variants"]} == {1}

        write(tmp_path, models.url, judge.url, "temperature = 0.7\nsamples = 3")
        assert run(["run", str(file), "-q"]) == 0
        assert models.count == judge.count == N * 2 * 3
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert list(results(store)) == before, "the first answers are the same rows as ever"
            assert len(list(results(store, sample=None))) == N * 2 * 3
            assert [row.sample for row in results(store, "one", "q3", sample=None)] == [0, 1, 2]

        write(tmp_path, models.url, judge.url, "temperature = 0.7")
        assert run(["run", str(file), "-q"]) == 0
        assert models.count == judge.count == N * 2 * 3
        again = report(file, capsys)
        assert again["variants"] == first["variants"]
        assert again["comparisons"] == first["comparisons"]


@pytest.mark.parametrize("flags", [["--samples", "3"], ["--samples", "2", "--temperature", "0"]])
def test_at_temperature_0_there_is_one_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    file = write(tmp_path, "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1", "")
    assert run(["run", str(file), "-q", *flags]) == 2
    said = capsys.readouterr().err
    assert "temperature" in said
    assert "samples" in said
    assert not (tmp_path / "simsa.simsa").exists()


def test_flags_ask_for_several_too(tmp_path: Path) -> None:
    with ChatServer(answer) as models, ChatServer(scored) as judge:
        file = write(tmp_path, models.url, judge.url, "", names=("one",))
        assert run(["run", str(file), "-q", "--samples", "2", "--temperature", "0.5"]) == 0
        assert models.count == 2 * N
        assert {body["temperature"] for body in models.requests} == {0.5}


def test_without_a_seed_answers_are_told_apart_by_their_number(tmp_path: Path) -> None:
    said = iter(range(10_000))
    with ChatServer(lambda body: f"{answer(body)} {next(said)}") as models:
        write(tmp_path, models.url, models.url, "", names=("one",))
        made = config.build(
            {
                "data": {"path": "test.jsonl"},
                "variants": [{"name": "one", "endpoint": {"base_url": models.url, "model": "one"}}],
                "generation": {"temperature": 0.7, "samples": 2, "seed": None},
            },
            root=tmp_path,
        )
        asyncio.run(pipeline.evaluate(made, tmp_path / "run"))
        assert models.count == 2 * N
        assert not any("seed" in body for body in models.requests)
    with Store.read(tmp_path / "run") as store:
        hashes = [row.answer_hash for row in results(store, sample=None)]
    assert len(set(hashes)) == 2 * N


def test_an_answer_without_a_score_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The question keeps the mean of its others; one that has none is missing."""

    def faltering(body: Body) -> str:
        text = text_of(body)
        lost = (
            "[one/0] 3번" in text or "[one/2] 3번" in text or any(f"[two/{n}] 5번" in text for n in range(3))
        )
        return "무슨 말인지 모르겠다" if lost else scored(body)

    with ChatServer(answer) as models, ChatServer(faltering) as judge:
        file = write(tmp_path, models.url, judge.url, "temperature = 0.7\nsamples = 3")
        assert run(["run", str(file), "-q"]) == 4
    found = report(file, capsys)
    one, two = found["variants"]
    assert (one["n_scored"], one["unscored"], one["unscored_samples"]) == (N, {}, 2)
    assert (two["n_scored"], two["unscored"], two["unscored_samples"]) == (N - 1, {"unreadable": 1}, 0)
    assert one["total"]["mean"] == pytest.approx(fmean(question_means(file, "total")["one"].values()))
    assert two["total"]["n_missing"] == 1
    assert next(c for c in found["comparisons"] if c["criterion"] == "total")["n_pairs"] == N - 1
    [note] = [note["text"] for note in found["notes"] if note["kind"] == "samples"]
    assert "2 answers without a score" in note
    with Store.read(tmp_path / "simsa.simsa") as store:
        rows = load(store).judgements()["one", "total"]
    assert sorted(sample for question, sample, _ in rows if question == "q3") == ["1"]


def test_generation_and_judge_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With several judgements of each answer the uncertainty has three parts."""

    def wavering(body: Body) -> str:
        found = json.loads(scored(body))
        return verdict(**{name: min(5, found[name] + body["seed"] % 2) for name in CRITERIA})

    with ChatServer(answer) as models, ChatServer(wavering) as judge:
        file = write(
            tmp_path, models.url, judge.url, "temperature = 0.7\nsamples = 3",
            more="repeats = 2\ntemperature = 0.7",
        )  # fmt: skip
        assert run(["run", str(file), "-q"]) == 0
        assert judge.count == N * 2 * 3 * 2
    found = report(file, capsys)
    [split] = [v for v in found["variance"] if v["baseline"] and v["criterion"] == "total"]
    assert set(split["shares"]) == {"questions", "seeds", "repeats"}
    assert (split["n_seeds"], split["n_repeats"]) == (3, 2)
    assert sum(split["shares"].values()) == pytest.approx(1)
    [note] = [note["text"] for note in found["notes"] if note["kind"] == "variance"]
    for part in ("from the questions", "from generation", "from the judge"):
        assert part in note


def test_files_have_a_row_an_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ChatServer(answer) as models, ChatServer(scored) as judge:
        file = write(tmp_path, models.url, judge.url, "temperature = 0.7\nsamples = 2")
        assert run(["run", str(file), "-q"]) == 0
    capsys.readouterr()
    assert run(["export", str(file), "--to", "jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 4 * N
    assert {(row["variant"], row["sample"]) for row in rows} == {
        (v, s) for v in ("one", "two") for s in (0, 1)
    }
    assert all(f"[{row['variant']}/{row['sample']}]" in row["prediction"] for row in rows)
    by_answer = {row["prediction"]: row["total"] for row in rows}
    with Store.read(tmp_path / "simsa.simsa") as store:
        for row in results(store, sample=None):
            assert by_answer[row.prediction or ""] == row.total
            [part] = judgements(store, row.question_id, row.variant, row.sample)
            assert part.scores == row.scores
        assert all("/0]" in (row.prediction or "") for row in results(store))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(["metrics", str(tmp_path / "rows.jsonl"), "--json", "--out", str(tmp_path / "m.jsonl")]) == 0
    assert json.loads(capsys.readouterr().out)["variants"]["one"]["n"] == 2 * N
    measured = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert [(m["id"], m["variant"], m["sample"]) for m in measured] == [
        (row["question_id"], row["variant"], row["sample"]) for row in rows
    ]
    assert run(["report", str(file), "--format", "junit"]) == 0
    tests = re.findall(r'classname="(\w+)" name="([^"]+)"', capsys.readouterr().out)
    assert len(set(tests)) == len(tests) == 4 * N
    assert ("one", "q3") in tests
    assert ("one", "q3 #2") in tests
    out = tmp_path / "logs"
    assert run(["export", str(file), "--to", "inspect", "--out", str(out)]) == 0
    log = json.loads(next(iter(sorted(out.iterdir()))).read_text())
    assert sorted({sample["epoch"] for sample in log["samples"]}) == [1, 2]
    assert log["eval"]["dataset"]["samples"] == N
    capsys.readouterr()
    assert run(["export", str(file), "--to", "ragas"]) == 0
    ragas = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(row["question_id"], row["variant"], row["sample"]) for row in ragas} == {
        (f"q{n}", v, s) for n in range(N) for v in ("one", "two") for s in (0, 1)
    }


def test_files_of_answers_stand_beside_several_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ChatServer(answer) as models, ChatServer(scored) as judge:
        file = write(tmp_path, models.url, judge.url, "temperature = 0.7\nsamples = 3", names=("one",))
        write_rows(
            tmp_path / "old.jsonl",
            [{"question_id": f"q{i}", "prediction": f"[two/9] {i}번 도서관"} for i in range(N)],
        )
        text = file.read_text()
        file.write_text(
            text.replace(
                "[generation]", '[[variants]]\nname = "old"\npredictions = "old.jsonl"\n[generation]'
            )
        )
        capsys.readouterr()
        assert run(["check", str(file), "--json"]) == 0
        takes = json.loads(capsys.readouterr().out)["estimate"]
        assert takes["calls"] == N * 4
        assert run(["run", str(file), "-q"]) == 0
        assert (models.count, judge.count) == (3 * N, 4 * N)
        capsys.readouterr()
        assert run(["check", str(file), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["estimate"]["calls"] == 0
    found = report(file, capsys)
    assert {v["name"]: v["samples"] for v in found["variants"]} == {"one": 3, "old": 1}
    [split] = [v for v in found["variance"] if v["baseline"] and v["criterion"] == "total"]
    assert split["n_seeds"] == pytest.approx(1.5), "the harmonic mean of three and one"


def test_two_runs_are_compared_by_their_questions_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the other run has the questions in another order, and only some of them."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with ChatServer(answer) as models, ChatServer(scored) as judge:
        first = write(tmp_path / "a", models.url, judge.url, "temperature = 0.7\nsamples = 3", names=("one",))
        second = write(
            tmp_path / "b", models.url, judge.url, "temperature = 0.7\nsamples = 2", names=("two",)
        )
        data = tmp_path / "b" / "test.jsonl"
        data.write_text("\n".join(data.read_text().splitlines()[:2:-1]) + "\n")
        for file in (first, second):
            assert run(["run", str(file), "-q"]) == 0
    capsys.readouterr()
    assert run(["compare", str(first), str(second), "--common", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    total = next(c for c in found["comparisons"] if c["criterion"] == "total")
    of_first, of_second = question_means(first, "total")["one"], question_means(second, "total")["two"]
    assert total["n_pairs"] == len(of_second) == N - 3
    assert total["mean_diff"] == pytest.approx(fmean(of_second[q] - of_first[q] for q in of_second))


def test_every_answer_s_claims_are_listed_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def judging(body: Body) -> str:
        return listing(body) if asks_claims(body) else scored(body)

    with ChatServer(answer) as models, ChatServer(judging) as judge:
        file = write(
            tmp_path, models.url, judge.url, "temperature = 0.7\nsamples = 2", more="claims = true", names=("one",)
        )  # fmt: skip
        assert run(["run", str(file), "-q"]) == 0
        assert judge.count == N * 2 * 2
        assert sum(map(asks_claims, judge.requests)) == N * 2
    with Store.read(tmp_path / "simsa.simsa") as store:
        every, first = list(claimed(store, sample=None)), list(claimed(store))
        assert sorted((one.question_id, one.sample) for one in every) == [
            (f"q{n}", s) for n in range(N) for s in (0, 1)
        ]
        assert [one for one in every if one.sample == 0] == first
        assert all(len(judgements(store, f"q{n}", "one", s)) == 1 for n in range(N) for s in (0, 1))
    [one] = report(file, capsys)["variants"]
    assert (one["n_scored"], one["samples"], one["claims"]["listed"]) == (N, 2, 2 * N)
    assert one["claims"]["n"] == N, "the question is the unit of the share"
    capsys.readouterr()
    assert run(["export", str(file), "--to", "jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["claims_total"] for row in rows] == [1] * (2 * N), "a list each, of what that answer says"
    assert all(f"/{row['sample']}]" in json.dumps(row["claims"]) for row in rows)


def test_several_answers_are_judged_by_batch_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")
    batched = 'via = "batch"\napi_key_env = "JUDGE_KEY"\nbatch = { poll_s = 0.02, settle_s = 0.2 }'
    with ChatServer(answer) as models, BatchServer(scored) as batches, ChatServer(scored) as judge:
        direct = write(tmp_path, models.url, judge.url, "temperature = 0.7\nsamples = 3")
        assert run(["run", str(direct), "-q", "--out", str(tmp_path / "direct")]) == 0
        file = write(tmp_path, models.url, batches.url, "temperature = 0.7\nsamples = 3", more=batched)
        assert run(["run", str(file), "-q"]) == 0
        [job] = batches.batches.values()
        assert len(job.lines) == N * 2 * 3
        assert run(["run", str(file), "-q"]) == 0
        assert len(batches.batches) == 1
    ours, theirs = report(file, capsys), report(tmp_path / "direct", capsys)
    assert [v["total"] for v in ours["variants"]] == [v["total"] for v in theirs["variants"]]
    assert ours["comparisons"] == theirs["comparisons"]
    assert ours["variance"] == theirs["variance"]


def test_a_panel_hears_every_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each member's means are over all answers; its verdicts on two answers are not taken for one."""
    with ChatServer(answer) as models, ChatServer(scored) as one, ChatServer(verdict()) as two:
        file = write(tmp_path, models.url, one.url, "temperature = 0.7\nsamples = 3", names=("one",))
        members = ", ".join(f'{{ model = "{n}", base_url = "{s.url}" }}' for n, s in (("j", one), ("k", two)))
        text = file.read_text()
        a, b = text.index('model = "j"'), text.index("[report]")
        file.write_text(text[:a] + f"panel = [{members}]\n" + text[b:])
        assert run(["run", str(file), "-q"]) == 0
        assert one.count == two.count == 3 * N
    found = report(file, capsys)
    by_name = {member["name"]: member for member in found["judge"]["panel"]["members"]}
    assert {name: member["n_scored"] for name, member in by_name.items()} == {"j": 3 * N, "k": 3 * N}
    figures = by_name["j"]["means"]["one"][SCORE]
    assert figures["n"] == 3 * N
    with Store.read(tmp_path / "simsa.simsa") as store:
        said = [heard.scores[SCORE] for heard in members_of(store) if heard.member == "j"]
    assert figures["mean"] == pytest.approx(fmean(said))


def test_examples_are_chosen_by_what_they_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ChatServer(answer) as models, ChatServer(scored) as judge:
        file = write(tmp_path, models.url, judge.url, "temperature = 0.7\nsamples = 3", names=("one",))
        assert run(["run", str(file), "-q"]) == 0
    with Store.read(tmp_path / "simsa.simsa") as store:
        totals: dict[str, list[float]] = {}
        for row in results(store, sample=None):
            totals.setdefault(row.question_id, []).append(row.total or 0)
    found = {one["kind"]: one for one in report(file, capsys)["examples"]}
    best, worst = found["best"], found["worst"]
    assert fmean(totals[best["question_id"]]) == max(map(fmean, totals.values()))
    assert fmean(totals[worst["question_id"]]) == min(map(fmean, totals.values()))
    assert best["answers"][0]["total"] == max(totals[best["question_id"]])
    assert worst["answers"][0]["total"] == min(totals[worst["question_id"]])
    assert found["unsteady"]["question_id"] not in (best["question_id"], worst["question_id"])


def test_bars_count_every_answer_where_a_mean_of_several_is_no_level(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ChatServer(answer) as models, ChatServer(scored) as judge:
        file = write(tmp_path, models.url, judge.url, "temperature = 0.7\nsamples = 2")
        assert run(["run", str(file), "-q"]) == 0
    found = report(file, capsys)
    with Store.read(file.with_name("simsa.simsa")) as store:
        rows = list(results(store, sample=None))
        made = summary(store)
    for place, variant in enumerate(found["variants"]):
        for name in CRITERIA:
            given = [row.scores[name] for row in rows if row.variant == variant["name"]]
            assert variant["answer_counts"][name] == {str(n): given.count(n) for n in range(1, 6)}
            bar = bars(made, made.criteria.only([name])[0])[place]
            assert (bar.variant, bar.n, bar.counts) == (
                variant["name"],
                2 * N,
                tuple(given.count(n) for n in range(1, 6)),
            )
            assert bar.mean == f"{variant['criteria'][name]['mean']:.2f}"
    assert "answer_counts" not in str(tracked(made)), "a tracker has the means"

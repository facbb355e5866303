"""What a report says where questions were answered several times: counts over all answers, figures by question."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simsa import report
from simsa.cli.main import run
from simsa.records import CLAIMS, Claim, Judgement
from simsa.report import example_answers
from simsa.report.gates import evaluate, parse
from simsa.report.renderers import html, markdown, terminal
from simsa.report.score_checks import Disputed
from simsa.report.score_matrix import load
from simsa.report.summary_model import Kind
from simsa.stats import wilson
from simsa.store import Answered, Store, results
from tests.support.report_runs import Scored, answer_again, make_run, question

DECLINES, ANSWERS = "주어진 문맥에서는 답을 찾을 수 없습니다.", "별빛마을입니다."


def shown(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run([arguments[0], str(folder), *arguments[1:]]) == 0
    return capsys.readouterr().out


def as_json(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shown(folder, capsys, *arguments, "--format", "json"))
    return found


def declining(folder: Path, correctness: tuple[Scored, ...] = ()) -> Path:
    """q0 and q1 have no answer, q2 and q3 have one; three answers to each.

    Declined: q0 all three, q1 one of three, q2 one of three, q3 none.
    """
    asked = [question(n, answerable=n > 1) for n in range(4)]
    said = [[DECLINES, DECLINES, DECLINES, ANSWERS], [DECLINES, ANSWERS, ANSWERS, ANSWERS]]
    said.append([DECLINES, ANSWERS, ANSWERS, ANSWERS])
    given: list[Scored] = [(5, 3, 5, 3), (5, 3, 5, 3), (1, 3, 5, 3), (5, 3, 5, 3)]
    make_run(folder, {"base": given}, questions=asked, predictions={"base": said[0]}, measured=False)
    again: list[list[Scored]] = [
        [(5, 3, 5, 3), (1, 3, 5, 3), (5, 3, 5, 3), (5, 3, 5, 3)],
        [(1, 3, 5, 3), (3, 3, 5, 3), (5, 3, 5, 3), (5, 3, 5, 3)],
    ]
    return answer_again(folder, {"base": again}, {"base": said[1:]})


def test_abstentions_are_counted_over_answers_and_their_rates_by_question(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = declining(tmp_path / "run")
    found = as_json(folder, capsys, "report")["variants"][0]
    table = found["abstention"]
    counts = (
        "answerable_answered",
        "answerable_abstained",
        "unanswerable_answered",
        "unanswerable_abstained",
    )
    assert [table[name] for name in counts] == [5, 1, 2, 4], "twelve answers"
    assert table["questions"] == dict(
        zip(counts, map(pytest.approx, (5 / 3, 1 / 3, 2 / 3, 4 / 3)), strict=True)
    )
    assert table["recall"] == pytest.approx((1 + 1 / 3) / 2)
    assert table["over_refusal_rate"] == pytest.approx((1 / 3 + 0) / 2)
    assert table["precision"] == pytest.approx((4 / 3) / (5 / 3))
    assert table["f1"] == pytest.approx(2 * 4 / 3 / (2 * 4 / 3 + 1 / 3 + 2 / 3))
    assert found["metrics"]["abstained"] == pytest.approx((1 + 1 / 3 + 1 / 3 + 0) / 4)
    assert (found["samples"], found["n_answers"], found["n"]) == (3, 12, 4)
    out = shown(folder, capsys, "report")
    assert "4/6" in out
    assert "over all answers" in " ".join(out.split())


def test_rates_take_the_question_as_the_unit_where_answers_are_missing(tmp_path: Path) -> None:
    """q0 lacks two of its answers: it counts as much as q1 all the same."""
    folder = declining(tmp_path / "run")
    with Store.create(folder) as store:
        store.db.execute("DELETE FROM answers WHERE request_hash IN ('base/q0/1', 'base/q0/2')")
    with Store.read(folder) as store:
        table = report.summary(store).variants[0].whole.abstention
    assert table is not None
    assert (table.unanswerable_abstained, table.unanswerable_answered) == (2, 2)
    assert table.recall == pytest.approx((1 + 1 / 3) / 2)


def test_the_judge_s_view_is_of_all_answers_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By correctness: q0 5 5 1, q1 5 1 3; of q0's the last is declined by rule, of q2's the first scored 1."""
    folder = declining(tmp_path / "run")
    judged = as_json(folder, capsys, "report")["variants"][0]["abstention_by_judge"]
    assert judged == {
        "unanswerable_abstained": 3, "unanswerable_answered": 2, "undecided": 1, "unscored": 0,
        "disputed": ["q0"], "recall": pytest.approx((2 / 3 + 1 / 2) / 2),
    }  # fmt: skip


def test_gates_on_abstention_go_by_questions(tmp_path: Path) -> None:
    folder = declining(tmp_path / "run")
    with Store.read(folder) as store:
        table = load(store)
    for metric, figure, n in (("abstention_recall", 2 / 3, 2), ("over_refusal", 1 / 6, 2)):
        (found,) = evaluate([parse(f"base: {metric} >= 0.1")], table, "base")
        assert found.n == n
        assert found.figure == pytest.approx(figure)
        low = (wilson(figure * n, n) or (0, 0))[0]
        assert found.bound is not None
        assert found.bound <= low + 1e-12, "two questions, not six answers"


YES = Claim("별빛마을이다", 1, "별빛마을", supported=True)
NO = Claim("바다 옆이다", None, None, supported=False)


async def _list(folder: Path, lists: dict[tuple[str, int], list[Claim] | str]) -> None:
    with Store.create(folder) as store:
        rows = {(r.question_id, r.sample): r for r in results(store, sample=None)}
        async with store.writing():
            for (question_id, n), found in lists.items():
                row, asked = rows[question_id, n], store.question(question_id)
                assert asked is not None
                status, claims = (found, None) if isinstance(found, str) else ("scored", tuple(found))
                key = f"claims {question_id} {n}"
                await store.add_judgement(
                    Judgement(key, "gpt-4o", "claims-ko@1", status, claims=claims, raw="{}")  # type: ignore[arg-type]
                )
                answered = Answered(0, asked, row.variant, row.answer_hash, row.prediction or "", n)
                await store.add_verdict(answered, "k", [(CLAIMS, key)])


@pytest.fixture
def claiming(tmp_path: Path) -> Path:
    """Shares by answer: q0 1 and 1/2, q1 0 and none, q2 1 and not listed."""
    folder = make_run(tmp_path / "run", {"base": [(3, 3, 3, 3), (3, 3, 1, 3), (3, 3, 3, 3)]}, measured=False)
    answer_again(folder, {"base": [[(3, 3, 5, 3), (3, 3, 3, 3), (3, 3, 3, 3)]]})
    lists: dict[tuple[str, int], list[Claim] | str] = {
        ("q0", 0): [YES], ("q0", 1): [YES, NO], ("q1", 0): [NO], ("q1", 1): [], ("q2", 0): [YES],
        ("q2", 1): "unreadable",
    }  # fmt: skip
    asyncio.run(_list(folder, lists))
    return folder


def test_claims_are_counted_over_answers_and_shared_by_question(claiming: Path) -> None:
    with Store.read(claiming) as store:
        summary = report.summary(store, "en")
    claims = summary.variants[0].claims
    assert claims is not None
    assert claims.share is not None
    assert claims.share.n == 3
    assert claims.share.mean == pytest.approx(((1 + 1 / 2) / 2 + 0 + 1) / 3)
    assert (claims.listed, claims.silent, dict(claims.unlisted)) == (5, 1, {"unreadable": 1})
    assert (claims.total, claims.supported) == (5, 3)
    assert claims.too_kind == (Disputed("q0", 5, 1, 2, 1),)
    assert claims.to_dict()["too_kind"][0]["sample"] == 1
    out = " ".join(terminal.render(summary).split())
    assert "5/6" in out
    assert "1 (q0 #2)" in out


def test_the_disputed_answer_is_the_one_that_is_shown(claiming: Path) -> None:
    with Store.read(claiming) as store:
        assert example_answers.pick(load(store), "disputed", 5) == ["q0"]
        [found] = example_answers.show(store, "disputed", ["q0"])
    [answer] = found.answers
    assert (answer.sample, answer.scores["context_faithfulness"]) == (1, 5)
    assert answer.claimed is not None
    assert answer.claimed.claims == (YES, NO)


#      totals of a:  q0 8,12,4 (8)   q1 12,12,12 (12)   q2 20,–,16 (18)   q3 –,–,– (none)
A0: list[Scored] = [(2, 2, 2, 2), (3, 3, 3, 3), (5, 5, 5, 5), "refused"]
A: list[list[Scored]] = [
    [(3, 3, 3, 3), (3, 3, 3, 3), "unreadable", "refused"],
    [(1, 1, 1, 1), (3, 3, 3, 3), (4, 4, 4, 4), "refused"],
]
#      totals of b:  q0 12,12,12     q1 4,20,12 (12)    q2 16,16,16       q3 4
B0: list[Scored] = [(3, 3, 3, 3), (1, 1, 1, 1), (4, 4, 4, 4), (1, 1, 1, 1)]
B: list[list[Scored]] = [
    [(3, 3, 3, 3), (5, 5, 5, 5), (4, 4, 4, 4), (1, 1, 1, 1)],
    [(3, 3, 3, 3), (3, 3, 3, 3), (4, 4, 4, 4), (1, 1, 1, 1)],
]


@pytest.fixture
def several(tmp_path: Path) -> Path:
    folder = make_run(tmp_path / "run", {"a": A0, "b": B0}, measured=False)
    return answer_again(folder, {"a": A, "b": B}, analysis="또 다른 분석")


@pytest.mark.parametrize(
    ("kind", "variants", "expected"),
    [
        ("best", (), ["q2", "q1", "q0"]),
        ("worst", ("a",), ["q0", "q1", "q2"]),
        ("differs", (), ["q0", "q2", "q1"]),
        ("unsteady", (), ["q1", "q0", "q2"]),
        ("unsteady", ("a",), ["q0", "q2"]),
        ("unsteady", ("b",), ["q1"]),
    ],
)
def test_questions_are_chosen_by_their_means(
    several: Path, kind: Kind, variants: tuple[str, ...], expected: list[str]
) -> None:
    with Store.read(several) as store:
        assert example_answers.pick(load(store), kind, 9, variants) == expected


@pytest.mark.parametrize(
    ("kind", "question_id", "expected"),
    [
        ("best", "q0", [("a", 1), ("b", 0)]),
        ("worst", "q0", [("a", 2), ("b", 0)]),
        ("differs", "q0", [("a", 0), ("b", 0)]),
        ("differs", "q1", [("a", 0), ("b", 2)]),
        ("unsteady", "q1", [("a", 0), ("b", 0), ("b", 1)]),
        ("worst", "q3", [("a", 0), ("b", 0)]),
    ],
)
def test_the_answer_is_shown_that_the_list_is_about(
    several: Path, kind: Kind, question_id: str, expected: list[tuple[str, int]]
) -> None:
    with Store.read(several) as store:
        [found] = example_answers.show(store, kind, [question_id])
    assert [(one.variant, one.sample) for one in found.answers] == expected
    for one in found.answers:
        assert sorted([one.sample, *(other.sample for other in one.others)]) == [0, 1, 2]
        assert (
            one.prediction
            == f"{one.variant} {question_id[1]}번 {f'또 다른 답 {one.sample}' if one.sample else '답'}"
        )


def test_examples_say_which_answer_it_is_and_what_the_others_scored(
    several: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = " ".join(shown(several, capsys, "examples", "--best", "-n", "1").split())
    assert "answer 1 of 3 · the others 2: judge's reply unreadable, 3: 16/20" in out
    found = as_json(several, capsys, "examples", "--unsteady", "-n", "1")["examples"]
    assert [one["question_id"] for one in found] == ["q1"]
    b = [one for one in found[0]["answers"] if one["variant"] == "b"]
    assert [(one["sample"], one["total"]) for one in b] == [(0, 4), (1, 20)]
    assert [(one["sample"], one["total"], one["status"]) for one in b[0]["others"]] == [
        (1, 20, "scored"), (2, 12, "scored"),
    ]  # fmt: skip
    assert b[1]["analysis"] == "또 다른 분석"


def test_every_face_of_the_report_lists_the_unsteady_ones(several: Path) -> None:
    with Store.read(several) as store:
        found = report.summary(store, "en", n_examples=1)
    assert [(one.kind, one.question.id) for one in found.examples] == [
        ("best", "q2"), ("worst", "q0"), ("differs", "q1"),
    ], "each question once, and there are only three"  # fmt: skip
    with Store.read(several) as store:
        unsteady = example_answers.show(store, "unsteady", ["q1"])
    for language, title, which in (
        ("en", "Answers that vary most", "answer 2 of 3"),
        ("ko", "점수 차이가 가장 큰", "답변 2/3"),
    ):
        with Store.read(several) as store:
            made = report.summary(store, language, n_examples=0)  # type: ignore[arg-type]
        made = replace(made, examples=tuple(unsteady))
        for render in (terminal.render, markdown.render, html.render):
            out = " ".join(render(made).split())
            assert title in out
            assert which in out


def test_the_unsteady_are_among_the_report_s_examples(tmp_path: Path) -> None:
    scores: list[Scored] = [(n, n, n, n) for n in (1, 2, 3, 4, 5)]
    folder = make_run(tmp_path / "run", {"a": scores}, measured=False)
    answer_again(folder, {"a": [[(1, 1, 1, 1), (2, 2, 2, 2), (1, 1, 1, 1), (4, 4, 4, 4), (5, 5, 5, 5)]]})
    with Store.read(folder) as store:
        found = report.summary(store, n_examples=1).examples
    assert [(one.kind, one.question.id) for one in found] == [
        ("best", "q4"), ("worst", "q0"), ("unsteady", "q2"),
    ]  # fmt: skip


def test_unsteady_needs_several_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path / "run", {"a": A0}, measured=False)
    assert run(["examples", str(folder), "--unsteady"]) == 2
    assert "generation.samples" in capsys.readouterr().err

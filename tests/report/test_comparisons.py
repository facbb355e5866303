from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.errors import ConfigError, RunError
from simsa.records import TOTAL, Message, Passage, Question
from simsa.report.comparisons import ComparisonReport, comparison_report, shared_questions
from simsa.report.gates import parse
from simsa.report.renderers.terminal import render_comparison
from simsa.report.score_matrix import load
from simsa.store import Store
from tests.support.report_runs import JUDGE, make_run, question

BASE = [(2, 2, 3, 3), (1, 2, 2, 3), (3, 3, 3, 3), (2, 3, 3, 2)] * 5
BETTER = [(4, 4, 4, 4), (3, 4, 4, 3), (5, 4, 4, 4), (4, 4, 5, 4)] * 5


def compared(*runs: Path, baseline: str | None = None, gates: tuple[str, ...] = ()) -> ComparisonReport:
    with ExitStack() as opened:
        stores = [opened.enter_context(Store.read(run)) for run in runs]
        return comparison_report(stores, baseline, [parse(gate) for gate in gates])


def test_within_one_run(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": BASE, "lora": BETTER})
    found = compared(run, gates=("total > baseline",)).to_dict()
    assert found["schema"] == "simsa.compare/1"
    assert (found["baseline"], found["variants"], found["passed"]) == ("base", ["base", "lora"], True)
    assert [c["criterion"] for c in found["comparisons"]][-1] == "total"
    assert found["comparisons"][-1]["verdict"] == "better"
    assert found["judge"] == {"model": "gpt-4o", "rubric": "rag-ko@1a2b3c4d", "mode": "joint"}
    f1 = next(d for d in found["metrics"] if d["metric"] == "korquad_f1")
    assert f1["n_pairs"] == 20 and f1["ci95"][0] <= f1["mean_diff"] <= f1["ci95"][1]


def test_swapping_the_baseline_flips_every_sign(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": BASE, "lora": BETTER})
    there, back = compared(run).comparisons, compared(run, baseline="lora").comparisons
    for one, other in zip(there, back, strict=True):
        assert one.mean_diff == -(other.mean_diff or 0)
        assert (one.wins, one.losses) == (other.losses, other.wins)
        assert {one.verdict, other.verdict} == {"better", "worse"}


def test_across_two_runs_over_the_same_questions_in_another_order(tmp_path: Path) -> None:
    asked = [question(n) for n in range(20)]
    first = make_run(tmp_path / "old", {"base": BASE}, questions=asked)
    second = make_run(tmp_path / "new.simsa", {"base": BETTER[::-1]}, questions=asked[::-1])
    found = compared(first, second, gates=("base@new.simsa: total > baseline",))
    assert found.variants == ("base", "base@new.simsa") and found.passed
    total = found.comparisons[-1]
    assert total.variant == "base@new.simsa" and total.n_pairs == 20
    expected = sum(sum(b) - sum(a) for a, b in zip(BASE, BETTER, strict=True)) / 20
    assert total.mean_diff == pytest.approx(expected)


def test_a_run_against_itself_shows_nothing(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": BASE})
    total = compared(run, run).comparisons[-1]
    assert (total.mean_diff, total.ties, total.verdict) == (0, 20, "equivalent")


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("run", "data_hash", "other", "test sets differ: da7a and other"),
        ("judge", "model", "gpt-5", "judges differ: gpt-4o and gpt-5"),
        ("judge", "rubric", "rag-ko@ffff", "rubrics differ"),
        ("judge", "mode", "split", "judging modes differ"),
        ("judge", "key", "other", "settings of the judge differ"),
    ],
)
def test_runs_that_do_not_compare_are_refused(
    tmp_path: Path, section: str, key: str, value: str, said: str
) -> None:
    first = make_run(tmp_path / "a", {"base": BASE})
    second = make_run(tmp_path / "b", {"base": BASE})
    with Store.create(second) as store:
        store.set_meta(**{section: store.meta(section) | {key: value}})
    with pytest.raises(RunError, match=said) as refused:
        compared(first, second)
    assert refused.value.exit_code == 2 and refused.value.hint


def test_runs_whose_criteria_have_other_weights_are_refused(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", {"base": BASE})
    second = make_run(tmp_path / "b", {"base": BASE})
    with Store.create(second) as store:
        criteria = store.meta("criteria")
        store.set_meta(criteria=[criteria[0] | {"weight": 2}, *criteria[1:]])
    with pytest.raises(RunError, match="weights of their criteria differ"):
        compared(first, second)


def test_a_run_without_a_judge_compares_only_with_another(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", {"base": [None] * 20}, judge=None)
    second = make_run(tmp_path / "b", {"base": [None] * 20}, judge=None)
    judged = make_run(tmp_path / "c", {"base": BASE}, judge=JUDGE)
    found = compared(first, second)
    assert found.comparisons == () and found.metrics
    with pytest.raises(RunError, match="judges differ: none and gpt-4o"):
        compared(first, judged)


def test_an_unknown_baseline_names_the_known(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": BASE, "lora": BETTER})
    with pytest.raises(ConfigError, match=r"nobody(.|\n)*base, lora"):
        compared(run, baseline="nobody")


def test_missing_pairs_few_documents_and_a_weak_judge_are_said(tmp_path: Path) -> None:
    asked = [question(n, cluster=f"d{n // 2}") for n in range(20)]
    holes = [*BETTER[:16], "refused", "refused", None, None]
    run = make_run(tmp_path / "run", {"base": BASE, "lora": holes}, questions=asked)
    weak = {"n_labels": 60, "quadratic_kappa": 0.1, "ci95": [0.0, 0.2], "standing": "weak"}
    with Store.create(run) as store:
        store.set_meta(calibration={"judge": store.meta("judge"), "criteria": {"answer_correctness": weak}})
    found = compared(run)
    assert [note.kind for note in found.notes] == ["weak_judge", "missing", "few_clusters"]
    assert "0.10" in found.notes[0].text
    low, high = found.comparisons[-1].bounds or (0, 0)
    assert f"{low:.1f}".replace("-", "−") in found.notes[1].text
    assert f"{high:.1f}" in found.notes[1].text
    assert found.to_dict()["notes"][0]["kind"] == "weak_judge"
    printed = render_comparison(found, 100)
    assert "Notes" in printed
    assert "below the bar" in printed


def test_a_sound_comparison_has_no_notes(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"base": BASE, "lora": BETTER})
    assert compared(run).notes == ()
    assert "Notes" not in render_comparison(compared(run))


CONTENTS = st.lists(st.integers(0, 6), min_size=1, max_size=8)


def asked(contents: list[int], prefix: str) -> list[Question]:
    """Questions of these contents; the same content may be asked several times, under ids of its own."""
    return [
        Question(
            f"{prefix}{place}",
            f"{content}번?",
            (Passage(f"{content}번 문서"),),
            (f"답 {content}",),
            type=prefix,
        )
        for place, content in enumerate(contents)
    ]


@settings(max_examples=8)
@given(CONTENTS, CONTENTS)
def test_each_question_is_paired_once_with_one_that_asks_the_same(
    first: list[int], second: list[int]
) -> None:
    with TemporaryDirectory() as folder:
        runs = [
            make_run(
                Path(folder) / name,
                {"v": [(1 + n % 5, 2, 3, 4) for n in range(len(contents))]},
                questions=asked(contents, name),
                figures={"chrf": 1.0},
            )
            for name, contents in (("a", first), ("b", second))
        ]
        with Store.read(runs[0]) as one, Store.read(runs[1]) as other:
            found, back = shared_questions(one, other), shared_questions(other, one)
            table = load(one)
    assert found.n == (len(first), len(second)) and len(found.pairs) == len(back.pairs)
    assert len(found.pairs) == (Counter(first) & Counter(second)).total(), "as often as both have it"
    for mine, theirs in found.pairs:
        assert first[int(mine[1:])] == second[int(theirs[1:])]
    assert (
        len({mine for mine, _ in found.pairs})
        == len({theirs for _, theirs in found.pairs})
        == len(found.pairs)
    )
    ids = [mine for mine, _ in found.pairs]
    assert ids == sorted(ids, key=lambda one: int(one[1:])), "in the first run's order"
    assert found.to_dict()["question_ids"] == ids

    kept = table.restrict_to(ids, [f"new{n}" for n in range(len(ids))])
    assert kept.question_ids == tuple(f"new{n}" for n in range(len(ids)))
    totals = dict(zip(table.question_ids, table.column("v", TOTAL), strict=True))
    assert list(kept.column("v", TOTAL)) == [totals[one] for one in ids]
    assert kept.variants["v"].n_scored == len(ids) == kept.variants["v"].n_questions


SAME = Question(
    "1", "언제?", (Passage("문서", title="제목"),), ("답", "다른 답"), type="a", metadata={"x": 1}
)


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (Question("2", "언제?", (Passage("문서", title="제목"),), ("다른 답", "답"), type="b"), True),
        (Question("2", "언제?", (Passage("문서", title="제목"),), ("답", "다른 답"), cluster="c"), True),
        (Question("2", "언제? ", SAME.contexts, SAME.reference), False),
        (Question("2", "언제?", (Passage("문서"),), SAME.reference), False),
        (Question("2", "언제?", (*SAME.contexts, Passage("더")), SAME.reference), False),
        (Question("2", "언제?", SAME.contexts, ("답",)), False),
        (Question("2", "언제?", SAME.contexts, SAME.reference, answerable=False), False),
        (Question("2", "언제?", SAME.contexts, SAME.reference, messages=(Message("user", "?"),)), False),
    ],
)
def test_what_is_asked_decides(tmp_path: Path, other: Question, is_same: bool) -> None:
    runs = [
        make_run(tmp_path / name, {"v": [(3, 3, 3, 3)]}, questions=[one])
        for name, one in (("a", SAME), ("b", other))
    ]
    with Store.read(runs[0]) as first, Store.read(runs[1]) as second:
        assert bool(shared_questions(first, second).pairs) is is_same


def test_the_comparison_is_that_of_the_common_questions_alone(tmp_path: Path) -> None:
    """Twenty in common, in another order and under other ids; what only one run asks would turn the verdict."""
    old = make_run(
        tmp_path / "old",
        {"v": [(2, 2, 2, 2)] * 20 + [(5, 5, 5, 5)] * 40},
        questions=[question(n) for n in range(60)],
        figures={"chrf": 1.0},
    )
    shared = [question(n) for n in range(20)][::-1]
    again = [Question(f"again-{q.id}", q.question, q.contexts, q.reference, q.answerable) for q in shared]
    new = make_run(
        tmp_path / "new",
        {"v": [(3, 3, 3, 3)] * 20 + [(1, 1, 1, 1)] * 5},
        questions=[*again, *[question(n) for n in range(100, 105)]],
        figures={"chrf": 2.0},
        run={"id": "n", "data_hash": "0ther"},
    )
    with Store.read(old) as first, Store.read(new) as second:
        found = comparison_report([first, second], "v", [], only_common=True)
    total = next(c for c in found.comparisons if c.criterion == "total")
    assert (total.variant, total.n_pairs, total.mean_diff, total.verdict) == ("v@new", 20, 4.0, "better")
    (chrf,) = (d for d in found.metrics if d.metric == "chrf")
    assert (chrf.n_pairs, chrf.mean_diff) == (20, 1.0)
    assert found.common is not None and found.common.n == (60, 25)

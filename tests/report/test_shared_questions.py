"""Questions that two runs have in common are known by what is asked, whatever they are called."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.records import Message, Passage, Question
from simsa.report.comparisons import comparison_report, shared_questions
from simsa.report.score_matrix import TOTAL, load
from simsa.store import Store
from tests.report.runs import make_run, question

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

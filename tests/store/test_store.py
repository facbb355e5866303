"""The run's file: nothing that was committed is lost, nothing half there, nothing asked twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.errors import RunError
from simsa.records import Criteria, Criterion, Judgement, Passage, Prediction, Question
from simsa.rubrics import built_in_criteria
from simsa.store import TRANSIENT, Planned, Store, judge_usage, measures, results, statuses
from tests.support.stored_runs import fill, predicted, questions

FULL = dict.fromkeys(built_in_criteria().names, 4)


def judgement(key: str, status: str = "scored", scores: dict[str, int] | None = None) -> Judgement:
    scores = FULL if scores is None and status == "scored" else scores or {}
    return Judgement(key, "judge", "rubric@1", status, scores, "분석", "{}", 10, 5, 0, 0.01)  # type: ignore[arg-type]


async def judge_all(store: Store, key: str = "k", status: str = "scored") -> int:
    """Gives every unjudged answer a verdict; returns how many there were."""
    block = store.unjudged(key, 0, 1000, TRANSIENT)
    async with store.writing():
        for row in block:
            request = f"{key}-{row.answer_hash}"
            store.add_judgement(judgement(request, status))
            await store.add_verdict(row, key, [("joint", request)])
    return len(block)


def test_plan_minus_done_is_pending(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store)
        assert [(p.question_id, p.variant) for p in store.pending_answers(["base", "lora"])] == [
            ("q0", "base"),
            ("q0", "lora"),
            ("q1", "base"),
            ("q1", "lora"),
            ("q2", "base"),
            ("q2", "lora"),
        ]
        store.add_predictions([predicted(1, "lora")])
        assert ("q1", "lora") not in [(p.question_id, p.variant) for p in store.pending_answers(["lora"])]
        assert len(store.pending_answers(["base"])) == 3


def test_a_failed_answer_stays_pending_and_its_reason_is_kept(tmp_path: Path) -> None:
    async def work(store: Store) -> None:
        async with store.writing():
            await store.add_prediction(Prediction("q0", "base", None, "base-0", error="failed: 503"))

    with Store.create(tmp_path) as store:
        fill(store)
        asyncio.run(work(store))
        assert len(store.pending_answers(["base"])) == 3
        assert store.db.execute("SELECT detail FROM failures").fetchall() == [("failed: 503",)]


def test_what_was_awaited_is_on_disk_for_another_process(tmp_path: Path) -> None:
    async def work(store: Store) -> None:
        async with store.writing():
            await store.add_prediction(predicted(0, "base"))
            with sqlite3.connect(tmp_path / "run.sqlite") as other:
                assert other.execute("SELECT prediction FROM answers").fetchall() == [("답",)]
            other.close()

    with Store.create(tmp_path) as store:
        fill(store)
        asyncio.run(work(store))


def test_many_writers_share_commits_and_none_is_lost(tmp_path: Path) -> None:
    async def work(store: Store) -> None:
        async with store.writing():
            await asyncio.gather(*(store.add_prediction(predicted(i, "base", f"답 {i}")) for i in range(500)))

    with Store.create(tmp_path) as store:
        fill(store, 500, ("base",))
        asyncio.run(work(store))
        assert {r.prediction for r in results(store)} == {f"답 {i}" for i in range(500)}


def test_killed_at_any_moment_what_was_reported_is_there(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from simsa.records import Prediction
        from simsa.store import Store

        async def work(store):
            async with store.writing():
                for i in range(100000):
                    await store.add_prediction(Prediction(f"q{i}", "base", "답", f"base-{i}"))
                    print(i, flush=True)

        with Store.create(Path(sys.argv[1])) as store:
            asyncio.run(work(store))
        """
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = -1
    for line in child.stdout:
        said = int(line)
        if said >= 50:
            os.kill(child.pid, signal.SIGKILL)
            break
    rest = child.stdout.read().split()
    child.stdout.close()
    child.wait()
    said = max([said, *map(int, rest)])
    with Store.create(tmp_path) as store:
        kept = {row[0] for row in store.db.execute("SELECT request_hash FROM answers")}
        assert {f"base-{i}" for i in range(said + 1)} <= kept
        assert len(kept) <= said + 2
        assert store.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_one_writer_at_a_time_and_readers_meanwhile(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store)
        with pytest.raises(RunError, match="another simsa is writing"):
            Store.create(tmp_path)
        with Store.read(tmp_path) as reader:
            assert reader.count("questions") == 3
            store.add_predictions([predicted(0, "base")])
            assert reader.count("answers") == 1
    Store.create(tmp_path).close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store)
    with Store.read(tmp_path) as reader, pytest.raises(RunError):
        reader.set_meta(a=1)


def test_verdicts_and_totals(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store, 2)
        store.set_meta(criteria=built_in_criteria().to_list())
        store.add_predictions([predicted(0, "base"), predicted(0, "lora"), predicted(1, "base")])
        assert asyncio.run(judge_all(store)) == 3
        assert statuses(store) == {"scored": 3, "no_prediction": 1}
        assert [r.total for r in results(store)] == [16, 16, 16, None]
        usage = judge_usage(store)
        assert (usage.calls, usage.reused, usage.prompt_tokens) == (3, 0, 30)
        assert usage.cost_usd == pytest.approx(0.03)


def test_totals_follow_the_declared_criteria(tmp_path: Path) -> None:
    criteria = Criteria(
        (
            Criterion("quality", 0, 10, weight=2),
            Criterion("is_correct", 0, 1),
            Criterion("tone", in_total=False),
        )
    )
    with Store.create(tmp_path) as store:
        fill(store, 1, ("base",))
        store.set_meta(criteria=criteria.to_list())
        store.add_predictions([predicted(0, "base")])
        found = []
        for scores in (
            {"quality": 7, "is_correct": 1},
            {"quality": 7, "is_correct": 0, "tone": 5},
            {"tone": 5},
        ):

            async def work(scores: dict[str, int] = scores) -> None:
                async with store.writing():
                    store.add_judgement(judgement("base-0", scores=scores))
                    for row in store.unjudged("k", 0, 1, ()):
                        await store.add_verdict(row, "k", [("joint", "base-0")])

            asyncio.run(work())
            found += [(one.status, one.total) for one in results(store)]
        assert found == [("pending", 15), ("scored", 14), ("pending", None)]


def test_a_verdict_in_parts_is_whole_or_not_there(tmp_path: Path) -> None:
    async def work(store: Store) -> None:
        (row,) = store.unjudged("k", 0, 10, ())
        async with store.writing():
            await store.add_judgement(judgement("a", scores={"context_recall": 2, "context_relevance": 3}))
            assert [r.status for r in results(store)] == ["pending"]
            await store.add_judgement(
                judgement("b", scores={"answer_correctness": 5, "context_faithfulness": 4})
            )
            await store.add_verdict(row, "k", [("context", "a"), ("answer", "b")])

    with Store.create(tmp_path) as store:
        fill(store, 1, ("base",))
        store.set_meta(criteria=built_in_criteria().to_list())
        store.add_predictions([predicted(0, "base")])
        asyncio.run(work(store))
        (only,) = results(store)
        assert (only.status, only.total) == ("scored", 14)
        assert store.unjudged("k", 0, 10, ()) == []


@pytest.mark.parametrize(
    ("status", "again"), [("scored", 0), ("unreadable", 0), ("refused", 0), ("failed", 1)]
)
def test_only_what_may_go_better_is_judged_again(tmp_path: Path, status: str, again: int) -> None:
    with Store.create(tmp_path) as store:
        fill(store, 1, ("base",))
        store.add_predictions([predicted(0, "base")])
        assert asyncio.run(judge_all(store, status=status)) == 1
        assert len(store.unjudged("k", 0, 10, TRANSIENT)) == again
        assert len(store.unjudged("k", 0, 10, (*TRANSIENT, "unreadable", "refused", "scored"))) == 1


def test_an_unscored_row_has_no_number(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store, 1, ("base",))
        store.add_predictions([predicted(0, "base")])
        asyncio.run(judge_all(store, status="refused"))
        (only,) = results(store)
        assert (only.status, only.scores, only.total) == ("refused", {}, None)


def test_another_judge_takes_the_old_verdicts_down_but_not_their_judgements(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store, 2, ("base",))
        store.add_predictions([predicted(0, "base"), predicted(1, "base")])
        asyncio.run(judge_all(store, "old"))
        store.unlink_other_judges("new")
        assert statuses(store) == {"pending": 2}
        assert store.judged_requests(()) == {"old-base-0", "old-base-1"}
        assert asyncio.run(judge_all(store, "new")) == 2


def test_a_verdict_on_an_older_answer_does_not_stand(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store, 1, ("base",))
        store.add_predictions([predicted(0, "base")])
        asyncio.run(judge_all(store))
        store.set_plan([Planned("q0", "base", "other-adapter")])
        assert statuses(store) == {"no_prediction": 1}
        store.add_predictions([Prediction("q0", "base", "새 답", "other-adapter")])
        assert statuses(store) == {"pending": 1}
        store.set_plan([Planned("q0", "base", "base-0")])
        assert statuses(store) == {"scored": 1}


def test_an_edited_question_loses_its_verdict_and_the_others_keep_theirs(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store, 2, ("base",))
        store.add_predictions([predicted(0, "base"), predicted(1, "base")])
        asyncio.run(judge_all(store))
        kept, edited = questions(2)
        store.set_questions([kept, Question(edited.id, edited.question, edited.contexts, ("다른 답",))])
        assert [(r.question_id, r.status) for r in results(store)] == [("q0", "scored"), ("q1", "pending")]


def test_bad_rows_leave_the_old_test_set_whole(tmp_path: Path) -> None:
    def broken() -> object:
        yield questions(1)[0]
        raise RunError("row 2 is bad")

    with Store.create(tmp_path) as store:
        fill(store, 3)
        with pytest.raises(RunError, match="row 2"):
            store.set_questions(broken())  # type: ignore[arg-type]
        assert store.count("questions") == 3
        assert store.set_questions(questions(5)) == 5


def test_doubled_question_ids_are_refused(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store, pytest.raises(RunError, match="same place"):
        store.set_questions([*questions(1), *questions(1)])


def test_metrics_are_made_once_for_each_answer(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store, 1)
        store.add_predictions([predicted(0, "base"), predicted(0, "lora")])
        waiting = store.unmeasured("v1", 10)
        assert len(waiting) == 2
        store.add_measures((r.answer_hash, r.question.content_hash, "v1", {"chrf": 1.0}) for r in waiting)
        assert store.unmeasured("v1", 10) == []
        assert len(store.unmeasured("v2", 10)) == 2


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough" * 40])
def test_what_is_no_run_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(RunError, match="not the folder of a run"):
        Store.read(tmp_path / "nowhere")
    (tmp_path / "run.sqlite").write_bytes(content)
    if content:
        with pytest.raises(RunError, match="cannot be used"):
            Store.create(tmp_path)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists, max_leaves=5
        ),
        max_size=4,
    )
)
def test_meta_comes_back_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, facts: dict[str, object]
) -> None:
    with Store.create(tmp_path_factory.mktemp("run")) as store:
        store.set_meta(facts=facts)
        assert store.meta("facts") == facts
        assert store.meta("nothing", 7) == 7


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=30, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=5), TEXT, st.booleans())
def test_questions_come_back_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, passages: list[str], text: str, answerable: bool
) -> None:
    one = Question(
        "id", text, tuple(Passage(p) for p in passages), (text, "둘"), answerable, metadata={"k": text}
    )
    with Store.create(tmp_path_factory.mktemp("run")) as store:
        store.set_questions([one])
        assert list(store.questions()) == [one]
        assert store.question("id") == one
        assert store.question("other") is None


@settings(max_examples=30, deadline=None)
@given(shared=st.lists(st.integers(1, 5), min_size=1, max_size=6), limit=st.integers(1, 6))
def test_no_row_is_passed_over_where_rows_share_an_answer(
    tmp_path_factory: pytest.TempPathFactory, shared: list[int], limit: int
) -> None:
    """`shared`: how many variants have each question's answer in common, read in blocks of `limit`."""
    with Store.create(tmp_path_factory.mktemp("run")) as store:
        store.set_questions(questions(len(shared)))
        store.set_variants((f"v{n}", {}) for n in range(max(shared)))
        planned = [
            Planned(f"q{i}", f"v{n}", f"same-{i}") for i, many in enumerate(shared) for n in range(many)
        ]
        store.set_plan(planned)
        store.add_predictions(Prediction(f"q{i}", "v0", "답", f"same-{i}") for i in range(len(shared)))
        seen, after = [], 0
        while block := store.unjudged("k", after, limit, ()):
            after = block[-1].serial
            seen += [(row.question.id, row.variant) for row in block]
        assert sorted(seen) == sorted((p.question_id, p.variant) for p in planned)


def test_several_answers_to_a_question_are_rows_of_their_own(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        store.set_questions(questions(2))
        store.set_variants([("base", {})])
        planned = [Planned(f"q{i}", "base", f"{i}/{n}", n) for i in range(2) for n in range(3)]
        store.set_plan(reversed(planned))
        assert store.pending_answers(["base"]) == planned
        store.add_predictions(
            Prediction(p.question_id, "base", f"답 {p.sample}", p.request_hash) for p in planned[:5]
        )
        assert store.pending_answers(["base"]) == planned[5:]
        waiting = store.unjudged("k", 0, 2, ())
        assert len(waiting) == 2
        assert {(a.question.id, a.sample) for a in store.unjudged("k", 0, 99, ())} == {
            ("q0", 0), ("q0", 1), ("q0", 2), ("q1", 0), ("q1", 1),
        }  # fmt: skip
        asyncio.run(judge_all(store))
        assert store.count_unjudged("k", answered=True) == 0
        assert store.count_unjudged("k", answered=False) == 1
        assert [(r.question_id, r.status) for r in results(store)] == [("q0", "scored"), ("q1", "scored")]
        assert [r.status for r in results(store, sample=None)] == ["scored"] * 5 + ["no_prediction"]
        assert statuses(store) == {"scored": 5, "no_prediction": 1}
        assert len(list(measures(store))) == 2
        assert len(list(measures(store, sample=None))) == 6

"""The ledger of batches: a request is in one place at a time, and every move is on disk or has not happened."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from simsa.errors import RunError
from simsa.records import Judgement
from simsa.store import Store
from simsa.store.batches import BatchTable, Job

URL = "http://127.0.0.1:1/v1"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path) as opened:
        yield opened


def job(key: str, n: int = 2, usd: float | None = 0.2) -> Job:
    return Job(key, URL, "judge", "written", 0, {"length_field": "max_tokens", "refused": []}, n, 100, usd)


def intend(ledger: BatchTable, key: str, *hashes: str, usd: float | None = 0.1) -> None:
    ledger.intend(job(key, len(hashes)), [(request, usd) for request in hashes])


def write(store: Store, *statements: tuple[str, tuple[object, ...]]) -> None:
    async def work() -> None:
        async with store.writing():
            await store.write(*statements)

    asyncio.run(work())


def test_a_job_is_there_with_its_requests_before_anything_is_sent(store: Store) -> None:
    ledger = BatchTable(store)
    intend(ledger, "k1", "a", "b")
    (found,) = ledger.open_jobs()
    assert (found.key, found.stage, found.requests, found.file_id) == ("k1", "written", 2, None)
    assert found.created_at > 1_700_000_000
    assert ledger.standings() == {"a": "sent", "b": "sent"}
    assert ledger.under_way() == {"a", "b"}
    assert ledger.keys() == {"k1"}
    with Store.read(store.folder) as reader:
        assert BatchTable(reader).open_jobs() == [found], "whoever reads sees it"


def test_a_key_is_used_once_and_a_failed_intent_leaves_nothing(store: Store) -> None:
    ledger = BatchTable(store)
    intend(ledger, "k1", "a")
    with pytest.raises(RunError):
        intend(ledger, "k1", "b")
    assert ledger.standings() == {"a": "sent"}


def test_facts_about_a_job_are_kept(store: Store) -> None:
    ledger = BatchTable(store)
    intend(ledger, "k1", "a")
    updated = ledger.update("k1", stage="submitted", batch_id="batch_1", status="in_progress", answered=1)
    assert ledger.job("k1") == updated
    assert (updated.stage, updated.batch_id, updated.answered) == ("submitted", "batch_1", 1)


def test_a_request_is_in_the_last_job_that_took_it(store: Store) -> None:
    ledger = BatchTable(store)
    intend(ledger, "k1", "a", "b")
    ledger.release("k1")
    assert ledger.standings() == {"a": "again", "b": "again"}
    intend(ledger, "k2", "a")
    assert ledger.standings() == {"a": "sent", "b": "again"}
    assert ledger.keep("k1", [("a", 0, b"[200]")]) == 0, "the old job has no say in it"
    assert [one.key for one in ledger.open_jobs()] == ["k2"]


def test_the_first_reply_counts_and_only_to_the_round_that_was_asked(store: Store) -> None:
    ledger = BatchTable(store)
    intend(ledger, "k1", "a", "b")
    assert (
        ledger.keep("k1", [("a", 0, b"one"), ("a", 0, b"two"), ("b", 1, b"early"), ("x", 0, b"foreign")]) == 1
    )
    assert ledger.keep("k1", [("a", 0, b"one")]) == 0, "reading a file again changes nothing"
    assert ledger.standings() == {"a": "answered", "b": "sent"}
    row = ledger.row("a")
    assert row is not None
    assert (row.batch, row.reply, row.round, row.lost) == ("k1", "one", 0, 0)
    assert ledger.row("x") is None


def test_a_closed_job_leaves_nobody_waiting(store: Store) -> None:
    ledger = BatchTable(store)
    intend(ledger, "k1", "a", "b", "c")
    ledger.keep("k1", [("b", 0, b"said")])
    assert ledger.close("k1", b"lost") == 2
    assert ledger.open_jobs() == []
    assert set(ledger.standings().values()) == {"answered"}
    replies = [row.reply for request in "abc" if (row := ledger.row(request))]
    assert replies == ["lost", "said", "lost"]


def test_asked_again_it_is_in_its_next_round_with_what_it_has_taken(store: Store) -> None:
    ledger = BatchTable(store)
    intend(ledger, "k1", "a")
    ledger.close("k1", b"lost")
    write(store, ledger.again("a", 1, 3, {"cost_usd": 0.25}))
    row = ledger.row("a")
    assert row is not None
    assert (row.batch, row.round, row.lost, row.so_far, row.reply) == (None, 1, 3, {"cost_usd": 0.25}, None)
    intend(ledger, "k2", "a")
    assert ledger.keep("k2", [("a", 0, b"late")]) == 0
    assert ledger.keep("k2", [("a", 1, b"now")]) == 1


def test_what_is_judged_is_gone_with_the_judgement_or_neither_is(store: Store) -> None:
    ledger = BatchTable(store)
    intend(ledger, "k1", "a", "b")
    made = Judgement("a", "judge", "rubric", "scored", {"answer_correctness": 3})

    async def work() -> None:
        async with store.writing():
            await store.add_judgement(made, also=(ledger.judged("a"),))
            with pytest.raises(RunError):
                await store.add_judgement(
                    made, also=(ledger.judged("b"), ("INSERT INTO nowhere VALUES (1)", ()))
                )

    asyncio.run(work())
    assert ledger.standings() == {"b": "sent"}
    assert store.judged_requests(()) == {"a"}


def test_replies_from_files_are_kept_all_or_none(store: Store) -> None:
    ledger = BatchTable(store)
    intend(ledger, "k1", "a")

    def broken() -> Iterator[tuple[str, int, bytes]]:
        yield "b", 0, b"said"
        raise RuntimeError("the file ends here")

    with pytest.raises(RuntimeError):
        ledger.keep_foreign(broken())
    assert ledger.standings() == {"a": "sent"}
    ledger.keep_foreign([("a", 0, b"from a file"), ("b", 0, b"said"), ("b", 0, b"again")])
    assert ledger.standings() == {"a": "sent", "b": "answered"}, "what a job has is the job's to answer"
    row = ledger.row("b")
    assert row is not None
    assert row.reply == "said"


def test_money_that_judgements_do_not_show(store: Store) -> None:
    ledger = BatchTable(store)
    assert ledger.committed_usd() == 0.0
    intend(ledger, "k1", "a", "b", "c", usd=0.1)
    assert ledger.committed_usd() == pytest.approx(0.3)
    ledger.keep("k1", [("a", 0, b"said")])
    assert ledger.committed_usd() == pytest.approx(0.3), "an answer that is not read yet is paid all the same"
    write(store, ledger.judged("a"), ledger.heard("k1", 0.3, 0.1))
    assert ledger.estimates_fall_short() == pytest.approx(3.0)
    assert ledger.committed_usd() == pytest.approx(0.6), "what is under way costs more than was thought, too"
    write(store, ledger.again("b", 1, 0, {"cost_usd": 0.05}))
    assert ledger.committed_usd() == pytest.approx(0.35)


def test_estimates_that_were_too_high_are_left_alone(store: Store) -> None:
    ledger = BatchTable(store)
    intend(ledger, "k1", "a")
    write(store, ledger.heard("k1", 0.01, 0.1))
    assert ledger.estimates_fall_short() == 1.0


def test_without_a_price_nothing_is_committed(store: Store) -> None:
    ledger = BatchTable(store)
    intend(ledger, "k1", "a", usd=None)
    assert ledger.committed_usd() == 0.0
    assert ledger.estimates_fall_short() == 1.0


@pytest.mark.parametrize(
    ("before", "after"), [("refused", "failed"), ("scored", "scored"), ("failed", "failed")]
)
def test_what_is_asked_anew_is_asked_on_by_whoever_comes_later(store: Store, before: str, after: str) -> None:
    async def work() -> None:
        async with store.writing():
            await store.add_judgement(Judgement("a", "judge", "rubric", before, cost_usd=0.5))  # type: ignore[arg-type]

    asyncio.run(work())
    intend(BatchTable(store), "k1", "a")
    assert store.db.execute("SELECT status FROM judgements").fetchall() == [(after,)]
    assert store.spent_usd() == 0.5, "what it cost is not forgotten"


def test_the_forms_of_jobs_that_still_have_requests(store: Store) -> None:
    ledger = BatchTable(store)
    intend(ledger, "k1", "a")
    intend(ledger, "k2", "b")
    write(store, ledger.judged("b"))
    assert ledger.forms() == {"k1": {"length_field": "max_tokens", "refused": []}}

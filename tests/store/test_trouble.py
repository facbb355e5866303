"""What can go wrong with a run's file, and what is said of it: never a traceback, never something half written."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.cli.main import run
from simsa.errors import RunError
from simsa.records import Prediction
from simsa.store import Planned, Store, results, snapshot
from simsa.store.writer import GroupCommit
from tests.support.report_runs import BASE, BETTER, make_run
from tests.support.stored_runs import fill, predicted, questions

PAGE_BYTES = 4096


def sizes(folder: Path) -> tuple[int, int, int]:
    with Store.read(folder) as store:
        return store.count("questions"), store.count("plan"), store.count("answers")


def is_whole(folder: Path) -> bool:
    with Store.read(folder) as store:
        return bool(store.db.execute("PRAGMA integrity_check").fetchone() == ("ok",))


# A full disk ------------------------------------------------------------------------------------


def test_a_full_disk_takes_nothing_of_a_test_set(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store, 3)
        n_pages = store.db.execute("PRAGMA page_count").fetchone()[0]
        store.db.execute(f"PRAGMA max_page_count = {n_pages + 2}")
        with pytest.raises(RunError, match="full") as refused:
            store.set_questions(questions(5_000))
        assert "free some disk space" in str(refused.value)
        assert sizes(tmp_path) == (3, 6, 0)
        with pytest.raises(RunError, match="full"):
            store.add_predictions(predicted(i, "base", "긴 답변 " * 200) for i in range(500))
        store.db.execute("PRAGMA max_page_count = 1000000")
        store.add_predictions([predicted(0, "base")])
    assert sizes(tmp_path) == (3, 6, 1)
    assert is_whole(tmp_path)


FULL_DISK = textwrap.dedent(
    """
    import asyncio, resource, signal, sys
    from pathlib import Path
    from simsa.errors import RunError
    from simsa.records import Prediction
    from simsa.store import Store

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    async def work(store):
        kept = 0
        async with store.writing():
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
            try:
                for i in range(100_000):
                    await store.add_prediction(Prediction(f"q{i}", "base", "답" * 300, f"base-{i}"))
                    kept += 1
            except RunError as error:
                print(kept, "|", error)

    with Store.create(Path(sys.argv[1])) as store:
        asyncio.run(work(store))
    """
)


def test_a_disk_that_fills_up_during_a_run_keeps_what_was_reported(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store, 3)
    limit = 40 * PAGE_BYTES + max(file.stat().st_size for file in tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), str(limit)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    kept, _, said = done.stdout.partition(" | ")
    assert int(kept) > 0
    assert "cannot be written" in said
    assert "the same command goes on where it stopped" in said
    with Store.create(tmp_path) as store:
        assert {row.prediction for row in results(store) if row.prediction} == {"답" * 300}
        hashes = {row[0] for row in store.db.execute("SELECT request_hash FROM answers")}
        store.add_predictions([Prediction("more", "base", "답", "more")])
    assert {f"base-{i}" for i in range(int(kept))} <= hashes
    assert is_whole(tmp_path)


# A locked file ----------------------------------------------------------------------------------


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A run whose file another program holds for writing."""
    with Store.create(tmp_path) as store:
        fill(store)
    other = sqlite3.connect(tmp_path / "run.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield tmp_path
    other.close()


def test_readers_do_not_wait_for_whoever_writes(held: Path) -> None:
    assert sizes(held) == (3, 6, 0)


def test_a_writer_that_waits_in_vain_says_what_it_waited_for(held: Path) -> None:
    with Store.create(held) as store:
        store.db.execute("PRAGMA busy_timeout = 20")
        with pytest.raises(RunError, match="locked") as refused:
            store.set_meta(a=1)
        assert "another program holds it" in str(refused.value)
        assert "damaged" not in str(refused.value)
    assert sizes(held) == (3, 6, 0)


def test_all_whose_rows_could_not_be_committed_are_told(held: Path) -> None:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(held / "run.sqlite", isolation_level=None, timeout=0.02)

    async def work() -> list[BaseException | None]:
        writer = GroupCommit(connect, "here")
        sql = "INSERT INTO meta VALUES (?, ?)"
        waiting = [writer.write((sql, (f"key {n}", "1"))) for n in range(20)]
        found = await asyncio.gather(*waiting, return_exceptions=True)
        await writer.close()
        return found

    found = asyncio.run(work())
    assert len(found) == 20
    assert all(isinstance(one, RunError) and "here" in str(one) for one in found)
    with Store.read(held) as store:
        assert store.db.execute("SELECT count(*) FROM meta").fetchone() == (0,)


def test_one_bad_row_takes_its_batch_with_it_and_the_next_batch_is_kept(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store)

        async def work() -> None:
            async with store.writing():
                with pytest.raises(RunError, match="cannot be written"):
                    await store.write(("INSERT INTO no_such_table VALUES (1)", ()))
                await store.add_prediction(predicted(0, "base"))

        asyncio.run(work())
    assert sizes(tmp_path) == (3, 6, 1)


def test_who_no_longer_waits_loses_nothing(tmp_path: Path) -> None:
    """A task that is cancelled while its row is on the way to the disk."""
    with Store.create(tmp_path) as store:
        fill(store, 50)

        async def work() -> None:
            async with store.writing():
                tasks = [asyncio.ensure_future(store.add_prediction(predicted(i, "base"))) for i in range(50)]
                await asyncio.sleep(0)
                for task in tasks[::2]:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(work())
        assert store.count("answers") == 50


# Two processes ----------------------------------------------------------------------------------

WRITER = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from simsa.errors import RunError
    from simsa.records import Prediction
    from simsa.store import Store

    async def work(store, n):
        async with store.writing():
            await store.add_prediction(Prediction(f"q{n}", "base", "답", f"base-{n}"))

    done = 0
    for n in range(int(sys.argv[2]), 40, 2):
        while True:
            try:
                with Store.create(Path(sys.argv[1])) as store:
                    asyncio.run(work(store, n))
                break
            except RunError as error:
                assert "another simsa is writing" in str(error), error
                done += 1
    print(done)
    """
)


def test_two_processes_take_turns_and_lose_nothing(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store, 40, ("base",))
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), start], stdout=subprocess.PIPE)
        for start in ("0", "1")
    ]
    seen = []
    while any(writer.poll() is None for writer in writers):
        seen.append(sizes(tmp_path)[2])
    assert [writer.wait() for writer in writers] == [0, 0]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.close()
    assert seen == sorted(seen), "a reader saw a row go away"
    assert sizes(tmp_path) == (40, 40, 40)


def test_a_writer_that_was_killed_leaves_no_lock(tmp_path: Path) -> None:
    script = "import sys, time; from pathlib import Path; from simsa.store import Store\n"
    script += "store = Store.create(Path(sys.argv[1])); print(1, flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    with pytest.raises(RunError, match="another simsa is writing"):
        Store.create(tmp_path)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    Store.create(tmp_path).close()


# A damaged file ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = make_run(tmp_path_factory.mktemp("sound"), {"base": BASE, "better": BETTER}, measured=False)
    with sqlite3.connect(folder / "run.sqlite") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return (folder / "run.sqlite").read_bytes()


def damaged(folder: Path, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "run.sqlite").write_bytes(content)
    return folder


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=300)), max_size=4),
    st.floats(0.05, 1),
)
def test_a_damaged_file_is_read_or_refused_but_is_no_bug_of_ours(
    tmp_path_factory: pytest.TempPathFactory, sound: bytes, holes: list[tuple[float, bytes]], share: float
) -> None:
    content = bytearray(sound[: int(share * len(sound))])
    for place, noise in holes:
        start = int(place * len(content))
        content[start : start + len(noise)] = noise[: len(content) - start]
    folder = damaged(tmp_path_factory.mktemp("damaged"), bytes(content))
    try:
        with Store.read(folder) as store:
            list(results(store))
    except RunError as error:
        assert str(folder) in str(error)
    except orjson.JSONDecodeError:
        pass  # the pages are sound and what stands in them is not: SQLite cannot know


def test_a_name_that_is_no_text_any_more_is_damage(tmp_path: Path, sound: bytes) -> None:
    content = sound.replace(b"CREATE TABLE meta", b"CREATE TAB\x80E meta")
    assert content != sound
    with (
        pytest.raises(RunError, match="cannot be used"),
        Store.read(damaged(tmp_path / "run", content)) as store,
    ):
        list(results(store))


@pytest.mark.parametrize("command", ["report", "examples", "export"])
def test_a_command_says_that_the_file_is_damaged(
    tmp_path: Path, sound: bytes, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(sound)
    content[6 * PAGE_BYTES :] = os.urandom(len(content) - 6 * PAGE_BYTES)
    folder = damaged(tmp_path / "run", bytes(content))
    assert run([command, str(folder), *(["--to", "jsonl"] if command == "export" else [])]) == 2
    said = capfd.readouterr().err
    assert "malformed" in said
    assert ".recover" in said
    assert "Traceback" not in said


def test_what_is_no_database_at_all_is_not_overwritten(tmp_path: Path) -> None:
    content = b"a letter to somebody " * 500
    damaged(tmp_path, content)
    for opened in (Store.create, Store.read):
        with pytest.raises(RunError, match="not a database"):
            opened(tmp_path)
    assert (tmp_path / "run.sqlite").read_bytes() == content


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(RunError, match="cannot be made"):
        Store.create(tmp_path / "run")
    with pytest.raises(RunError, match="not the folder of a run"):
        Store.read(tmp_path / "run")


def test_an_error_of_the_caller_passes_through(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store)
    with pytest.raises(ZeroDivisionError), Store.read(tmp_path) as store:
        _ = 1 / 0
    with pytest.raises(RunError, match="no such column"), Store.read(tmp_path) as store:
        store.db.execute("SELECT unheard_of FROM meta")


def test_many_threads_read_while_one_writes(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store, 100, ("base",))
        trouble: list[BaseException] = []
        stop = threading.Event()

        def look() -> None:
            try:
                last = 0
                while not stop.is_set():
                    with Store.read(tmp_path) as reader:
                        n = reader.count("answers")
                        assert last <= n
                        last = n
            except BaseException as error:
                trouble.append(error)

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for i in range(100):
            store.add_predictions([predicted(i, "base")])
        stop.set()
        for thread in threads:
            thread.join()
    assert trouble == []


def test_a_writer_leaves_no_log_behind_though_somebody_looks(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store, 200)
    with Store.read(tmp_path) as reader:
        with Store.create(tmp_path) as store:
            store.set_questions(questions(300))
        assert (tmp_path / "run.sqlite-wal").stat().st_size == 0
        assert reader.count("questions") == 300
        with snapshot(reader):
            before = reader.count("answers")
            with Store.create(tmp_path) as store:
                store.add_predictions(predicted(i, "base") for i in range(200))
            assert reader.count("answers") == before, "a log that is being read stays"
        assert reader.count("answers") == 200


def test_a_plan_with_a_row_twice_is_refused_whole(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store)
        with pytest.raises(RunError, match="two rows claim the same place"):
            store.set_plan([Planned("q0", "base", "a"), Planned("q0", "base", "b")])
        assert len(store.pending_answers(["base", "lora"])) == 6


# Begun by mistake -------------------------------------------------------------------------------


def test_a_run_of_data_that_is_not_there_leaves_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "run"
    argv = ["run", "--model", "m", "--judge", "lexical", "--out", str(out), "--data"]
    assert run([*argv, str(tmp_path / "none.jsonl")]) == 2
    (tmp_path / "broken.jsonl").write_text('{"question": "a", "reference": "b", "contexts": ["c"]}\n{')
    assert run([*argv, str(tmp_path / "broken.jsonl")]) == 2
    assert "broken.jsonl:2" in capsys.readouterr().err
    assert not out.exists()


def test_what_else_lies_there_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError), Store.create(tmp_path):
        raise RunError("x")
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("before", [True, False])
def test_a_run_that_has_anything_stays_whatever_ends_it(before: bool, tmp_path: Path) -> None:
    if before:
        Store.create(tmp_path).close()
    with pytest.raises(RunError), Store.create(tmp_path) as store:
        if not before:
            store.set_meta(language="ko")
        raise RunError("x")
    assert (tmp_path / "run.sqlite").is_file()

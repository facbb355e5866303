"""A file that many processes write facts to at once: of each the newest stays, whatever the order."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.llm import capability_cache
from simsa.llm.capability_cache import CacheEntry

NOW = capability_cache.now_ms()
DAY = 24 * 3600 * 1000

facts = st.dictionaries(
    st.sampled_from(["seed", "temperature", "response_format"]),
    st.builds(CacheEntry, st.integers(0, 1), st.integers(NOW - 3, NOW), st.sampled_from(["check", "run"])),
    max_size=3,
)


@settings(max_examples=25)
@given(st.lists(facts, max_size=5), st.randoms(use_true_random=False))
def test_the_newest_counts_whatever_the_order_and_however_often_it_comes(
    found: list[dict[str, CacheEntry]], chance: object
) -> None:
    wanted: dict[str, CacheEntry] = {}
    for one in found:
        for name, fact in one.items():
            wanted[name] = max(wanted.get(name, fact), fact, key=lambda f: (f.at, f.value, f.by))
    again = [*found, *found[:2]]
    chance.shuffle(again)  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        for order in (found, again):
            file = Path(folder) / f"{len(order)}.sqlite"
            for one in order:
                capability_cache.merge_cache(file, "here", one)
            assert capability_cache.read_cache(file, "here") == wanted
            assert capability_cache.read_cache(file, "there") == {}


_WRITER = """
import sys, pathlib
from simsa.llm import capability_cache as shelf
file, mine = pathlib.Path(sys.argv[1]), sys.argv[2]
for n in range(10):
    shelf.merge_cache(file, "shared", {f"{mine}-{n}": shelf.Fact(n, shelf.now_ms(), mine), "last": shelf.Fact(n, shelf.now_ms(), mine)})
"""


def test_several_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "down" / "facts.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(file), name]) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0] * 3
    found = capability_cache.read_cache(file, "shared")
    assert {name: fact.value for name, fact in found.items() if name != "last"} == {
        f"{name}-{n}": n for name in "abc" for n in range(10)
    }
    assert found["last"].value == 9


_KILLED = """
import os, signal, sqlite3, sys
half = sqlite3.connect(sys.argv[1], isolation_level=None)
half.execute("PRAGMA cache_size = 1")
half.execute("BEGIN IMMEDIATE")
half.execute("UPDATE facts SET value = 0")
half.executemany("INSERT INTO facts VALUES ('there', ?, 1, 1, 'run')", ((f"field {n}",) for n in range(2000)))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_writer_was_killed_over_is_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "facts.sqlite"
    known = {f"field {n}": CacheEntry(1, NOW, "run") for n in range(200)}
    capability_cache.merge_cache(file, "here", known)
    assert subprocess.run([sys.executable, "-c", _KILLED, str(file)], check=False).returncode == -9
    assert file.with_name("facts.sqlite-journal").stat().st_size > 0, "it was in the middle"
    assert capability_cache.read_cache(file, "here") == known
    assert capability_cache.read_cache(file, "there") == {}


@pytest.mark.parametrize("damage", [b"not a database at all, but long enough to be one" * 40, b"{}", b""])
def test_a_damaged_file_is_as_good_as_none_and_begun_anew(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "facts.sqlite"
    file.write_bytes(damage)
    assert capability_cache.read_cache(file, "here") == {}
    capability_cache.merge_cache(file, "here", {"seed": CacheEntry(1, NOW, "run")})
    assert capability_cache.read_cache(file, "here") == {"seed": CacheEntry(1, NOW, "run")}


def test_a_file_that_is_damaged_in_the_middle(tmp_path: Path) -> None:
    file = tmp_path / "facts.sqlite"
    capability_cache.merge_cache(file, "here", {f"field {n}": CacheEntry(1, NOW, "run") for n in range(500)})
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert capability_cache.read_cache(file, "here") == {}
    capability_cache.merge_cache(file, "here", {"seed": CacheEntry(0, NOW, "check")})
    assert capability_cache.read_cache(file, "here") == {"seed": CacheEntry(0, NOW, "check")}


def test_rows_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "facts.sqlite"
    capability_cache.merge_cache(file, "here", {"seed": CacheEntry(1, NOW, "run")})
    with sqlite3.connect(file) as edited:
        edited.execute("INSERT INTO facts VALUES ('here', 'stop', 'perhaps', ?, 'run')", (NOW,))
        edited.execute("INSERT INTO facts VALUES ('here', 'top_p', 1, 'yesterday', 'run')")
    edited.close()
    assert list(capability_cache.read_cache(file, "here")) == ["seed"]


def test_what_a_wrong_clock_wrote_does_not_stay(tmp_path: Path) -> None:
    file = tmp_path / "facts.sqlite"
    capability_cache.merge_cache(
        file,
        "here",
        {"seed": CacheEntry(0, NOW + 400 * DAY, "run"), "stop": CacheEntry(0, NOW - 400 * DAY, "run")},
    )
    assert "seed" not in capability_cache.read_cache(file, "here")
    capability_cache.merge_cache(file, "here", {"seed": CacheEntry(1, NOW, "run")})
    assert capability_cache.read_cache(file, "here") == {"seed": CacheEntry(1, NOW, "run")}


def test_a_place_that_cannot_be_written_to_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for file in (tmp_path / "file" / "facts.sqlite", tmp_path):
        capability_cache.merge_cache(file, "here", {"seed": CacheEntry(1, NOW, "run")})
        assert capability_cache.read_cache(file, "here") == {}


def test_a_file_that_another_process_holds_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capability_cache, "_PATIENCE_S", 0.05)
    file = tmp_path / "facts.sqlite"
    capability_cache.merge_cache(file, "here", {"seed": CacheEntry(1, NOW, "run")})
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    capability_cache.merge_cache(file, "here", {"stop": CacheEntry(1, NOW, "run")})
    assert capability_cache.read_cache(file, "here") == {}
    holder.execute("ROLLBACK")
    holder.close()
    assert list(capability_cache.read_cache(file, "here")) == ["seed"], "it is whole"

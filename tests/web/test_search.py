from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.web import search as module
from simsa.web.question_list import search_terms
from simsa.web.search import Texts, Writing

ALPHABET = "가나 다\x1eab\U0001f600"


def written(folder: Path, texts: list[str]) -> Texts:
    path = folder / "t.texts"
    with Writing(path) as file:
        for text in texts:
            file.add(text)
    return Texts(path)


@given(
    st.lists(st.text(ALPHABET, max_size=9), max_size=30),
    st.lists(st.text("가나다ab\U0001f600", min_size=1, max_size=3), min_size=1, max_size=3),
    st.integers(1, 40),
)
def test_found_is_what_python_finds(texts: list[str], words: list[str], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(module, "_BLOCK", block)  # texts lie across the ends of blocks
        found = list(written(Path(folder), texts).search(words))
    assert found == [n for n, text in enumerate(texts) if all(word in text for word in words)]


def test_nothing_is_found_across_two_texts(tmp_path: Path) -> None:
    texts = written(tmp_path, ["별빛", "마을", "별빛\x1e마을", "", "\ud83d"])
    for word in ("빛마", "빛\x1e마", "\x1e", "빛 마"):
        assert list(texts.search([word])) == [2] * (word in ("빛\x1e마", "빛 마", "\x1e"))
    assert list(texts.search(["?"])) == [4], "half of a letter is none"


def test_no_texts_hold_nothing(tmp_path: Path) -> None:
    assert list(written(tmp_path, []).search(["별"])) == []


def test_many_threads_search_at_once(tmp_path: Path) -> None:
    texts = written(tmp_path, [f"마을 {n} {'길' * (n % 7)}" for n in range(2_000)])
    words = [("길길길",), ("마을", "길길"), ("1999",), ("없음",)] * 3
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(texts.places, words))
    for sought_for, places in zip(words, found, strict=True):
        expected = [n for n in range(2_000) if all(w in f"마을 {n} {'길' * (n % 7)}" for w in sought_for)]
        assert places == expected


def test_places_are_remembered_and_the_file_goes(tmp_path: Path) -> None:
    texts = written(tmp_path, ["별빛마을", "하늘", "별"])
    assert texts.places(("별",)) == [0, 2]
    texts.close()
    assert list(tmp_path.iterdir()) == []
    assert texts.places(("별",)) == [0, 2]
    with pytest.raises(FileNotFoundError):
        texts.places(("하늘",))


@pytest.mark.parametrize(
    ("search", "words", "unwanted"),
    [
        ("별빛 마을", ("별빛", "마을"), ()),
        ('"별빛 마을" 이름', ("별빛 마을", "이름"), ()),
        ('"별빛', ("별빛",), ()),
        ("  ", (), ()),
        ('""', (), ()),
        ('-"" -', ("-",), ()),
        ("ABC abc", ("abc",), ()),
        ("\u1112\u1161\u11ab", ("한",), ()),
        ('별빛 -마을 -"등대 지기"', ("별빛",), ("마을", "등대 지기")),
        ("-마을 -마을", (), ("마을",)),
        ('"-마을" a-b', ("-마을", "a-b"), ()),
    ],
)
def test_what_is_sought(search: str, words: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    assert search_terms(search) == (words, unwanted)

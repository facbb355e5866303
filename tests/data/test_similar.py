from __future__ import annotations

import time
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.data.near_duplicates import NearDuplicateIndex, normalise

WORDS = st.text(alphabet="가나다라마바사 .,!", max_size=14)


def shingles(text: str, size: int) -> set[str]:
    bare = normalise(text)
    return {bare[i : i + size] for i in range(len(bare) - size + 1)}


@pytest.mark.parametrize("contained", [True, False])
@given(st.lists(WORDS, max_size=12), WORDS, st.sampled_from([0.5, 0.8, 1.0]))
def test_the_index_finds_what_comparing_every_pair_finds(
    contained: bool, texts: list[str], asked: str, threshold: float
) -> None:
    found = {
        s.place: s
        for s in NearDuplicateIndex(texts, size=2, threshold=threshold, contained=contained).find(asked)
        if s.match == "near"
    }
    theirs = shingles(asked, 2)
    for place, text in enumerate(texts):
        mine = shingles(text, 2)
        whole = len(mine) if contained else len(mine | theirs)
        share = len(mine & theirs) / whole if whole and mine and theirs else 0.0
        near = share >= threshold and normalise(text) != normalise(asked)
        assert (place in found) == near, (text, asked, share)
        if near:
            assert found[place].similarity == pytest.approx(share)


@given(st.lists(WORDS.filter(lambda text: bool(normalise(text))), min_size=1, max_size=8))
def test_a_kept_text_is_found_exactly_and_however_it_is_written(texts: list[str]) -> None:
    index = NearDuplicateIndex(texts, size=3)
    for place, text in enumerate(texts):
        assert (place, "exact", 1.0) in list(index.find(text))
        rewritten = unicodedata.normalize("NFD", f" {text}?! ")
        assert (place, "normalised", 1.0) in [tuple(s) for s in index.find(rewritten)]


@pytest.mark.parametrize("nothing", ["", " ", "?!", "…\n"])
def test_nothing_resembles_nothing(nothing: str) -> None:
    assert list(NearDuplicateIndex([nothing, "서울"], size=3).find(nothing)) == []


def test_short_texts_are_found_only_when_they_are_the_same() -> None:
    index = NearDuplicateIndex(["대한민국의 수도"], size=2, contained=True, shortest=30)
    assert list(index.find("대한민국의 수도는 서울이다")) == []
    assert [s.match for s in index.find("대한민국의 수도!")] == ["normalised"]


def test_many_rows_take_seconds() -> None:
    random = np.random.default_rng(1)
    words = ["".join(map(chr, random.integers(0xAC00, 0xAC00 + 300, 3))) for _ in range(2000)]
    texts = [" ".join(random.choice(words, 50)) for _ in range(3000)]
    begun = time.process_time()
    index = NearDuplicateIndex(texts[:500], size=5, contained=True)
    found = [s for text in texts for s in index.find(text)]
    assert time.process_time() - begun < 20
    assert len(found) == 500


@pytest.mark.parametrize("contained", [True, False])
@given(st.integers(0, 100_000), st.sampled_from([0.5, 0.8, 0.95]))
def test_long_texts_are_found_as_comparing_every_pair_does(
    contained: bool, seed: int, threshold: float
) -> None:
    """Texts with more shingles than have to be shared, each a little altered from the one before."""
    random = np.random.default_rng(seed)
    text, texts = list(random.choice(list("가나다라마바사아자차"), 60)), []
    for _ in range(8):
        text[random.integers(60)] = random.choice(list("가나다라마바사아자차"))
        texts.append("".join(text))
    asked = texts[0] + ("나다" * 9 if contained else "")
    found = {
        s.place
        for s in NearDuplicateIndex(texts, size=3, threshold=threshold, contained=contained).find(asked)
        if s.match == "near"
    }
    theirs = shingles(asked, 3)
    for place, one in enumerate(texts):
        mine = shingles(one, 3)
        share = len(mine & theirs) / len(mine if contained else mine | theirs)
        assert (place in found) == (share >= threshold and one != asked), (place, share)

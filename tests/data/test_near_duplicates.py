"""The index finds what comparing every pair finds, and the prefilter loses nothing of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.data.near_duplicates import NearDuplicateIndex, Prefilter, normalise

WORDS = st.text(alphabet="가나다라마바사 .,!", max_size=14)


def shingles(text: str, size: int) -> set[str]:
    bare = normalise(text)
    return {bare[i : i + size] for i in range(len(bare) - size + 1)}


@pytest.mark.parametrize("contained", [True, False])
@given(st.lists(WORDS, max_size=12), WORDS, st.sampled_from([0.5, 0.8, 1.0]))
def test_index_finds_what_comparing_every_pair_finds(
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
def test_indexed_text_is_found_in_any_spelling(texts: list[str]) -> None:
    index = NearDuplicateIndex(texts, size=3)
    for place, text in enumerate(texts):
        assert (place, "exact", 1.0) in list(index.find(text))
        rewritten = unicodedata.normalize("NFD", f" {text}?! ")
        assert (place, "normalised", 1.0) in [tuple(s) for s in index.find(rewritten)]


@pytest.mark.parametrize("nothing", ["", " ", "?!", "…\n"])
def test_empty_text_is_similar_to_nothing(nothing: str) -> None:
    assert list(NearDuplicateIndex([nothing, "서울"], size=3).find(nothing)) == []


def test_short_text_is_found_only_when_the_same() -> None:
    index = NearDuplicateIndex(["대한민국의 수도"], size=2, contained=True, shortest=30)
    assert list(index.find("대한민국의 수도는 서울이다")) == []
    assert [s.match for s in index.find("대한민국의 수도!")] == ["normalised"]


@pytest.mark.parametrize("contained", [True, False])
@given(st.integers(0, 100_000), st.sampled_from([0.5, 0.8, 0.95]))
def test_index_finds_long_texts_like_comparing_every_pair(
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


LETTERS = "가나다라마 AaİßΣσ.,!_１²ﬁ\u0301\u1100\u1161\u11a8\ud800😀\x00\n"
TEXTS = st.text(alphabet=LETTERS, max_size=40)


def found_places(index: NearDuplicateIndex, texts: Sequence[str]) -> set[int]:
    return {place for place, text in enumerate(texts) if list(index.find(text))}


@pytest.mark.parametrize("contained", [True, False])
@given(
    st.lists(TEXTS, max_size=8),
    st.lists(TEXTS, max_size=8),
    st.sampled_from([0.3, 0.8, 1.0]),
    st.integers(1, 5),
    st.sampled_from([0, 6, 30]),
)
@settings(max_examples=150, deadline=None)
def test_prefilter_passes_every_text_that_is_found(
    contained: bool, kept: list[str], asked: list[str], threshold: float, size: int, shortest: int
) -> None:
    asked = [*asked, *kept, *(f"{text}{other}" for text in kept for other in asked)]
    index = NearDuplicateIndex(kept, size=size, threshold=threshold, contained=contained, shortest=shortest)
    assert found_places(index, asked) <= Prefilter(index).candidates(asked)


def test_prefilter_rules_out_unrelated_texts() -> None:
    kept = ["한빛시 시립 도서관은 1987년에 문을 열었다", "너울강은 남쪽으로 흘러 바다로 들어간다"]
    prefilter = Prefilter(NearDuplicateIndex(kept, size=3, shortest=10))
    others = [
        "산에는 나무가 많고 바다에는 물고기가 많다고들 말한다",
        "아주 다른 이야기를 하는 긴 글이다",
        "?!",
        "",
    ]
    assert prefilter.candidates(others) == set()
    assert prefilter.candidates([*others, kept[1]]) == {4}
    assert prefilter.candidates(
        [kept[0], unicodedata.normalize("NFD", kept[0]), kept[0].replace(" ", "\n")]
    ) == {
        0,
        1,
        2,
    }


def test_shingles_do_not_span_two_texts() -> None:
    prefilter = Prefilter(NearDuplicateIndex(["가나다라마바사아"], size=4, contained=True))
    assert prefilter.candidates(["자차가나다라마", "바사아카타"]) == set()
    assert prefilter.candidates(["자차카타", "가나다라마바사아"]) == {1}


def test_short_texts_pass_the_prefilter() -> None:
    prefilter = Prefilter(
        NearDuplicateIndex(["서울", "한빛시 시립 도서관은 1987년에 문을 열었다"], size=3, shortest=10)
    )
    assert prefilter.candidates(["부산", "!", "서울?", "아주 다른 이야기를 하는 글이다"]) == {0, 2}


@pytest.mark.parametrize("kept", [[], [""], ["짧다"]])
def test_empty_index_has_no_candidates(kept: list[str]) -> None:
    prefilter = Prefilter(NearDuplicateIndex(kept, size=3, shortest=10))
    assert prefilter.candidates(["아주 다른 이야기를 하는 긴 글이다"]) == set()
    assert prefilter.candidates([]) == set()

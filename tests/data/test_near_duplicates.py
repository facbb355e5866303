"""The sieve holds back only what the index finds nothing for, and leaks are those of looking at every row."""

from __future__ import annotations

import gc
import unicodedata
import weakref
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.data.contamination import leaks
from simsa.data.near_duplicates import DataFinding, NearDuplicateIndex, Prefilter, normalise, once
from simsa.records import Passage, Question

LETTERS = "가나다라마 AaİßΣσ.,!_１²ﬁ\u0301\u1100\u1161\u11a8\ud800😀\x00\n"
TEXTS = st.text(alphabet=LETTERS, max_size=40)


def found_by(index: NearDuplicateIndex, texts: Sequence[str]) -> set[int]:
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
def test_nothing_is_held_back_that_would_be_found(
    contained: bool, kept: list[str], asked: list[str], threshold: float, size: int, shortest: int
) -> None:
    asked = [*asked, *kept, *(f"{text}{other}" for text in kept for other in asked)]
    index = NearDuplicateIndex(kept, size=size, threshold=threshold, contained=contained, shortest=shortest)
    assert found_by(index, asked) <= Prefilter(index).caught(asked)


def test_what_shares_nothing_is_held_back() -> None:
    kept = ["한빛시 시립 도서관은 1987년에 문을 열었다", "너울강은 남쪽으로 흘러 바다로 들어간다"]
    sieve = Prefilter(NearDuplicateIndex(kept, size=3, shortest=10))
    others = [
        "산에는 나무가 많고 바다에는 물고기가 많다고들 말한다",
        "아주 다른 이야기를 하는 긴 글이다",
        "?!",
        "",
    ]
    assert sieve.caught(others) == set()
    assert sieve.caught([*others, kept[1]]) == {4}
    assert sieve.caught([kept[0], unicodedata.normalize("NFD", kept[0]), kept[0].replace(" ", "\n")]) == {
        0,
        1,
        2,
    }


def test_a_shingle_across_two_texts_is_none() -> None:
    sieve = Prefilter(NearDuplicateIndex(["가나다라마바사아"], size=4, contained=True))
    assert sieve.caught(["자차가나다라마", "바사아카타"]) == set()
    assert sieve.caught(["자차카타", "가나다라마바사아"]) == {1}


def test_short_texts_are_let_through() -> None:
    sieve = Prefilter(
        NearDuplicateIndex(["서울", "한빛시 시립 도서관은 1987년에 문을 열었다"], size=3, shortest=10)
    )
    assert sieve.caught(["부산", "!", "서울?", "아주 다른 이야기를 하는 글이다"]) == {0, 2}


@pytest.mark.parametrize("kept", [[], [""], ["짧다"]])
def test_an_index_of_nothing_catches_no_long_text(kept: list[str]) -> None:
    sieve = Prefilter(NearDuplicateIndex(kept, size=3, shortest=10))
    assert sieve.caught(["아주 다른 이야기를 하는 긴 글이다"]) == set()
    assert sieve.caught([]) == set()


# The whole search --------------------------------------------------------------------------------


def plainly(test: Sequence[Question], train: Sequence[Question]) -> list[DataFinding]:
    """Every text of every training row against the indexes, in the order of the file."""
    questions = NearDuplicateIndex([q.question for q in test], size=3)
    within = NearDuplicateIndex(
        [q.question for q in test], size=3, threshold=1.0, contained=True, shortest=10
    )
    owners = [(q, p.text) for q in test for p in q.contexts]
    passages = NearDuplicateIndex([text for _, text in owners], size=5, contained=True, shortest=30)
    seen: set[str] = set()
    found: list[DataFinding] = []
    for row in train:
        for place, match, similarity in questions.find(row.question):
            q = test[place]
            found.append(
                DataFinding("leaked_question", q.id, q.question, match, row.id, row.question, similarity)
            )
        is_prompt = len(row.question) >= 80
        for place, match, similarity in within.find(row.question) if is_prompt else ():
            q = test[place]
            if match == "near" and normalise(q.question) in normalise(row.question):
                found.append(
                    DataFinding(
                        "leaked_question", q.id, q.question, "normalised", row.id, row.question, similarity
                    )
                )
        for text in [p.text for p in row.contexts] + [row.question] * is_prompt:
            for number, match, similarity in () if text in seen else passages.find(text):
                q, own = owners[number]
                found.append(DataFinding("leaked_passage", q.id, own, match, row.id, text, similarity))
            seen.add(text)
    order = {q.id: place for place, q in enumerate(test)}
    found.sort(key=lambda one: (one.kind != "leaked_question", order[one.question_id]))
    return once(found)


def bare(found: Sequence[DataFinding]) -> list[DataFinding]:
    return [one._replace(excerpt="", other_excerpt="") for one in found]


def corpus(seed: int, n_test: int, n_train: int) -> tuple[list[Question], list[Question]]:
    """Rows of a small vocabulary, some of them copied, altered, or put into one prompt."""
    random = np.random.default_rng(seed)
    words = ["".join(map(chr, random.integers(0xAC00, 0xAC00 + 60, 2))) for _ in range(60)]

    def text(low: int, high: int) -> str:
        return " ".join(random.choice(words, random.integers(low, high)))

    def altered(whole: str) -> str:
        parts = whole.split()
        for _ in range(random.integers(0, 4)):
            parts[random.integers(len(parts))] = str(random.choice(words))
        return str(random.choice([" ", "\n", "? "])).join(parts)

    test = [
        Question(f"q{n}", text(2, 9) + "?", tuple(Passage(text(3, 40)) for _ in range(random.integers(0, 3))))
        for n in range(n_test)
    ]
    train = []
    for n in range(n_train):
        source = test[random.integers(n_test)]
        shown = [altered(p.text) for p in source.contexts] if random.random() < 0.5 else [text(3, 40)]
        question = altered(source.question) if random.random() < 0.5 else text(2, 9)
        if random.random() < 0.3:
            question, shown = "\n".join([*shown, question]), []
        train.append(Question(f"t{n}", question, tuple(map(Passage, shown))))
    return test, train


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_leaks_are_those_of_looking_at_every_row(seed: int) -> None:
    test, train = corpus(seed, 12, 40)
    expected = plainly(test, train)
    assert bare(leaks(test, train)) == bare(expected)
    assert expected, "the corpus leaks"


def test_blocks_are_no_borders() -> None:
    """More rows than are looked at together: the closest twin, and the first of equals, wherever it stands."""
    test, train = corpus(3, 30, 1_300)
    assert bare(leaks(test, iter(train))) == bare(plainly(test, train))
    late = [Question(f"t{n}", f"{n}번째로 묻는 말입니까") for n in range(1_200)]
    late[1_100] = Question("t1100", test[4].question)
    late[700] = Question("t700", test[4].question + " 정말")
    assert ("q4", "exact", "t1100") in {(f.question_id, f.match, f.other) for f in leaks(test, late)}


def test_no_training_row_is_kept() -> None:
    """Only a block of them is there at a time, however long the file."""
    alive: list[weakref.ref[Question]] = []
    most = 0

    class Row(Question):
        __slots__ = ("__weakref__",)

    def rows() -> Iterator[Question]:
        nonlocal most
        for n in range(3_000):
            row = Row(
                f"t{n}",
                f"{n}번째 질문입니까?",
                (Passage(f"{n}번째 글은 아주 길고 다른 것과 닮지 않았다. " * 3),),
            )
            alive.append(weakref.ref(row))
            if n % 500 == 0:
                gc.collect()
                most = max(most, sum(one() is not None for one in alive))
            yield row

    assert (
        leaks(
            [Question("q1", "이것은 무엇입니까?", (Passage("한빛시 도서관은 1987년에 문을 열었다."),))],
            rows(),
        )
        == []
    )
    assert most <= 1_100

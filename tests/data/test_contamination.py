"""Leaks, duplicates and doubtful references are found, each once."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa import data
from simsa.data.contamination import (
    DataFinding,
    closest,
    duplicates,
    inspect_quality,
    leaks,
    mislabelled,
    unsupported,
)
from simsa.data.near_duplicates import NearDuplicateIndex, normalise
from simsa.demo import demo_files
from simsa.records import Passage, Question
from tests.demo.conftest import RECIPES

LONG = "한빛시 시립 도서관은 1987년에 문을 열었으며 지금은 책 삼십만 권을 가지고 있다. 월요일에는 쉰다."


def ask(id: str, question: str, *passages: str, **more: Any) -> Question:
    return Question(id=id, question=question, contexts=tuple(map(Passage, passages)), **more)


@pytest.mark.parametrize(
    ("trained", "match"),
    [
        ("한빛시 도서관은 언제 문을 열었나요?", "exact"),
        ("한빛시 도서관은 언제 문을 열었나요", "normalised"),
        ("한빛시  도서관은 언제  문을 열었나요 ?!", "normalised"),
        ("그러면 한빛시 도서관은 언제 문을 열었나요?", "near"),
        ("달빛시 박물관은 어디에 있나요?", None),
    ],
)
def test_leaked_question_is_found(trained: str, match: str | None) -> None:
    test = [ask("q1", "한빛시 도서관은 언제 문을 열었나요?"), ask("q2", "너울강은 어디로 흐르나요?")]
    found = leaks(test, [ask("t1", trained)])
    if match is None:
        assert found == []
        return
    [one] = found
    assert (one.kind, one.question_id, one.match, one.other) == ("leaked_question", "q1", match, "t1")
    assert one.other_excerpt is not None


@pytest.mark.parametrize(
    ("trained", "match"),
    [
        (LONG, "exact"),
        (LONG.replace(" ", "\n"), "normalised"),
        ("앞에 다른 글이 있다. " + LONG + " 뒤에도 다른 글이 있다.", "near"),
        (LONG.replace("1987", "1988"), "near"),
        ("아주 다른 이야기를 하는 긴 글이다. 산에는 나무가 많고 바다에는 물고기가 많다고들 말한다.", None),
        ("한빛시", None),
    ],
)
def test_leaked_passage_is_found(trained: str, match: str | None) -> None:
    test = [ask("q1", "언제 열었나요?", "짧은 글", LONG)]
    found = leaks(test, [ask("t1", "전혀 다른 것을 묻습니까?", trained)])
    assert [f.match for f in found] == ([match] if match else [])
    assert all(f.kind == "leaked_passage" for f in found)


def test_each_question_has_one_finding_the_closest() -> None:
    test = [ask("q1", "한빛시 도서관은 언제 문을 열었나요?", LONG, LONG + " 끝.")]
    train = [ask("t1", "그러면 한빛시 도서관은 언제 문을 열었나요?", LONG), ask("t2", test[0].question, LONG)]
    found = leaks(test, train)
    assert [(f.kind, f.match, f.other) for f in found] == [
        ("leaked_question", "exact", "t2"),
        ("leaked_passage", "exact", "t1"),
    ]


def test_questions_of_one_template_are_no_leak() -> None:
    test = [ask("q1", "너울읍의 인구는 몇 명인가요?"), ask("q2", "두멧골군의 면적은 얼마인가요?")]
    assert (
        leaks(
            test, [ask("t1", "하늬포시의 인구는 몇 명인가요?"), ask("t2", "두멧골군의 특산물은 무엇인가요?")]
        )
        == []
    )


def test_training_rows_are_streamed() -> None:
    seen = 0

    def rows() -> Any:
        nonlocal seen
        for n in range(50):
            seen += 1
            yield ask(f"t{n}", f"{n}번째 질문입니까?")

    assert leaks([ask("q1", "이것은 무엇입니까?")], rows()) == []
    assert seen == 50


def test_duplicates_share_passages_or_reference() -> None:
    test = [
        ask("q1", "언제 문을 열었나요?", LONG, reference=("1987년",)),
        ask("q2", "언제 문을 열었나요", LONG, reference=("1987년에 열었습니다",)),
        ask("q3", "언제 문을 열었나요?", "다른 도서관의 글", reference=("1999년",)),
        ask("q4", "언제 문을 열었나요?", "또 다른 글", reference=(" 1987년. ",)),
    ]
    found = [(f.question_id, f.match, f.other) for f in duplicates(test)]
    assert found == [("q2", "normalised", "q1"), ("q4", "exact", "q1")]


@pytest.mark.parametrize(
    ("reference", "doubtful"),
    [
        ("1987년", False),
        ("시립 도서관은 1987년에 열었습니다. [[ref1]]", False),
        ("삼십만권", False),
        ("네", False),
        ("아니요.", False),
        ("알버트 아인슈타인", True),
        ("검색 결과에서 답을 찾을 수 없습니다.", False),  # another finding says so
        ("", False),
    ],
)
def test_reference_without_support_is_found(reference: str, doubtful: bool) -> None:
    references = (reference,) if reference else ()
    found = unsupported([ask("q1", "언제?", LONG, reference=references)])
    assert [(f.kind, f.question_id) for f in found] == [("unsupported_reference", "q1")] * doubtful
    assert unsupported([ask("q1", "언제?", reference=references)]) == [], "there are no passages"
    assert unsupported([ask("q1", "언제?", LONG, reference=references, answerable=False)]) == []
    assert unsupported([ask("q1", "언제?", LONG, reference=(*references, "1987년"))]) == [], "one is enough"


@pytest.mark.parametrize(
    ("answerable", "references", "kind"),
    [
        (True, ("검색 결과에서 답을 찾을 수 없습니다.",), "refusal_as_reference"),
        (True, ("답을 찾을 수 없습니다.", "1987년"), None),
        (True, ("1987년",), None),
        (True, (), None),
        (False, ("문서에서 답을 찾을 수 없습니다.",), None),
        (False, ("1987년에 열었습니다.",), "answer_as_reference"),
        (False, (), None),
    ],
)
def test_label_that_contradicts_its_reference_is_found(
    answerable: bool, references: tuple[str, ...], kind: str | None
) -> None:
    found = mislabelled([ask("q1", "언제?", LONG, reference=references, answerable=answerable)])
    assert [f.kind for f in found] == ([kind] if kind else [])


def test_demo_data_is_clean_and_not_in_its_training_data(
    tmp_path: Path,
) -> None:
    train = tmp_path / "train.jsonl"
    script = str(RECIPES / "make_data.py")
    subprocess.run([sys.executable, script, "--out", str(train)], check=True, capture_output=True)
    test = list(data.read(demo_files().test))
    assert inspect_quality(test, data.read(train)).findings == ()
    assert inspect_quality(test, test).counts["leaked_question"] == len(test)


def test_quality_counts_findings_by_kind() -> None:
    found = inspect_quality(
        [ask("q1", "언제?", LONG, reference=("알버트 아인슈타인",)), ask("q2", "언제?", LONG)]
    )
    assert found.counts == {"duplicate_question": 1, "unsupported_reference": 1}
    assert found.to_dict()["findings"][0]["question_id"] == "q2"
    assert [f.question_id for f in found.of("unsupported_reference")] == ["q1"]
    assert inspect_quality([]).counts == {}


@given(st.permutations(range(6)))
def test_order_of_training_rows_does_not_change_findings(order: list[int]) -> None:
    test = [
        ask(f"q{n}", f"{name}의 이름은 어디에서 왔습니까?", LONG + name) for n, name in enumerate("가나다")
    ]
    train = [
        *(ask(f"t{q.id}", q.question, *(p.text for p in q.contexts)) for q in test),
        ask("t4", "그러면 " + test[0].question, LONG),
        ask("t5", "전혀 다른 질문입니까?", "다른 글"),
        ask("t6", test[1].question + "!", LONG + "나머지"),
    ]
    found = leaks(test, [train[place] for place in order])
    assert [(f.kind, f.question_id, f.match) for f in found] == [
        (kind, f"q{n}", "exact") for kind in ("leaked_question", "leaked_passage") for n in range(3)
    ]


def test_excerpt_is_short_and_on_one_line() -> None:
    test = [
        ask("q1", "가나다\n" * 100 + "?", reference=("없음",)),
        ask("q2", "가나다\n" * 100 + "?", reference=("없음",)),
    ]
    [one] = duplicates(test)
    assert len(one.excerpt) <= 80
    assert "\n" not in one.excerpt + (one.other_excerpt or "")


def test_titles_and_several_passages_support_a_reference() -> None:
    contexts = (
        Passage("1987년에 문을 열었다.", title="한빛시 도서관"),
        Passage("달빛시 박물관은 1999년에 열었다."),
    )
    q = Question(
        id="q1",
        question="언제?",
        contexts=contexts,
        reference=("한빛시 도서관 1987년, 달빛시 박물관 1999년",),
    )
    assert unsupported([q]) == []
    assert (
        len(
            unsupported(
                [Question(id="q2", question="언제?", contexts=contexts, reference=("너울읍 2004년",))]
            )
        )
        == 1
    )


QUESTION = "한빛시 시립 도서관은 몇 년에 문을 열었습니까?"


@pytest.mark.parametrize(
    "prompt",
    [
        f"다음 글을 읽고 답하시오.\n\n{LONG}\n\n질문: {QUESTION}\n답:",
        f"### 문맥\n1. 다른 글이 여기에 있다.\n2. {LONG.replace(' ', '  ')}\n### 질문\n{QUESTION.replace(' ', '')}",
    ],
)
def test_training_prompt_is_searched_for_questions_and_passages(prompt: str) -> None:
    test = [
        ask("q1", QUESTION, LONG),
        ask("q2", "너울강은 어디로 흐르나요, 말씀해 주십시오.", "너울강 이야기"),
    ]
    found = {(one.kind, one.question_id): one for one in leaks(test, [ask("t1", prompt)])}
    assert set(found) == {("leaked_question", "q1"), ("leaked_passage", "q1")}
    assert found["leaked_question", "q1"].match == "normalised"
    assert found["leaked_passage", "q1"].match == "near"


@pytest.mark.parametrize("short", ["왜?", "언제인가요?", "누구인가요"])
def test_short_question_inside_a_prompt_is_no_leak(short: str) -> None:
    prompt = f"다음을 읽고 답하시오. {LONG} 질문: 그는 누구인가요? 언제인가요? 왜?"
    assert [
        one for one in leaks([ask("q1", short)], [ask("t1", prompt)]) if one.kind == "leaked_question"
    ] == []


def test_scattered_shingles_are_no_leak() -> None:
    scattered = " ".join(QUESTION[i : i + 9] + "그리고 또" for i in range(0, len(QUESTION), 4)) + LONG
    assert not [
        one for one in leaks([ask("q1", QUESTION)], [ask("t1", scattered)]) if one.match == "normalised"
    ]


def test_leaks_are_found_in_chat_rows(tmp_path: Path) -> None:
    system = (
        f"검색 결과를 참고하여 답하세요.\n검색 결과:\n-----\n문서1: {LONG}\n문서2: 너울강은 남쪽으로 흐른다."
    )
    rows = [
        {
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": f"{QUESTION} "},
                {"role": "assistant", "content": "1987년입니다."},
            ]
        },
        {
            "messages": [
                {"role": "user", "content": f"{LONG}\n\n{QUESTION}"},
                {"role": "assistant", "content": "1987년입니다."},
            ]
        },
    ]
    for row in rows:
        file = tmp_path / "train.jsonl"
        file.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
        found = leaks([ask("q1", QUESTION, LONG)], data.read(file))
        assert {one.kind for one in found} == {"leaked_question", "leaked_passage"}


@given(st.integers(0, 10_000))
def test_exactly_the_planted_leaks_are_found(seed: int) -> None:
    random = np.random.default_rng(seed)
    words = ["".join(map(chr, random.integers(0xAC00, 0xAC00 + 400, 3))) for _ in range(400)]

    def text(n: int) -> str:
        return " ".join(random.choice(words, n))

    test = [ask(f"q{n}", text(10) + "?", text(60)) for n in range(12)]
    train = [ask(f"t{n}", text(10) + "?", text(60)) for n in range(30)]
    passage = test[3].contexts[0].text.split()
    passage[int(random.integers(60))] = "바뀜"
    train[5] = ask("t5", test[7].question.replace("?", " ?!"), text(60))
    train[9] = ask("t9", text(10), f"{text(20)} {' '.join(passage)} {text(20)}")
    assert {(one.kind, one.question_id, one.other) for one in leaks(test, train)} == {
        ("leaked_question", "q7", "t5"),
        ("leaked_passage", "q3", "t9"),
    }


def compare_every_row(test: Sequence[Question], train: Sequence[Question]) -> list[DataFinding]:
    """Looks up every text of every training row, in the order of the file."""
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
    return closest(found)


def without_excerpts(found: Sequence[DataFinding]) -> list[DataFinding]:
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
def test_leaks_equal_those_of_comparing_every_row(seed: int) -> None:
    test, train = corpus(seed, 12, 40)
    expected = compare_every_row(test, train)
    assert without_excerpts(leaks(test, train)) == without_excerpts(expected)
    assert expected, "the corpus leaks"


def test_leaks_are_found_across_blocks() -> None:
    """Across blocks, the closest finding counts, and the first among equals."""
    test, train = corpus(3, 30, 1_300)
    assert without_excerpts(leaks(test, iter(train))) == without_excerpts(compare_every_row(test, train))
    late = [Question(f"t{n}", f"{n}번째로 묻는 말입니까") for n in range(1_200)]
    late[1_100] = Question("t1100", test[4].question)
    late[700] = Question("t700", test[4].question + " 정말")
    assert ("q4", "exact", "t1100") in {(f.question_id, f.match, f.other) for f in leaks(test, late)}


def test_training_rows_are_not_kept_in_memory() -> None:
    """Only one block of rows is in memory at a time."""
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

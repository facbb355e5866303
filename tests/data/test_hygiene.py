from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa import data
from simsa.data.contamination import duplicates, inspect_quality, leaks, mislabelled, unsupported
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
def test_a_question_that_was_trained_on(trained: str, match: str | None) -> None:
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
def test_a_passage_that_was_trained_on(trained: str, match: str | None) -> None:
    test = [ask("q1", "언제 열었나요?", "짧은 글", LONG)]
    found = leaks(test, [ask("t1", "전혀 다른 것을 묻습니까?", trained)])
    assert [f.match for f in found] == ([match] if match else [])
    assert all(f.kind == "leaked_passage" for f in found)


def test_a_question_is_reported_once_by_its_closest_twin() -> None:
    test = [ask("q1", "한빛시 도서관은 언제 문을 열었나요?", LONG, LONG + " 끝.")]
    train = [ask("t1", "그러면 한빛시 도서관은 언제 문을 열었나요?", LONG), ask("t2", test[0].question, LONG)]
    found = leaks(test, train)
    assert [(f.kind, f.match, f.other) for f in found] == [
        ("leaked_question", "exact", "t2"),
        ("leaked_passage", "exact", "t1"),
    ]


def test_questions_of_one_template_are_not_taken_for_each_other() -> None:
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


def test_duplicates_ask_the_same_of_the_same() -> None:
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
def test_a_reference_that_no_passage_bears_out(reference: str, doubtful: bool) -> None:
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
def test_labels_that_contradict_their_reference(
    answerable: bool, references: tuple[str, ...], kind: str | None
) -> None:
    found = mislabelled([ask("q1", "언제?", LONG, reference=references, answerable=answerable)])
    assert [f.kind for f in found] == ([kind] if kind else [])


def test_the_embedded_example_is_clean_and_shares_nothing_with_what_its_adapters_learnt(
    tmp_path: Path,
) -> None:
    train = tmp_path / "train.jsonl"
    script = str(RECIPES / "make_data.py")
    subprocess.run([sys.executable, script, "--out", str(train)], check=True, capture_output=True)
    test = list(data.read(demo_files().test))
    assert inspect_quality(test, data.read(train)).findings == ()
    assert inspect_quality(test, test).counts["leaked_question"] == len(test)


def test_counts_come_with_their_rows() -> None:
    found = inspect_quality(
        [ask("q1", "언제?", LONG, reference=("알버트 아인슈타인",)), ask("q2", "언제?", LONG)]
    )
    assert found.counts == {"duplicate_question": 1, "unsupported_reference": 1}
    assert found.to_dict()["findings"][0]["question_id"] == "q2"
    assert [f.question_id for f in found.of("unsupported_reference")] == ["q1"]
    assert inspect_quality([]).counts == {}


@given(st.permutations(range(6)))
def test_the_order_of_the_training_rows_changes_nothing_about_who_is_concerned(order: list[int]) -> None:
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


def test_an_excerpt_is_short_and_on_one_line() -> None:
    test = [
        ask("q1", "가나다\n" * 100 + "?", reference=("없음",)),
        ask("q2", "가나다\n" * 100 + "?", reference=("없음",)),
    ]
    [one] = duplicates(test)
    assert len(one.excerpt) <= 80
    assert "\n" not in one.excerpt + (one.other_excerpt or "")


def test_titles_and_several_passages_together_bear_a_reference_out() -> None:
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
def test_a_training_message_with_passages_and_question_in_one_is_looked_through(prompt: str) -> None:
    test = [
        ask("q1", QUESTION, LONG),
        ask("q2", "너울강은 어디로 흐르나요, 말씀해 주십시오.", "너울강 이야기"),
    ]
    found = {(one.kind, one.question_id): one for one in leaks(test, [ask("t1", prompt)])}
    assert set(found) == {("leaked_question", "q1"), ("leaked_passage", "q1")}
    assert found["leaked_question", "q1"].match == "normalised"
    assert found["leaked_passage", "q1"].match == "near"


@pytest.mark.parametrize("short", ["왜?", "언제인가요?", "누구인가요"])
def test_a_short_question_inside_a_prompt_is_no_leak(short: str) -> None:
    prompt = f"다음을 읽고 답하시오. {LONG} 질문: 그는 누구인가요? 언제인가요? 왜?"
    assert [
        one for one in leaks([ask("q1", short)], [ask("t1", prompt)]) if one.kind == "leaked_question"
    ] == []


def test_the_same_shingles_in_another_order_are_not_the_question() -> None:
    scattered = " ".join(QUESTION[i : i + 9] + "그리고 또" for i in range(0, len(QUESTION), 4)) + LONG
    assert not [
        one for one in leaks([ask("q1", QUESTION)], [ask("t1", scattered)]) if one.match == "normalised"
    ]


def test_chat_rows_of_a_fine_tune_are_training_rows(tmp_path: Path) -> None:
    import json

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
def test_every_planted_leak_is_found_and_nothing_else(seed: int) -> None:
    import numpy as np

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

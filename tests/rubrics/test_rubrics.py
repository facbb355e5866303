"""Rubrics: the built-in ones, own files, what a call shows, and hashes that change when they must."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa import rubrics
from simsa.errors import RubricError
from simsa.records import Message, Passage, Question
from simsa.rubrics.rubric import fill

CRITERIA = rubrics.built_in_criteria().names

QUESTION = Question(
    "q1",
    "솔내주물은 언제 세워졌나?",
    (Passage("1987년에 세웠다.", title="연혁"), Passage("범종을 만든다.")),
    ("1987년",),
)
OWN = """Rate the answer.
Q: {question}
C: {context}
A: {prediction}
R: {label}
Answer as {"answer_correctness": 1, "context_relevance": 1, "context_faithfulness": 1, "context_recall": 1, "analysis": "..."}
"""


def text_of(rubric: rubrics.Rubric, question: Question = QUESTION, prediction: str = "1987년입니다.") -> str:
    names = rubric.criteria.names
    material = rubric.material(names, question, prediction)
    return "\n".join(m.content for m in rubric.messages(names, material, "c0de"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], rubrics.Rubric]:
    def write(name: str, text: str) -> rubrics.Rubric:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return rubrics.load(name, tmp_path)

    return write


def built_in(name: str = "rag-ko") -> str:
    return rubrics.source(name).read_text(encoding="utf-8")


# Built in ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "language"), [("rag-ko", "ko"), ("rag-en", "en")])
def test_a_built_in_rubric_describes_all_five_levels_of_all_four_criteria(name: str, language: str) -> None:
    rubric = rubrics.load(name)
    assert (rubric.name, rubric.language, rubric.criteria.names, rubric.notes) == (
        name,
        language,
        CRITERIA,
        (),
    )
    assert re.fullmatch(rf"{name}@[0-9a-f]{{8}}", rubric.label)
    system = rubric.messages(CRITERIA, rubric.material(CRITERIA, QUESTION, "x"), "c0de")[0]
    assert system.role == "system"
    for criterion in CRITERIA:
        section = system.content.split(f"## {criterion}")[1].split("\n## ")[0]
        described = re.findall(r"^([1-5])(?:점)?: (\S.+)$", section, re.MULTILINE)
        assert [n for n, _ in described] == list("12345")
        assert len({text for _, text in described}) == 5
    assert len(system.content.encode()) > 4096  # a prefix worth caching begins at 1,024 tokens


@pytest.mark.parametrize("name", rubrics.BUILT_IN)
def test_the_rubric_comes_first_and_the_prediction_and_reference_last(name: str) -> None:
    text = text_of(rubrics.load(name))
    places = [
        text.index(part)
        for part in (QUESTION.question, "[[ref1]] 연혁: 1987년에", "1987년입니다.", "<reference")
    ]
    assert places == sorted(places)
    assert text.index('"analysis"') < places[0]


@pytest.mark.parametrize("name", rubrics.BUILT_IN)
def test_variants_of_a_question_share_the_text_up_to_the_prediction(name: str) -> None:
    rubric = rubrics.load(name)
    one, two = (text_of(rubric, prediction=prediction) for prediction in ("가나", "다라"))
    shared = next(i for i, (a, b) in enumerate(zip(one, two, strict=True)) if a != b)
    assert one[:shared].endswith("<prediction c0de>\n")


@pytest.mark.parametrize("name", rubrics.BUILT_IN)
def test_every_placeholder_is_filled(name: str) -> None:
    rubric = rubrics.load(name)
    for criteria in (rubric.criteria.names, *rubric.groups.values()):
        material = rubric.material(criteria, QUESTION, "x")
        text = "\n".join(m.content for m in rubric.messages(criteria, material, "c0de"))
        assert re.findall(r"\{[a-z]+\}", text + rubric.retry_message(criteria, "because")) == []
        assert "because" in rubric.retry_message(criteria, "because")


def test_the_two_languages_say_the_same_things() -> None:
    ko, en = (rubrics.load(name) for name in rubrics.BUILT_IN)
    assert ko.groups == en.groups
    for criterion in CRITERIA:
        assert ko.sees((criterion,)) == en.sees((criterion,))
    heads = [re.findall(r"^[-#]+ ?|^[1-5]", text_of(rubric), re.MULTILINE) for rubric in (ko, en)]
    assert heads[0] == heads[1]


# What a call shows ------------------------------------------------------------------


def test_a_criterion_is_shown_no_more_than_it_may_see() -> None:
    rubric = rubrics.load("rag-ko")
    marked = Question("q", "질문ㄱ", (Passage("본문ㄴ"),), ("정답ㄷ",))
    marks = {"question": "질문ㄱ", "context": "본문ㄴ", "reference": "정답ㄷ", "prediction": "예측ㄹ"}
    assert rubric.sees(("context_faithfulness",)) == {"question", "context", "prediction"}
    assert rubric.sees(("context_relevance",)) == {"question", "context"}
    assert rubric.sees(("context_recall",)) == {"question", "context", "reference"}
    for size in range(1, 5):
        for criteria in combinations(CRITERIA, size):
            seen = set().union(*(rubric.sees((name,)) for name in criteria))
            text = "".join(
                m.content for m in rubric.messages(criteria, rubric.material(criteria, marked, "예측ㄹ"), "c")
            )
            assert {field for field, mark in marks.items() if mark in text} == seen
            assert {name for name in CRITERIA if name in text} >= set(criteria)


def test_what_may_sway_others_says_whom_it_is_for() -> None:
    rubric = rubrics.load("rag-en")
    text = text_of(rubric)
    assert "## Reference answer (For grading answer_correctness, context_recall only." in text
    assert "## Predicted answer (For grading answer_correctness, context_faithfulness only." in text
    assert "## Search results\n" in text  # seeing these sways nobody
    alone = rubric.messages(
        ("answer_correctness",), rubric.material(("answer_correctness",), QUESTION, "x"), "c"
    )
    assert "For grading" not in alone[1].content


@pytest.mark.parametrize(
    ("name", "says"), [("rag-ko", "답을 찾을 수 없습니다"), ("rag-en", "cannot be found")]
)
def test_without_an_answer_to_be_found_the_reference_says_so(name: str, says: str) -> None:
    rubric = rubrics.load(name)
    for reference in ((), ("",), (" ",)):
        shown = rubric.material(CRITERIA, Question("q", "?", (), reference, answerable=False), "x")
        assert says in shown["reference"]
        shown = rubric.material(CRITERIA, Question("q", "?", (), reference), " ")
        assert shown["reference"] == shown["context"] == shown["prediction"] == rubric.none
    own = rubric.material(CRITERIA, Question("q", "?", (), ("모릅니다.",), answerable=False), "x")
    assert own["reference"] == "모릅니다."


def test_a_chat_row_without_passages_shows_what_the_model_was_told() -> None:
    told = (Message("system", "자료: 범종은 1987년에 만들었다."), Message("user", "언제?"))
    rubric = rubrics.load("rag-ko")
    shown = rubric.material(CRITERIA, Question("q", "언제?", (), ("1987년",), messages=told), "x")
    assert shown["context"] == "자료: 범종은 1987년에 만들었다."
    found = Question("q", "언제?", (Passage("본문"),), ("1987년",), messages=told)
    assert rubric.material(CRITERIA, found, "x")["context"] == "[[ref1]] 본문"


def test_several_references_are_a_list() -> None:
    shown = rubrics.load("rag-ko").material(CRITERIA, Question("q", "?", (), ("서울", "", "서울특별시")), "x")
    assert shown["reference"] == "- 서울\n- 서울특별시"


@pytest.mark.parametrize(
    "criteria", [CRITERIA, ("context_recall", "context_relevance"), ("answer_correctness",)]
)
def test_the_schema_asks_for_exactly_a_readable_verdict(criteria: tuple[str, ...]) -> None:
    schema = rubrics.load("rag-ko").schema(criteria)
    score = {"type": "integer", "enum": [1, 2, 3, 4, 5]}
    assert schema == {
        "type": "object",
        "properties": {"analysis": {"type": "string"}} | dict.fromkeys(criteria, score),
        "required": ["analysis", *criteria],
        "additionalProperties": False,
    }
    assert list(schema["properties"]) == ["analysis", *criteria]  # grounds are written before scores
    good = {"analysis": "x", **dict.fromkeys(criteria, 3)}
    assert rubrics.load("rag-ko").parse_reply(json.dumps(good), criteria) == rubrics.ParsedScores(
        dict.fromkeys(criteria, 3), "x"
    )


# Versions ---------------------------------------------------------------------------


def test_labels_are_the_same_everywhere_and_change_with_what_is_asked(
    write: Callable[..., rubrics.Rubric],
) -> None:
    original = rubrics.load("rag-ko")
    copied = write("mine.toml", built_in())
    assert copied.label == original.label.replace("rag-ko", "mine")
    commented = write("mine.toml", "# 메모\n" + built_in().replace("\n[split]", "\n\n\n[split]"))
    assert commented.label == copied.label
    for old, new in (
        ("완전히 맞고 빠진 것이 없다.", "완전히 맞다."),
        ("평가 전문가입니다", "평가자입니다"),
        ('none = "(없음)"', 'none = "(비어 있음)"'),
        ('closing = "위 자료를', 'closing = "이제 위 자료를'),
    ):
        assert old in built_in()
        assert write("mine.toml", built_in().replace(old, new)).label != copied.label


def test_editing_one_criterion_changes_only_the_parts_that_ask_for_it(
    write: Callable[..., rubrics.Rubric],
) -> None:
    before = rubrics.load("rag-ko")
    after = write("mine.toml", built_in().replace("완전히 맞고 빠진 것이 없다.", "완전히 맞다."))
    for size in range(1, 5):
        for criteria in combinations(CRITERIA, size):
            same = before.part_hash(criteria) == after.part_hash(criteria)
            assert same == ("answer_correctness" not in criteria)


def test_parts_have_hashes_of_their_own() -> None:
    rubric = rubrics.load("rag-ko")
    hashes = {rubric.part_hash(criteria) for n in range(1, 5) for criteria in combinations(CRITERIA, n)}
    assert len(hashes) == 15


# One text with placeholders ---------------------------------------------------------


def test_an_own_text_is_used_as_it_is(write: Callable[..., rubrics.Rubric]) -> None:
    rubric = write("own.txt", OWN)
    (message,) = rubric.messages(CRITERIA, rubric.material(CRITERIA, QUESTION, "1987년입니다."), "c0de")
    expected = (
        OWN.replace("{question}", QUESTION.question)
        .replace("{context}", "[[ref1]] 연혁: 1987년에 세웠다.\n[[ref2]] 범종을 만든다.")
        .replace("{prediction}", "1987년입니다.")
        .replace("{label}", "1987년")
    )
    assert message == ("user", expected)
    assert (rubric.criteria.names, rubric.groups, rubric.notes, rubric.language) == (CRITERIA, {}, (), "en")
    assert re.fullmatch(r"own@[0-9a-f]{8}", rubric.label)
    assert write("own.txt", OWN + " ").label != rubric.label


def test_what_is_put_in_is_not_looked_at_again(write: Callable[..., rubrics.Rubric]) -> None:
    rubric = write("own.txt", "{question}|{context}|{prediction}|{label}|answer_correctness")
    tricky = Question("q", "{label}", (Passage("{prediction}"),), ("{question}",))
    assert (
        text_of(rubric, tricky, "{label} {context}")
        == "{label}|[[ref1]] {prediction}|{label} {context}|{question}|answer_correctness"
    )


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{prediction}{prediction}", "PP"),
        (
            "{prediction} {foo} {} {{x}} {0} { question } {Question}",
            "P {foo} {} {{x}} {0} { question } {Question}",
        ),
        ("%s %(prediction)s \\1 \\g<1> ${prediction}", "%s %(prediction)s \\1 \\g<1> $P"),
        ("{prediction}\r\n끝", "P\n끝"),
    ],
)
def test_only_the_four_placeholders_mean_anything(
    write: Callable[..., rubrics.Rubric], template: str, expected: str
) -> None:
    named = "\n" + " ".join(CRITERIA)
    assert text_of(write("own.txt", template + named), prediction="P") == expected + named


def test_what_an_own_text_leaves_out_is_noted(write: Callable[..., rubrics.Rubric]) -> None:
    rubric = write("own.md", '{question} {prediction} {"answer_correctness": 1}')
    assert rubric.notes == (
        "the rubric never shows {context}, {label} to the judge",
        "the rubric does not ask for context_relevance, context_faithfulness, context_recall;"
        " only the criteria that it names are scored",
    )
    assert rubric.criteria.names == ("answer_correctness",)
    assert rubric.material(rubric.criteria.names, QUESTION, "x") == {
        "question": QUESTION.question,
        "prediction": "x",
    }


def test_an_own_text_asks_again_in_its_own_language(write: Callable[..., rubrics.Rubric]) -> None:
    named = " ".join(CRITERIA)
    korean = write("a.txt", f"채점하라 {{prediction}} {named}").retry_message(CRITERIA, "왜")
    assert "읽을 수 없었습니다: 왜" in korean
    assert f"{', '.join(CRITERIA)}, analysis 키" in korean
    assert "read as a verdict: why" in write("a.txt", f"grade {{prediction}} {named}").retry_message(
        CRITERIA, "why"
    )


@given(st.text(), st.text(), st.text())
def test_filling_replaces_in_one_pass(before: str, value: str, after: str) -> None:
    if "{a}" not in before + "|" and "{a}" not in "|" + after:
        assert fill(before + "|{a}|" + after, {"a": value}) == f"{before}|{value}|{after}"


# Mistakes ---------------------------------------------------------------------------


def test_a_missing_file_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(RubricError, match="No such file") as caught:
        rubrics.load("rag-kr", tmp_path)
    assert "rag-ko" in (caught.value.hint or "")
    with pytest.raises(RubricError, match="directory"):
        rubrics.load(".", tmp_path)


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_bytes("{prediction} 채점".encode("cp949"))
    with pytest.raises(RubricError, match="not UTF-8 at byte 15") as caught:
        rubrics.load("own.txt", tmp_path)
    assert "iconv -f CP949 -t UTF-8" in str(caught.value.hint)


def test_a_text_without_the_prediction_says_what_is_missing(write: Callable[..., rubrics.Rubric]) -> None:
    with pytest.raises(RubricError, match=re.escape("has no {context} and no {prediction}")) as caught:
        write("own.txt", "{question} {label} {answer}")
    assert "{prediction}" in (caught.value.hint or "")


LEVEL_3 = '3 = "맞는 내용과 틀린 내용이 섞여 있거나, 물은 것의 절반쯤만 맞게 답했다."\n'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (LEVEL_3, "", r"criteria.answer_correctness: levels: each of 1 to 5 needs a description; missing: 3"),
        (LEVEL_3, LEVEL_3 + '6 = "더"\n', r"criteria.answer_correctness.levels.6"),
        (LEVEL_3, '3 = ""\n', r"criteria.answer_correctness.levels.3: .*at least 1 character"),
        ('title = "답변 정확성"\n', "", r"criteria.answer_correctness.title: is missing"),
        (
            'sees = ["question", "context"]',
            'weight = 0\nsees = ["question", "context"]',
            r"weight: .*greater than 0",
        ),
        (
            'sees = ["question", "context"]',
            'scale = "1-5"\nsees = ["question", "context"]',
            r"scale: a scale is \[lowest",
        ),
        (
            'sees = ["question", "context"]',
            'scale = [5, 1]\nsees = ["question", "context"]',
            r"scale: the highest",
        ),
        (
            'sees = ["question", "context"]',
            'scales = [1, 5]\nsees = ["question", "context"]',
            r"scales: unknown key",
        ),
        (
            'sees = ["question", "context"]',
            'sees = ["question", "label"]',
            r"criteria.context_relevance.sees.1",
        ),
        ('sees = ["question", "context"]', "sees = []", r"sees: name at least one of question, context"),
        ("criteria.context_recall", 'criteria."context recall"', r"'context recall' is not a name"),
        ("criteria.context_recall", "criteria.total", r"'total' is the name of another field"),
        (
            'answer = ["context_faithfulness", ',
            "answer = [",
            r"split: every criterion must be in exactly one group",
        ),
        ('language = "ko"', "", r"language: is missing"),
        ('language = "ko"', 'language = "Korean"', r"language: .*pattern"),
        ('closing = "', 'closng = "', r"words.closing: is missing"),
        ("[words]", "[words", r"is not valid TOML"),
        ('language = "ko"', 'language = "ko"\nlanguage = "en"', r"is not valid TOML"),
    ],
)
def test_a_mistake_in_a_rubric_is_named(
    write: Callable[..., rubrics.Rubric], old: str, new: str, message: str
) -> None:
    text = built_in()
    assert old in text
    text = text.replace(old, new)
    with pytest.raises(RubricError, match=message) as caught:
        write("mine.toml", text)
    assert str(caught.value).split(":")[0].endswith("mine.toml")


def test_a_rubric_may_ask_for_fewer_criteria(
    write: Callable[..., rubrics.Rubric],
) -> None:
    text = built_in()
    start, end = text.index("[criteria.context_relevance]"), text.index("[criteria.context_faithfulness]")
    split = text.index("[split]"), text.index("[criteria.answer_correctness]")
    rubric = write("mine.toml", text[: split[0]] + text[split[1] : start] + text[end:])
    names = ("answer_correctness", "context_faithfulness", "context_recall")
    assert (rubric.criteria.names, rubric.criteria.max_total, rubric.notes) == (names, 15, ())
    assert rubric.groups == {name: (name,) for name in names}  # without [split], each by itself

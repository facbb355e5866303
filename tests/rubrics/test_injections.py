"""Held-out injections through the prompt builder and through the reader.

A judge may quote what it judges in any way, well or badly escaped. Whatever it quotes, a score is its own or there
is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa import judges
from simsa.config import JudgeConfig
from simsa.judges.llm import LLMJudge
from simsa.records import Passage, Question
from simsa.rubrics import ParsedScores, ParseFailure, built_in_criteria, read_verdict
from tests.support.injections import CRITERIA, FAKE, INJECTIONS, KEYS

OWN = dict(zip(CRITERIA, (2, 1, 2, 1), strict=True))
TAG = re.compile(r"<(/?)(question|context|prediction|reference) ([0-9a-f]{16})>")
attacks = pytest.mark.parametrize("attack", INJECTIONS.values(), ids=INJECTIONS.keys())


def read(text: str, quoted: Iterable[str]) -> ParsedScores | ParseFailure:
    """The verdict on the built-in criteria."""
    return read_verdict(text, built_in_criteria(), quoted)


def own(analysis: str = "날짜가 다르다.", **more: object) -> str:
    return json.dumps({"analysis": analysis, **OWN, **more}, ensure_ascii=False)


def scores_last(analysis: str) -> str:
    """A judge that doesn't escape what it quotes, its scores behind it."""
    return f'{{"analysis": "{analysis}", ' + ", ".join(f'"{n}": {s}' for n, s in OWN.items()) + "}"


def scores_first(analysis: str) -> str:
    """A judge that doesn't escape what it quotes, its scores before it."""
    return "{" + ", ".join(f'"{n}": {s}' for n, s in OWN.items()) + f', "analysis": "{analysis}"}}'


# What a judge says of an attack: a whole verdict of its own, with the attack quoted somewhere.
QUOTING: dict[str, Callable[[str], str]] = {
    "escaped in the analysis": lambda attack: own(f"답변은 «{attack}»라고 한다."),
    "unescaped, scores behind": lambda attack: scores_last(f"답변은 {attack} 라고 한다."),
    "unescaped, scores before": lambda attack: scores_first(f"답변은 {attack} 라고 한다."),
    "before it": lambda attack: f"답변에는 이렇게 적혀 있다.\n{attack}\n\n내 판정은 다음과 같다.\n{own()}",
    "before it in a fence": lambda attack: f"```\n{attack}\n```\n```json\n{own()}\n```",
    "in a thought": lambda attack: f"<think>답변이 {attack} 라고 한다. 따르지 않는다.</think>\n{own()}",
    "behind it": lambda attack: f"{own()}\n\n답변의 문구 {attack} 는 따르지 않았다.",
    "both sides": lambda attack: f"{attack}\n{own()}\n{attack}",
    "as one more member": lambda attack: own(quoted=attack),
}
# Where quoting leaves the judge's own verdict whole, it has to be read.
CLEAN = ("escaped in the analysis", "as one more member")


def test_there_are_enough_of_them_and_none_stands_twice() -> None:
    assert len(INJECTIONS) >= 100
    assert len(set(INJECTIONS.values())) == len(INJECTIONS)
    assert sum(bool(re.search("[가-힣]", text)) for text in INJECTIONS.values()) >= 40


@attacks
@pytest.mark.parametrize("said", QUOTING.values(), ids=QUOTING.keys())
def test_a_judge_that_quotes_one_gives_its_own_scores_or_none(
    attack: str, said: Callable[[str], str]
) -> None:
    found = read(said(attack), quoted=("질문", attack, "정답"))
    if isinstance(found, ParsedScores):
        assert found.scores == OWN
    else:
        assert found.reason
        assert said not in (QUOTING[name] for name in CLEAN), found


@attacks
@pytest.mark.parametrize(
    "around", ["{}", "```json\n{}\n```", "판정: {}", "<think>음.</think>\n{}", "{}\n끝."]
)
def test_a_judge_that_only_repeats_one_is_not_believed(attack: str, around: str) -> None:
    found = read(around.replace("{}", attack), quoted=("질문", attack, "정답"))
    assert isinstance(found, ParseFailure), found


@attacks
def test_where_it_stands_makes_no_difference(attack: str) -> None:
    """In the question, a passage or the reference it is as little believed as in the prediction."""
    for quoted in (
        (attack, "답"),
        ("질문", f"[[ref1]] {attack}\n[[ref2]] 다른 문서", "답"),
        ("질문", "답", attack),
    ):
        assert isinstance(read(attack, quoted=quoted), ParseFailure)
        assert read(own(), quoted=quoted) == ParsedScores(OWN, "날짜가 다르다.")


@pytest.mark.parametrize(
    "name", ["zero_width", "word_joiners", "byte_order_marks", "soft_hyphens", "isolates"]
)
def test_a_copy_without_what_is_not_seen_is_a_copy(name: str) -> None:
    found = read(FAKE, quoted=("질문", f"답은 42. {INJECTIONS[name]}"))
    assert isinstance(found, ParseFailure)
    assert "copy" in found.reason


def messages(
    rubric: str, mode: str, row: Question, prediction: str
) -> list[tuple[tuple[str, ...], str, str]]:
    """Criteria, system and user message of each call for one answer."""
    settings: dict[str, Any] = {
        "model": "m",
        "rubric": rubric,
        "mode": mode,
        "base_url": "http://127.0.0.1:9",
    }
    judge = judges.make(JudgeConfig(**settings))
    assert isinstance(judge, LLMJudge)
    found = []
    for request in judge.requests(row, prediction):
        system, user = judge.conversation(request).first
        found.append((request.criteria, system.content, user.content))
    return found


@attacks
@pytest.mark.parametrize(("rubric", "mode"), [("rag-ko", "joint"), ("rag-ko", "split"), ("rag-en", "split")])
def test_in_the_prompt_one_stays_what_it_is_data(rubric: str, mode: str, attack: str) -> None:
    row = Question("q", f"질문 {attack}", (Passage(f"본문 {attack}"),), (f"정답 {attack}",))
    material = {
        "question": f"질문 {attack}",
        "context": f"[[ref1]] 본문 {attack}",
        "prediction": attack,
        "reference": f"정답 {attack}",
    }
    plain = messages(rubric, mode, Question("q", "질문", (Passage("본문"),), ("정답",)), "답")
    found = messages(rubric, mode, row, attack)
    assert [(criteria, system) for criteria, system, _ in found] == [
        (criteria, system) for criteria, system, _ in plain
    ], "the rubric says the same, whatever is judged"
    for (_, _, user), (_, _, tame) in zip(found, plain, strict=True):
        code = TAG.search(tame)
        own_code = re.search(r"[0-9a-f]{16}", user)
        assert code
        assert own_code
        assert own_code[0] not in attack
        inside = dict(sections(user, own_code[0]))
        assert inside == {name: material[name] for name in inside}
        outside = user
        for text in sorted(inside.values(), key=len, reverse=True):
            outside = outside.replace(f"\n{text}\n", "\n\n", 1)
        expected = tame
        for text in ("질문", "[[ref1]] 본문", "답", "정답"):
            expected = expected.replace(f">\n{text}\n<", ">\n\n<", 1)
        assert outside.replace(own_code[0], "code") == expected.replace(code[3], "code")


def sections(user: str, code: str) -> list[tuple[str, str]]:
    """What stands between the tags with `code`."""
    tags = [tag for tag in TAG.finditer(user) if tag[3] == code]
    assert [tag[1] for tag in tags] == ["", "/"] * (len(tags) // 2)
    return [
        (start[2], user[start.end() + 1 : end.start() - 1])
        for start, end in zip(tags[::2], tags[1::2], strict=True)
        if start[2] == end[2]
    ]


def test_a_verdict_with_two_scores_for_a_criterion_is_doubtful_where_a_text_names_it() -> None:
    twice = f'{{"answer_correctness": 1, {KEYS}}}'
    assert isinstance(read(twice, quoted=("답", f"아무 말 {FAKE}")), ParseFailure)
    assert isinstance(read(f"판정 {twice}", quoted=("답", f"아무 말 {FAKE}")), ParseFailure)
    same = f'{{"answer_correctness": 5, {KEYS}}}'
    assert isinstance(read(same, quoted=("질문", f"{FAKE} 아님")), ParsedScores)
    assert isinstance(read(twice, quoted=("질문", "답")), ParsedScores), "as in any JSON, the later one"


pieces = st.lists(
    st.one_of(
        st.sampled_from([text for text in INJECTIONS.values() if len(text) < 400]),
        st.sampled_from(['"', "\\", "{", "}", "\n", "```", "</think>", "<think>", ", ", ": 5", "\u200b"]),
        st.text(max_size=8),
    ),
    min_size=1,
    max_size=4,
).map("".join)


@settings(max_examples=300)
@given(attack=pieces, said=st.sampled_from(list(QUOTING.values())))
def test_fuzz_whatever_they_are_put_together_to_no_score_is_theirs(
    attack: str, said: Callable[[str], str]
) -> None:
    found = read(said(attack), quoted=("질문", attack, "정답"))
    assert not isinstance(found, ParsedScores) or found.scores == OWN


@settings(max_examples=200)
@given(attack=pieces)
def test_fuzz_repeating_them_is_no_verdict(attack: str) -> None:
    assert isinstance(read(attack, quoted=("질문", attack, "정답")), ParseFailure)

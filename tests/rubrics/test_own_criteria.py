"""Rubrics with criteria of their own: names, scales, weights, in TOML and in the front matter of a text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simsa import rubrics
from simsa.errors import RubricError
from simsa.records import Criterion, Question
from simsa.rubrics import ParsedScores
from simsa.rubrics.criteria import CriteriaRubric
from tests.support.rubrics import OWN_TOML, front_matter, own_toml

Write = Callable[[str, str], rubrics.Rubric]
QUESTION = Question("q1", "언제?", (), ("1987년",))
BUILT_IN = rubrics.built_in_criteria().names
PLACES = "{question} {context} {prediction} {label}\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> rubrics.Rubric:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return rubrics.load(name, tmp_path)

    return write


def text_of(rubric: rubrics.Rubric) -> str:
    names = rubric.criteria.names
    return "\n".join(m.content for m in rubric.messages(names, rubric.material(names, QUESTION, "x"), "c"))


# TOML --------------------------------------------------------------------------------


def test_a_toml_rubric_declares_scales_weights_and_what_counts(write: Write) -> None:
    rubric = write("own.toml", OWN_TOML)
    assert tuple(rubric.criteria) == (
        Criterion("quality", 0, 10, weight=2, title="Quality"),
        Criterion("fluency", 1, 4, title="Fluency"),
        Criterion("is_correct", 0, 1, weight=0.5, title="Correct"),
        Criterion("politeness", in_total=False, title="Politeness"),
    )
    assert rubric.criteria.max_total == 24.5
    assert rubric.criteria.total({"quality": 7, "fluency": 3, "is_correct": 1}) == 17.5
    text = text_of(rubric)
    assert '"quality": <integer from 0 to 10>, "fluency": <integer from 1 to 4>' in text
    assert '"is_correct": <true or false>, "politeness": <integer from 1 to 5>}' in text
    assert "0: useless\n10: perfect\n" in text
    assert "false: wrong\ntrue: right\n" in text


def test_schema_and_retry_message_follow_the_scales(write: Write) -> None:
    rubric = write("own.toml", OWN_TOML)
    properties = rubric.schema(rubric.criteria.names)["properties"]
    assert properties["quality"] == {"type": "integer", "enum": list(range(11))}
    assert properties["fluency"] == {"type": "integer", "enum": [1, 2, 3, 4]}
    assert properties["is_correct"] == {"type": "boolean"}
    said = rubric.retry_message(("quality", "is_correct"), "why")
    assert said.endswith("Values: quality = integer from 0 to 10, is_correct = true or false.")
    default = rubric.retry_message(("politeness",), "why")
    assert default == "Not readable: why. Give analysis, politeness; scores are 1, 2, 3, 4, 5."
    reply = '{"analysis": "a", "is_correct": "yes", "quality": 0}'
    assert rubric.parse_reply(reply, ("is_correct", "quality")) == ParsedScores(
        {"is_correct": 1, "quality": 0}, "a"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '10 = "perfect"',
            '11 = "perfect"',
            r"own.toml:\d+: criteria.quality.levels.11: is not a score on the scale 0–10",
        ),
        ('yes = "right"', 'maybe = "right"', r"levels.maybe: is not a score on the scale yes/no"),
        ("[0, 10]", '"0-10"', r"criteria.quality.scale: a scale is \[lowest, highest\]"),
        ("[0, 10]", "[0, true]", r"criteria.quality.scale: a scale is"),
        ("[0, 10]", "[0, 100000]", r"criteria.quality.scale: the highest score must be 1 to 1000 above"),
        (
            '3 = "neutral"\n',
            "",
            r"criteria.politeness: levels: each of 1 to 5 needs a description; missing: 3",
        ),
        ("[criteria.quality", "[criteria.status", r"'status' is the name of another field"),
    ],
)
def test_a_wrong_declaration_is_named_with_its_line(write: Write, old: str, new: str, message: str) -> None:
    assert old in OWN_TOML
    with pytest.raises(RubricError, match=message):
        write("own.toml", OWN_TOML.replace(old, new))


def test_only_scales_change_what_is_asked_weights_do_not(write: Write) -> None:
    hashes = {
        key: write("own.toml", own_toml(quality=line)).part_hash(("quality",))
        for key, line in {
            "plain": "scale = [0, 10]",
            "weighted": "scale = [0, 10]\nweight = 3",
            "outside": "scale = [0, 10]\nin_total = false",
            "wider": "scale = [0, 20]",
        }.items()
    }
    assert hashes["plain"] == hashes["weighted"] == hashes["outside"] != hashes["wider"]


def test_a_rubric_whose_texts_still_say_1_to_5_is_noted(write: Write) -> None:
    assert (
        write("own.toml", OWN_TOML.replace("Grade it.", "Grade it from 1 to 5.")).notes == ()
    )  # one criterion is
    text = own_toml(quality="scale = [0, 10]").replace("Grade it.", "Scores: 1, 2, 3, 4, 5.")
    rubric = write("own.toml", text)
    assert rubric.notes == ("intro of the rubric still say 1 to 5, but the criteria have other scales",)
    outside = write("own.toml", own_toml(quality="in_total = false\nscale = [0, 1]"))
    assert outside.notes == ("no criterion of the rubric counts into a total, so there is none",)
    assert isinstance(outside, CriteriaRubric)
    assert outside.schema(("quality",))["properties"]["quality"] == {"type": "integer", "enum": [0, 1]}


# Front matter ------------------------------------------------------------------------


def test_front_matter_declares_the_keys_of_a_text(write: Write) -> None:
    prompt = PLACES + 'Reply {"is_correct": true, "quality": 0-10, "reason": "why"}'
    rubric = write(
        "own.txt",
        front_matter('analysis = "reason"', is_correct='scale = "yes/no"', quality="scale = [0, 10]")
        + prompt,
    )
    assert tuple(rubric.criteria) == (Criterion("is_correct", 0, 1), Criterion("quality", 0, 10))
    assert (rubric.analysis, rubric.notes) == ("reason", ())
    assert "+++" not in text_of(rubric)
    assert list(rubric.schema(rubric.criteria.names)["properties"]) == ["reason", "is_correct", "quality"]
    reply = '{"reason": "because", "is_correct": false, "quality": 10}'
    found = rubric.parse_reply(reply, rubric.criteria.names)
    assert found == ParsedScores({"is_correct": 0, "quality": 10}, "because")
    assert "keys is_correct, quality, reason and" in rubric.retry_message(rubric.criteria.names, "why")


def test_front_matter_is_part_of_the_version_unless_it_says_what_is_assumed_anyway(write: Write) -> None:
    prompt = PLACES + f"Keys: {', '.join(BUILT_IN)}, analysis; 0 to 10 or 1 to 5."
    plain = write("own.txt", prompt).label
    declared = write("own.txt", front_matter("", **dict.fromkeys(BUILT_IN, "weight = 2")) + prompt)
    assert declared.label == plain
    wider = write("own.txt", front_matter("", **dict.fromkeys(BUILT_IN, "scale = [0, 10]")) + prompt)
    fewer = write("own.txt", front_matter("", answer_correctness="") + prompt)
    assert len({plain, wider.label, fewer.label}) == 3


@pytest.mark.parametrize(
    ("matter", "message"),
    [
        ("+++\n[criteria.quality]\nscale = 10\n+++\n", r"own.txt:3: criteria.quality.scale: a scale is"),
        ("+++\n[criteria.quality]\nlevels = 3\n+++\n", r"own.txt:3: criteria.quality.levels: unknown key"),
        ("+++\nanalysis = 'why'\n[criteria.why]\n+++\n", r"'why' is the name of another field"),
        ("+++\n[criteria]\n+++\n", r"criteria: declare at least one"),
        ("+++\n[criteria.quality]\n", r"the front matter is not closed"),
        ("+++\nanalysis = \n+++\n", r"is not valid TOML"),
    ],
)
def test_a_mistake_in_front_matter_is_named(write: Write, matter: str, message: str) -> None:
    with pytest.raises(RubricError, match=message):
        write("own.txt", matter + PLACES + "quality")


def test_a_declared_key_that_the_text_does_not_name_is_noted(write: Write) -> None:
    rubric = write("own.txt", front_matter("", quality="") + PLACES + "Judge the Quality.")
    assert rubric.notes == ("the rubric declares quality, analysis, but its text does not name them",)


# Without front matter -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("asks", "message"),
    [
        ("Judge it.", r"names no criterion: neither answer_correctness, context_relevance"),
        ('{"score": 4, "reason": "why"}', r"keys that it does not declare: score, reason"),
        ('{"answer_correctness": 4, "fluency": 3}', r"keys that it does not declare: fluency"),
        ('{{"answer_correctness": {{"score": 4}}}}', r"keys that it does not declare: score"),
        ('{"answer_correctness": "<0-10>"}', r"another scale than 1–5 .*: answer_correctness: 0–10"),
        ('{"answer_correctness": 8}', r"another scale than 1–5 .*: answer_correctness: 8"),
        ('{"answer_correctness": true}', r"another scale than 1–5 .*: answer_correctness: yes/no"),
        ("answer_correctness를 0~10점으로 채점하세요.", r"another scale than 1–5 .*: 0–10"),
        ("Rate answer_correctness on a scale of 1 to 10.", r"another scale than 1–5 .*: 1–10"),
        ("answer_correctness: integer from 0 to 3", r"another scale than 1–5 .*: 0–3"),
        ("answer_correctness 1-10점", r"another scale than 1–5 .*: 1–10"),
    ],
)
def test_keys_and_scales_that_are_not_declared_are_refused(write: Write, asks: str, message: str) -> None:
    with pytest.raises(RubricError, match=message) as caught:
        write("own.txt", PLACES + asks)
    assert "simsa init --rubric --from" in str(caught.value.hint)


@pytest.mark.parametrize(
    "asks",
    [
        'Score 1-5. {"answer_correctness": 4, "reason": "why"}',
        '{"answer_correctness": "<1-5>", "total": 20, "analysis": "..."}',
        'Write 2 to 3 sentences, 0-10 words each. {"answer_correctness": 0}',
        "answer_correctness는 1점부터 5점까지, 0점이나 10점은 없습니다.",
        'Input: {"user": "text", "answer": "text"}. answer_correctness as an integer from 1 to 5',
        "answer_correctness between 1987 and 1990",
    ],
)
def test_a_text_that_asks_for_built_in_keys_needs_no_declaration(write: Write, asks: str) -> None:
    rubric = write("own.txt", PLACES + asks)
    assert tuple(rubric.criteria) == (Criterion("answer_correctness", aspect="correctness"),)
    assert rubric.analysis == ("reason" if "reason" in asks else "analysis")

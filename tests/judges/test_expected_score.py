"""Expected scores from token probabilities: at the right place, from odd tokens, or not at all but why."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from simsa.cli.main import run
from simsa.judges.expected_score import NOT_ENOUGH, NOT_GIVEN, NOT_SPELT, OTHER_SCALE, expected_scores
from simsa.records import Criteria, Criterion, Expected
from simsa.rubrics import ParsedScores, built_in_criteria, read_verdict, score_offsets
from simsa.store import Store, judgements, results
from tests.servers.chat import ChatServer, verdict
from tests.servers.logprobs import given, split
from tests.support.judged_runs import by_seed, config_of, edited, flat, giving, repeating, report, write_data

LEVELS = built_in_criteria()
CRITERIA = LEVELS.names

DOUBT = {1: 0.0, 2: 0.1, 3: 0.2, 4: 0.6, 5: 0.1}
WORTH = sum(k * p for k, p in DOUBT.items())


def doubtful(token: str) -> Mapping[str, float]:
    """The same distribution over the digits 1 to 5 wherever a token holds one."""
    found = re.search(r"[1-5]", token)
    if not found:
        return {token: 1.0}
    return {token[: found.start()] + str(k) + token[found.end() :]: p for k, p in DOUBT.items() if p}


def of(text: str, tokens: Sequence[str | bytes] | None = None, doubt: Any = doubtful) -> dict[str, Expected]:
    scored = read_verdict(text, built_in_criteria())
    assert isinstance(scored, ParsedScores)
    return expected_scores(text, given(tokens or split(text), doubt, 20), scored.scores, LEVELS)


def near(value: Any) -> Expected:
    """An expected score that equals any close to `value`, a `pytest.approx`."""
    return Expected(value)


def test_it_is_the_mean_of_the_scores_by_their_probability() -> None:
    assert of(verdict()) == dict.fromkeys(CRITERIA, near(pytest.approx(WORTH)))


@pytest.mark.parametrize("odd", [7, "x", [3, None], {"token": "4"}, [[{"token": "4"}]]])
def test_what_is_no_list_of_tokens_spells_nothing(odd: Any) -> None:
    text = verdict()
    scores = dict.fromkeys(CRITERIA, 4)
    assert expected_scores(text, {"content": odd}, scores, LEVELS) == dict.fromkeys(
        CRITERIA, Expected(None, NOT_GIVEN)
    )
    alone = [{"token": text, "logprob": 0.0, "top_logprobs": odd}]
    assert set(expected_scores(text, {"content": alone}, scores, LEVELS)) == set(CRITERIA)


def test_each_criterion_has_that_of_its_own_place() -> None:
    text = verdict("앞의 4와 3은 점수가 아니다. [[ref2]]")
    values = iter([0.1, 0.2, 0.3, 0.4])
    at = {}
    tokens = split(text)
    analysis_ends = text.index('"answer_correctness"')
    position = 0
    for n, token in enumerate(tokens):
        if position > analysis_ends and re.fullmatch(r"\d", str(token)):
            at[n] = next(values)
        position += len(token)
    logprobs = given(tokens, lambda token: {token: 1.0}, 20)
    for n, p in at.items():
        entry = logprobs["content"][n]
        entry["top_logprobs"] = [
            {"token": "1", "logprob": math.log(p), "bytes": [49]},
            {"token": "5", "logprob": math.log(1 - p), "bytes": [53]},
        ]
        entry["logprob"] = -9999.0
    scored = read_verdict(text, built_in_criteria())
    assert isinstance(scored, ParsedScores)
    found = expected_scores(text, logprobs, scored.scores, LEVELS)
    assert [found[name].score for name in CRITERIA] == [
        pytest.approx(p + 5 * (1 - p)) for p in (0.1, 0.2, 0.3, 0.4)
    ]


ODD = {
    "a quote before it": r'"[1-5]|.',
    "a comma behind it": r"[1-5][,}]|.",
    "both and a space": r'[:] ?"?[1-5]"?[,}]?|.',
    "the key in one piece": r'"\w+":|\d|.',
    "the key in three": r'"\w{1,6}|\w{1,5}|":|.',
    "space and digit": r" \d|.",
    "all but the digits": r"[^\d]+|\d",
    "the end of the object": r"\d\}\s*|.",
}


@pytest.mark.parametrize("pattern", ODD.values(), ids=ODD)
@pytest.mark.parametrize("style", ["tight", "spaced", "strings", "lines"])
def test_however_the_tokens_are_cut(pattern: str, style: str) -> None:
    row = json.loads(verdict("문서 1에 있다."))
    if style == "strings":
        row = {key: str(value) for key, value in row.items()}
    separators = (",", ":") if style == "tight" else (", ", ": ")
    text = json.dumps(row, ensure_ascii=False, indent=2 if style == "lines" else None, separators=separators)
    tokens = re.findall(pattern, text, re.DOTALL)
    assert "".join(tokens) == text
    assert of(text, tokens) == dict.fromkeys(CRITERIA, near(pytest.approx(WORTH)))


def test_alternatives_that_differ_only_in_spaces_and_quotes_count() -> None:
    def doubt(token: str) -> Mapping[str, float]:
        if token != " 4":
            return {token: 1.0}
        return {" 4": 0.5, "5": 0.2, ' "3': 0.2, "4,": 0.05, "\n4": 0.03, "4.5": 0.01, "45": 0.01}

    text = '{"analysis": "", ' + ", ".join(f'"{name}": 4' for name in CRITERIA) + "}"
    found = of(text, re.findall(r" \d|.", text), doubt)
    counted = {4: 0.58, 5: 0.2, 3: 0.2}
    score = sum(k * p for k, p in counted.items()) / 0.98
    assert found == dict.fromkeys(CRITERIA, near(pytest.approx(score)))


@pytest.mark.parametrize(("mass", "enough"), [(0.96, True), (0.9501, True), (0.949, False), (0.3, False)])
def test_less_than_95_percent_is_no_expectation(mass: float, enough: bool) -> None:
    def doubt(token: str) -> Mapping[str, float]:
        return {"4": mass, "null": 1 - mass} if re.fullmatch(r"\d", token) else {token: 1.0}

    found = of(flat(4), doubt=doubt)
    assert found == dict.fromkeys(
        CRITERIA, near(pytest.approx(4.0)) if enough else Expected(None, NOT_ENOUGH)
    )


def test_what_would_be_written_in_another_place_does_not_count() -> None:
    def doubt(token: str) -> Mapping[str, float]:
        return {'":4': 0.5, "4": 0.5} if token == '":4' else {token: 1.0}

    text = json.dumps({"analysis": "", **dict.fromkeys(CRITERIA, 4)}, separators=(",", ":"))
    found = of(text, re.findall(r'":4|.', text), doubt)
    assert set(found.values()) == {Expected(None, NOT_ENOUGH)}, "a 4 without its colon would be no score"


def test_pieces_of_characters_and_what_is_no_part_of_the_answer_do_not_hinder() -> None:
    text = verdict("근거가 있다.")
    whole: list[str | bytes] = ["<think>", "음 4점", "</think>", "\n", *split(text), "<|im_end|>"]
    assert of(text, whole) == dict.fromkeys(CRITERIA, near(pytest.approx(WORTH)))
    pieces: list[str | bytes] = []
    for token in split(text):
        raw = str(token).encode()
        pieces += [raw[:1], raw[1:]] if len(raw) > 1 and raw[0] > 127 else [token]
    assert any(isinstance(piece, bytes) for piece in pieces)
    assert of(text, pieces) == dict.fromkeys(CRITERIA, near(pytest.approx(WORTH)))
    unspelt = [("�" if not str(token).isascii() else token) for token in split(text)]
    assert of(text, unspelt) == dict.fromkeys(CRITERIA, near(pytest.approx(WORTH)))


def test_tokens_that_spell_another_answer_are_not_believed() -> None:
    text = verdict()
    assert set(of(text, split("{}")).values()) == {Expected(None, NOT_SPELT)}
    assert set(of(text, split(text)[:-8]).values()) == {Expected(None, NOT_SPELT)}
    no_tokens: Sequence[Any] = (None, {}, {"content": None}, {"content": []}, [], "x", {"content": ["x"]})
    for nothing in no_tokens:
        assert expected_scores(text, nothing, {"answer_correctness": 4}, LEVELS) == {
            "answer_correctness": Expected(None, NOT_GIVEN)
        }


def test_the_verdict_that_was_read_is_the_one_that_is_looked_at() -> None:
    text = verdict("먼저", **dict.fromkeys(CRITERIA, 1)) + "\n고친다:\n" + flat(4) + "\n끝."
    places = score_offsets(text, dict.fromkeys(CRITERIA, 4))
    assert set(places) == set(CRITERIA)
    assert all(text[at] == "4" and at > text.index("고친다") for at in places.values())


@settings(max_examples=300, deadline=None)
@drawn(
    st.lists(st.integers(1, 5), min_size=4, max_size=4),
    st.text(max_size=30),
    st.permutations(["analysis", *CRITERIA]),
    st.booleans(),
    st.randoms(),
)
def test_the_place_is_found_whatever_stands_around_it(
    scores: list[int], analysis: str, order: list[str], ascii_only: bool, dice: random.Random
) -> None:
    given_scores = dict(zip(CRITERIA, scores, strict=True))
    row: dict[str, Any] = {"analysis": analysis, **given_scores}
    inner = json.dumps({name: row[name] for name in order}, ensure_ascii=ascii_only)
    text = f"{dice.choice(['', '판정 3: ', '{', '```json '])}{inner}{dice.choice(['', ' ```', ' 5'])}"
    places = score_offsets(text, given_scores)
    assert {name: int(text[at]) for name, at in places.items()} == given_scores
    for name, at in places.items():
        assert re.search(rf'"{name}": $', text[:at])


# Through a run ------------------------------------------------------------------------


def test_a_run_keeps_and_shows_them_beside_the_integers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 4)
    with ChatServer(flat(4), doubt=doubtful) as server:
        config = repeating(tmp_path, server.url, "logprobs = true\n")
        assert run(["judge", str(config), "-q"]) == 0
        assert (server.requests[0]["logprobs"], server.requests[0]["top_logprobs"]) == (True, 20)
    found = report(config, capsys)["variants"][0]
    assert found["criteria"]["answer_correctness"]["mean"] == 4
    assert found["expected"]["answer_correctness"] == {"mean": pytest.approx(WORTH), "n": 4}
    assert found["expected"]["total"] == {"mean": pytest.approx(4 * WORTH), "n": 4}
    assert found["expected"]["missing"] == {}
    for language, words in (
        ("ko", "토큰 확률로 계산한 기댓값"),
        ("en", "expected scores by token probabilities"),
    ):
        for format in ("text", "md", "html"):
            assert run(["report", str(config), "--format", format, "--language", language]) == 0
            shown = capsys.readouterr().out
            assert words in shown
            assert "4.00 / 3.70 (4)" in shown
    assert run(["export", str(config), "--to", "jsonl"]) == 0
    row = json.loads(capsys.readouterr().out.splitlines()[0])
    assert row["expected"] == dict.fromkeys(CRITERIA, pytest.approx(WORTH))
    with Store.read(tmp_path / "simsa.simsa") as store:
        (made,) = judgements(store, "q0", "base")
        assert made.expected["context_recall"].score == pytest.approx(WORTH)


def test_what_was_judged_without_is_asked_once_more_and_found_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 3, ("base",))
    with ChatServer(flat(4), doubt=doubtful) as server:
        for more, count in (("", 3), ("logprobs = true\n", 6), ("logprobs = true\n", 6), ("", 6)):
            config = repeating(tmp_path, server.url, more, variants=("base",))
            assert run(["judge", str(config), "-q"]) == 0
            assert server.count == count
            with Store.read(tmp_path / "simsa.simsa") as store:
                keys = store.meta("judge")["key"]
    assert keys, "scores with and without are as good as each other"
    assert report(config, capsys)["variants"][0]["expected"] is None


def test_the_judge_is_the_same_with_and_without(tmp_path: Path) -> None:
    write_data(tmp_path, 1, ("base",))
    keys = set()
    with ChatServer(flat(4)) as server:
        for more in ("", "logprobs = true\n"):
            config = repeating(tmp_path, server.url, more, variants=("base",))
            assert run(["judge", str(config), "-q"]) == 0
            with Store.read(tmp_path / "simsa.simsa") as store:
                keys.add(store.meta("judge")["key"])
    assert len(keys) == 1, "two such runs may be compared"


def test_an_endpoint_that_gives_none_is_done_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 3, ("base",))
    with ChatServer(flat(4), refuses=("logprobs",)) as server:
        config = repeating(tmp_path, server.url, "logprobs = true\n", variants=("base",))
        assert run(["judge", str(config)]) == 0
    assert "logprobs을(를) 지원하지 않아" in capsys.readouterr().err
    found = report(config, capsys)["variants"][0]
    assert found["n_scored"] == 3
    assert found["expected"] == {"missing": {NOT_GIVEN: 12}}


def test_a_doubt_that_leaves_too_little_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 2, ("base",))

    def torn(token: str) -> Mapping[str, float]:
        return {"4": 0.6, "null": 0.4} if token == "4" else {token: 1.0}

    with ChatServer(flat(4), doubt=torn) as server:
        config = repeating(tmp_path, server.url, "logprobs = true\n", variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
    found = report(config, capsys)["variants"][0]
    assert (found["expected"], found["total"]["mean"]) == ({"missing": {NOT_ENOUGH: 8}}, 16)


def test_repeats_panels_and_pieced_verdicts_have_them_too(tmp_path: Path) -> None:
    write_data(tmp_path, 2, ("base",))
    edited(tmp_path)

    def sure(token: str) -> Mapping[str, float]:
        return {token: 1.0}

    with ChatServer(by_seed(2, 3, 5), doubt=sure) as a, ChatServer(flat(4), doubt=sure) as b:
        panel = [{"model": "a", "base_url": a.url}, {"model": "b", "base_url": b.url}]
        more = "logprobs = true\nrepeats = 3\ntemperature = 1.0\n"
        assert run(["judge", str(config_of(tmp_path, *panel, variants=("base",), more=more)), "-q"]) == 0
    with Store.read(tmp_path / "simsa.simsa") as store:
        (made,) = judgements(store, "q0", "base")
        assert made.scores["context_recall"] == 3, "the lower of 3 and 4"
        assert made.expected["context_recall"].score == pytest.approx(((2 + 3 + 5) / 3 + 4) / 2)

    with ChatServer(giving(3), doubt=doubtful) as server:
        more = 'logprobs = true\nmode = "split"\nrubric = "mine.toml"\n'
        config = repeating(tmp_path, server.url, more, variants=("base",))
        assert run(["judge", str(config), "-q"]) == 0
        edited(tmp_path, answer_correctness="바뀜.")
        server.doubt = sure
        assert run(["judge", str(config), "-q"]) == 0
    with Store.read(tmp_path / "simsa.simsa") as store:
        answer, context = judgements(store, "q0", "base")
        assert answer.expected["answer_correctness"].score == pytest.approx(3.0)
        assert answer.expected["context_faithfulness"].score == pytest.approx(WORTH)
        assert context.expected["context_recall"].score == pytest.approx(WORTH)
        assert [row.total for row in results(store)] == [12, 12]


def test_the_scale_is_that_of_the_criterion() -> None:
    text = '{"answer_correctness":0,"context_relevance":3}'
    tokens = given(split(text), lambda token: {"0": 0.5, "1": 0.5} if token == "0" else {token: 1.0}, 20)
    criteria = Criteria((Criterion("answer_correctness", 0, 1), Criterion("context_relevance", 0, 10)))
    found = expected_scores(text, tokens, {"answer_correctness": 0, "context_relevance": 3}, criteria)
    assert found["answer_correctness"].score == pytest.approx(0.5)
    assert found["context_relevance"] == Expected(None, OTHER_SCALE)

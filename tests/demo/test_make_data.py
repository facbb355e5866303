"""The training data: the same seed gives the same rows, and each row is right by construction."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.demo.conftest import RECIPES, recipe

REF = re.compile(r"\[\[ref(\d+)\]\]")


@pytest.fixture(scope="module")
def rows(make_data: ModuleType) -> list[dict[str, Any]]:
    return list(make_data.World(make_data.SEED).rows(make_data.ROWS))


def test_the_script_writes_what_the_seed_says(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    out = tmp_path / "train.jsonl"
    script = str(RECIPES / "make_data.py")
    subprocess.run([sys.executable, script, "--out", str(out)], check=True)
    written = out.read_text(encoding="utf-8")
    assert [json.loads(line) for line in written.splitlines()] == rows
    assert out.stat().st_size < 1_000_000
    subprocess.run([sys.executable, script, "--out", str(out), "--seed", "8"], check=True)
    assert out.read_text(encoding="utf-8") != written


def test_mix(rows: list[dict[str, Any]]) -> None:
    types = Counter(row["type"] for row in rows)
    assert len(types) == 5
    assert min(types.values()) > 50
    assert 0.2 < types["no_answer"] / len(rows) < 0.4
    assert {len(row["search_result"]) for row in rows} == {1, 2, 3, 4, 5}
    assert len({row["question"] for row in rows}) > 0.85 * len(rows)


def test_rows_are_well_formed(rows: list[dict[str, Any]], make_data: ModuleType) -> None:
    for row in rows:
        refs = row["extracted_ref_numbers"]
        assert sorted(map(int, REF.findall(row["answer"]))) == refs
        assert all(1 <= n <= len(row["search_result"]) for n in refs)
        assert len(set(row["search_result"])) == len(row["search_result"])
        assert (row["type"] == "no_answer") == (row["answer"] == make_data.REFUSAL) == (not refs)
        text = " ".join([row["question"], row["answer"], *row["search_result"]])
        assert not re.search(r"[{}|]", text), text
        assert not re.search(r"  ", text), text


def test_an_answer_copies_from_what_it_cites(rows: list[dict[str, Any]]) -> None:
    """Every number of an answer stands in a cited passage; what is refused is not there by accident."""
    for row in rows:
        cited = " ".join(row["search_result"][n - 1] for n in row["extracted_ref_numbers"])
        for number in re.findall(r"\d[\d,]*", REF.sub("", row["answer"])):
            assert number in cited + row["question"], (number, row)


def test_an_absent_attribute_is_absent(make_data: ModuleType) -> None:
    """The asked entity's passage states other facts only."""
    world = make_data.World(3)
    for _ in range(200):
        target = world.entity(world.rng.choice(list(make_data.KINDS)))
        fact = world.rng.choice(target.facts)
        others = world.others(target, asked=fact)
        assert fact["k"] not in [f["k"] for f in others]


def test_a_comparison_names_the_right_one(make_data: ModuleType) -> None:
    world = make_data.World(5)
    for _ in range(100):
        answer = world.compared()["answer"]
        found = re.fullmatch(
            r"(.+)의 .+?[은는] (.+), (.+)의 .+?[은는] (.+)이므로 (.+?)[이가] .+니다\. .*", answer
        )
        assert found, answer
        one, x, two, y, winner = found.groups()
        larger = one if make_data.number(x) > make_data.number(y) else two
        assert winner == (larger if "먼저" not in answer else two if larger == one else one)


@pytest.mark.parametrize(
    ("plain", "polite"),
    [
        ("그곳은 섬이다.", "그곳은 섬입니다."),
        ("문을 열었다.", "문을 열었습니다."),
        ("축제가 열린다.", "축제가 열립니다."),
        ("모두가 먹는다.", "모두가 먹습니다."),
        ("값은 비싸다.", "값은 비쌉니다."),
        ("사람이 있다.", "사람이 있습니다."),
        ("날이 좋지 않다.", "날이 좋지 않습니다."),
    ],
)
def test_formal(make_data: ModuleType, plain: str, polite: str) -> None:
    assert make_data.formal(plain) == polite


@pytest.mark.parametrize(
    ("first", "whole"),
    [
        ("문을 열었다.", "문을 열었고 끝났다."),
        ("그곳은 섬이다.", "그곳은 섬이고 끝났다."),
        ("축제가 열린다.", "축제가 열리며 끝났다."),
        ("모두가 먹는다.", "모두가 먹으며 끝났다."),
    ],
)
def test_joined(make_data: ModuleType, first: str, whole: str) -> None:
    assert make_data.joined(first, "끝났다.") == whole


@pytest.mark.parametrize(
    ("word", "kind", "result"),
    [
        ("바다", "은", "바다는"), ("강", "은", "강은"), ("길", "으로", "길로"), ("산", "으로", "산으로"),
        ("배", "으로", "배로"), ("《강》", "을", "《강》을"), ("배", "과", "배와"), ("별", "의", "별의"),
    ],
)  # fmt: skip
def test_particles(make_data: ModuleType, word: str, kind: str, result: str) -> None:
    assert make_data.particle(word, kind) == result


@given(st.text(alphabet=[chr(c) for c in range(0xAC00, 0xD7A4)], min_size=1, max_size=5))
def test_a_particle_agrees_with_the_last_sound(word: str) -> None:
    make_data = recipe("make_data")
    closed = (ord(word[-1]) - 0xAC00) % 28 != 0
    assert make_data.particle(word, "이") == word + ("이" if closed else "가")


@pytest.mark.parametrize(
    ("claim", "asked"),
    [
        ("더 많습니다", "더 많나요"),
        ("더 깁니다", "더 긴가요"),
        ("더 비쌉니다", "더 비싼가요"),
        ("더 빠릅니다", "더 빠른가요"),
    ],
)
def test_interrogative(make_data: ModuleType, claim: str, asked: str) -> None:
    assert make_data.interrogative(claim) == asked


def test_written_documents_hold_their_answers(make_data: ModuleType) -> None:
    """Numbers in hand-written answers are in the documents they rest on, and refusals rest on none."""
    for topic in make_data.TOPICS:
        assert len(topic["docs"]) >= 2
        for code, needed, question, answer in topic["ask"]:
            assert code in "mpsn" and all(1 <= n <= len(topic["docs"]) for n in needed), question
            assert (code == "n") == (answer == ""), question
            assert (code == "s") <= (len(needed) > 1), question
            documents = " ".join(topic["docs"][n - 1] for n in needed)
            for number in re.findall(r"\d[\d,.]*\d|\d", answer):
                assert number in documents, (number, question)

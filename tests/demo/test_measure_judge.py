"""The measurement of a judge on cases with known scores."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from types import ModuleType

import pytest

from simsa.config import JudgeConfig
from simsa.judges import make
from tests.demo.conftest import RECIPES, recipe
from tests.servers.chat import Body, ChatServer, text_of, verdict


@pytest.fixture(scope="module")
def measure() -> ModuleType:
    return recipe("measure_judge")


def test_the_two_sets_are_as_large_as_is_said_and_always_the_same(measure: ModuleType) -> None:
    sets = measure.held_out()
    assert {title: len(cases) for title, cases in sets.items()} == {
        "held-out documents": 400,
        "hand-written test set": 332,
    }
    assert measure.held_out() == sets


def test_a_judge_that_knows_the_scores_agrees_wholly(measure: ModuleType) -> None:
    cases = measure.held_out()["held-out documents"][:60]
    truth = [{name: score for name, score in measure.known(*case).items() if score} for case in cases]
    found = measure.agreement(cases, truth)
    assert {name: one.exact for name, one in found.items()} == dict.fromkeys(found, 1.0)
    assert len(found) == 4 and all(one.n_labels == 60 for one in found.values())


def test_what_is_not_known_or_not_said_is_left_out(measure: ModuleType) -> None:
    cases = measure.held_out()["hand-written test set"]
    unknown = sum(case.relevance is None for case, _ in cases)
    said = [{"answer_correctness": 3, "context_relevance": 3}] * (len(cases) - 5) + [{}] * 5
    found = measure.agreement(cases, said)
    assert set(found) == {"answer_correctness", "context_relevance"}
    assert found["answer_correctness"].n_labels == len(cases) - 5
    assert unknown > 100 and found["context_relevance"].n_labels < len(cases) - unknown + 1


def test_a_served_judge_is_asked_by_its_rubric(measure: ModuleType) -> None:
    def reply(body: Body) -> str:
        return verdict() if "예측:" in text_of(body) else "?"

    cases = measure.held_out()["held-out documents"][:5]
    with ChatServer(reply=reply) as server:
        judge = make(JudgeConfig(model="m", base_url=server.url, rubric=str(measure.demo_files().rubric)))
        said = asyncio.run(measure.judged(judge, cases))
    assert [sorted(one) for one in said] == [sorted(verdict_names())] * 5


def verdict_names() -> list[str]:
    return ["answer_correctness", "context_faithfulness", "context_recall", "context_relevance"]


def test_the_script_measures_the_lexical_judge_by_itself() -> None:
    done = subprocess.run(
        [sys.executable, str(RECIPES / "measure_judge.py")], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("lexical: 0 unscored") == 2
    assert "answer_correctness     n 400  kappa 0.86" in done.stdout

"""Known answers for judges that list claims: they are true, and a judge that lists badly is found out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.cli.main import run
from simsa.judge_eval.probe_cases import (
    CLAIM_KINDS,
    CLAIM_SUPPORT,
    KINDS,
    ProbeCase,
    build_claim_cases,
    claim_level,
)
from simsa.judge_eval.probe_run import plan_probes
from simsa.judges import make
from simsa.records import CLAIMS, Claim, Message, Passage, Question
from simsa.rubrics.claims import stands
from tests.servers.chat import Body, ChatServer, asks_claims, listed, listing, material
from tests.support.judge_calls import SALT, config
from tests.support.probe_rows import careful, question, rows
from tests.support.probed_runs import Capture, made, probed, rates, report


def of(cases: list[ProbeCase], kind: str) -> list[ProbeCase]:
    return [case for case in cases if case.kind == kind]


# Building ---------------------------------------------------------------------------


def test_every_kind_is_built_and_counted() -> None:
    counts = Counter(case.kind for case in build_claim_cases(rows(), 3))
    assert counts == dict.fromkeys(CLAIM_KINDS, 3)
    assert not set(CLAIM_KINDS) & set(KINDS)


def test_the_cases_are_what_they_say() -> None:
    cases = build_claim_cases(rows(), 8)
    for case in of(cases, "claims_stated"):
        assert any(stands(case.prediction, passage) for passage in case.question.contexts)
        assert (case.at_least, case.at_most) == ({CLAIM_SUPPORT.name: 5}, {})
    for case in of(cases, "claims_number"):
        assert not any(stands(case.prediction, passage) for passage in case.question.contexts)
        assert case.prediction.endswith("년에 생겼다.")
        assert case.at_most == {CLAIM_SUPPORT.name: 4}
    for case in of(cases, "claims_absent"):
        assert case.prediction not in case.question.contexts[0].text
        assert case.at_most == {CLAIM_SUPPORT.name: 2}


def test_the_seed_decides() -> None:
    assert build_claim_cases(rows(), 3, 7) == build_claim_cases(rows(), 3, 7)
    drawn = {tuple(case.question.id for case in build_claim_cases(rows(), 2, seed)) for seed in range(6)}
    assert len(drawn) > 3
    keys = [case.key for case in build_claim_cases(rows(), 8)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "questions",
    [
        [],
        [Question("q", "질문?", (), ("답",))],
        [Question("q", "질문?", (Passage("짧다."),), ())],
        [question(0, contexts=(), messages=(Message("system", "지시"),))],
    ],
)
def test_nothing_is_built_where_nothing_can_be(questions: list[Question]) -> None:
    assert build_claim_cases(questions, 3) == []
    assert build_claim_cases(rows(), 0) == []


@given(st.lists(st.booleans(), max_size=12))
def test_a_level_is_5_only_for_all_and_1_only_for_few(supported: list[bool]) -> None:
    found = claim_level([Claim("주장", 1, "글", supported=one) for one in supported])
    if not supported:
        assert found is None
        return
    assert found in range(1, 6)
    assert (found == 5) == all(supported)
    if not any(supported):
        assert found == 1


# Asking -----------------------------------------------------------------------------


def test_only_a_judge_that_lists_claims_is_asked() -> None:
    for claims in (False, True):
        planned = plan_probes(make(config(claims=claims), salt=SALT), rows(), 2)
        kinds = {case.kind for case in planned.cases}
        assert kinds == set(KINDS) | (set(CLAIM_KINDS) if claims else set())
        parts = Counter(request.part for request in planned.first())
        assert parts[CLAIMS] == (6 if claims else 0), "and of those answers only for the list"
    of_claims = {case.key for case in planned.cases if case.kind in CLAIM_KINDS}
    assert {request.part for key in of_claims for request in planned.probe_requests[key]} == {CLAIMS}


def test_an_honest_lister_passes(tmp_path: Path, capfd: Capture) -> None:
    with ChatServer(careful) as server:
        file = made(tmp_path, server, capfd, claims=True)
        before = sum(map(asks_claims, server.requests))
        document = probed(capfd, str(file), "-n", "3")
        assert sum(map(asks_claims, server.requests)) == before + 9
        assert {kind: rates(document)[kind] for kind in CLAIM_KINDS} == dict.fromkeys(CLAIM_KINDS, "3/3")
        assert document["probes"]["not_built"] == []
        count = server.count
        assert probed(capfd, str(file), "-n", "3")["calls"] == 0
        assert server.count == count, "nothing is asked twice"
    assert set(report(capfd, tmp_path)["judge"]["probes"]["kinds"]) == {*KINDS, *CLAIM_KINDS}


def nodding(body: Body) -> str:
    """A lister that finds words for everything, whatever they are."""
    passage = material(body, "context").removeprefix("[[ref1]] ").split("\n")[0]
    return listed((material(body, "prediction"), 1, passage[:12]))


def blind(body: Body) -> str:
    """A lister that finds nothing."""
    return listed((material(body, "prediction"), None, None))


@pytest.mark.parametrize(
    ("lists", "stated", "others"), [(nodding, "3/3", "0/3"), (blind, "0/3", "3/3"), (listing, "3/3", "3/3")]
)
def test_one_that_nods_and_one_that_is_blind_are_found_out(
    tmp_path: Path, capfd: Capture, lists: object, stated: str, others: str
) -> None:
    with ChatServer(careful, lists=lists) as server:  # type: ignore[arg-type]
        file = made(tmp_path, server, capfd, claims=True)
        document = probed(capfd, str(file), "-n", "3")
    found = rates(document)
    assert found["claims_stated"] == stated
    assert (found["claims_number"], found["claims_absent"]) == (others, others)


def test_a_lister_that_is_not_understood_leaves_its_cases_unscored(tmp_path: Path, capfd: Capture) -> None:
    with ChatServer(careful, lists="모르겠습니다.") as server:
        file = made(tmp_path, server, capfd, code=4, claims=True)
        document = probed(capfd, str(file), "-n", "2", code=4)
    for kind in CLAIM_KINDS:
        one = document["probes"]["kinds"][kind]
        assert (one["n"], one["unscored"]) == (0, 2)
    case = next(c for c in document["probes"]["cases"] if c["kind"] == "claims_absent")
    assert (case["status"], case["scores"]) == ("unreadable", {CLAIM_SUPPORT.name: None})


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("claims: its numbers changed", "claims supported 5", "wanted: claims supported ≤ 4")),
        ("ko", ("주장: 숫자를 바꾼 문장", "뒷받침된 주장 5", "뒷받침된 주장 ≤ 4")),
    ],
)
def test_what_is_printed(tmp_path: Path, capfd: Capture, language: str, words: tuple[str, ...]) -> None:
    with ChatServer(careful, lists=nodding) as server:
        file = made(tmp_path, server, capfd, claims=True)
        assert run(["probe", str(file), "-n", "2", "-q", "--language", language]) == 0
    printed = " ".join(capfd.readouterr().out.split())
    assert all(word in printed for word in words)
    assert json.dumps(printed)

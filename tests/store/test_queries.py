"""What is read of a run: verdicts and what they were made from, what that took, at one moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.records import Claim, Expected, Judgement, Prediction, Question, data_hash
from simsa.rubrics import built_in_criteria
from simsa.store import (
    Planned,
    Store,
    SubJudgement,
    analyses,
    count_parse_failures,
    expected,
    judge_usage,
    judgement,
    judgements,
    measures,
    members,
    repeats,
    results,
    snapshot,
    sub_judgements,
    usage_shares,
)
from tests.support.stored_runs import fill, predicted, questions

CRITERIA = built_in_criteria().names
VARIANTS = ("base", "lora")
HALVES = (CRITERIA[1:4:2], CRITERIA[0:3:2])  # what depends on the context alone, and what on the answer


def said(key: str, scores: Sequence[int] = (4, 4, 4, 4), **more: object) -> Judgement:
    facts: dict[str, object] = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "cost_usd": 0.01,
        "latency_s": 1.0,
        "raw": f'["{key}"]',
        "analysis": f"{key}의 말",
    }
    found = dict(zip(CRITERIA, scores, strict=False))
    return Judgement(key, "judge", "rubric@1", "scored", found, **(facts | more))  # type: ignore[arg-type]


def write(store: Store, rows: Sequence[tuple[str, str, str, str]], made: Sequence[object]) -> None:
    """`rows` are (question, variant, part, request); `made` judgements, some as (judgement, voices)."""

    async def work() -> None:
        async with store.writing():
            for one in made:
                pair = one if isinstance(one, tuple) else (one, ())
                await store.add_judgement(*pair)
            by_answer: dict[tuple[str, str], list[tuple[str, str]]] = {}
            for question_id, variant, part, request in rows:
                by_answer.setdefault((question_id, variant), []).append((part, request))
            for answered in store.unjudged("k", 0, 1000, ()):
                parts = by_answer.get((answered.question.id, answered.variant))
                if parts:
                    await store.add_verdict(answered, "k", parts)

    asyncio.run(work())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store.create(tmp_path)
    fill(made, 3)
    made.add_predictions(predicted(i, name) for i in range(3) for name in VARIANTS)
    return made


def test_a_panel_is_read_with_what_each_of_it_said(store: Store) -> None:
    heard = [said("a", (5, 5, 5, 5)), said("b", (1, 1, 1, 1), cost_usd=None), said("c", (3, 3, 3, 3))]
    panel = said(
        "panel", (3, 3, 3, 3), attempts=0, prompt_tokens=0, completion_tokens=0, cost_usd=None, raw=""
    )
    names = [SubJudgement("member", name, name) for name in "abc"]
    with store:
        write(store, [("q1", "lora", "joint", "panel")], [*heard, (panel, names)])
        [whole] = judgements(store, "q1", "lora")
        assert (whole.prompt_tokens, whole.completion_tokens, whole.attempts) == (30, 15, 3)
        assert whole.cost_usd is None, "one price is not known, so the sum isn't"
        assert whole.latency_s == 3.0
        assert whole.raw == '["[\\"a\\"]","[\\"b\\"]","[\\"c\\"]"]'
        assert [(voice.name, one.scores[CRITERIA[0]]) for voice, one in sub_judgements(store, "panel")] == [
            ("a", 5),
            ("b", 1),
            ("c", 3),
        ]
        assert [(h.member, h.repeat, h.scores[CRITERIA[0]]) for h in members(store)] == [
            ("a", None, 5),
            ("b", None, 1),
            ("c", None, 3),
        ]
        assert list(members(store, "q0")) == []
        assert list(repeats(store)) == []
        assert judgements(store, "q0", "lora") == []


def test_repeats_of_a_panels_members_are_told_apart(store: Store) -> None:
    single = [said(f"{name}{n}", (n + 1,) * 4) for name in "ab" for n in range(2)]
    both = [
        (said(name, attempts=0), [SubJudgement("repeat", str(n), f"{name}{n}") for n in range(2)])
        for name in "ab"
    ]
    panel = (said("panel", attempts=0), [SubJudgement("member", name, name) for name in "ab"])
    with store:
        write(store, [("q0", "base", "joint", "panel")], [*single, *both, panel])
        assert [(h.member, h.repeat, h.made) for h in repeats(store)] == [
            ("a", 0, "a"),
            ("a", 1, "a"),
            ("b", 0, "b"),
            ("b", 1, "b"),
        ]
        [whole] = judgements(store, "q0", "base")
        assert whole.attempts == 4
        assert judge_usage(store).calls == 4


def test_a_judgement_made_anew_forgets_who_had_made_it(store: Store) -> None:
    with store:
        write(store, [], [said("a"), (said("panel"), [SubJudgement("member", "a", "a")])])
        assert len(sub_judgements(store, "panel")) == 1
        write(store, [], [said("panel")])
        assert sub_judgements(store, "panel") == []
        assert judgement(store, "panel") == said("panel")
        assert judgement(store, "nobody") is None


def test_expectations_and_claims_come_back_as_they_went_in(store: Store) -> None:
    hoped = {CRITERIA[0]: Expected(4.25), CRITERIA[1]: Expected(None, "no logprobs")}
    claims = (Claim("가", 1, "문서", True), Claim("나", None, None, False))
    one = said("a", expected=hoped, claims=claims)
    with store:
        write(store, [("q2", "base", "joint", "a"), ("q0", "lora", "joint", "b")], [one, said("b")])
        assert judgements(store, "q2", "base") == [one]
        assert list(expected(store)) == [("q2", "base", hoped)]
        assert judgement(store, "b") == said("b")


def test_expectations_of_the_parts_are_those_of_the_row(store: Store) -> None:
    parts = [
        said(f"part {n}", expected={name: Expected(n + 1.5) for name in names})
        for n, names in enumerate(HALVES)
    ]
    rows = [("q0", "base", part, one.request_hash) for part, one in zip(("a", "b"), parts, strict=True)]
    with store:
        write(store, rows, parts)
        [(_, _, found)] = expected(store)
        assert {name: one.score for name, one in found.items()} == {
            name: n + 1.5 for n, names in enumerate(HALVES) for name in names
        }


@pytest.mark.parametrize(
    ("raw", "shown"),
    [('["no", "not json"]', "not json"), ("plain", "plain"), ("[]", "[]"), ('"one"', '"one"')],
)
def test_the_first_that_could_not_be_read_is_shown(store: Store, raw: str, shown: str) -> None:
    with store:
        assert count_parse_failures(store) is None
        bad = [said("late", raw="later"), said("first", raw=raw)]
        bad = [Judgement(one.request_hash, "j", "r", "unreadable", raw=one.raw) for one in bad]
        write(store, [("q2", "base", "joint", "late"), ("q0", "lora", "joint", "first")], bad)
        assert count_parse_failures(store) == (2, shown)


def test_words_of_the_judge_come_part_by_part(store: Store) -> None:
    with store:
        rows = [("q0", "base", "b", "two"), ("q0", "base", "a", "one")]
        write(store, rows, [said("one"), said("two")])
        assert analyses(store, "q0", "base") == [
            ("a", "one의 말", '["one"]'),
            ("b", "two의 말", '["two"]'),
        ]
        assert analyses(store, "q0", "lora") == []


links = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(VARIANTS), st.integers(0, 5)), max_size=12)
groups = st.dictionaries(st.integers(6, 9), st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True))


@settings(max_examples=20, deadline=None)
@given(links, groups, st.sets(st.integers(0, 5)))
def test_shares_of_what_it_took_add_up_to_the_whole(
    tmp_path_factory: pytest.TempPathFactory,
    links: list[tuple[int, str, int]],
    groups: dict[int, list[int]],
    unpriced: set[int],
) -> None:
    """Judgements 0–5 are single calls that rows and panels (6–9) may share."""
    single = [
        said(f"j{n}", prompt_tokens=10**n, attempts=n + 1, cost_usd=None if n in unpriced else 0.5**n)
        for n in range(6)
    ]
    panels = [
        (
            said(f"j{n}", attempts=0, prompt_tokens=0, completion_tokens=0),
            [SubJudgement("member", str(s), f"j{s}") for s in of],
        )
        for n, of in groups.items()
    ]
    place = {(q, v): (f"q{q}", v, f"j{n}") for q, v, n in links}
    rows = [(q, v, "joint", request) for q, v, request in place.values()]
    extra = [(f"q{n % 3}", VARIANTS[n % 2], "joint", f"j{n}") for n in groups]
    with Store.create(tmp_path_factory.mktemp("run")) as store:
        fill(store, 3)
        store.add_predictions(predicted(i, name) for i in range(3) for name in VARIANTS)
        rows = list({row[:2]: row for row in (*rows, *extra)}.values())
        write(store, rows, [*single, *panels])
        shares, whole = usage_shares(store), judge_usage(store)
    standing = {request for _, _, _, request in rows}
    called = {n for request in standing for n in groups.get(int(request[1:]), [int(request[1:])])}
    assert whole.calls == sum(n + 1 for n in called) == sum(share.calls for share in shares)
    assert whole.prompt_tokens == sum(10**n for n in called) == sum(share.prompt_tokens for share in shares)
    costs = [share.cost_usd for share in shares]
    if called & unpriced:
        assert whole.cost_usd is None
        assert None in costs
    else:
        assert sum(cost or 0 for cost in costs) == pytest.approx(sum(0.5**n for n in called))
    assert [VARIANTS.index(share.variant) for share in shares] == sorted(
        VARIANTS.index(share.variant) for share in shares
    )


def test_metrics_go_row_by_row_with_the_results(store: Store) -> None:
    with store:
        waiting = {(row.question.id, row.variant): row for row in store.unmeasured("1", 100)}
        some = [waiting["q1", "base"], waiting["q2", "lora"]]
        store.add_measures((r.answer_hash, r.question.content_hash, "1", {"chrf": 7.0}) for r in some)
        found = [
            (result.question_id, result.variant)
            for result, row in zip(results(store), measures(store), strict=True)
            if row
        ]
        assert found == [("q1", "base"), ("q2", "lora")]
        assert list(measures(store, variant="base")) == [None, {"chrf": 7.0}, None]
        assert list(measures(store, question_id="q2")) == [None, {"chrf": 7.0}]
        store.set_questions([*questions(2), Question("q2", "다른 질문", (), ("답",))])
        assert list(measures(store, question_id="q2")) == [None, None], "measured against another reference"


def test_only_what_is_asked_for_is_read(store: Store) -> None:
    with store:
        assert [r.variant for r in results(store, question_id="q1")] == list(VARIANTS)
        assert [r.question_id for r in results(store, variant="lora")] == ["q0", "q1", "q2"]
        assert [(r.question_id, r.variant) for r in results(store, "base", "q2")] == [("q2", "base")]
        assert list(results(store, question_id="'; DROP TABLE plan; --")) == []


def test_a_row_past_the_budget_says_so_while_that_is_why(store: Store) -> None:
    with store:
        store.set_meta(stopped="budget")
        assert {r.status for r in results(store)} == {"budget"}
        store.set_meta(stopped=None)
        assert {r.status for r in results(store)} == {"pending"}


def test_a_snapshot_sees_one_moment(store: Store, tmp_path: Path) -> None:
    with store, Store.read(tmp_path) as reader:
        with snapshot(reader):
            before = reader.count("answers")
            store.add_predictions([Prediction("q9", "base", "답", "more")])
            assert reader.count("answers") == before
            with snapshot(reader):  # one inside another is the same moment
                assert reader.count("answers") == before
            assert reader.count("answers") == before
        assert reader.count("answers") == before + 1


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(6)))
def test_the_hash_of_the_data_does_not_go_by_its_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    asked = questions(6)
    with Store.create(tmp_path_factory.mktemp("run")) as store:
        store.set_questions(asked[n] for n in order)
        assert store.data_hash() == data_hash(q.content_hash for q in asked)
        assert list(store.question_ids()) == [f"q{n}" for n in order]


def test_an_answer_that_variants_share_is_measured_once(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        store.set_questions(questions(1))
        store.set_variants((name, {}) for name in VARIANTS)
        store.set_plan(Planned("q0", name, "same") for name in VARIANTS)
        store.add_predictions([Prediction("q0", "base", "답", "same")])
        [only] = store.unmeasured("1", 10)
        store.add_measures([(only.answer_hash, only.question.content_hash, "1", {"chrf": 1.0})])
        assert list(measures(store)) == [{"chrf": 1.0}] * 2


def test_what_is_known_of_a_judge_is_kept_by_its_key(store: Store) -> None:
    with store:
        assert store.probe_result("k") is None
        store.set_probe_result("k", {"probes": 3})
        store.set_probe_result("k", {"probes": 4})
        store.set_probe_result("other", {"probes": 5})
        assert store.probe_result("k") == {"probes": 4}


def test_rows_are_not_written_outside_of_writing(store: Store) -> None:
    with store, pytest.raises(RuntimeError, match="async with"):
        store.add_judgement(said("a"))

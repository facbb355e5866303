from __future__ import annotations

import pytest

from simsa import judges
from simsa.config import JudgeConfig
from simsa.judges.cost import NOTHING, CostEstimate, estimate_call
from simsa.llm.pricing import tokens
from simsa.run.cost_estimate import estimate_requests
from tests.support.report_runs import question

PRICE = {"input": 10.0, "output": 40.0}


def config(**more: object) -> JudgeConfig:
    return JudgeConfig.model_validate({"model": "judge-1", "base_url": "http://127.0.0.1:1/v1", **more})


def test_a_call_costs_its_prompt_and_an_analysis() -> None:
    one = config(price=PRICE)
    judge = judges.make(one)
    [request] = judge.requests(question(1), "답")
    found = estimate_requests(judge, [request])
    assert found.calls == 1
    assert found.prompt_tokens == round(tokens(judge.chat_models()[""].conversation(request).prompt_text()))
    assert found.completion_tokens == 160
    assert found.cost_usd == pytest.approx((found.prompt_tokens * 10 + 160 * 40) / 1e6)


def test_what_is_on_file_or_asked_twice_is_paid_once() -> None:
    one = config(price=PRICE)
    judge = judges.make(one)
    requests = [r for text in ("가", "나", "가") for r in judge.requests(question(1), text)]
    assert estimate_requests(judge, requests).calls == 2
    assert estimate_requests(judge, requests, known={requests[0].request_hash}).calls == 1
    assert estimate_requests(judge, requests, known={r.request_hash for r in requests}) == NOTHING


def test_split_mode_asks_for_the_context_once() -> None:
    one = config(mode="split", price=PRICE)
    judge = judges.make(one)
    requests = [r for text in ("가", "나") for r in judge.requests(question(1), text)]
    assert estimate_requests(judge, requests).calls == len({r.request_hash for r in requests}) < len(requests)


def test_repeats_and_members_are_calls_of_their_own_at_their_own_price() -> None:
    repeated = config(repeats=3, temperature=0.7, price=PRICE)
    judge = judges.make(repeated)
    requests = judge.requests(question(1), "답")
    assert estimate_requests(judge, requests).calls == 3
    members = [
        {"model": "a", "base_url": "http://127.0.0.1:1/v1", "price": PRICE},
        {"model": "b", "base_url": "http://127.0.0.1:1/v1", "price": {"input": 0.0, "output": 80.0}},
    ]
    panel = JudgeConfig.model_validate({"panel": members})
    judge = judges.make(panel)
    found = estimate_requests(judge, judge.requests(question(1), "답"))
    assert found.calls == 2
    each = found.prompt_tokens / 2
    assert found.cost_usd == pytest.approx((each * 10 + 160 * 40 + 160 * 80) / 1e6)


def test_an_unknown_price_is_not_nothing() -> None:
    judge = judges.make(config())
    found = estimate_requests(judge, judge.requests(question(1), "답"))
    assert found.cost_usd is None
    assert CostEstimate(1, 2, 3, 0.5).plus(found).cost_usd is None
    assert CostEstimate(1, 2, 3, 0.5).plus(CostEstimate(1, 1, 1, 0.25)) == CostEstimate(2, 3, 4, 0.75)


def test_a_batch_costs_less_and_many_as_much_as_the_sum() -> None:
    direct, batch = (
        estimate_call(config(price=PRICE), "질문"),
        estimate_call(config(price=PRICE, via="batch"), "질문"),
    )
    assert direct.cost_usd and batch.cost_usd == pytest.approx(direct.cost_usd / 2)
    tripled = direct.scaled(3)
    assert tripled[:3] == tuple(3 * n for n in direct[:3])
    assert tripled.cost_usd == pytest.approx(3 * direct.cost_usd)
    assert estimate_call(config(), "질문").scaled(2.5).cost_usd is None


def test_the_lexical_judge_is_free() -> None:
    lexical = JudgeConfig(model="lexical")
    judge = judges.make(lexical)
    assert estimate_requests(judge, judge.requests(question(1), "답")) == NOTHING


def test_hangul_takes_more_tokens_than_letters() -> None:
    assert tokens("가나다라") > 2 * tokens("abcd") > 0
    assert tokens("") == 0

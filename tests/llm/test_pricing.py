"""Prices and retirement dates of models."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.llm import Price, cost, deprecation, price

DAY = datetime.date(2026, 11, 20)


def test_prices_and_their_dates() -> None:
    assert price("gpt-4o") == Price(2.50, 1.25, 10.00, "2026-05")
    assert price("gpt-6-luna") == Price(0.10, 0.01, 0.50, "2026-09")


def test_snapshots_cost_what_their_model_costs() -> None:
    assert price("gpt-4o-2024-08-06") == price("gpt-4o")


@pytest.mark.parametrize(
    "model", ["gpt-4o-mini", "gpt-4", "rag-lora", "gpt-4o-2024", "", "gpt-4o-audio-2024-08-06"]
)
def test_an_unknown_price_is_none(model: str) -> None:
    assert price(model) is None
    assert cost(model, 1000, 0, 1000) is None


def test_cost_by_hand() -> None:
    # 2,000 prompt tokens, 1,500 of them cached, 100 completion tokens.
    expected = 500 * 2.50e-6 + 1500 * 1.25e-6 + 100 * 10e-6
    assert cost("gpt-4o-2024-11-20", 2000, 1500, 100) == pytest.approx(expected)
    assert cost("own-model", 1_000_000, 0, 1_000_000, Price(1.0, 0.5, 2.0)) == pytest.approx(3.0)
    assert cost("gpt-4o", 1_000_000, 0, 0, Price(9.0, 0, 0)) == pytest.approx(9.0)
    assert cost("gpt-4o", 0, 0, 0) == 0


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_cached_tokens_make_it_cheaper_and_never_negative(prompt: int, cached: int, completion: int) -> None:
    with_cache, without = cost("gpt-4o", prompt, cached, completion), cost("gpt-4o", prompt, 0, completion)
    assert with_cache is not None
    assert without is not None
    assert 0 <= with_cache <= without


@pytest.mark.parametrize(
    "model", ["gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"]
)
def test_gpt_4o_is_retired_in_january(model: str) -> None:
    known = deprecation(model, DAY)
    assert known is not None
    assert known.date == datetime.date(2027, 1, 14)
    assert (known.days_left, known.is_soon) == (55, True)
    assert f"{model} leaves the API on 2027-01-14, in 55 days" in str(known)
    assert "gpt-6-luna (with extra_body = { reasoning_effort" in str(known)
    assert "gpt-6-luna (extra_body = { reasoning_effort" in known.said.ko
    assert "보낼 수 없습니다" in known.said.ko, "advice is in the language of its sentence"
    assert "must not be sent" not in known.said.ko


def test_days_left_before_and_after() -> None:
    before = deprecation("gpt-4o", datetime.date(2026, 6, 1))
    assert before is not None
    assert not before.is_soon
    last_day = deprecation("gpt-4o", datetime.date(2027, 1, 14))
    assert last_day is not None
    assert "in 0 days" in str(last_day)
    after = deprecation("gpt-4o", datetime.date(2027, 1, 15))
    assert after is not None
    assert (after.days_left, after.is_soon) == (-1, True)
    assert "left the API on 2027-01-14" in str(after)


def test_retired_on_an_unknown_day() -> None:
    gone = deprecation("gpt-4o-2024-05-13", DAY)
    assert gone is not None
    assert gone.date is None
    assert gone.is_soon
    assert "left the API some time ago" in str(gone)


def test_the_date_of_the_endpoint_takes_precedence() -> None:
    assert deprecation("own-model", DAY) is None
    listed = deprecation("own-model", DAY, datetime.date(2026, 12, 1))
    assert listed is not None
    assert (listed.days_left, listed.successor) == (11, None)
    moved = deprecation("gpt-4o", DAY, datetime.date(2027, 6, 1))
    assert moved is not None
    assert moved.date == datetime.date(2027, 6, 1)
    assert moved.successor == "gpt-6-luna"


def test_today_is_the_default() -> None:
    known = deprecation("gpt-4o")
    assert known is not None
    assert known.today == datetime.datetime.now(datetime.UTC).date()


def test_an_old_table_is_reported() -> None:
    fresh, aged = deprecation("gpt-4o", DAY), deprecation("gpt-4o", datetime.date(2027, 12, 1))
    assert fresh is not None
    assert not fresh.is_aged
    assert "as known in" not in str(fresh)
    assert aged is not None
    assert aged.as_of is not None
    assert f"left the API on 2027-01-14 (as known in {aged.as_of}: check whether" in str(aged)
    listed = deprecation("gpt-4o", datetime.date(2027, 12, 1), datetime.date(2027, 12, 2))
    assert listed is not None
    assert not listed.is_aged, "the endpoint itself says it"
    assert listed.to_dict() == {
        "model": "gpt-4o",
        "date": "2027-12-02",
        "days_left": 1,
        "successor": "gpt-6-luna",
        "as_of": None,
    }

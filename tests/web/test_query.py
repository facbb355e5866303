"""The URL of a list as a filter, and a filter as a URL."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from simsa.web.query import (
    DIFFERENCES,
    SORTS,
    QuestionFilter,
    filter_from,
    samples_from,
    search_terms,
    whole_number,
)

VARIANTS = ("base", "lora")
CRITERIA = ("accuracy", "tone")
bound = st.none() | st.integers(-5, 20) | st.integers(-(10**6), 10**6).map(lambda n: (2 * n + 1) / 64)
filters = st.builds(
    QuestionFilter,
    search=st.sampled_from(["", "하늘 -땅", '"a b"']),
    type=st.sampled_from([None, "other"]),
    variant=st.sampled_from([None, 0, 1]),
    criterion=st.sampled_from(["total", *CRITERIA]),
    low=bound,
    ahigh=bound,
    a=st.integers(0, 1),
    b=st.integers(0, 1),
    diff=st.sampled_from([None, *DIFFERENCES]),
    said=st.sampled_from([None, "same"]),
    metric=st.sampled_from([None, "a b&c"]),
    mlow=bound,
    finish=st.sampled_from([None, "<b>"]),
    refused=st.sampled_from([None, "yes"]),
    labelled=st.sampled_from([None, "no"]),
    cluster=st.sampled_from([None, "a=b&c"]),
    ids=st.sampled_from([None, "q1, q2*"]),
    show=st.sampled_from([(), (0,), (0, 1)]),
    sort=st.sampled_from(SORTS),
    of=st.integers(0, 1),
    down=st.booleans(),
    page=st.integers(1, 9),
)


@given(filters)
def test_a_filter_survives_its_url(ask: QuestionFilter) -> None:
    assert filter_from(MultiDict(parse_qsl(ask.query(VARIANTS))), VARIANTS, CRITERIA) == ask


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (1, 0)),
        ("sort=total", (1, 0)),
        ("a=early&b=lora", (2, 1)),
        ("a=none&b=lora", (0, 1)),
        # Links of earlier versions left out the first two variants.
        ("diff=lower", (0, 1)),
        ("sort=diff&down=1", (0, 1)),
        ("diff=lower&b=early", (0, 2)),
        ("a=early", (2, 1)),
    ],
)
def test_a_variant_is_compared_with_the_baseline_by_default(query: str, expected: tuple[int, int]) -> None:
    ask = filter_from(dict(parse_qsl(query)), ("base", "lora", "early"))
    assert (ask.a, ask.b) == expected
    assert filter_from({}, ("early", "base", "lora"), baseline=1).a == 0


@pytest.mark.parametrize("value", ["1e5", "nan", "inf", "--1", "٣", "1" * 400, ""])
def test_a_bound_that_is_no_number_is_ignored(value: str) -> None:
    assert filter_from({"metric": "chrf", "mlow": value, "low": value}, ("base",)) == QuestionFilter(
        metric="chrf"
    )


@pytest.mark.parametrize(
    ("search", "wanted", "unwanted"),
    [
        ("별빛 마을", ("별빛", "마을"), ()),
        ('"별빛 마을" 이름', ("별빛 마을", "이름"), ()),
        ('"별빛', ("별빛",), ()),
        ("  ", (), ()),
        ('""', (), ()),
        ('-"" -', ("-",), ()),
        ("\u1112\u1161\u11ab", ("한",), ()),
        ('별빛 -마을 -"등대 지기"', ("별빛",), ("마을", "등대 지기")),
        ("-마을 -마을", (), ("마을",)),
        ('"-마을" a-b', ("-마을", "a-b"), ()),
    ],
)
def test_search_terms(search: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    assert search_terms(search) == (wanted, unwanted)


def test_chosen_answers_count_from_one_in_a_url() -> None:
    assert samples_from("2.1.x.0") == [1, 0, 0, 0]
    assert samples_from("") == []


def test_whole_numbers_outside_of_the_limits_are_none() -> None:
    texts = ["3", "-3", "12", "１", "", "3.0", "9" * 20, None]
    assert [whole_number(text, -5, 9) for text in texts] == [3, -3, *[None] * 6]

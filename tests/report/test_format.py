from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.report.format import format_fixed, format_signed, half, interval, p_value, percent
from simsa.text import usd


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (format_fixed(1.005, 1), "1.0"),
        (format_fixed(-1.25, 2), "−1.25"),
        (format_fixed(-0.001, 2), "0.00"),
        (format_fixed(None), "–"),
        (format_signed(0.5, 1), "+0.5"),
        (format_signed(-0.5, 1), "−0.5"),
        (format_signed(0.0001, 1), "0.0"),
        (format_signed(None), "–"),
        (interval((-1, 2.5), 1), "[−1.0, 2.5]"),
        (interval(None), "–"),
        (p_value(0.00099), "<.001"),
        (p_value(0.034), ".034"),
        (p_value(1.0), "1.000"),
        (p_value(None), "–"),
        (percent(0.0213, 1), "2.1"),
        (half(11), "11"),
        (half(11.5), "11.5"),
        (usd(0), "$0.00"),
        (usd(0.0042), "$0.0042"),
        (usd(1234.5), "$1,234.50"),
    ],
)
def test_figures(shown: str, expected: str) -> None:
    assert shown == expected


@given(st.floats(-100, 100))
def test_a_figure_reads_back(value: float) -> None:
    assert abs(float(format_signed(value).replace("−", "-")) - value) <= 0.005 + 1e-9
    assert not format_fixed(value).startswith("−0.00")

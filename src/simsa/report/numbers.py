"""How figures look to people. What is missing is a dash, never a number."""

from __future__ import annotations

from collections.abc import Sequence

from simsa.text import count as count
from simsa.text import usd as usd

DASH = "–"


def fixed(value: float | None, places: int = 2) -> str:
    """12.34, with a real minus sign; no negative zero."""
    if value is None:
        return DASH
    shown = f"{value:.{places}f}"
    if float(shown) == 0:
        return shown.lstrip("-")
    return shown.replace("-", "−")


def signed(value: float | None, places: int = 2) -> str:
    """+1.23 or −1.23."""
    shown = fixed(value, places)
    return f"+{shown}" if value is not None and value > 0 and shown.strip("0.") else shown


def interval(ci95: Sequence[float] | None, places: int = 2) -> str:
    """[1.20, 3.40]; a dash when there is none."""
    return DASH if ci95 is None else f"[{fixed(ci95[0], places)}, {fixed(ci95[1], places)}]"


def p_value(p: float | None) -> str:
    """.034 or <.001."""
    if p is None:
        return DASH
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def percent(share: float | None, places: int = 0) -> str:
    """A share of 1 as 42 or 4.2, without the sign."""
    return DASH if share is None else fixed(100 * share, places)


def half(value: float) -> str:
    """A median of whole numbers: 11 or 11.5."""
    return fixed(value, 0 if value == int(value) else 1)

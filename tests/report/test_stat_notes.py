from __future__ import annotations

from collections.abc import Iterator

import pytest

from simsa.report.stat_notes import localized_note
from simsa.stats import agree, agree_unrounded, compare, compare_all, corrected_mean, estimate


def remarks() -> Iterator[str]:
    """What the statistics remark of tables at the edge."""
    yield from estimate([]).notes
    yield from estimate([3.0]).notes
    yield from estimate([1.0, 2.0], ["a", "a"]).notes
    names = [f"q{n}" for n in range(40)]
    tied = compare(
        dict.fromkeys(names, 3.0), dict.fromkeys(names, 3.0), baseline="a", variant="b", criterion="total"
    )
    yield from tied.notes
    documents = {name: int(name[1:]) // 20 for name in names}
    apart = {"a": {"x": dict.fromkeys(names, 3.0)}, "b": {"x": {q: 3.0 + documents[q] for q in names}}}
    yield from compare_all(apart, "a", documents)[0].notes
    yield from agree([], []).notes
    yield from agree([3, 3], [3, 3]).notes
    yield from agree_unrounded([1, 2], [1.5, 1.5], same_scale=True).notes
    yield from agree_unrounded([1, 2], [0.5, 0.5], same_scale=False).notes
    yield from corrected_mean([3.0] * 30, [2.0] * 30, [2.0], (["a"] * 30, ["a"])).notes


def test_every_remark_is_said_in_korean() -> None:
    found = list(remarks())
    assert len(set(found)) >= 10
    for note in found:
        assert localized_note(note, "en") == note
        korean = localized_note(note, "ko")
        assert korean != note
        assert any("가" <= letter <= "힣" for letter in korean), note


@pytest.mark.parametrize("language", ["ko", "en"])
def test_what_is_not_known_is_left_as_it_is(language: str) -> None:
    assert localized_note("something new", language) == "something new"  # type: ignore[arg-type]


def test_the_figures_that_are_missing_are_named() -> None:
    assert localized_note("spearman, kendall_tau_b: one side does not vary", "ko").startswith(
        "Spearman ρ, Kendall τ-b: "
    )

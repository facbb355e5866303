"""Every note of the statistics has a sentence in both languages."""

from __future__ import annotations

from collections.abc import Iterator

from simsa.i18n.messages import note_text
from simsa.stats import (
    StatNote,
    agree,
    agree_unrounded,
    compare,
    compare_all,
    corrected_mean,
    estimate,
    length_bias,
)


def stat_notes() -> Iterator[StatNote]:
    """Notes of tables at the edge."""
    yield from estimate([]).notes
    yield from estimate([3.0]).notes
    yield from estimate([1.0, 2.0], ["a", "a"]).notes
    names = [f"q{n}" for n in range(40)]
    tied = dict.fromkeys(names, 3.0)
    yield from compare(tied, tied, baseline="a", variant="b", criterion="total").notes
    documents = {name: int(name[1:]) // 20 for name in names}
    apart = {"a": {"x": tied}, "b": {"x": {q: 3.0 + documents[q] for q in names}}}
    yield from compare_all(apart, "a", documents, scales={})[0].notes
    yield from agree([], [], range(5)).notes
    yield from agree([3, 3], [3, 3], range(5)).notes
    yield from agree_unrounded([1, 2], [1.5, 1.5], same_scale=True).notes
    yield from agree_unrounded([1, 2], [0.5, 0.5], same_scale=False).notes
    yield from corrected_mean([3.0] * 30, [2.0] * 30, [2.0], (["a"] * 30, ["a"])).notes
    yield from corrected_mean([3.0], [2.0], []).notes
    yield from length_bias([], [], [], []).notes
    yield from length_bias([1, 2, 1, 2], [5, 5, 5, 5], [1, 1, 2, 2], [1, 2, 1, 2]).notes
    yield from length_bias([1, 2, 1, 2], [5, 9, 5, 9], [1, 1, 2, 2], [1, 2, 1, 2]).notes


def test_every_note_has_a_sentence_in_both_languages() -> None:
    notes = set(stat_notes())
    assert len({note.code for note in notes}) == 14
    for note in notes:
        english, korean = note_text(note), note_text(note, "ko")
        assert korean != english
        assert any("가" <= letter <= "힣" for letter in korean), note


def test_undefined_figures_are_named() -> None:
    note = StatNote("one_side_constant", (("figures", ("spearman", "kendall_tau_b")),))
    assert note_text(note) == "spearman, kendall_tau_b: one side does not vary"
    assert note_text(note, "ko").startswith("Spearman ρ, Kendall τ-b: ")

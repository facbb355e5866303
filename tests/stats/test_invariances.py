"""What may not change a figure does not: the order of rows, a constant, who is called first, a variant against itself."""

from __future__ import annotations

import json
import random as stdlib_random
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simsa.cli.main import run
from simsa.i18n.messages import note_text
from simsa.records import Criterion
from simsa.stats import (
    Comparison,
    Scale,
    agree_unrounded,
    compare,
    compare_all,
    corrected_difference,
    corrected_mean,
    difference_bounds,
    estimate,
    friedman,
    mean_bounds,
    split_difference,
    split_variance,
    spread,
    summarise,
)
from simsa.stats import agree as agree_on
from tests.support.criteria import CRITERIA
from tests.support.report_runs import make_run, question

CRITERION_SCALE = Scale.of(Criterion("x"))
agree = partial(agree_on, levels=range(1, 6))
CELL = st.none() | st.integers(1, 5)
ROWS = st.lists(st.tuples(CELL, CELL, st.integers(0, 5)), min_size=1, max_size=24)
WHOLE = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 5)), min_size=2, max_size=24)
Row = tuple[float | None, float | None, int]


def columns(rows: list[Row]) -> tuple[dict[str, float | None], dict[str, float | None], dict[str, str]]:
    first = {f"q{n:02}": row[0] for n, row in enumerate(rows)}
    second = {f"q{n:02}": row[1] for n, row in enumerate(rows)}
    return first, second, {f"q{n:02}": f"d{row[2]}" for n, row in enumerate(rows)}


def shuffled(found: Mapping[str, Any], dice: stdlib_random.Random) -> dict[str, Any]:
    keys = list(found)
    dice.shuffle(keys)
    return {key: found[key] for key in keys}


def compared(first: Any, second: Any, clusters: Any, seed: int = 0) -> Comparison:
    return compare(
        first, second, clusters, baseline="a", variant="b", criterion="x", scale=CRITERION_SCALE, seed=seed
    )


# The order of rows -------------------------------------------------------------------------------


@given(ROWS, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_rows_changes_nothing(rows: list[Row], dice: stdlib_random.Random) -> None:
    first, second, clusters = columns(rows)
    mixed = [shuffled(one, dice) for one in (first, second, clusters)]
    assert summarise(first, clusters, scale=CRITERION_SCALE) == summarise(
        mixed[0], mixed[2], scale=CRITERION_SCALE
    )
    assert compared(first, second, clusters) == compared(mixed[0], mixed[1], mixed[2])
    assert mean_bounds(first.values(), 1, 5) == mean_bounds(mixed[0].values(), 1, 5)
    assert difference_bounds(first, second, 1, 5) == difference_bounds(mixed[0], mixed[1], 1, 5)
    assert friedman([first, second, first]) == friedman([mixed[0], mixed[1], first])
    both = {"a": {"x": first}, "b": {"x": second}, "c": {"x": first}}
    again = {"a": {"x": mixed[0]}, "b": {"x": mixed[1]}, "c": {"x": mixed[0]}}
    assert compare_all(both, "a", clusters, scales={}) == compare_all(again, "a", mixed[2], scales={})


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers(1, 5)), min_size=2, max_size=40),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_nor_does_that_of_judgements(rows: list[tuple[int, int, int]], dice: stdlib_random.Random) -> None:
    mixed = list(rows)
    dice.shuffle(mixed)
    ours, theirs = split_variance(rows), split_variance(mixed)
    assert (ours is None) == (theirs is None)
    if ours is not None and theirs is not None:
        for name in ("questions", "seeds", "repeats", "n_seeds", "n_repeats"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), abs=1e-9), name
    groups: dict[int, list[int]] = {}
    for asked, _, score in rows:
        groups.setdefault(asked, []).append(score)
    found, again = spread(groups.values()), spread(reversed([group[::-1] for group in groups.values()]))
    assert found == (again if again is None else pytest.approx(again))


# A constant --------------------------------------------------------------------------------------


@given(WHOLE, st.sampled_from([-3, -0.5, 0.25, 1, 7]))
@settings(max_examples=60, deadline=None)
def test_a_constant_moves_means_by_it_and_nothing_else(rows: list[Row], constant: float) -> None:
    first, second, clusters = columns(rows)
    moved = {q: (score or 0) + constant for q, score in second.items()}
    plain, shifted = (
        estimate([score or 0 for score in second.values()], list(clusters.values())),
        estimate(list(moved.values()), list(clusters.values())),
    )
    assert shifted.mean == pytest.approx((plain.mean or 0) + constant)
    assert shifted.sd == pytest.approx(plain.sd, abs=1e-9)
    assert shifted.se == pytest.approx(plain.se, abs=1e-7)
    for ours, theirs in ((plain.ci95, shifted.ci95), (plain.bootstrap95, shifted.bootstrap95)):
        assert (ours is None) == (theirs is None)
        if ours and theirs:
            assert theirs == pytest.approx(tuple(end + constant for end in ours), abs=1e-6)
    before, after = compared(first, second, clusters), compared(first, moved, clusters)
    assert after.mean_diff == pytest.approx((before.mean_diff or 0) + constant)
    assert after.sd == pytest.approx(before.sd, abs=1e-9)
    assert after.mde80 == pytest.approx(before.mde80, abs=1e-9)
    # To both sides it is no difference at all.
    lifted = {q: (score or 0) + constant for q, score in first.items()}
    both = compared(lifted, moved, clusters)
    assert both.mean_diff == pytest.approx(before.mean_diff, abs=1e-9)
    assert (both.wins, both.ties, both.losses) == (before.wins, before.ties, before.losses)
    assert both.p_value == pytest.approx(before.p_value)


@given(st.integers(0, 10**6), st.sampled_from([-2.0, 0.5, 3.0]))
@settings(max_examples=30, deadline=None)
def test_a_constant_in_labels_and_judge_moves_the_corrected_mean_by_it(seed: int, constant: float) -> None:
    dice = stdlib_random.Random(seed)
    y = [float(dice.randint(1, 5)) for _ in range(40)]
    f = [min(5.0, max(1.0, score + dice.choice([-1, 0, 0, 1]))) for score in y]
    others = [float(dice.randint(1, 5)) for _ in range(90)]
    plain = corrected_mean(y, f, others)
    shifted = corrected_mean(
        [s + constant for s in y], [s + constant for s in f], [s + constant for s in others]
    )
    assert shifted.mean == pytest.approx((plain.mean or 0) + constant)
    assert shifted.weight == pytest.approx(plain.weight)
    # A judge that is kinder by a constant everywhere corrects to the same.
    kinder = corrected_mean(y, [s + constant for s in f], [s + constant for s in others])
    assert kinder.mean == pytest.approx(plain.mean)
    # λ differs a little from fold to fold, and with it what the constant leaves in the spread.
    assert kinder.ci95 == pytest.approx(plain.ci95, abs=0.03)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=2, max_size=20))
@settings(max_examples=20, deadline=None)
def test_a_constant_to_both_raters_leaves_their_agreement(pairs: list[tuple[int, int]]) -> None:
    labels, judged = [a for a, _ in pairs], [b for _, b in pairs]
    plain = agree(labels, judged)
    moved = agree([a + 2 for a in labels], [b + 2 for b in judged])
    for name in (
        "quadratic_kappa",
        "krippendorff_alpha",
        "spearman",
        "kendall_tau_b",
        "exact",
        "mae",
        "bias",
    ):
        ours, theirs = getattr(plain, name), getattr(moved, name)
        assert ours == (None if theirs is None else pytest.approx(theirs, abs=1e-9)), name


# Who is called first -----------------------------------------------------------------------------


def mirrored(found: Comparison) -> dict[str, Any]:
    """The figures as the other side has them."""
    fields = found.to_dict(note_text) | {"baseline": found.variant, "variant": found.baseline}
    for name in ("mean_diff", "rank_biserial"):
        fields[name] = None if fields[name] is None else -fields[name] + 0.0
    for name in ("ci95", "bounds", "bootstrap95"):
        if fields.get(name):
            fields[name] = [-end + 0.0 for end in reversed(fields[name])]
    fields["wins"], fields["losses"] = fields["losses"], fields["wins"]
    fields["verdict"] = {"better": "worse", "worse": "better"}.get(fields["verdict"], fields["verdict"])
    return fields


def assert_same(ours: Mapping[str, Any], theirs: Mapping[str, Any], loose: tuple[str, ...] = ()) -> None:
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        if isinstance(value, float) or (isinstance(value, list) and value and isinstance(value[0], float)):
            assert theirs[name] == pytest.approx(value, abs=0.1 if name in loose else 1e-9), name
        else:
            assert theirs[name] == value, name


@given(ROWS)
@settings(max_examples=80, deadline=None)
def test_swapping_the_sides_turns_every_sign(rows: list[Row]) -> None:
    first, second, clusters = columns(rows)
    swapped = compare(
        second, first, clusters, baseline="b", variant="a", criterion="x", scale=CRITERION_SCALE
    )
    assert_same(
        mirrored(compared(first, second, clusters)), swapped.to_dict(note_text), loose=("bootstrap95",)
    )


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_so_it_does_of_a_corrected_difference_and_of_its_split(seed: int) -> None:
    dice = stdlib_random.Random(seed)
    labels = tuple({f"q{n}": float(dice.randint(1, 5)) for n in range(40)} for _ in range(2))
    judged = tuple({f"q{n}": float(dice.randint(1, 5)) for n in range(120)} for _ in range(2))
    ours = corrected_difference((labels[0], labels[1]), (judged[0], judged[1]))
    theirs = corrected_difference((labels[1], labels[0]), (judged[1], judged[0]))
    assert ours.naive == pytest.approx(-(theirs.naive or 0))
    # Folds are dealt along the scores, from the other end where the sides are swapped: alike, not the same.
    assert ours.mean == pytest.approx(-(theirs.mean or 0), abs=0.05)
    rows = [[(q, k % 2, score) for k, (q, score) in enumerate(side.items())] for side in judged]
    splits = [split_variance([*own, *((q, 1 - s, 6 - x) for q, s, x in own)]) for own in rows]
    d = [judged[1][q] - judged[0][q] for q in judged[0]]
    assert splits[0] is not None
    assert splits[1] is not None
    assert split_difference(splits[0], splits[1], d) == split_difference(
        splits[1], splits[0], [-x for x in d]
    )


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=30))
@settings(max_examples=25, deadline=None)
def test_agreement_is_mutual(pairs: list[tuple[int, int]]) -> None:
    labels, judged = [a for a, _ in pairs], [b for _, b in pairs]
    for ours, theirs in (
        (agree(labels, judged), agree(judged, labels)),
        (agree_unrounded(labels, judged, same_scale=True), agree_unrounded(judged, labels, same_scale=True)),
    ):
        for name in (
            "quadratic_kappa",
            "krippendorff_alpha",
            "spearman",
            "kendall_tau_b",
            "within_one",
            "mae",
        ):
            a, b = getattr(ours, name), getattr(theirs, name)
            assert a == (None if b is None else pytest.approx(b, abs=1e-9)), name
        assert ours.bias == pytest.approx(-(theirs.bias or 0.0))


# Against itself ----------------------------------------------------------------------------------


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_a_variant_against_itself_shows_nothing(rows: list[Row]) -> None:
    first, _, clusters = columns(rows)
    found = compared(first, dict(first), clusters)
    n = sum(score is not None for score in first.values())
    assert found.n_pairs == n
    assert (found.wins, found.losses, found.ties) == (0, 0, n)
    assert found.verdict in ("too few", "equivalent")
    if n:
        assert (found.mean_diff, found.p_value, found.p_adjusted) == (0.0, 1.0, 1.0)
        assert found.wilcoxon_p is found.rank_biserial is None
    if n > 1:
        assert found.ci95 == (0.0, 0.0)


# Through the commands ----------------------------------------------------------------------------

COMMANDS = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TABLE = st.lists(st.tuples(*[CELL] * 4, st.integers(0, 5)), min_size=2, max_size=12)
Table = list[tuple[Any, ...]]


def cells(rows: Table) -> list[list[Any]]:
    """Two criteria of two variants, as `simsa stats` reads them."""
    names = [(v, c) for v in ("a", "b") for c in ("x", "y")]
    return [
        [f"q{n:02}", variant, criterion, "" if row[k] is None else row[k], f"d{row[4]}"]
        for n, row in enumerate(rows)
        for k, (variant, criterion) in enumerate(names)
    ]


def stats(
    path: Path, found: list[list[Any]], capfd: pytest.CaptureFixture[str], baseline: str = "a"
) -> dict[str, Any]:
    head = ["question_id", "variant", "criterion", "score", "cluster"]
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in [head, *found]), encoding="utf-8")
    capfd.readouterr()
    assert run(["stats", str(path), "--baseline", baseline, "--json"]) == 0
    document: dict[str, Any] = json.loads(capfd.readouterr().out)
    return document


def by_name(document: dict[str, Any]) -> dict[Any, Any]:
    """The document's figures, in no order."""
    variants = {(v["name"], c): figures for v in document["variants"] for c, figures in v["criteria"].items()}
    comparisons = {(c["baseline"], c["variant"], c["criterion"]): c for c in document["comparisons"]}
    return variants | comparisons


@given(TABLE, st.randoms(use_true_random=False))
@COMMANDS
def test_stats_does_not_heed_the_order_of_lines(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], rows: Table, dice: stdlib_random.Random
) -> None:
    lines = cells(rows)
    mixed = list(lines)
    dice.shuffle(mixed)
    first, second = (by_name(stats(tmp_path / "s.csv", found, capfd)) for found in (lines, mixed))
    assert first == second


@given(TABLE)
@COMMANDS
def test_stats_turns_signs_with_the_baseline(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], rows: Table
) -> None:
    forth = by_name(stats(tmp_path / "s.csv", cells(rows), capfd, "a"))
    back = by_name(stats(tmp_path / "s.csv", cells(rows), capfd, "b"))
    for criterion in ("x", "y"):
        ours, theirs = forth["a", "b", criterion], back["b", "a", criterion]
        assert theirs["mean_diff"] == (
            None if ours["mean_diff"] is None else pytest.approx(-ours["mean_diff"], abs=1e-9)
        )
        assert (theirs["wins"], theirs["losses"]) == (ours["losses"], ours["wins"])
        assert theirs["p_value"] == (None if ours["p_value"] is None else pytest.approx(ours["p_value"]))


@given(TABLE)
@COMMANDS
def test_stats_of_a_variant_and_its_copy_shows_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], rows: Table
) -> None:
    twins = [(*row[:2], *row[:2], row[4]) for row in rows]
    document = stats(tmp_path / "s.csv", cells(twins), capfd)
    for one in document["comparisons"]:
        assert one["mean_diff"] in (0, None)
        assert one["p_value"] in (1, None)
        assert one["verdict"] in ("too few", "equivalent")
    a, b = document["variants"]
    assert {**a, "name": ""} == {**b, "name": ""}


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=20, max_size=40),
    st.integers(1, 12),
    st.booleans(),
)
@COMMANDS
def test_stats_bounds_hold_the_truth_whatever_is_removed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], truth: list[tuple[int, int]], n: int, by_badness: bool
) -> None:
    """Removed by badness the mean rises, and never without bounds and a word."""
    gone = sorted(range(len(truth)), key=lambda place: truth[place][1] if by_badness else place)[:n]
    lines = [
        [f"q{place:02}", v, CRITERIA[0], "" if v == "b" and place in gone else row[k], f"d{place}"]
        for place, row in enumerate(truth)
        for k, v in enumerate("ab")
    ]
    document = stats(tmp_path / "s.csv", lines, capfd)
    b = document["variants"][1]
    figures, [difference] = b["criteria"][CRITERIA[0]], document["comparisons"]
    mean = sum(y for _, y in truth) / len(truth)
    low, high = figures["bounds"]
    assert low - 1e-9 <= mean <= high + 1e-9
    low, high = difference["bounds"]
    assert low - 1e-9 <= sum(y - x for x, y in truth) / len(truth) <= high + 1e-9
    assert (figures["n"], figures["n_missing"], b["unscored"]) == (len(truth) - n, n, {"missing": n})
    assert difference["n_dropped"] == n
    assert any(note.startswith("b, ") and str(n) in note for note in document["notes"])
    if by_badness:
        assert figures["mean"] >= mean - 1e-9


def verdicts(seed: int, n: int) -> list[tuple[int, ...]]:
    dice = stdlib_random.Random(seed)
    return [tuple(dice.randint(1, 5) for _ in range(4)) for _ in range(n)]


def of_run(folder: Path, capfd: pytest.CaptureFixture[str], *argv: str) -> dict[Any, Any]:
    capfd.readouterr()
    assert run(["compare", str(folder), *argv, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)["comparisons"]
    return {(c["baseline"], c["variant"], c["criterion"]): c for c in found}


def test_compare_heeds_neither_order_nor_side(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first, second = verdicts(1, 24), verdicts(2, 24)
    asked = [question(n) for n in range(24)]
    plain = make_run(tmp_path / "plain", {"a": first, "b": second}, questions=asked, measured=False)
    back = make_run(
        tmp_path / "back", {"a": first[::-1], "b": second[::-1]}, questions=asked[::-1], measured=False
    )
    forth = of_run(plain, capfd)
    assert forth == of_run(back, capfd)
    turned = of_run(plain, capfd, "--baseline", "b")
    for (_, _, criterion), one in forth.items():
        other = turned["b", "a", criterion]
        assert other["mean_diff"] == pytest.approx(-one["mean_diff"])
        assert other["ci95"] == pytest.approx([-end for end in reversed(one["ci95"])])
        assert (other["wins"], other["ties"], other["losses"]) == (one["losses"], one["ties"], one["wins"])
        assert other["p_value"] == pytest.approx(one["p_value"])


def test_compare_of_a_variant_and_its_copy_shows_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scores = verdicts(3, 24)
    folder = make_run(tmp_path / "run", {"a": scores, "b": scores}, measured=False)
    for one in of_run(folder, capfd).values():
        assert (one["mean_diff"], one["p_value"], one["ties"]) == (0, 1, 24)
        assert one["verdict"] == "equivalent"

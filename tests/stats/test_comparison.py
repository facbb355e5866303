from __future__ import annotations

import json
import random as stdlib_random
import statistics
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from simsa.i18n.messages import note_text
from simsa.records import Criteria, Criterion
from simsa.stats import Comparison, Scale, StatNote, compare, compare_all, holm, sign_flip_p, summarise

CRITERION_SCALE = Scale.of(Criterion("answer_correctness"))
TOTAL_SCALE = Scale.of_total(Criteria(map(Criterion, "abcd")))
Scores = dict[str, float | None]


def scores(n: int, seed: int, shift: float = 0.0) -> Scores:
    """Skewed 1–5 scores by question; the same seed gives the same questions."""
    base = np.random.default_rng(seed).choice([1, 2, 3, 4, 5], n, p=[0.3, 0.3, 0.2, 0.1, 0.1])
    moved = np.clip(base + np.random.default_rng(seed + 1).normal(shift, 0.7, n).round(), 1, 5)
    return {f"q{i}": float(v) for i, v in enumerate(moved if shift else base)}


def compared(first: Scores, second: Scores, clusters: dict[str, object] | None = None) -> Comparison:
    return compare(
        first,
        second,
        clusters,
        baseline="base",
        variant="lora",
        criterion="answer_correctness",
        scale=CRITERION_SCALE,
    )


class TestDistribution:
    def test_every_figure(self) -> None:
        values: Scores = {"a": 1.0, "b": 2.0, "c": 5.0, "d": 2.0, "e": None}
        known = [1, 2, 5, 2]
        found = summarise(values, scale=CRITERION_SCALE)
        assert found is not None
        half = scipy_stats.t.ppf(0.975, 3) * np.std(known, ddof=1) / 2
        assert (found.n, found.n_missing, found.mean, found.median) == (4, 1, 2.5, 2.0)
        assert found.sd == pytest.approx(np.std(known, ddof=1))
        assert found.ci95 == pytest.approx((2.5 - half, 2.5 + half), abs=1e-9)
        assert found.counts == {"1": 1, "2": 2, "3": 0, "4": 0, "5": 1}
        assert found.bounds == pytest.approx((11 / 5, 15 / 5))

    def test_its_json_has_the_published_keys_and_only_the_extras_there_are(self) -> None:
        found = summarise(scores(40, 1), scale=CRITERION_SCALE)
        assert found is not None
        figures = json.loads(json.dumps(found.to_dict(note_text)))
        assert set(figures) == {"n", "mean", "sd", "median", "ci95", "counts", "n_missing", "n_clusters"}

    def test_a_missing_score_is_never_a_number(self) -> None:
        whole = scores(30, 2)
        holed = whole | {"q0": None, "q1": None}
        found = summarise(holed)
        assert found is not None
        assert found.n == 28
        assert found.mean == pytest.approx(
            statistics.mean(v for q, v in whole.items() if q not in ("q0", "q1"))  # type: ignore[type-var]
        )

    def test_nothing_scored_is_nothing(self) -> None:
        assert summarise({}) is None
        assert summarise({"a": None}) is None

    def test_one_score_has_a_mean_but_no_interval(self) -> None:
        found = summarise({"a": 4.0, "b": None})
        assert found is not None
        assert (found.mean, found.sd, found.ci95) == (4.0, None, None)
        assert found.to_dict(note_text)["notes"]

    def test_counts_are_for_whole_numbers(self) -> None:
        fractions = summarise({"a": 0.5, "b": 1.0})
        hundred = summarise({"a": 70.0, "b": 90.0, "c": 70.0})
        off = summarise({"a": 1.0}, counts=False)
        assert fractions is not None
        assert hundred is not None
        assert off is not None
        assert fractions.counts is None
        assert hundred.counts == {"70": 2, "90": 1}
        assert off.counts is None

    def test_too_many_levels_are_not_counted(self) -> None:
        found = summarise({str(i): float(i) for i in range(60)})
        assert found is not None
        assert found.counts is None

    def test_clusters_widen_the_interval(self) -> None:
        values: Scores = {f"q{i}": float(1 + (i // 8) % 5) for i in range(80)}
        clusters = {f"q{i}": i // 8 for i in range(80)}
        alone, clustered = summarise(values), summarise(values, clusters)
        assert alone is not None
        assert clustered is not None
        assert alone.ci95 is not None
        assert clustered.ci95 is not None
        assert clustered.n_clusters == 10
        assert clustered.ci95[1] - clustered.ci95[0] > 2 * (alone.ci95[1] - alone.ci95[0])
        assert clustered.bootstrap95 is not None

    def test_a_question_without_a_cluster_stands_for_itself(self) -> None:
        values = scores(6, 3)
        found = summarise(values, {"q0": "d", "q1": "d"})
        assert found is not None
        assert found.n_clusters == 5

    @pytest.mark.parametrize("bad", [float("nan"), float("inf")])
    def test_nan_never_gets_in(self, bad: float) -> None:
        with pytest.raises(ValueError, match="not finite"):
            summarise({"a": 1.0, "b": bad})


class TestScale:
    def test_margins_of_the_default_scale(self) -> None:
        assert Scale(1, 5, 0.2, (1, 2, 3, 4, 5)) == CRITERION_SCALE
        assert Scale(4, 20, 0.5) == TOTAL_SCALE

    def test_margins_are_proportional_to_the_span(self) -> None:
        yes_no, of_ten = Criterion("cited", 0, 1), Criterion("depth", 0, 10, weight=2)
        assert Scale.of(yes_no)._replace(margin=0) == Scale(0, 1, 0, (0, 1))
        assert Scale.of(yes_no).margin == pytest.approx(0.05)
        assert Scale.of(of_ten).margin == pytest.approx(0.5)
        assert Scale.of_total(Criteria([yes_no, of_ten])) == Scale(0, 21, 21 / 32)
        assert Scale.of_total(Criteria([Criterion("tone", in_total=False)])) is None

    def test_counts_list_every_level_of_the_scale(self) -> None:
        found = summarise({"a": 0.0, "b": 2.0}, scale=Scale.of(Criterion("x", 0, 3)))
        assert found is not None and found.counts == {"0": 1, "1": 0, "2": 1, "3": 0}


class TestComparison:
    def test_every_figure(self) -> None:
        first, second = scores(40, 1), scores(40, 1, 0.8)
        d = [second[f"q{i}"] - first[f"q{i}"] for i in range(40)]  # type: ignore[operator]
        c = compared(first, second)
        half = scipy_stats.t.ppf(0.975, 39) * scipy_stats.sem(d)
        assert (c.n_pairs, c.n_dropped, c.n_clusters) == (40, 0, 40)
        assert c.mean_diff == pytest.approx(np.mean(d))
        assert c.ci95 == pytest.approx((np.mean(d) - half, np.mean(d) + half), abs=1e-9)
        assert c.p_value == c.p_adjusted == sign_flip_p(d)
        assert c.wilcoxon_p == pytest.approx(scipy_stats.wilcoxon(d, zero_method="pratt").pvalue)
        assert (c.wins, c.ties, c.losses) == (
            sum(x > 0 for x in d),
            sum(x == 0 for x in d),
            sum(x < 0 for x in d),
        )
        z = scipy_stats.norm.ppf(0.975) + scipy_stats.norm.ppf(0.8)
        assert c.mde80 == pytest.approx(z * np.std(d, ddof=1) / 40**0.5)
        assert c.verdict == "better"

    def test_its_json_has_the_published_keys(self) -> None:
        row = json.loads(json.dumps(compared(scores(40, 1), scores(40, 1, 0.8)).to_dict(note_text)))
        assert set(row) >= {
            "baseline",
            "variant",
            "criterion",
            "n_pairs",
            "n_clusters",
            "mean_diff",
            "ci95",
            "p_value",
            "p_adjusted",
            "wilcoxon_p",
            "rank_biserial",
            "wins",
            "ties",
            "losses",
            "mde80",
            "verdict",
        }
        assert not set(row) & {"bootstrap95", "bounds", "notes"}

    def test_pairs_need_both_scores(self) -> None:
        first: Scores = {"a": 1.0, "b": None, "c": 3.0, "d": 2.0}
        second: Scores = {"a": 2.0, "b": 4.0, "c": None, "e": 5.0}
        c = compared(first, second)
        assert (c.n_pairs, c.n_dropped, c.mean_diff) == (1, 4, 1.0)
        assert c.bounds is not None
        assert c.bounds[0] < 0 < c.bounds[1]

    def test_no_pairs(self) -> None:
        c = compared({"a": 1.0}, {"b": 1.0})
        assert (c.n_pairs, c.verdict) == (0, "too few")
        assert (c.mean_diff, c.ci95, c.p_value, c.p_adjusted, c.mde80) == (None,) * 5
        assert c.notes

    @pytest.mark.parametrize(("n", "verdict"), [(14, "too few"), (15, "better")])
    def test_fewer_than_fifteen_pairs_are_too_few(self, n: int, verdict: str) -> None:
        first: Scores = {f"q{i}": 2.0 for i in range(n)}
        assert compared(first, dict.fromkeys(first, 4.0)).verdict == verdict

    def test_worse(self) -> None:
        assert compared(scores(60, 1, 0.9), scores(60, 1)).verdict == "worse"

    def test_no_difference_is_not_equality(self) -> None:
        c = compared(scores(30, 1), scores(30, 50))
        assert c.verdict == "no difference shown"
        assert c.n_needed is not None
        assert c.n_needed > 30

    def test_equivalent_when_the_interval_lies_within_the_margin(self) -> None:
        first = scores(200, 1)
        second = first | {"q0": 3.0, "q1": 3.0}
        c = compared(first, second)
        assert c.verdict == "equivalent"
        assert c.equivalent_within(0.2)
        assert not c.equivalent_within(0.0)
        assert c.not_worse_than(0.2)
        assert not compared(first, scores(200, 9)).not_worse_than(0.0)

    def test_margin_of_the_total_is_wider(self) -> None:
        first: Scores = {f"q{i}": 10.0 for i in range(40)}
        second: Scores = {q: v + (0.9 if i % 2 else -0.9) for i, (q, v) in enumerate(first.items())}  # type: ignore[operator]
        made = partial(compare, first, second, baseline="a", variant="b", criterion="total")
        total = made(scale=TOTAL_SCALE)
        unknown = made(scale=None)
        assert total.verdict == "equivalent"
        assert unknown.verdict == "no difference shown"

    def test_where_documents_are_shared_the_robust_interval_must_show_it_too(self) -> None:
        """Ten questions a document, and only half of the documents differ: 60 rows look like proof, 6 documents don't."""
        first: Scores = {f"q{i}": 2.0 for i in range(60)}
        second: Scores = {f"q{i}": 4.0 if (i // 10) % 2 else 2.0 for i in range(60)}
        clusters: dict[str, object] = {f"q{i}": i // 10 for i in range(60)}
        assert compared(first, second).verdict == "better"
        c = compared(first, second, clusters)
        assert c.p_value is not None
        assert c.p_value < 0.001
        assert c.ci95 is not None
        assert c.ci95[0] < 0 < c.ci95[1]
        assert c.verdict == "no difference shown"
        assert StatNote("p_ignores_clusters") in c.notes

    def test_a_variant_against_itself_shows_nothing(self) -> None:
        same = scores(50, 4)
        c = compared(same, same)
        assert (c.mean_diff, c.ci95, c.p_value) == (0.0, (0.0, 0.0), 1.0)
        assert (c.wins, c.ties, c.losses) == (0, 50, 0)
        assert c.wilcoxon_p is c.rank_biserial is None
        assert c.notes
        assert c.verdict == "equivalent"


ROWS = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 3)), min_size=2, max_size=30)


class TestProperties:
    @given(ROWS, st.integers(0, 99))
    @settings(max_examples=40, deadline=None)
    def test_permuting_rows_changes_nothing(self, rows: list[tuple[int, int, int]], seed: int) -> None:
        order = list(range(len(rows)))
        stdlib_random.Random(seed).shuffle(order)
        made = []
        for indices in (range(len(rows)), order):
            first: Scores = {f"q{i}": float(rows[i][0]) for i in indices}
            second: Scores = {f"q{i}": float(rows[i][1]) for i in indices}
            clusters: dict[str, object] = {f"q{i}": rows[i][2] for i in indices}
            made.append((compared(first, second, clusters), summarise(first, clusters)))
        assert made[0] == made[1]

    @given(ROWS)
    @settings(max_examples=40, deadline=None)
    def test_swapping_flips_every_sign(self, rows: list[tuple[int, int, int]]) -> None:
        first: Scores = {f"q{i}": float(a) for i, (a, _, _) in enumerate(rows)}
        second: Scores = {f"q{i}": float(b) for i, (_, b, _) in enumerate(rows)}
        clusters: dict[str, object] = {f"q{i}": c for i, (_, _, c) in enumerate(rows)}
        one, other = compared(first, second, clusters), compared(second, first, clusters)
        assert one.mean_diff == pytest.approx(-other.mean_diff)  # type: ignore[operator]
        assert (one.p_value, one.mde80, one.n_needed) == (other.p_value, other.mde80, other.n_needed)
        assert one.wilcoxon_p == pytest.approx(other.wilcoxon_p)
        assert (one.wins, one.ties, one.losses) == (other.losses, other.ties, other.wins)
        for left, right in ((one.ci95, other.ci95), (one.bootstrap95, other.bootstrap95)):
            assert left is right is None or left == pytest.approx((-right[1], -right[0]))  # type: ignore[index]
        opposite = {"better": "worse", "worse": "better"}
        assert other.verdict == opposite.get(one.verdict, one.verdict)

    @given(ROWS, st.integers(-3, 3))
    @settings(max_examples=40, deadline=None)
    def test_a_constant_moves_the_difference_by_it(self, rows: list[tuple[int, int, int]], by: int) -> None:
        first: Scores = {f"q{i}": float(a) for i, (a, _, _) in enumerate(rows)}
        second: Scores = {f"q{i}": float(b) for i, (_, b, _) in enumerate(rows)}
        moved: Scores = {q: v + by for q, v in second.items()}  # type: ignore[operator]
        one, other = compared(first, second), compared(first, moved)
        assert other.mean_diff == pytest.approx(one.mean_diff + by)  # type: ignore[operator]
        assert other.sd == pytest.approx(one.sd)


class TestSeveralVariants:
    def test_holm_across_variants_within_a_criterion(self) -> None:
        base = scores(60, 1)
        table = {
            "base": {"answer_correctness": base, "context_recall": base},
            "a": {"answer_correctness": scores(60, 1, 0.3), "context_recall": base},
            "b": {"answer_correctness": scores(60, 1, 0.5), "context_recall": scores(60, 1, 0.4)},
            "c": {"answer_correctness": scores(60, 30), "context_recall": scores(60, 31)},
        }
        found = compare_all(table, "base", scales={"total": TOTAL_SCALE})
        assert [(c.variant, c.criterion) for c in found] == [
            (v, k) for v in "abc" for k in ("answer_correctness", "context_recall")
        ]
        for criterion in ("answer_correctness", "context_recall"):
            family = [c for c in found if c.criterion == criterion]
            assert [c.p_adjusted for c in family] == holm([c.p_value for c in family])

    def test_adjustment_decides_the_verdict(self) -> None:
        base: Scores = {f"q{i}": 3.0 for i in range(40)}
        lifted: Scores = {f"q{i}": 4.0 if i < 9 else 2.0 if i < 11 else 3.0 for i in range(40)}
        alone = compare_all({"base": {"total": base}, "a": {"total": lifted}}, "base", scales={})[0]
        crowd = {f"v{i}": {"total": scores(40, 60 + i)} for i in range(6)}
        among = compare_all({"base": {"total": base}, "a": {"total": lifted}, **crowd}, "base", scales={})[0]
        assert alone.p_value == among.p_value
        assert alone.p_adjusted is not None
        assert among.p_adjusted is not None
        assert alone.p_adjusted < 0.07 < among.p_adjusted

    def test_a_variant_without_the_criterion_has_no_pairs(self) -> None:
        found = compare_all({"base": {"total": scores(20, 1)}, "a": {}}, "base", scales={})
        assert [(c.n_pairs, c.n_dropped, c.p_adjusted) for c in found] == [(0, 20, None)]

    def test_alone_there_is_nothing_to_compare(self) -> None:
        assert compare_all({"base": {"total": scores(20, 1)}}, "base", scales={}) == []
        assert compare_all({"base": {}}, "base", scales={}) == []

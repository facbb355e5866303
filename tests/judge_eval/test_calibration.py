from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from simsa.judge_eval.calibration import calibrate, judged_by_table
from simsa.judge_eval.calibration_result import BAR_KAPPA, Calibration
from simsa.judge_eval.calibration_tables import confusions, grids
from simsa.judge_eval.label_files import HumanLabels
from simsa.records import Criterion
from simsa.report.renderers.terminal import render_grids
from simsa.stats import agree, corrected_difference, corrected_mean
from simsa.store.labels import Label
from tests.support.criteria import CRITERIA
from tests.support.simulated_labels import NAME, judged, labelled, world


def found(n: int = 200, n_labels: int = 60, seed: int = 1, bias: float = 0.3) -> Calibration:
    labels, scores = world(n, seed, bias)
    places = np.random.default_rng(seed).choice(n, n_labels, replace=False)
    return calibrate(judged(scores), labelled({"": labels}, [int(p) for p in places]))  # type: ignore[arg-type]


def test_agreement_is_that_of_the_labelled_answers_together_and_by_variant() -> None:
    labels, scores = world(80, 3)
    one = calibrate(judged(scores), labelled({"": labels}, range(50))).criteria[NAME]  # type: ignore[arg-type]
    both = ([*labels["base"][:50], *labels["lora"][:50]], [*scores["base"][:50], *scores["lora"][:50]])
    assert one.agreement.n_labels == 100
    assert one.agreement.quadratic_kappa == pytest.approx(
        cohen_kappa_score(*both, weights="quadratic", labels=[1, 2, 3, 4, 5])
    )
    for name in ("base", "lora"):
        alone = agree(labels[name][:50], scores[name][:50], range(1, 6))
        assert one.variants[name].quadratic_kappa == pytest.approx(alone.quadratic_kappa)
        assert one.variants[name].bias == pytest.approx(alone.bias)
    assert one.variants["lora"].bias > one.variants["base"].bias  # type: ignore[operator]


def test_corrected_figures_are_those_of_the_labelled_and_the_other_questions() -> None:
    labels, scores = world(120, 4)
    one = calibrate(judged(scores), labelled({"": labels}, range(40))).criteria[NAME]  # type: ignore[arg-type]
    expected = corrected_mean(labels["lora"][:40], scores["lora"][:40], scores["lora"][40:])
    assert one.corrected["lora"].mean == pytest.approx(expected.mean)
    assert (one.corrected["lora"].n_labels, one.corrected["lora"].n_others) == (40, 80)
    assert one.corrected["lora"].naive == pytest.approx(np.mean(scores["lora"]))

    def by_question(values: list[int], n: int) -> dict[str, float]:
        return {f"q{i}": float(x) for i, x in enumerate(values[:n])}

    difference = corrected_difference(
        (by_question(labels["base"], 40), by_question(labels["lora"], 40)),
        (by_question(scores["base"], 120), by_question(scores["lora"], 120)),
    )
    [shown] = one.differences
    assert (shown.baseline, shown.variant) == ("base", "lora")
    assert shown.corrected.mean == pytest.approx(difference.mean)
    assert shown.corrected.ci95 == pytest.approx(difference.ci95)


def test_a_kind_judge_misleads_and_its_correction_does_not() -> None:
    """+0.3 on one variant: the naive interval misses the truth, the corrected one covers it."""
    covered = missed = 0
    rounds = 150
    for seed in range(rounds):
        labels, scores = world(400, seed)
        places = np.random.default_rng(seed + 10_000).choice(400, 60, replace=False)
        made = calibrate(judged(scores), labelled({"": labels}, [int(p) for p in places]))  # type: ignore[arg-type]
        truth = 0.5 * 0.8  # half of the answers gain a point, those at the top have no room
        [difference] = made.criteria[NAME].differences
        low, high = difference.corrected.ci95 or (0, 0)
        covered += low <= truth <= high
        apart = np.subtract(scores["lora"], scores["base"])
        missed += abs(apart.mean() - truth) > 1.96 * apart.std(ddof=1) / 20
    assert covered / rounds >= 0.93
    assert missed / rounds > 0.8


def test_under_thirty_labels_are_reported_and_do_not_correct() -> None:
    made = found(n_labels=20)
    one = made.criteria[NAME]
    assert one.agreement.quadratic_kappa is not None
    assert one.corrected["base"].mean is None
    assert one.differences[0].corrected.mean is None
    notes = made.to_dict()["criteria"][NAME]["notes"]
    assert "base: 20 labels are too few to correct with; 30 are needed." in notes
    assert "lora − base: 20 labels are too few to correct with; 30 are needed." in notes
    assert one.standing == "passed", "forty labels in all are enough for the bar"


def test_several_annotators_are_held_against_each_other() -> None:
    labels, scores = world(60, 5)
    other, _ = world(60, 5, gain=0.3)
    third = {"base": labels["base"]}
    made = calibrate(judged(scores), labelled({"가": labels, "나": other, "다": third}))  # type: ignore[arg-type]
    one = made.criteria[NAME]
    assert made.annotators == ("가", "나", "다")
    assert one.people is not None
    assert one.people.n_items == 120
    assert [(p.a, p.b, p.agreement.n_labels) for p in one.people.pairs] == [
        ("가", "나", 120),
        ("가", "다", 60),
        ("나", "다", 60),
    ]
    rows = [
        [*labels["base"], *labels["lora"]],
        [*other["base"], *other["lora"]],
        [*third["base"], *[np.nan] * 60],
    ]
    assert one.people.krippendorff_alpha == pytest.approx(
        krippendorff.alpha(
            np.array(rows, float), level_of_measurement="ordinal", value_domain=[1, 2, 3, 4, 5]
        )
    )
    assert one.people.pairs[1].agreement.exact == 1.0
    assert one.agreement.n_labels == 300
    assert one.corrected["base"].n_labels == 60


def test_an_annotator_who_repeats_another_makes_nothing_more_certain() -> None:
    """The bootstrap draws whole answers, so that doubled labels leave the interval as wide."""
    labels, scores = world(80, 6)
    once = calibrate(judged(scores), labelled({"가": labels})).criteria[NAME].agreement  # type: ignore[arg-type]
    twice = calibrate(judged(scores), labelled({"가": labels, "나": labels})).criteria[NAME].agreement  # type: ignore[arg-type]
    assert twice.quadratic_kappa == pytest.approx(once.quadratic_kappa)
    widths = [np.diff(one.intervals["quadratic_kappa"])[0] for one in (once, twice)]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_a_judge_that_guesses_is_below_the_bar() -> None:
    labels, scores = world(80, 7)
    random = np.random.default_rng(8)
    guessed = {name: [int(x) for x in random.integers(1, 6, 80)] for name in scores}
    made = calibrate(judged(guessed), labelled({"": labels}))  # type: ignore[arg-type]
    assert made.weak == (NAME,)
    assert made.to_dict()["bar"] == {"quadratic_kappa": BAR_KAPPA, "lower_bound": 0.2, "below": [NAME]}
    assert any("below the bar" in note for note in made.to_dict()["notes"])
    assert made.to_meta()["criteria"][NAME]["standing"] == "weak"
    assert not found().weak


@pytest.mark.parametrize(("n", "standing"), [(6, "too few"), (40, "weak")])
def test_few_labels_do_not_condemn_a_judge(n: int, standing: str) -> None:
    labels = [1 + i % 5 for i in range(n)]
    made = calibrate(
        judged({"base": [float(1 + (i * i) % 5) for i in range(n)]}), labelled({"": {"base": labels}})
    )
    assert made.criteria[NAME].standing == standing


def test_a_judge_that_is_the_wrong_way_round_is_condemned_by_few_labels_too() -> None:
    labels = [1, 5] * 8
    made = calibrate(judged({"base": [5.0, 1.0] * 8}), labelled({"": {"base": labels}}))
    assert made.criteria[NAME].standing == "weak"


def test_a_constant_side_has_nulls_with_their_reason() -> None:
    made = calibrate(judged({"base": [5.0] * 40}), labelled({"": {"base": [5] * 40}}))
    block = made.to_dict()["criteria"][NAME]
    assert block["quadratic_kappa"] is block["spearman"] is block["krippendorff_alpha"] is None
    assert block["exact"] == 1.0
    assert any("does not vary" in note for note in block["notes"])
    assert made.criteria[NAME].standing == "unknown"


def test_labels_without_a_judges_score_are_counted_and_left_out() -> None:
    labels, scores = world(50, 9)
    holes: dict[str, list[float | None]] = {
        name: [None, None, *map(float, found[2:])] for name, found in scores.items()
    }
    one = calibrate(judged(holes), labelled({"": labels})).criteria[NAME]
    assert (one.n_unscored, one.agreement.n_labels, one.corrected["base"].n_labels) == (4, 96, 48)
    assert any("without a judge's score" in note for note in one.to_dict()["notes"])


def test_scores_off_the_labels_scale_are_held_against_their_ranks_and_correct_all_the_same() -> None:
    labels, scores = world(60, 10)
    shares: dict[str, list[float | None]] = {
        name: [score / 5 for score in found] for name, found in scores.items()
    }
    one = calibrate(judged(shares), labelled({"": labels}, range(40))).criteria[NAME]
    assert one.agreement.quadratic_kappa is None
    assert one.agreement.spearman is not None
    assert one.agreement.n_labels == 80
    assert one.standing == "unknown"
    assert one.corrected["base"].mean is not None
    assert any("another scale" in note for note in one.to_dict()["notes"])
    assert any("척도" in note for note in one.to_dict("ko")["notes"])


def test_unrounded_scores_have_a_kappa_and_a_standing() -> None:
    labels, scores = world(60, 10)
    means: dict[str, list[float | None]] = {
        name: [min(5, score + n % 3 / 3) for n, score in enumerate(found)] for name, found in scores.items()
    }
    made = calibrate(judged(means), labelled({"가": labels, "나": labels}, range(40)))
    one = made.criteria[NAME]
    assert one.agreement.quadratic_kappa is not None
    assert "quadratic_kappa" in one.agreement.intervals
    assert one.standing == "passed"
    assert one.people is not None, "people's labels are whole, whatever the judge's are"
    assert one.people.pairs[0].agreement.exact == 1.0
    assert confusions(made, "en") == ""
    assert any("not whole" in note for note in one.to_dict()["notes"])


def test_documents_make_the_intervals_wider_where_their_questions_are_alike() -> None:
    labels, scores = world(120, 21)
    # Six questions a document, all of them answered and judged as its first.
    alike = {name: [found[n - n % 6] for n in range(120)] for name, found in labels.items()}
    seen = {name: [float(found[n - n % 6]) for n in range(120)] for name, found in scores.items()}
    by_document = {f"q{n}": f"d{n // 6}" for n in range(120)}
    table = {name: {NAME: {f"q{n}": x for n, x in enumerate(found)}} for name, found in seen.items()}
    people = labelled({"": alike}, range(60))
    plain, found = (
        calibrate(judged_by_table(table, clusters), people).criteria[NAME]  # type: ignore[arg-type]
        for clusters in (None, by_document)
    )

    def width(ends: tuple[float, float] | None) -> float:
        assert ends is not None
        return ends[1] - ends[0]

    assert found.agreement.quadratic_kappa == plain.agreement.quadratic_kappa
    assert width(found.agreement.intervals["bias"]) > 1.5 * width(plain.agreement.intervals["bias"])
    assert width(found.corrected["base"].ci95) > 1.5 * width(plain.corrected["base"].ci95)
    assert width(found.differences[0].corrected.ci95) > 1.5 * width(plain.differences[0].corrected.ci95)
    assert found.corrected["base"].n_clusters == 10
    assert found.to_dict()["corrected"]["base"]["n_clusters"] == 10


def test_answers_to_one_question_are_drawn_together() -> None:
    """Two variants that say the same are one piece of evidence, not two."""
    labels, scores = world(60, 22)
    one = calibrate(judged({"a": list(map(float, scores["base"]))}), labelled({"": {"a": labels["base"]}}))
    twice = calibrate(
        judged({name: list(map(float, scores["base"])) for name in "ab"}),
        labelled({"": dict.fromkeys("ab", labels["base"])}),
    )
    alone, both = (made.criteria[NAME].agreement.intervals["bias"] for made in (one, twice))
    assert both == pytest.approx(alone, abs=0.03)


def test_another_criterion_s_scale_is_taken_from_the_data() -> None:
    scores, labels = [-2, 0, 1, 2, 0, -1, 1, 2], [-2, 1, 1, 2, 0, -1, 0, 2]
    people = HumanLabels(tuple(Label(f"q{n}", "pair", "", {"overall": x}) for n, x in enumerate(labels)))
    one = calibrate(judged({"pair": list(map(float, scores))}, "overall"), people).criteria["overall"]
    assert one.levels == (-2, -1, 0, 1, 2)
    assert one.agreement.quadratic_kappa == pytest.approx(
        cohen_kappa_score(labels, scores, weights="quadratic", labels=[-2, -1, 0, 1, 2])
    )
    assert [sum(row) for row in one.agreement.confusion] == [1, 1, 2, 2, 2]


def test_an_unknown_baseline_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody"):
        calibrate(judged({"base": [1.0]}), labelled({"": {"base": [1]}}), "nobody")


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=50), st.randoms())
def test_the_order_of_the_labels_changes_nothing(pairs: list[tuple[int, int]], random: object) -> None:
    scores = judged({"base": [float(score) for _, score in pairs]})
    labels = labelled({"": {"base": [label for label, _ in pairs]}})
    shuffled = list(labels.labels)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert calibrate(scores, labels) == calibrate(scores, labels._replace(labels=tuple(shuffled)))


@given(st.integers(0, 10_000), st.integers(0, 2))
@settings(max_examples=25)
def test_a_constant_kindness_is_bias_and_leaves_the_corrected_mean(seed: int, shift: int) -> None:
    """A judge that is kind to everyone is as good as one that isn't, once people have labelled some."""
    random = np.random.default_rng(seed)
    labels = [int(x) for x in random.integers(1, 4, 90)]
    scores = [min(3, max(1, x + int(random.integers(-1, 2)))) for x in labels]
    people = labelled({"": {"base": labels}}, range(45))
    plain = calibrate(judged({"base": [float(s) for s in scores]}), people).criteria[NAME]
    kind = calibrate(judged({"base": [float(s + shift) for s in scores]}), people).criteria[NAME]
    assert kind.agreement.bias == pytest.approx((plain.agreement.bias or 0) + shift)
    assert kind.agreement.spearman == pytest.approx(plain.agreement.spearman)
    assert kind.corrected["base"].mean == pytest.approx(plain.corrected["base"].mean)
    assert kind.corrected["base"].naive == pytest.approx((plain.corrected["base"].naive or 0) + shift)


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_swapping_the_baseline_turns_every_sign(seed: int) -> None:
    labels, scores = world(70, seed)
    people = labelled({"": labels}, range(35))
    one, other = (
        calibrate(judged(scores), people, name).criteria[NAME].differences[0].corrected  # type: ignore[arg-type]
        for name in ("base", "lora")
    )
    assert one.mean == pytest.approx(-(other.mean or 0))
    assert one.naive == pytest.approx(-(other.naive or 0))


def test_a_variant_with_the_same_answers_shows_nothing() -> None:
    labels, scores = world(60, 11)
    twins = ({"a": labels["base"], "b": labels["base"]}, {"a": scores["base"], "b": scores["base"]})
    [found] = calibrate(judged(twins[1]), labelled({"": twins[0]}, range(40))).criteria[NAME].differences  # type: ignore[arg-type]
    assert (found.corrected.mean, found.corrected.ci95) == (0.0, (0.0, 0.0))


def test_the_total_is_held_against_people_who_gave_all_four() -> None:
    random = np.random.default_rng(12)
    truth = random.integers(1, 5, (50, 4))
    seen = np.clip(truth + random.integers(-1, 2, (50, 4)), 1, 5)
    scores: dict[str, dict[str, float | None]] = {
        name: {f"q{n}": float(seen[n, c]) for n in range(50)} for c, name in enumerate(CRITERIA)
    }
    scores["total"] = {f"q{n}": float(seen[n].sum()) for n in range(50)}
    people = [
        Label(f"q{n}", "base", "", {name: int(truth[n, c]) for c, name in enumerate(CRITERIA) if n or c})
        for n in range(50)
    ]
    made = calibrate(
        judged_by_table({"base": scores}, declared=map(Criterion, CRITERIA)), HumanLabels(tuple(people))
    )
    assert made.total is not None
    assert made.total.agreement.n_labels == 49, "of one answer a criterion is not labelled"
    assert made.total.agreement.bias == pytest.approx((seen[1:].sum(axis=1) - truth[1:].sum(axis=1)).mean())
    assert made.total.levels == tuple(range(4, 21))
    assert set(made.criteria) == set(CRITERIA)
    assert made.to_dict()["total"]["corrected"]["base"]["mean"] == pytest.approx(
        truth[1:].sum(axis=1).mean(), abs=1
    )


@pytest.mark.parametrize("language", ["ko", "en"])
def test_tables_show_every_figure(language: str) -> None:
    labels, scores = world(60, 13)
    made = calibrate(judged(scores), labelled({"가": labels, "나": labels}, range(40)))  # type: ignore[arg-type]
    text = render_grids(grids(made, language), 120)  # type: ignore[arg-type]
    one = made.criteria[NAME]
    assert f"{one.agreement.quadratic_kappa:.2f}" in text
    assert f"{one.corrected['lora'].mean:.2f}" in text
    assert f"{abs(one.differences[0].corrected.mean or 0):.2f}" in text
    assert "가 – 나" in text
    counts = confusions(made, language)  # type: ignore[arg-type]
    rows = [line.split()[1:] for line in counts.splitlines()[2:]]
    assert [[int(n.replace("·", "0")) for n in row] for row in rows] == [
        list(r) for r in one.agreement.confusion
    ]


def test_any_scale_and_number_of_criteria_is_calibrated() -> None:
    """A yes/no criterion, one of 0–100 and a weighted total."""
    declared = [Criterion("cited", 0, 1), Criterion("depth", 0, 100, weight=0.5)]
    random = np.random.default_rng(3)
    truth = {"cited": random.integers(0, 2, 60), "depth": random.integers(0, 11, 60) * 10}
    people = [
        Label(f"q{n}", "base", "", {name: int(values[n]) for name, values in truth.items()})
        for n in range(50)
    ]
    scores: dict[str, dict[str, float | None]] = {
        name: {f"q{n}": float(value) for n, value in enumerate(values)} for name, values in truth.items()
    }
    scores["total"] = {
        q: (scores["cited"][q] or 0) + 0.5 * (scores["depth"][q] or 0) for q in scores["cited"]
    }
    made = calibrate(judged_by_table({"base": scores}, declared=declared), HumanLabels(tuple(people)))
    cited, depth = made.criteria["cited"], made.criteria["depth"]
    assert cited.levels == (0, 1)
    assert cited.agreement.quadratic_kappa == pytest.approx(1)
    assert depth.agreement.exact == 1.0
    assert made.total is not None
    assert made.total.agreement.n_labels == 50
    assert made.total.corrected["base"].mean == pytest.approx(
        np.mean(list(scores["total"].values())), abs=1.0
    )

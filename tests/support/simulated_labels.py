"""A judge and people with simulated scores of the same answers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from simsa.judge_eval.calibration import JudgeScores, judged_by_table
from simsa.judge_eval.label_files import HumanLabels
from simsa.records import Criteria, Criterion
from simsa.store.labels import Label
from tests.support.criteria import CRITERIA

NAME = "answer_correctness"


def judged(scores: dict[str, list[float | None]], criterion: str = NAME) -> JudgeScores:
    """A judge's scores of one criterion: variant → the scores of q0, q1 …"""
    return judged_by_table(
        {v: {criterion: {f"q{n}": score for n, score in enumerate(found)}} for v, found in scores.items()},
        declared=Criteria(map(Criterion, CRITERIA)),
    )


def labelled(labels: dict[str, dict[str, list[int]]], places: Iterable[int] | None = None) -> HumanLabels:
    """People's labels: annotator → variant → the labels of q0, q1 …, or of the questions at `places`."""
    return HumanLabels(
        tuple(
            Label(f"q{n}", variant, annotator, {NAME: scores[n]})
            for annotator, of_variant in labels.items()
            for variant, scores in of_variant.items()
            for n in (range(len(scores)) if places is None else places)
        )
    )


def world(n: int, seed: int, bias: float = 0.3, gain: float = 0.5) -> tuple[dict[str, list[int]], ...]:
    """(labels, judge's scores) of `base` and `lora` on `n` questions; the judge is `bias` too kind to `lora`.

    The bias comes as whole points on that share of the answers, where there is room for it.
    """
    random = np.random.default_rng(seed)
    truth = random.choice([1, 2, 3, 4], n, p=[0.3, 0.25, 0.25, 0.2])
    label = {"base": truth, "lora": np.clip(truth + (random.random(n) < gain), 1, 4)}
    wrong = {name: random.choice([-1, 0, 1], n, p=[0.1, 0.8, 0.1]) for name in label}
    kind = {"base": np.zeros(n, int), "lora": (random.random(n) < bias).astype(int)}
    score = {name: np.clip(label[name] + wrong[name] + kind[name], 1, 5) for name in label}
    return tuple({name: [int(x) for x in found[name]] for name in found} for found in (label, score))


def write(path: Path, head: str, rows: Iterable[Iterable[object]]) -> Path:
    lines = [head, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path

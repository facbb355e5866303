"""Stored results of probes and calibration for reports."""

from __future__ import annotations

from typing import Any

from simsa.judge_eval.probe_run import SCHEMA
from tests.support.criteria import CRITERIA
from tests.support.report_runs import JUDGE

AGREED = {"n_labels": 40, "quadratic_kappa": 0.71, "ci95": [0.5, 0.9], "standing": "passed"}


RATE = {"n": 10, "passed": 9, "unscored": 0, "rate": 0.9, "ci95": [0.6, 1.0]}


RETEST = {"exact": 0.8, "within_one": 1.0, "quadratic_kappa": 0.83, "ci95": {}, "n": 20}


EXAMINED: dict[str, Any] = {
    "schema": SCHEMA,
    "judge": JUDGE,
    "probes": {"kinds": {"foreign": RATE}, "overall": RATE, "standing": "weak", "cases": []},
    "retest": {"criteria": dict.fromkeys(CRITERIA, RETEST)},
}

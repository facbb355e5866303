"""Would a person agree? People's labels of a sample, held against the judge's scores, and the means they correct."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simsa.calibration.calibrating import Judged, calibrate, judged_by_run, judged_by_table
    from simsa.calibration.drawing import Drawn, draw
    from simsa.calibration.model import BAR_KAPPA, BAR_LOWER, Calibration
    from simsa.calibration.reading import Labelled, read_labels

_HOME = {
    "Judged": "calibrating",
    "calibrate": "calibrating",
    "judged_by_run": "calibrating",
    "judged_by_table": "calibrating",
    "Drawn": "drawing",
    "draw": "drawing",
    "BAR_KAPPA": "model",
    "BAR_LOWER": "model",
    "Calibration": "model",
    "Labelled": "reading",
    "read_labels": "reading",
}

__all__ = [
    "BAR_KAPPA",
    "BAR_LOWER",
    "Calibration",
    "Drawn",
    "Judged",
    "Labelled",
    "calibrate",
    "draw",
    "judged_by_run",
    "judged_by_table",
    "read_labels",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)

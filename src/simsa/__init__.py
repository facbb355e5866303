"""simsa: is the fine-tune really better?

import simsa

run = simsa.evaluate("simsa.toml")
run = simsa.judge(rows, judge="gpt-4o")
run.report().to_dict()
simsa.compare(run, baseline="base").gate("total > baseline")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from simsa.version import __version__

if TYPE_CHECKING:
    from simsa.api import (
        JudgeSpec as Judge,
    )
    from simsa.api import (
        Run,
        RunComparison,
        aevaluate,
        ajudge,
        compare,
        evaluate,
        judge,
    )
    from simsa.errors import (
        AdapterError,
        AdapterWithoutEffect,
        ConfigError,
        DataError,
        EndpointError,
        EngineError,
        GateFailed,
        InputError,
        Interrupted,
        MissingExtra,
        RubricError,
        RunError,
        ServiceError,
        SimsaError,
    )
    from simsa.judges.function import FunctionJudge
    from simsa.metrics.registry import Metric, MetricInput
    from simsa.metrics.registry import register as register_metric
    from simsa.records import Criteria, Criterion, Prediction, Question, Verdict
    from simsa.report.summary_model import Summary as Report
    from simsa.rubrics import load as load_rubric
    from simsa.rubrics.rubric import Rubric

_MODULES = {
    "api": ("Run", "RunComparison", "aevaluate", "ajudge", "compare", "evaluate", "judge"),
    "errors": (
        "AdapterError",
        "AdapterWithoutEffect",
        "ConfigError",
        "DataError",
        "EndpointError",
        "EngineError",
        "GateFailed",
        "InputError",
        "Interrupted",
        "MissingExtra",
        "RubricError",
        "RunError",
        "ServiceError",
        "SimsaError",
    ),
    "judges.function": ("FunctionJudge",),
    "metrics.registry": ("Metric", "MetricInput"),
    "records": ("Criteria", "Criterion", "Prediction", "Question", "Verdict"),
    "rubrics.rubric": ("Rubric",),
}
_HOME = {name: (module, name) for module, names in _MODULES.items() for name in names} | {
    "Judge": ("api", "JudgeSpec"),
    "Report": ("report.summary_model", "Summary"),
    "load_rubric": ("rubrics", "load"),
    "register_metric": ("metrics.registry", "register"),
}

__all__ = [
    "AdapterError",
    "AdapterWithoutEffect",
    "ConfigError",
    "Criteria",
    "Criterion",
    "DataError",
    "EndpointError",
    "EngineError",
    "FunctionJudge",
    "GateFailed",
    "InputError",
    "Interrupted",
    "Judge",
    "Metric",
    "MetricInput",
    "MissingExtra",
    "Prediction",
    "Question",
    "Report",
    "Rubric",
    "RubricError",
    "Run",
    "RunComparison",
    "RunError",
    "ServiceError",
    "SimsaError",
    "Verdict",
    "__version__",
    "aevaluate",
    "ajudge",
    "compare",
    "evaluate",
    "judge",
    "load_rubric",
    "register_metric",
]


def __getattr__(name: str) -> Any:
    """Imports an exported name when it is first used, so that `import simsa` loads nothing else."""
    if name not in _HOME:
        raise AttributeError(f"module 'simsa' has no attribute {name!r}")
    module, attribute = _HOME[name]
    return getattr(importlib.import_module(f"simsa.{module}"), attribute)

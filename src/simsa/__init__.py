"""simsa: is the fine-tune really better?

import simsa
run = simsa.evaluate("simsa.toml")
run = simsa.judge(rows, judge=simsa.Judge("gpt-4o"))
run.report().to_dict()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simsa.version import __version__

if TYPE_CHECKING:
    from simsa.api import JudgeSpec, Run, aevaluate, ajudge, evaluate, judge
    from simsa.errors import SimsaError

__all__ = ["JudgeSpec", "Run", "SimsaError", "__version__", "aevaluate", "ajudge", "evaluate", "judge"]


def __getattr__(name: str) -> Any:
    """Exports are found when they are used, so that `import simsa` costs nothing."""
    if name == "SimsaError":
        from simsa.errors import SimsaError

        return SimsaError
    if name in __all__:
        from simsa import api

        return getattr(api, name)
    raise AttributeError(f"module 'simsa' has no attribute {name!r}")

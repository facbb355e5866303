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
    from simsa.errors import SimsaError
    from simsa.library import Judge, Run, aevaluate, ajudge, evaluate, judge

__all__ = ["Judge", "Run", "SimsaError", "__version__", "aevaluate", "ajudge", "evaluate", "judge"]


def __getattr__(name: str) -> Any:
    """Exports are found when they are used, so that `import simsa` costs nothing."""
    if name == "SimsaError":
        from simsa.errors import SimsaError

        return SimsaError
    if name in __all__:
        from simsa import library

        return getattr(library, name)
    raise AttributeError(f"module 'simsa' has no attribute {name!r}")

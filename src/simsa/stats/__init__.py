"""Statistics of scores: intervals, paired comparison, correction, agreement, power. Pure functions.

numpy and scipy are loaded when something here is first used, not on import.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simsa.stats.agreement import Agreement, agree
    from simsa.stats.correction import Friedman, friedman, holm
    from simsa.stats.intervals import Estimate, estimate, wilson
    from simsa.stats.length import LengthBias, length_bias
    from simsa.stats.missing import difference_bounds, mean_bounds
    from simsa.stats.paired import mcnemar_p, rank_biserial, sign_flip_p, wilcoxon_p
    from simsa.stats.power import mde80, questions_needed
    from simsa.stats.ppi import Corrected, corrected_difference, corrected_mean
    from simsa.stats.raters import ordinal_alpha
    from simsa.stats.summary import Comparison, Distribution, compare, compare_all, summarise
    from simsa.stats.unrounded import agree_unrounded
    from simsa.stats.variance import Spread, VarianceSplit, split_difference, split_variance, spread

__all__ = [
    "Agreement",
    "Comparison",
    "Corrected",
    "Distribution",
    "Estimate",
    "Friedman",
    "LengthBias",
    "Spread",
    "VarianceSplit",
    "agree",
    "agree_unrounded",
    "compare",
    "compare_all",
    "corrected_difference",
    "corrected_mean",
    "difference_bounds",
    "estimate",
    "friedman",
    "holm",
    "length_bias",
    "mcnemar_p",
    "mde80",
    "mean_bounds",
    "ordinal_alpha",
    "questions_needed",
    "rank_biserial",
    "sign_flip_p",
    "split_difference",
    "split_variance",
    "spread",
    "summarise",
    "wilcoxon_p",
    "wilson",
]

_MODULES = {
    "agreement": ("Agreement", "agree"),
    "correction": ("Friedman", "friedman", "holm"),
    "intervals": ("Estimate", "estimate", "wilson"),
    "length": ("LengthBias", "length_bias"),
    "missing": ("difference_bounds", "mean_bounds"),
    "paired": ("mcnemar_p", "rank_biserial", "sign_flip_p", "wilcoxon_p"),
    "power": ("mde80", "questions_needed"),
    "ppi": ("Corrected", "corrected_difference", "corrected_mean"),
    "raters": ("ordinal_alpha",),
    "summary": ("Comparison", "Distribution", "compare", "compare_all", "summarise"),
    "unrounded": ("agree_unrounded",),
    "variance": ("Spread", "VarianceSplit", "split_difference", "split_variance", "spread"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)

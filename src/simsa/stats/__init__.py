"""Statistics of scores: intervals, paired comparison, correction, agreement, power. Pure functions.

numpy and scipy are loaded when something here is first used, not on import.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simsa.stats.agreement import Agreement, agree, ordinal_alpha
    from simsa.stats.comparison import Comparison, Distribution, compare, compare_all, summarise
    from simsa.stats.intervals import MeanEstimate, estimate, wilson
    from simsa.stats.length_effect import LengthBias, length_bias
    from simsa.stats.missing_bounds import difference_bounds, mde80, mean_bounds, questions_needed
    from simsa.stats.paired_tests import (
        Friedman,
        friedman,
        holm,
        mcnemar_p,
        rank_biserial,
        sign_flip_p,
        wilcoxon_p,
    )
    from simsa.stats.ppi import Corrected, corrected_difference, corrected_mean
    from simsa.stats.unrounded_agreement import agree_unrounded
    from simsa.stats.variance import Spread, VarianceSplit, split_difference, split_variance, spread

__all__ = [
    "Agreement",
    "Comparison",
    "Corrected",
    "Distribution",
    "Friedman",
    "LengthBias",
    "MeanEstimate",
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
    "agreement": ("Agreement", "agree", "ordinal_alpha"),
    "intervals": ("MeanEstimate", "estimate", "wilson"),
    "length_effect": ("LengthBias", "length_bias"),
    "missing_bounds": ("difference_bounds", "mean_bounds", "mde80", "questions_needed"),
    "paired_tests": (
        "Friedman",
        "friedman",
        "holm",
        "mcnemar_p",
        "rank_biserial",
        "sign_flip_p",
        "wilcoxon_p",
    ),
    "ppi": ("Corrected", "corrected_difference", "corrected_mean"),
    "comparison": ("Comparison", "Distribution", "compare", "compare_all", "summarise"),
    "unrounded_agreement": ("agree_unrounded",),
    "variance": ("Spread", "VarianceSplit", "split_difference", "split_variance", "spread"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)

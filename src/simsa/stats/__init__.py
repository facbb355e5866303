"""Statistics of scores: intervals, paired comparisons, corrected means, agreement, power. Pure functions.

No function knows a criterion by name; scales are arguments. Notes are codes (`StatNote`), not sentences.
"""

from simsa.stats.agreement import Agreement, agree, agree_unrounded, ordinal_alpha
from simsa.stats.comparison import Clusters, Comparison, Distribution, Scale, compare, compare_all, summarise
from simsa.stats.intervals import MeanEstimate, StatNote, estimate, wilson
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
from simsa.stats.ppi import Corrected, corrected_difference, corrected_mean, stratified_mean
from simsa.stats.variance import Spread, VarianceSplit, split_difference, split_variance, spread

__all__ = [
    "Agreement",
    "Clusters",
    "Comparison",
    "Corrected",
    "Distribution",
    "Friedman",
    "LengthBias",
    "MeanEstimate",
    "Scale",
    "Spread",
    "StatNote",
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
    "stratified_mean",
    "summarise",
    "wilcoxon_p",
    "wilson",
]

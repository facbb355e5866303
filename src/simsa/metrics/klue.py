"""KLUE-MRC exact match and ROUGE-W, as KLUE-baseline computes them.

Oddities are part of the definition. Its cleaning pattern closes the character class
early and so only ever fires on a literal sequence such as `'()‘’`; 《》 and ‘’ stay,
and `(수도)` joins its neighbours. Its "ROUGE-W" is F1 over the longest common
*substring*, spaces counted, as difflib finds it with its junk heuristic on, which for
references of 200 characters and more ignores the frequent ones. The figures are 0–1.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from difflib import SequenceMatcher

_DEAD = re.compile(r"['\"《》<>〈〉]\(\)‘’")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize(text: str) -> str:
    """KLUE-baseline's normal form of an answer."""
    return " ".join(_DEAD.sub(" ", text.lower()).translate(_PUNCTUATION).split())


def exact_match(prediction: str, references: Sequence[str]) -> float:
    """1.0 when the prediction equals a reference in normal form, else 0.0.

    Without references, which is how an unanswerable question stands in the data set,
    the one right answer is the empty one.
    """
    said = normalize(prediction)
    return max(float(said == normalize(reference)) for reference in references or [""])


def rouge_w(prediction: str, references: Sequence[str]) -> float:
    """Best F1 over the longest common substring, 0–1. An empty reference is met by an empty prediction only."""
    said = normalize(prediction)
    return max(_substring_f1(said, normalize(reference)) for reference in references or [""])


def _substring_f1(said: str, expected: str) -> float:
    if not expected:
        return float(not said)
    longest = SequenceMatcher(None, said, expected).find_longest_match().size
    if longest == 0:
        return 0.0
    precision, recall = longest / len(said), longest / len(expected)
    return 2 * (precision * recall) / (precision + recall)

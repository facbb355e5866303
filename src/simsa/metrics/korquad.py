"""KorQuAD 1.0 exact match and F1, as its published evaluation script computes them.

Oddities are part of the definition: quotation marks and brackets become spaces while
all other ASCII punctuation vanishes, spaces count for the exact match and not for F1,
F1 is over characters, and 0 where nothing overlaps, even between two empty texts.
Unicode form, particles and citations are left as they are. The script prints 0–100;
here it is 0–1.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence

_CLEAN = str.maketrans(dict.fromkeys("'\"《》<>〈〉()‘’", " "))
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize(text: str) -> str:
    """The script's normal form of an answer."""
    return " ".join(text.translate(_CLEAN).lower().translate(_PUNCTUATION).split())


def exact_match(prediction: str, references: Sequence[str]) -> float:
    """1.0 when the prediction equals a reference in normal form, else 0.0.

    Without references, as in KLUE-MRC, the one right answer is the empty one.
    """
    said = normalize(prediction)
    return max(float(said == normalize(reference)) for reference in references or [""])


def f1(prediction: str, references: Sequence[str]) -> float:
    """Best character F1 over the references, 0–1; 0 without references."""
    said = normalize(prediction)
    return max(character_f1(said, normalize(reference)) for reference in references or [""])


def character_f1(said: str, expected: str) -> float:
    """F1 over the multisets of characters of two normal forms, spaces left out."""
    left, right = said.replace(" ", ""), expected.replace(" ", "")
    same = (Counter(left) & Counter(right)).total()
    if same == 0:
        return 0.0
    precision, recall = same / len(left), same / len(right)
    return 2 * precision * recall / (precision + recall)

"""Official reading-comprehension metrics: KorQuAD 1.0 and KLUE-MRC, as the published scripts compute them.

Oddities are part of the definitions. KorQuAD: quotation marks and brackets become spaces while all other ASCII
punctuation is removed; spaces count for the exact match but not for F1; F1 is over characters, and 0 where nothing
overlaps, even between two empty texts. KLUE: the cleaning pattern closes its character class early, so it only
matches a literal sequence such as `'()‘’`; 《》 and ‘’ stay, and `(수도)` joins its neighbours. Its "ROUGE-W" is F1
over the longest common *substring*, spaces included, as difflib finds it with its junk heuristic on, which ignores
frequent characters in references of 200 characters and more.

Unicode form, particles and citations are left as they are. The scripts print 0–100; here all figures are 0–1.
Without references, as for an unanswerable question, the expected answer is the empty one.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_KORQUAD_SPACES = str.maketrans(dict.fromkeys("'\"《》<>〈〉()‘’", " "))
_KLUE_SPACES = re.compile(r"['\"《》<>〈〉]\(\)‘’")


def korquad_form(text: str) -> str:
    """The KorQuAD script's normal form of an answer."""
    return " ".join(text.translate(_KORQUAD_SPACES).lower().translate(_PUNCTUATION).split())


def klue_form(text: str) -> str:
    """KLUE-baseline's normal form of an answer."""
    return " ".join(_KLUE_SPACES.sub(" ", text.lower()).translate(_PUNCTUATION).split())


def korquad_em(prediction: str, references: Sequence[str]) -> float:
    """1.0 when the prediction equals a reference in normal form, else 0.0."""
    form = korquad_form(prediction)
    return max(float(form == korquad_form(reference)) for reference in references or [""])


def korquad_f1(prediction: str, references: Sequence[str]) -> float:
    """Best character F1 over the references, 0–1; 0 without references."""
    form = korquad_form(prediction)
    return max(character_f1(form, korquad_form(reference)) for reference in references or [""])


def klue_em(prediction: str, references: Sequence[str]) -> float:
    """1.0 when the prediction equals a reference in normal form, else 0.0."""
    form = klue_form(prediction)
    return max(float(form == klue_form(reference)) for reference in references or [""])


def klue_rouge_w(prediction: str, references: Sequence[str]) -> float:
    """Best F1 over the longest common substring, 0–1. An empty reference matches an empty prediction only."""
    form = klue_form(prediction)
    return max(_substring_f1(form, klue_form(reference)) for reference in references or [""])


def character_f1(left: str, right: str) -> float:
    """F1 over the multisets of characters of two normal forms, without spaces."""
    left, right = left.replace(" ", ""), right.replace(" ", "")
    same = (Counter(left) & Counter(right)).total()
    return _f1(same / len(left), same / len(right)) if same else 0.0


def _substring_f1(prediction: str, reference: str) -> float:
    if not reference:
        return float(not prediction)
    longest = SequenceMatcher(None, prediction, reference).find_longest_match().size
    return _f1(longest / len(prediction), longest / len(reference)) if longest else 0.0


def _f1(precision: float, recall: float) -> float:
    return 2 * (precision * recall) / (precision + recall)

"""As much Korean grammar as templates need: particles, the polite style, joined sentences."""

from __future__ import annotations

import re

PARTICLES = {
    "은": ("은", "는"),
    "이": ("이", "가"),
    "을": ("을", "를"),
    "과": ("과", "와"),
    "으로": ("으로", "로"),
}


def final(word: str) -> int:
    """Number of the final consonant of the last Hangul syllable: 0 for none, 8 for ㄹ."""
    syllables = [c for c in word if "가" <= c <= "힣"]
    return (ord(syllables[-1]) - 0xAC00) % 28 if syllables else 0


def particle(word: str, kind: str) -> str:
    """`word` with a particle in the form that its last sound asks for."""
    closed, opened = PARTICLES.get(kind, (kind, kind))
    bare = final(word) == 0 or (kind == "으로" and final(word) == 8)
    return word + (opened if bare else closed)


def fill(template: str, **words: str) -> str:
    """Puts words with their particles into `{s:은}`-like places."""
    return re.sub(
        r"\{([a-z]+)(?::([가-힣]+))?\}",
        lambda m: particle(words[m[1]], m[2]) if m[2] else words[m[1]],
        template,
    )


def formal(sentence: str) -> str:
    """A plain sentence (…다.) in the formal style (…습니다.)."""
    stem = sentence.removesuffix("다.")
    last = ord(stem[-1]) - 0xAC00
    if last % 28 == 0:  # an open syllable takes ㅂ
        return f"{stem[:-1]}{chr(0xAC00 + last + 17)}니다."
    if last % 28 == 4 and stem[-1] != "는":  # 한다 → 합니다
        return f"{stem[:-1]}{chr(0xAC00 + last - 4 + 17)}니다."
    return f"{stem.removesuffix('는')}습니다."


def joined(first: str, second: str) -> str:
    """Two plain sentences as one."""
    stem = first.removesuffix("다.")
    last = ord(stem[-1]) - 0xAC00
    if last % 28 == 4:  # 한다 → 하며, 먹는다 → 먹으며
        stem = f"{stem[:-1]}{chr(0xAC00 + last - 4)}" if stem[-1] != "는" else f"{stem[:-1]}으"
        return f"{stem}며 {second}"
    return f"{stem}고 {second}"


def interrogative(claim: str) -> str:
    """더 많습니다 → 더 많나요, 더 깁니다 → 더 긴가요."""
    if claim.endswith("습니다"):
        return f"{claim.removesuffix('습니다')}나요"
    stem = claim.removesuffix("니다")
    return f"{stem[:-1]}{chr(ord(stem[-1]) - 17 + 4)}가요"

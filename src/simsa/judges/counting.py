"""How many tokens a text has, roughly, where nobody counts them for us."""

from __future__ import annotations

# Tokens a character, roughly, for tokenizers of the size of GPT-4o's: Hangul and other
# wide scripts, and everything else.
_PER_WIDE, _PER_OTHER = 0.7, 0.27


def tokens(text: str) -> float:
    """An estimate from the characters of `text`."""
    wide = sum(1 for ch in text if ord(ch) > 0x2E7F)
    return wide * _PER_WIDE + (len(text) - wide) * _PER_OTHER

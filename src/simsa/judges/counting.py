"""How many tokens a text has, roughly, where nobody counts them for us."""

from __future__ import annotations

# Tokens a character, roughly, for tokenizers of the size of GPT-4o's: Hangul and other
# wide scripts, and everything else.
_PER_WIDE, _PER_OTHER = 0.7, 0.27


def tokens(text: str) -> float:
    """An estimate from the characters of `text`."""
    # Of UTF-8 a wide letter takes two bytes more than one, and what lies between, as Cyrillic, one:
    # half as wide, which is about what it costs. Counted like this it takes no time for each letter.
    wide = (len(text.encode("utf-8", "surrogatepass")) - len(text)) / 2
    return wide * _PER_WIDE + (len(text) - wide) * _PER_OTHER

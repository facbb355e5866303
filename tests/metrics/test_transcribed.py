"""The published metrics against the definitions, written down once more here and another way.

Nothing of the implementation is used: characters are walked one by one, multisets are
lists that are crossed off, and the longest common substring is a table, with difflib's rule
about frequent characters in its own words.
"""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.metrics import mrc

ASCII_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
BLANKED = "'\"《》<>〈〉()‘’"


def korquad_form(text: str) -> str:
    kept = "".join(" " if letter in BLANKED else letter for letter in text).lower()
    return squeezed("".join(letter for letter in kept if letter not in ASCII_PUNCTUATION))


def klue_form(text: str) -> str:
    """What its pattern removes: one quotation mark, right before `()‘’`, and nothing else."""
    kept, place = "", 0
    lowered = text.lower()
    while place < len(lowered):
        if lowered[place] in "'\"《》<>〈〉" and lowered[place + 1 : place + 5] == "()‘’":
            kept, place = kept + " ", place + 5
        else:
            kept, place = kept + lowered[place], place + 1
    return squeezed("".join(letter for letter in kept if letter not in ASCII_PUNCTUATION))


def squeezed(text: str) -> str:
    words, word = [], ""
    for letter in text + " ":
        if letter.isspace():
            if word:
                words.append(word)
            word = ""
        else:
            word += letter
    return " ".join(words)


def korquad_f1(said: str, expected: str) -> float:
    left = [letter for letter in korquad_form(said) if letter != " "]
    right = [letter for letter in korquad_form(expected) if letter != " "]
    common, unmatched = 0, list(right)
    for letter in left:
        if letter in unmatched:
            unmatched.remove(letter)
            common += 1
    if not common:
        return 0.0
    precision, recall = common / len(left), common / len(right)
    return 2 * precision * recall / (precision + recall)


def klue_rouge_w(said: str, expected: str) -> float:
    a, b = klue_form(said), klue_form(expected)
    if not b:
        return 1.0 if not a else 0.0
    longest = longest_block(a, b)
    if not longest:
        return 0.0
    precision, recall = longest / len(a), longest / len(b)
    return 2 * (precision * recall) / (precision + recall)


def longest_block(a: str, b: str) -> int:
    """The longest run without frequent characters of `b`, then stretched over whatever is equal beside it.

    From 200 characters on, those that make up more than 1 % of `b` (and one more) are frequent.
    """
    frequent = {letter for letter in b if len(b) >= 200 and b.count(letter) > len(b) // 100 + 1}
    at_a = at_b = size = 0
    before = [0] * (len(b) + 1)
    for i, letter in enumerate(a):
        row = [0] * (len(b) + 1)
        for j, other in enumerate(b):
            if letter == other and letter not in frequent:
                row[j + 1] = before[j] + 1
                if row[j + 1] > size:
                    size = row[j + 1]
                    at_a, at_b = i - size + 1, j - size + 1
        before = row
    while at_a and at_b and a[at_a - 1] == b[at_b - 1]:
        at_a, at_b, size = at_a - 1, at_b - 1, size + 1
    while at_a + size < len(a) and at_b + size < len(b) and a[at_a + size] == b[at_b + size]:
        size += 1
    return size


def same(said: str, expected: list[str]) -> None:
    references = expected or [""]
    forms = korquad_form(said), klue_form(said)
    assert mrc.korquad_form(said) == forms[0]
    assert mrc.klue_form(said) == forms[1]
    assert mrc.korquad_em(said, expected) == max(float(forms[0] == korquad_form(r)) for r in references)
    assert mrc.korquad_f1(said, expected) == max(korquad_f1(said, r) for r in references)
    assert mrc.klue_em(said, expected) == max(float(forms[1] == klue_form(r)) for r in references)
    assert mrc.klue_rouge_w(said, expected) == max(klue_rouge_w(said, r) for r in references)


NASTY = [
    "", " ", "\n\t", "...", "?!?!", "()‘’", "'()‘’", "《()‘’가", "《》", "‘가’", "“가”", "「가」", "(수도)서울", "서울(수도)",
    "서울 특별시", "서울특별시", "서울　특별시", "가\u200b나", "\ufeff서울", "İstanbul", "ẞ", "ﬁn", "１９８７년", "1987년",
    unicodedata.normalize("NFD", "한글과 도서관"), "한글과 도서관", "ㄱㄴㄷ", "각" + "\u11a8", "<b>서울</b>", "A-B_C", "'''", '"서울"',
    "〈시〉", "a" * 199, "a" * 200, "가나" * 100, "가나다라마" * 45 + "끝", "서울 " * 60 + "부산", "😀서울😀", "서울\x00부산",
]  # fmt: skip


@pytest.mark.parametrize("said", NASTY)
def test_nasty_strings_against_each_other(said: str) -> None:
    for expected in NASTY:
        same(said, [expected])
    same(said, [])
    same(said, NASTY)


LETTERS = "가나다라 ab1.,'\"()《》<>〈〉‘’·“”\t\u1100\u1161\u11a8😀"


@given(st.text(alphabet=LETTERS, max_size=40), st.lists(st.text(alphabet=LETTERS, max_size=40), max_size=4))
@settings(max_examples=300)
def test_any_string(said: str, expected: list[str]) -> None:
    same(said, expected)


@given(
    st.text(alphabet="가나다라마바사아자차카타파하 ", min_size=120, max_size=230),
    st.text(alphabet="가나다라마바사아자차카타파하 ", min_size=195, max_size=260),
    st.integers(0, 60),
    st.integers(0, 60),
)
@settings(max_examples=40)
def test_lengths_at_which_frequent_characters_are_passed_over(a: str, b: str, rare: int, cut: int) -> None:
    same(a, [b])
    # A rare character in both is what a run can begin from.
    marked = b[:rare] + "끝" + b[rare:]
    same(a[:cut] + "끝" + b[rare : rare + 50], [marked])
    same(b[cut:], [b])
    same(b, [b[:199], b[: len(b)]])


@given(
    st.text(alphabet=ASCII_PUNCTUATION + BLANKED + " ", max_size=30), st.text(alphabet=BLANKED, max_size=8)
)
def test_nothing_but_punctuation(said: str, expected: str) -> None:
    same(said, [expected])
    same(said, ["서울", expected])
    assert mrc.korquad_f1(said, [expected]) == 0.0
    assert mrc.korquad_em(said, [expected]) == 1.0


@given(st.text(alphabet="각낙닥가나다 Aa", min_size=1, max_size=20))
def test_composed_and_decomposed_letters_are_different_letters(text: str) -> None:
    apart = unicodedata.normalize("NFD", text)
    same(apart, [text])
    same(text, [apart])

"""The published KorQuAD and KLUE metrics, transcribed by hand."""

from __future__ import annotations

import unicodedata

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


NASTY = [
    "", " ", "\n\t", "...", "?!?!", "()‘’", "'()‘’", "《()‘’가", "《》", "‘가’", "“가”", "「가」", "(수도)서울", "서울(수도)",
    "서울 특별시", "서울특별시", "서울　특별시", "가\u200b나", "\ufeff서울", "İstanbul", "ẞ", "ﬁn", "１９８７년", "1987년",
    unicodedata.normalize("NFD", "한글과 도서관"), "한글과 도서관", "ㄱㄴㄷ", "각" + "\u11a8", "<b>서울</b>", "A-B_C", "'''", '"서울"',
    "〈시〉", "a" * 199, "a" * 200, "가나" * 100, "가나다라마" * 45 + "끝", "서울 " * 60 + "부산", "😀서울😀", "서울\x00부산",
]  # fmt: skip

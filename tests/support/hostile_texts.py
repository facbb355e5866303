"""Texts that try to be markup, formulas or control sequences."""

from simsa.records import Passage, Question

TEXT = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> {{7*7}} {% raw %} | `x` [l](javascript:x) "
    "@everyone https://evil.example \x1b[31mred\x07 \u202eflip\u200b \x00 ]]>&amp; [bold]x[/bold] :smile:"
)
FORMULA = '=HYPERLINK("http://evil.example","x")'


def questions(n: int) -> list[Question]:
    return [
        Question(
            id=f"q{i}", question=TEXT, contexts=(Passage(TEXT, title=TEXT),), reference=(FORMULA,), type=TEXT
        )
        for i in range(n)
    ]

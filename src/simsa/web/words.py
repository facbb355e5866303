"""What the page says besides the words of a report, in Korean and English."""

from __future__ import annotations

from typing import Any, Final

from simsa.report.words import CATALOGUE, LANGUAGES, Language, Words

PAGE: Final[dict[str, tuple[str, str]]] = {
    "overview": ("요약", "Overview"),
    "questions": ("문항", "Questions"),
    "search": ("찾기", "Search"),
    "search.hint": ("질문·정답·답변에서", "in questions, references, answers"),
    "all": ("모두", "all"),
    "status": ("상태", "status"),
    "scored": ("채점됨", "scored"),
    "apply": ("적용", "Apply"),
    "reset": ("처음으로", "Reset"),
    "found": ("{n}문항", "{n} questions"),
    "before": ("이전", "Previous"),
    "after": ("다음", "Next"),
    "page": ("{page} / {pages}쪽", "page {page} of {pages}"),
    "low": ("점수 하한", "lowest score"),
    "high": ("점수 상한", "highest score"),
    "diff": ("{a} − {b}", "{a} − {b}"),
    "diff.higher": ("높음", "higher"),
    "diff.lower": ("낮음", "lower"),
    "diff.differs": ("다름", "differs"),
    "diff.same": ("같음", "same"),
    "working": ("계산하고 있습니다…", "Working it out…"),
    "missing": ("그런 문항이 없습니다.", "There is no such question."),
    "nothing": ("조건에 맞는 문항이 없습니다.", "No question fits."),
    "cited": ("인용: {by}", "cited by {by}"),
    "expected": ("기대한 인용", "expected"),
    "raw": ("심사 응답 원문", "Judge's raw reply"),
    "cut": ("… (모두 {n}자)", "… ({n} characters in all)"),
    "to_content": ("본문으로", "Skip to content"),
}


def page_words(language: Language) -> Words:
    """Like `simsa.report.words.words`, with the page's own words too."""
    place = LANGUAGES.index(language)

    def say(key: str, **blanks: Any) -> str:
        text = (PAGE.get(key) or CATALOGUE[key])[place]
        return text.format(**blanks) if blanks else text

    return say

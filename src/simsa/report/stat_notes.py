"""What the statistics remark, in the reader's language. `simsa.stats` knows no languages and says it in English."""

from __future__ import annotations

import re
from typing import Final

from simsa.i18n.language import Language

_KOREAN: Final[dict[str, str]] = {
    "no scores": "점수가 없습니다",
    "no labels": "라벨이 없습니다",
    "one score has no spread and no interval": "점수가 하나뿐이라 퍼짐도 구간도 없습니다",
    "all scores share one cluster: the interval speaks of this cluster only": (
        "모든 점수가 출처 문서 하나에서 나왔습니다. 구간은 이 문서에 대해서만 말합니다"
    ),
    "all labels share one source document: the interval speaks of this one only": (
        "모든 라벨이 출처 문서 하나에서 나왔습니다. 구간은 이 문서에 대해서만 말합니다"
    ),
    "all scores tie: nothing to rank": "점수가 모두 같아 순위를 매길 것이 없습니다",
    "p counts questions as independent; over documents nothing is shown": (
        "p는 문항을 서로 독립이라 봅니다. 문서로 묶으면 차이가 보이지 않습니다"
    ),
    "the judge's scores are not whole: κ is Lin's concordance coefficient; α and exact need whole scores": (
        "심사 점수가 정수가 아닙니다. κ는 Lin의 일치 상관 계수이고, α와 같음 비율은 정수 점수가 있어야 합니다"
    ),
    "the judge's scores are on another scale than the labels: only their ranks are comparable": (
        "심사 점수의 척도가 라벨과 달라 순위만 견줄 수 있습니다"
    ),
}
_FIGURES: Final = {
    "quadratic_kappa": "이차 가중 κ",
    "krippendorff_alpha": "순서 α",
    "spearman": "Spearman ρ",
    "kendall_tau_b": "Kendall τ-b",
}
_CONSTANT = re.compile(r"^(?P<names>[a-z_, ]+): one side does not vary$")


def localized_note(note: str, language: Language) -> str:
    """`note` of `simsa.stats` in `language`; as it is where there is no other wording of it."""
    if language == "en":
        return note
    if constant := _CONSTANT.match(note):
        names = ", ".join(_FIGURES.get(name, name) for name in constant["names"].split(", "))
        return f"{names}: 한쪽 점수가 모두 같아 계산할 수 없습니다"
    return _KOREAN.get(note, note)

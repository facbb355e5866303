"""What a calibration says to people, in Korean and English."""

from __future__ import annotations

from typing import Any, Final

from simsa.i18n.language import LANGUAGES, Language
from simsa.report import report_words as report_words
from simsa.report.report_words import Words


def words(language: Language) -> Words:
    """A function from a key (and the values of its blanks) to a text; the report's own keys are known too."""
    place = LANGUAGES.index(language)

    def say(key: str, **blanks: Any) -> str:
        pair = CATALOGUE.get(key) or report_words.CATALOGUE.get(key)
        text = pair[place] if pair else key
        return text.format(**blanks) if blanks else text

    return say


CATALOGUE: Final[dict[str, tuple[str, str]]] = {
    "head.agreement": (
        "심사와 사람의 일치 (95 % 부트스트랩 구간)",
        "The judge against people (95 % bootstrap intervals)",
    ),
    "head.variants": ("변형별: 이차 가중 κ · 편향", "By variant: quadratic κ · bias"),
    "head.people": ("사람끼리의 일치", "People against each other"),
    "head.corrected": ("사람 점수로 바로잡은 평균 (PPI++)", "Means corrected by people's labels (PPI++)"),
    "head.differences": (
        "{baseline} 대비 바로잡은 차이",
        "Corrected differences to {baseline}",
    ),
    "head.confusion": ("{name}: 행은 사람, 열은 심사", "{name}: a row a label, a column a judge's score"),
    "n_labels": ("라벨", "labels"),
    "quadratic_kappa": ("이차 가중 κ", "quadratic κ"),
    "krippendorff_alpha": ("순서 α", "ordinal α"),
    "spearman": ("Spearman ρ", "Spearman ρ"),
    "kendall_tau_b": ("Kendall τ-b", "Kendall τ-b"),
    "exact": ("같음", "exact"),
    "within_one": ("±1 이내", "within ±1"),
    "mae": ("절대 오차", "MAE"),
    "bias": ("편향 (심사 − 사람)", "bias (judge − label)"),
    "standing": ("기준선", "bar"),
    "passed": ("넘음", "passed"),
    "weak": ("못 넘음", "below"),
    "too few": ("라벨 부족", "too few"),
    "unknown": ("알 수 없음", "unknown"),
    "naive": ("심사 그대로", "judge alone"),
    "lambda": ("λ", "λ"),
    "all": ("모두 (α)", "all (α)"),
    "below_bar": (
        "심사가 기준선(κ {bar}, 구간 아래 끝 {lower}) 아래입니다: {list}. 이 기준의 점수는 사람의 판단을 대신하지 못합니다.",
        "The judge is below the bar (κ {bar}, lower bound {lower}) in: {list}. "
        "These scores do not stand for what people would say.",
    ),
    "few_labels": (
        "{what}: 라벨 {n}개로는 바로잡지 않습니다 ({needed}개부터).",
        "{what}: {n} labels are too few to correct with; {needed} are needed.",
    ),
    "unscored": (
        "심사 점수가 없는 답변의 라벨 {n}개는 뺐습니다.",
        "{n} labels are of answers without a judge's score and are left out.",
    ),
    "several": (
        "여러 사람이 라벨한 답변은 라벨마다 심사와 견주고, 부트스트랩은 문항째(출처 문서가 같으면 문서째) 뽑습니다. 바로잡기에는 답변별 평균을 씁니다.",
        "Where several people labelled an answer, each label is held against the judge, and the bootstrap "
        "draws whole questions, or documents where questions share them; corrections use the answer's mean label.",
    ),
    "stratified": (
        "층화 표본입니다. 일치도는 층의 가중치로 전체 답변에 맞춘 값이고(표와 사람끼리의 일치는 표본 그대로), "
        "평균은 라벨만 같은 가중치로 평균한 값(λ = 0)입니다.",
        "A stratified sample: agreement is weighted to that of all answers (the tables and people's agreement "
        "among themselves are the sample's), and corrected means are the labels' own, weighted likewise (λ = 0).",
    ),
    "thin_stratum": (
        "{what}: 라벨이 하나뿐인 층이 있어 바로잡지 않습니다.",
        "{what}: a stratum has a single label, so nothing is corrected.",
    ),
    "outdated": (
        "그 뒤에 바뀐 답변의 라벨 {n}개는 뺐습니다.",
        "{n} labels are of answers that have changed since, and are left out.",
    ),
    "at_random": (
        "바로잡은 평균은 라벨할 답변을 무작위로 뽑았을 때만 옳습니다 (--draw).",
        "Corrected means hold only when the labelled answers were drawn at random (--draw).",
    ),
    "drawn": (
        "{path}: 답변 {n}개. 빈 칸에 1–5를 적고 `simsa calibrate {run} --labels {path}`를 실행하십시오.",
        "{path}: {n} answers. Fill in 1–5 and run `simsa calibrate {run} --labels {path}`.",
    ),
}

"""One page that has everything a report can have, in Korean and in English."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsa import report
from simsa.i18n.language import Language
from simsa.records import Passage
from simsa.report import Summary
from simsa.report.renderers import html
from simsa.store import Store
from tests.support.report_facts import AGREED, EXAMINED
from tests.support.report_page import Page
from tests.support.report_runs import JUDGE, Scored, make_run, question

REFUSAL = "검색 결과에서 답을 찾을 수 없습니다."


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = [
        question(
            n,
            contexts=tuple(Passage(f"{n}번 마을 {k}", title="마을") for k in range(8)),
            cluster=f"c{n // 2}",
        )
        for n in range(24)
    ]
    base = [(2, 2, 2, 2), (1, 3, 2, 4), (3, 2, 1, 2)] * 8
    lora: list[Scored] = [(4, 4, 4, 4), (5, 3, 4, 5), (4, 4, 5, 4)] * 7 + [
        (4, 4, 4, 4),
        "refused",
        (4, 4, 4, 4),
    ]
    folder = make_run(
        tmp_path_factory.mktemp("whole") / "run",
        {"base": base, "lora": lora},
        questions=asked,
        predictions={"lora": [REFUSAL if n % 6 == 0 else f"별빛마을 {n}호" for n in range(24)]},
        config={
            "data": {"path": "test.jsonl"},
            "variants": [{"name": "base"}, {"name": "lora", "adapter": "out/lora"}],
            "judge": {"model": "gpt-4o", "temperature": 0.0, "seed": 7},
        },
        calibration={"judge": JUDGE, "annotators": 2, "criteria": {"answer_correctness": AGREED}},
        timing={"generate": {"rows": 48, "seconds": 24.0}, "judge": {"rows": 47, "seconds": 10.0}},
        made={
            "versions": {"python": "3.12.1", "vllm": "0.32.0"},
            "weights": {"lora": {"model": "aa11", "adapter": "bb22"}},
            "prompt": {"label": "rag-ko@12345678", "text": "### system\n근거만 보고 답하세요"},
            "rubric": {"label": "rag-ko@1a2b3c4d", "text": "levels = 5"},
        },
        language="ko",
    )
    with Store.create(folder) as store:
        store.set_probe_result("k", EXAMINED)
    return folder


# What item by item has to be there: the heading of its part, and something that only the part has.
PARTS: dict[Language, dict[str, tuple[str, ...]]] = {
    "ko": {
        "verdict": ("lora가 base보다 낫습니다: 총점 +",),
        "scores": ("점수: 기준마다 1–5, 총점 20", "답변 정확성", "채점", "24/24", "23/24"),
        "distributions": ("점수 분포", "막대 안의 수는 백분율"),
        "differences": ("차이와 95 % 신뢰구간", "p (Holm)", "승/무/패", "나음"),
        "types": ("유형별 총점 평균", "mrc_question", "no_answer"),
        "abstention": ("답변과 거절", "답이 없는 질문", "거절 F1"),
        "judge": ("심사 모델 점검", "사람 라벨과의 일치", "0.71 [0.50, 0.90]", "통과", "다른 질문의 답", "9/10"),
        "retest": ("심사 모델 검사: 같은 답변을 다시 채점", "80 %"),
        "spread": ("답변과 무관한 기준의 점수 차이",),
        "cost": ("비용과 속도", "초당 2.0건", "$0.048", "응답 시간 중앙값"),
        "examples": ("점수가 가장 높은 문항", "점수가 가장 낮은 문항", "차이가 가장 큰 문항", "문맥 8", "문맥에 있는 내용과"),
        "made": ("재현 정보", "데이터 해시", "루브릭", "프롬프트", "근거만 보고 답하세요"),
        "settings": ("전체 설정 (simsa.toml)", 'adapter = "out/lora"'),
    },
    "en": {
        "verdict": ("lora is better than base: total +",),
        "scores": ("Scores: 1–5 a criterion, total of 20", "answer correctness", "scored", "24/24", "23/24"),
        "distributions": ("Distribution of scores", "Numbers in the bars are percentages"),
        "differences": ("Differences with 95 % intervals", "p (Holm)", "win/tie/loss", "better"),
        "types": ("Mean total by type", "mrc_question", "no_answer"),
        "abstention": ("Answering and abstaining", "unanswerable", "abstention F1"),
        "judge": ("Checks of the judge", "Agreement with human labels", "0.71 [0.50, 0.90]", "passed", "9/10"),
        "retest": ("the same answers again", "80 %"),
        "spread": ("Criteria that do not depend on the answer",),
        "cost": ("Cost and speed", "2.0 a second", "$0.048", "median latency"),
        "examples": ("Highest scores", "Lowest scores", "Largest difference", "context 8"),
        "made": ("How this report was made", "data hash", "rubric", "prompt", "근거만 보고 답하세요"),
        "settings": ("all settings (simsa.toml)", 'adapter = "out/lora"'),
    },
}  # fmt: skip
HASHES = (
    "abc123",
    "da7a",
    "c0ffee",
    "aa11",
    "bb22",
    "rag-ko@1a2b3c4d",
    "vllm 0.32.0",
    "2026-11-24",
    "seed 7",
)


def summary_of(run: Path, language: Language) -> Summary:
    with Store.read(run) as store:
        return report.summary(store, language, n_examples=5)


@pytest.mark.parametrize(
    ("language", "part"), [(lang, part) for lang, parts in PARTS.items() for part in parts]
)
def test_every_part_is_there(run: Path, language: Language, part: str) -> None:
    shown = " ".join(Page(html.render(summary_of(run, language))).text.split())
    for words in PARTS[language][part]:
        assert words in shown, words


@pytest.mark.parametrize("language", ["ko", "en"])
def test_what_is_needed_to_repeat_it_is_there(run: Path, language: Language) -> None:
    shown = Page(html.render(summary_of(run, language))).text
    for words in HASHES:
        assert words in shown, words


def test_nothing_korean_is_left_in_an_english_page_but_the_data(run: Path) -> None:
    import re

    page = Page(html.render(summary_of(run, "en")))
    korean = set(re.findall(r"[가-힣]+", page.text))
    data = "번 마을의 이름은 무엇인가요 마을 별빛마을 호 답 문맥에 있는 내용과 같습니다 근거만 보고 답하세요 검색 결과에서 답을 찾을 수"
    assert korean - set(data.split()) <= {"없습니다"}


def test_every_number_of_a_chart_is_in_a_title_or_beside_it(run: Path) -> None:
    import re

    made = html.render(summary_of(run, "en"))
    pictures = re.findall(r"<svg role=\"img\" aria-label=\"([^\"]*)\"", made)
    assert len(pictures) == 4 * 2 + 5, (
        "a bar for each criterion and variant, a whisker for each and the total"
    )
    assert all(re.search(r"\d", label) for label in pictures)
    assert made.count('<rect class="part') == made.count("%)</title></rect>")

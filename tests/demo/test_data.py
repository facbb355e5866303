"""The test set: what it promises in its card, row by row, and that training never saw it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from kiwipiepy import Kiwi

from simsa import prompts
from simsa.demo import demo_files
from tests.demo.conftest import RECIPES, rows_of

TYPES = {
    "mrc_question",
    "mrc_question_with_1_to_4_negative",
    "paraphrased_question",
    "synthetic_question",
    "no_answer",
}
REFUSAL = "검색 결과에서 답을 찾을 수 없습니다."
REF = re.compile(r"\[\[ref(\d+)\]\]")
SENTENCE = re.compile(r"(?<=다\.)\s+")
# Numbers that a reference rightly has although its passages say them in other words.
DERIVED = {"2021": "이듬해", "두": "둘"}
# Every invented name on which a test question turns.
NAMES = re.findall(
    r"\S+",
    """
하늬포 물비늘 너울읍 도리깨정밀 맹순태 쪽빛항 찬샘시 깨비톱니 표은산 여운비 갈매군 탁무경 모래내시 꽃샘바람호 쌍돛항
외톨섬 늦더위호 봉하늘 볕뉘 옹달 얼레빗 채소리 낮은재 미리내 감우람 별내림군 달무리군 쓸이 갈무리전기 닦이 해오름가전 엄다솔
솔가람시 가온들시 노루목댐 솔방울개구리 함초롱 잣고개 무당개미 두물머루시 길보람 물안골 금나래 밀물 썰물 육송이 도담 갈피굴
차돌뫼 얼음골굴 맞바람시 갯국수 먹구름곶 옥빛나 불가사리빵 참새 피아름 잎새동 구름재 소담비 설단비 온새미 늘찬솔 아침이슬 저녁놀
닥실리 하얀손 여울리 등짐장수 반가온 도깨비장 까치놀 마타래 검은여 비손이 해찬들 늦깎이 금모래 새순 민들바람
""",
)


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


ROWS = rows_of(demo_files().test)


@pytest.fixture(scope="module")
def kiwi() -> Kiwi:
    return Kiwi()


def test_size_and_mix(test_rows: list[dict[str, Any]]) -> None:
    types = Counter(row["type"] for row in test_rows)
    assert len(test_rows) >= 60
    assert set(types) == TYPES
    assert min(types.values()) >= 10
    assert 0.25 <= types["no_answer"] / len(test_rows) <= 0.30
    assert ids(test_rows) == [f"demo-{n:03d}" for n in range(1, len(test_rows) + 1)]


def test_questions_come_in_clusters_that_share_documents(test_rows: list[dict[str, Any]]) -> None:
    clusters: dict[str, list[dict[str, Any]]] = {}
    for row in test_rows:
        clusters.setdefault(row["cluster"], []).append(row)
    assert len(clusters) == 25
    assert all(len(rows) >= 3 for rows in clusters.values())
    for rows in clusters.values():
        shared = set.intersection(*(set(row["search_result"]) for row in rows))
        assert shared, f"no document is common to {ids(rows)}"
    owners: dict[str, set[str]] = {}
    for row in test_rows:
        for passage in row["search_result"]:
            owners.setdefault(passage, set()).add(row["cluster"])
    assert all(len(owner) == 1 for owner in owners.values())


@pytest.mark.parametrize("row", ROWS, ids=ids(ROWS))
def test_row(row: dict[str, Any]) -> None:
    passages, answer, refs = row["search_result"], row["answer"], row["extracted_ref_numbers"]
    assert 1 <= len(passages) <= 5
    assert len(set(passages)) == len(passages)
    assert sorted({int(n) for n in REF.findall(answer)}) == refs
    assert all(1 <= n <= len(passages) for n in refs)
    assert row["question"].endswith(("?", "줘.", "세요."))
    if row["type"] == "no_answer":
        assert (answer, refs) == (REFUSAL, [])
    else:
        assert refs and answer != REFUSAL
        assert re.search(r"니다\. (\[\[ref\d+\]\] ?)+$", answer)
    if row["type"] == "mrc_question":
        assert len(passages) == 1
    if row["type"] == "mrc_question_with_1_to_4_negative":
        assert len(passages) > 1 and len(refs) == 1


@pytest.mark.parametrize("row", [r for r in ROWS if r["type"] != "no_answer"], ids=lambda row: row["id"])
def test_reference_rests_on_the_passages_it_cites(row: dict[str, Any], kiwi: Kiwi) -> None:
    cited = " ".join(row["search_result"][n - 1] for n in row["extracted_ref_numbers"])
    plain = REF.sub("", row["answer"])
    for number in re.findall(r"\d[\d,.]*\d|\d", plain):
        assert number in cited or DERIVED.get(number, "never") in cited, number
    for name in re.findall(r"[《〈]([^》〉]+)", plain):
        assert name in cited
    source = cited + " " + row["question"]
    nouns = [token.form for token in kiwi.tokenize(plain) if token.tag in ("NNG", "NNP", "SN")]
    missing = [noun for noun in nouns if noun not in source]
    assert nouns and len(missing) <= len(nouns) / 4, (plain, missing)


def test_the_right_passage_is_not_always_in_the_same_place(test_rows: list[dict[str, Any]]) -> None:
    first = [
        row["extracted_ref_numbers"][0]
        for row in test_rows
        if len(row["search_result"]) > 1 and len(row["extracted_ref_numbers"]) == 1
    ]
    assert 0.2 < sum(n == 1 for n in first) / len(first) < 0.5


def test_refusal_is_what_the_prompt_asks_for() -> None:
    prompt = Path(prompts.__file__).with_name("rag-ko.jinja").read_text(encoding="utf-8")
    assert f'"{REFUSAL}"' in prompt


def test_no_document_sentence_or_name_is_shared_with_training(
    test_rows: list[dict[str, Any]], make_data: ModuleType
) -> None:
    training = "\n".join(file.read_text(encoding="utf-8") for file in RECIPES.glob("*.toml"))
    for row in make_data.World(make_data.SEED).rows(make_data.ROWS):
        training += "\n" + "\n".join([row["question"], row["answer"], *row["search_result"]])
    told = "\n".join(passage for row in test_rows for passage in row["search_result"])
    for name in NAMES:
        assert name in told, f"{name} is not in the test set any more"
    # A name counts where a word begins: 밀물 is not in 썰밀물.
    assert [n for n in NAMES if re.search(rf"(?<![가-힣]){n}", training)] == []
    sentences = {s for row in test_rows for p in row["search_result"] for s in SENTENCE.split(p)}
    assert len(sentences) > 150
    assert [s for s in sentences if s in training] == []

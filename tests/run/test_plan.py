"""What is to be asked is named by all that can change the answer, and by nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simsa import config
from simsa.errors import DataError
from simsa.i18n.language import localize
from simsa.run import plan
from simsa.run.progress import Progress
from simsa.store import Store
from tests.support.model_folders import lora, write_safetensors

N = 3


def write_data(folder: Path, n: int = N, **changes: Any) -> None:
    rows = [
        {"id": f"q{i}", "question": f"{i}번?", "contexts": [f"문서 {i}"], "reference": f"{i}호"} | changes
        for i in range(n)
    ]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "test.jsonl").write_text(text, encoding="utf-8")


def model(folder: Path, weights: bytes = b"w") -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)


def adapter(folder: Path, seed: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text("{}")
    write_safetensors(folder / "adapter_model.safetensors", lora(seed=seed))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_data(tmp_path)
    model(tmp_path / "model")
    adapter(tmp_path / "lora")
    return tmp_path


def planned(home: Path, serving: dict[str, Any] | None = None, **more: Any) -> dict[tuple[str, str], str]:
    """Question and variant → the hash of what is asked."""
    raw: dict[str, Any] = {
        "data": {"path": "test.jsonl"},
        "serving": {"model": "model"} | (serving or {}),
        "variants": [{"name": "base"}, {"name": "lora", "adapter": "lora"}],
    }
    made = config.build(raw | more, root=home)
    with Store.create(home / "run") as store:
        plan.prepare(store, made, Progress())
        pending = store.pending_answers([variant.name for variant in made.variants])
        return {(one.question_id, one.variant): one.request_hash for one in pending}


def test_every_variant_is_asked_every_question_and_each_request_is_its_own(home: Path) -> None:
    found = planned(home)
    assert set(found) == {(f"q{i}", name) for i in range(N) for name in ("base", "lora")}
    assert len(set(found.values())) == 2 * N
    assert planned(home) == found, "and has the same name another time"


@pytest.mark.parametrize(
    "change",
    [
        {"generation": {"temperature": 0.7}},
        {"generation": {"max_tokens": 99}},
        {"generation": {"seed": 5}},
        {"generation": {"stop": ["\n"]}},
        {"generation": {"prompt": "rag-en"}},
        {"serving": {"dtype": "float16"}},
        {"serving": {"args": {"quantization": "fp8"}}},
    ],
)
def test_what_changes_answers_asks_them_all_anew(home: Path, change: dict[str, Any]) -> None:
    before = planned(home)
    serving = change.pop("serving", None)
    after = planned(home, serving, **change)
    assert not set(before.values()) & set(after.values())


@pytest.mark.parametrize(
    "serving",
    [
        {"args": {"gpu_memory_utilization": 0.5}},
        {"args": {"max-num-seqs": 4, "enforce_eager": True}},
        {"max_concurrency": 3},
        {"start_timeout_s": 5.0},
        {"env": {"VLLM_LOGGING_LEVEL": "DEBUG"}},
    ],
)
def test_what_only_changes_speed_and_memory_asks_nothing_anew(home: Path, serving: dict[str, Any]) -> None:
    assert planned(home, serving) == planned(home)


def test_a_retrained_adapter_is_asked_again_and_its_base_is_not(home: Path) -> None:
    before = planned(home)
    adapter(home / "lora", seed=1)
    after = planned(home)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {(f"q{i}", "lora") for i in range(N)}


def test_another_base_model_changes_them_all(home: Path) -> None:
    before = planned(home)
    model(home / "model", b"others")
    assert not set(before.values()) & set(planned(home).values())


def test_a_changed_question_is_asked_again_and_a_changed_reference_is_not(home: Path) -> None:
    before = planned(home)
    write_data(home, reference="다른 정답")
    assert planned(home) == before, "variants never see the reference"
    write_data(home, contexts=["다른 문서"])
    assert not set(before.values()) & set(planned(home).values())


def test_a_variants_name_is_no_part_of_what_it_is_asked(home: Path) -> None:
    before = planned(home)
    after = planned(home, variants=[{"name": "원본"}, {"name": "rag", "adapter": "lora"}])
    assert set(after.values()) == set(before.values())


def endpoint(**changes: Any) -> list[dict[str, Any]]:
    where = {"base_url": "http://127.0.0.1:1/v1", "model": "m"} | changes
    return [{"name": "there", "endpoint": where}]


@pytest.mark.parametrize(
    "change", [{"model": "m2"}, {"base_url": "http://127.0.0.1:2/v1"}, {"extra_body": {"top_k": 1}}]
)
def test_an_endpoint_is_named_by_where_it_is_and_what_it_is_asked_besides(
    home: Path, change: dict[str, Any]
) -> None:
    before = planned(home, variants=endpoint())
    assert not set(before.values()) & set(planned(home, variants=endpoint(**change)).values())


@pytest.mark.parametrize("change", [{"max_concurrency": 1}, {"timeout_s": 1.0}, {"api_key_env": "KEY"}])
def test_how_an_endpoint_is_asked_is_no_part_of_it(home: Path, change: dict[str, Any]) -> None:
    assert planned(home, variants=endpoint()) == planned(home, variants=endpoint(**change))


# Answers from files -------------------------------------------------------------------


def taken(home: Path, answers: list[dict[str, Any]], limit: int | None = None) -> Progress:
    text = "".join(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers)
    (home / "p.jsonl").write_text(text, encoding="utf-8")
    raw: dict[str, Any] = {
        "data": {"path": "test.jsonl", "limit": limit},
        "variants": [{"name": "file", "predictions": "p.jsonl"}],
    }
    progress = Progress()
    with Store.create(home / "run") as store:
        plan.prepare(store, config.build(raw, root=home), progress)
    return progress


def answer(n: int, **more: Any) -> dict[str, Any]:
    return {"question_id": f"q{n}", "prediction": f"{n}호입니다"} | more


def test_answers_that_fit_are_taken_without_a_word(home: Path) -> None:
    assert taken(home, [answer(i) for i in range(N)]).notes == []


def test_rows_of_other_questions_and_missing_ones_are_counted_in_both_languages(home: Path) -> None:
    notes = taken(home, [answer(0), answer(77), answer(78)]).notes
    assert [note["text"] for note in notes] == [
        "p.jsonl: 2 rows answer no question of the test set; left out",
        "p.jsonl: 2 questions have no prediction",
    ]
    assert [note["ko"] for note in notes] == [
        "p.jsonl: 2행은 테스트 세트에 없는 질문의 답변이라 뺐습니다",
        "p.jsonl: 질문 2개에는 답변이 없습니다",
    ]


def test_of_a_limited_test_set_the_rest_of_the_file_is_expected(home: Path) -> None:
    assert taken(home, [answer(i) for i in range(N)], limit=1).notes == []


def test_rows_of_other_variants_are_theirs(home: Path) -> None:
    rows = [answer(i, variant=name) for i in range(N) for name in ("file", "other")]
    assert taken(home, rows).notes == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([answer(0), answer(0)], "this id is already used"),
        ([answer(0), answer(0, variant="file")], "two predictions for one question"),
        ([answer(77)], "has no prediction for any question"),
        ([answer(0, variant="other")], "has no prediction for any question"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_advice(
    home: Path, answers: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(DataError, match=said) as refused:
        taken(home, answers)
    assert "p.jsonl" in str(refused.value)
    assert refused.value.hint


def test_an_empty_test_set_is_refused(home: Path) -> None:
    (home / "test.jsonl").write_text("")
    with pytest.raises(DataError):
        planned(home)


def test_a_note_is_said_and_kept_in_both_languages() -> None:
    heard: list[str] = []
    progress = Progress(say=heard.append)
    progress.note("kind", "only English")
    assert progress.notes == [{"kind": "kind", "text": "only English", "ko": "only English"}]
    assert [localize(text, "ko") for text in heard] == ["only English"]

"""The examples of CONTRIBUTING.md: each extension takes effect as the page says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import simsa
from simsa import pipeline, rubrics
from simsa.config import build
from simsa.data import read, readers
from simsa.metrics import registry
from simsa.records import Question
from simsa.report import renderers
from simsa.store import Store, criteria_of, results
from tests.support.report_runs import BASE, BETTER, make_run

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"
EXAMPLES = dict(
    re.findall(r"<!-- example: (\w+) -->\n```\w+\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
)


def execute(name: str) -> dict[str, Any]:
    """Runs a Python example; returns its names."""
    names: dict[str, Any] = {}
    exec(compile(EXAMPLES[name], f"CONTRIBUTING.md: {name}", "exec"), names)
    return names


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restores the registries that examples change."""
    known: tuple[dict[str, Any], ...] = (registry._registered, readers.READERS, renderers.RENDERERS)
    before = [dict(one) for one in known]
    yield
    for one, entries in zip(known, before, strict=True):
        one.clear()
        one.update(entries)


def test_each_example_takes_less_than_fifty_lines() -> None:
    assert set(EXAMPLES) == {"criterion", "metric", "format", "judge", "renderer", "engine"}
    assert all(text.count("\n") < 50 for text in EXAMPLES.values())


def test_a_criterion_is_a_table_in_the_rubric(tmp_path: Path) -> None:
    built_in = rubrics.source("rag-ko").read_text(encoding="utf-8")
    file = tmp_path / "own.toml"
    head, words, tail = built_in.partition("[words]")
    added = re.sub(r"^\[split\]\n(?:.+\n)+", "", head, flags=re.MULTILINE)
    file.write_text(f"{added}\n{EXAMPLES['criterion']}\n{words}{tail}", encoding="utf-8")
    criteria = rubrics.load("own.toml", tmp_path).criteria
    politeness = criteria.named("politeness")
    assert politeness is not None and list(politeness.levels) == [0, 1, 2]
    assert criteria.max_total == 20


def test_a_metric_is_one_function(registries: None) -> None:
    execute("metric")
    row = registry.score_row("하나. 둘.", Question("1", "몇?", reference=("둘",)))
    assert row["n_sentences"] == 2


def test_a_data_format_is_one_function(registries: None, tmp_path: Path) -> None:
    execute("format")
    (tmp_path / "a.txt").write_text("언제? = 1987년\n누가? = 윤서리\n", encoding="utf-8")
    assert [q.reference for q in read(tmp_path / "a.txt", format="pairs")] == [("1987년",), ("윤서리",)]


async def _judge(tmp_path: Path, judge: Any) -> None:
    (tmp_path / "test.jsonl").write_text(
        '{"id": "1", "question": "언제?", "contexts": ["문서"], "reference": "1987년"}\n', encoding="utf-8"
    )
    (tmp_path / "p.jsonl").write_text('{"id": "1", "prediction": "1987년입니다."}\n', encoding="utf-8")
    raw = {"data": {"path": "test.jsonl"}, "variants": [{"name": "v", "predictions": "p.jsonl"}]}
    await pipeline.evaluate(build(raw, root=tmp_path), tmp_path / "run", judge=judge)


def test_a_judge_is_one_function(tmp_path: Path) -> None:
    import asyncio

    asyncio.run(_judge(tmp_path, execute("judge")["judge"]))
    with Store.read(tmp_path / "run") as store:
        assert criteria_of(store).names == ("mentions_reference",)
        assert [result.scores for result in results(store)] == [{"mentions_reference": 1}]
    assert simsa.Run(tmp_path / "run").report().to_dict()["variants"][0]["total"]["max"] == 1


def test_a_report_format_is_one_function(registries: None, tmp_path: Path) -> None:
    execute("renderer")
    folder = make_run(tmp_path / "run", {"base": BASE, "lora": BETTER})
    chosen = renderers.renderer_for(Path("means.tsv"))
    assert chosen is not None
    with Store.read(folder) as store:
        lines = str(chosen.render(store, renderers.RenderOptions())).splitlines()
    assert [line.split("\t")[0] for line in lines] == ["base", "lora"]


def test_an_engine_is_one_class() -> None:
    assert execute("engine")["engine"].__name__ == "RunningElsewhere"

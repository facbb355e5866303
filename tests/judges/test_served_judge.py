"""A judge that is an adapter beside the variants: what may be configured, and that it goes nowhere else."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from simsa import config as configuration
from simsa import judges
from simsa.cli.main import run
from simsa.config import Config, JudgeConfig
from simsa.demo import demo_files
from simsa.engines import check_adapters, plan_judge, plan_servers
from simsa.errors import ConfigError
from simsa.judges.cost import price_of
from simsa.judges.llm import LLMJudge
from simsa.records import Question
from tests.servers.chat import ChatServer
from tests.support.judged_runs import write_data
from tests.support.model_folders import lora, make_adapter, make_model
from tests.support.stand_in_engine import stand_in

QUESTION = Question(id="1", question="언제?", contexts=(), reference=("1443년",))


def config_of(base: Path | str, **judge: Any) -> Config:
    adapters = demo_files().adapters
    return configuration.build(
        {
            "data": {"path": str(demo_files().test)},
            "serving": {"model": str(base)},
            "variants": [{"name": "base"}, {"name": "final", "adapter": str(adapters["rag-final"])}],
            "judge": {"model": "judge", "adapter": str(demo_files().judge), **judge},
        }
    )


def judge_of(config: Config) -> LLMJudge:
    assert config.judge
    made = judges.make(config.judge, root=config.root)
    assert isinstance(made, LLMJudge)
    return made


def test_it_is_served_on_the_variants_server(demo_model: Path) -> None:
    config = config_of(demo_model)
    (plan,) = plan_servers(config)
    assert list(plan.variants) == ["base", "final", "judge"]
    assert set(plan.adapters) == {"final", "judge"}
    assert check_adapters(config) == []
    slots = plan.argv[plan.argv.index("--max-loras") + 1] if "--max-loras" in plan.argv else ""
    assert "3" in slots or any(arg == "--max-loras=3" for arg in plan.argv), "two adapters and the empty slot"


def test_asked_for_itself_it_is_served_without_the_variants(demo_model: Path, tmp_path: Path) -> None:
    raw = config_of(demo_model).model_dump(mode="json")
    raw["variants"][1]["adapter"] = str(tmp_path / "gone since")
    plan = plan_judge(configuration.build(raw))
    assert plan
    assert (list(plan.variants), plan.base) == (["judge"], "base")
    assert list(plan.adapters) == ["judge"]


def test_variants_with_finished_answers_leave_it_a_server_of_its_own(demo_model: Path) -> None:
    files = demo_files()
    config = configuration.build(
        {
            "data": {"path": str(files.test)},
            "serving": {"model": str(demo_model)},
            "variants": [{"name": "base", "predictions": str(files.recorded)}],
            "judge": {"model": "judge", "adapter": str(files.judge)},
        }
    )
    plan = plan_judge(config)
    assert plan and list(plan.variants) == ["judge"] and plan.base == "base"


def test_without_an_adapter_there_is_no_such_server() -> None:
    config = configuration.build(
        {"data": {"path": "x"}, "serving": {"model": "m"}, "judge": {"model": "gpt-4o"}}
    )
    assert plan_judge(config) is None


@pytest.mark.parametrize(
    ("judge", "complaint"),
    [
        ({"base_url": "http://127.0.0.1:1/v1"}, "leave out base_url"),
        ({"api_key_env": "KEY"}, "leave out api_key_env"),
        ({"via": "batch"}, "batches need an endpoint"),
        ({"model": "lexical"}, "a judge without a model"),
        ({"model": "final"}, "'final' is a variant"),
        ({"model": "my judge"}, "must not contain spaces or slashes"),
        ({"model": "a/b"}, "must not contain spaces or slashes"),
    ],
)
def test_what_does_not_go_with_it_is_refused(judge: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        config_of("m", **judge)


def test_a_base_model_is_needed() -> None:
    with pytest.raises(ConfigError, match="names no model"):
        configuration.build(
            {
                "data": {"path": "x"},
                "variants": [{"name": "a", "predictions": "y"}],
                "judge": {"model": "judge", "adapter": "dir"},
            }
        )


def test_a_kept_config_can_be_read_again() -> None:
    config = config_of("m")
    assert configuration.build(config.model_dump(mode="json")) == config


def test_it_costs_nothing_and_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    config = config_of("m")
    assert config.judge and config.judge.key_variable is None
    price = price_of(config.judge)
    assert price and (price.input, price.cached, price.output) == (0, 0, 0)
    judge_of(config)  # would complain of a missing key


def test_it_never_asks_the_default_address() -> None:
    async def enter() -> None:
        async with judge_of(config_of("m")):
            pass

    with pytest.raises(ConfigError, match=r"served by `simsa run`"):
        asyncio.run(enter())


def test_it_asks_where_it_is_served_and_nobody_else() -> None:
    async def ask(url: str) -> Any:
        judge = judge_of(config_of("m"))
        judge.set_base_url(url, "the-key")
        async with judge:
            (request,) = judge.requests(QUESTION, "1443년입니다.")
            return await judge.judge(request)

    with ChatServer() as server:
        judgement = asyncio.run(ask(server.url))
    assert judgement.status == "scored"
    assert judgement.cost_usd == 0
    assert {call.body["model"] for call in server.calls} == {"judge"}


def test_another_adapter_is_another_judge(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in demo_files().judge.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    one, same = judge_of(config_of("m")), judge_of(config_of("m", adapter=str(other)))
    assert one.key == same.key, "weights by content, not by folder"
    (other / "adapter_config.json").write_text("{}", encoding="utf-8")
    changed = judge_of(config_of("m", adapter=str(other)))
    assert changed.key != one.key
    plain = judges.make(JudgeConfig(model="judge", base_url="http://127.0.0.1:1/v1"))
    assert plain.key != one.key


def test_on_another_base_it_is_another_judge(tmp_path: Path) -> None:
    def key(base: Path, **serving: Any) -> str:
        raw = config_of(base).model_dump(mode="json")
        raw["serving"] |= serving
        return judges.from_config(configuration.build(raw)).key

    one, copy = make_model(tmp_path / "one"), make_model(tmp_path / "copy")
    assert key(one) == key(copy), "weights by content, not by folder"
    other = make_model(tmp_path / "other", layers=3)
    assert key(one) != key(other)
    assert key(one) != key(one, dtype="float32")
    assert key(one) != key(one, args={"quantization": "fp8"})
    assert key(one) == key(one, args={"gpu_memory_utilization": 0.5}, max_concurrency=3)


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    raw = config_of(make_model(tmp_path / "one")).model_dump(mode="json")
    raw["serving"]["chat_template"] = "gone.jinja"
    with pytest.raises(ConfigError, match=r"gone\.jinja"):
        judges.from_config(configuration.build(raw, root=tmp_path))


def test_a_remark_on_the_judge_is_a_note_and_changes_no_score() -> None:
    noted, plain = judge_of(config_of("m", note="a toy")), judge_of(config_of("m"))
    assert "a toy" in noted.notes and "a toy" not in plain.notes
    assert noted.key == plain.key


def served_run(folder: Path, n: int = 12) -> Path:
    """A config of two variants and a judge, all on one server; not run yet."""
    base = make_model(folder / "model")
    for name in ("lora", "judge"):
        make_adapter(folder / name, lora())
    write_data(folder, n, ())
    file = folder / "simsa.toml"
    file.write_text(
        f'[data]\npath = "test.jsonl"\n[serving]\nmodel = "{base}"\ncheck_adapters = false\n'
        'max_concurrency = 2\n[[variants]]\nname = "base"\n[[variants]]\nname = "lora"\nadapter = "lora"\n'
        '[judge]\nmodel = "own-judge"\nadapter = "judge"\nmax_concurrency = 2\n',
        encoding="utf-8",
    )
    return file


@pytest.mark.parametrize("cpu", [True, False])
def test_on_a_gpu_it_judges_while_the_others_answer_and_on_a_cpu_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cpu: bool
) -> None:
    calls = stand_in(monkeypatch, tmp_path, cpu=cpu, latency_s=0.01)
    config = served_run(tmp_path)
    assert run(["run", str(config), "-q"]) == 0
    asked = calls.read_text().split()
    assert Counter(asked) == {"base": 12, "lora": 12, "own-judge": 24}
    last_answer = max(n for n, model in enumerate(asked) if model != "own-judge")
    while_answering = asked[:last_answer].count("own-judge")
    assert while_answering == 0 if cpu else while_answering >= 8
    assert run(["run", str(config), "-q"]) == 0
    assert len(calls.read_text().split()) == 48, "what is done starts nothing"


def test_interrupted_between_answers_and_verdicts_it_goes_on_with_the_verdicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = stand_in(monkeypatch, tmp_path)
    config = served_run(tmp_path, 3)
    assert run(["generate", str(config), "-q"]) == 0
    assert set(calls.read_text().split()) == {"base", "lora"}
    calls.unlink()
    assert run(["judge", str(config), "-q"]) == 0
    assert calls.read_text().split() == ["own-judge"] * 6


def test_it_is_examined_on_a_server_of_its_own_which_is_not_started_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = stand_in(monkeypatch, tmp_path)
    config = served_run(tmp_path, 3)
    command = ["probe", str(config), "-n", "1", "--retest", "0", "-q", "--json"]
    assert run(command) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["calls"] == len(calls.read_text().split()) > 0
    calls.unlink()
    assert run(command) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["calls"], again["reused"]) == (0, first["calls"])
    assert not calls.exists(), "nothing is left to be asked"

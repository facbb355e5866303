"""What judging took by variant, part and judge: exact, and each call counted once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from simsa.store import Store, judge_usage, usage_shares
from tests.servers.chat import ChatServer, text_of
from tests.support.criteria import CRITERIA
from tests.support.judged_runs import (
    GROUPS,
    asked_for,
    config_of,
    edited,
    flat,
    giving,
    report,
    split_config,
    write_config,
    write_data,
)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")


def priced(config: Path) -> Path:
    config.write_text(config.read_text().replace("judge-1", "gpt-4o"))
    return config


def sums(found: dict[str, Any], by: str, key: str) -> float:
    return float(sum(one[key] for one in found["judge"]["usage"][by].values()))


@pytest.mark.parametrize("by", ["by_variant", "by_part", "by_judge"])
def test_the_shares_make_the_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str], by: str) -> None:
    write_data(tmp_path, 4)
    edited(tmp_path)
    with ChatServer(giving(3)) as server:
        config = priced(split_config(tmp_path, server.url))
        assert run(["judge", str(config), "-q"]) == 0
        edited(tmp_path, answer_correctness="바뀜.")
        assert run(["judge", str(config), "-q"]) == 0
        found = report(config, capsys)
        assert sums(found, by, "calls") == found["judge"]["calls"] == server.count == 20
    for key in ("prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd"):
        assert sums(found, by, key) == pytest.approx(found["judge"][key]), key
    assert found["judge"]["cost_usd"] > 0


def test_a_part_costs_what_its_calls_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 5)
    edited(tmp_path)
    with ChatServer(giving(3)) as server:
        config = priced(split_config(tmp_path, server.url))
        assert run(["judge", str(config), "-q"]) == 0
    parts = report(config, capsys)["judge"]["usage"]["by_part"]
    for name, criteria in GROUPS.items():
        bodies = [body for body in server.requests if set(asked_for(body)) == set(criteria)]
        assert set(parts[name]["criteria"]) == set(criteria)
        assert parts[name]["calls"] == len(bodies)
        assert parts[name]["prompt_tokens"] == sum(len(text_of(body)) // 4 for body in bodies)


def test_a_criterion_costs_its_even_part_of_the_calls_that_asked_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 4)
    edited(tmp_path)
    with ChatServer(giving(3)) as server:
        config = priced(split_config(tmp_path, server.url))
        assert run(["judge", str(config), "-q"]) == 0
        before = report(config, capsys)["judge"]["usage"]
        edited(tmp_path, answer_correctness="바뀜.")
        assert run(["judge", str(config), "-q"]) == 0
    usage = report(config, capsys)["judge"]["usage"]
    for name, criteria in GROUPS.items():
        first, *others = [before["by_criterion"][c] for c in criteria]
        assert all(one == first for one in others), "asked together, they cost the same"
        assert first["cost_usd"] == pytest.approx(before["by_part"][name]["cost_usd"] / len(criteria))
    alone = sum(len(text_of(b)) // 4 for b in server.requests if asked_for(b) == ["answer_correctness"])
    was, now = (found["by_criterion"]["answer_correctness"]["prompt_tokens"] for found in (before, usage))
    assert now == pytest.approx(was + alone), "what was asked for one alone is its own"
    assert usage["by_criterion"]["context_faithfulness"] == before["by_criterion"]["context_faithfulness"]
    for found in (before, usage):
        assert sum(one["cost_usd"] for one in found["by_criterion"].values()) == pytest.approx(
            sum(one["cost_usd"] for one in found["by_part"].values())
        )
        for one in found["by_criterion"].values():
            assert sum(one["by_variant"].values()) == pytest.approx(one["cost_usd"])


def test_what_was_asked_in_vain_is_divided_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 2, ("base",))
    with ChatServer("not a verdict") as server:
        config = priced(write_config(tmp_path, server.url, variants=("base",)))
        assert run(["judge", str(config), "-q"]) == 4
    found = report(config, capsys)["judge"]
    assert found["cost_usd"] > 0
    assert sum(one["cost_usd"] for one in found["usage"]["by_criterion"].values()) == pytest.approx(
        found["cost_usd"]
    )


def test_a_call_that_variants_share_is_the_first_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 6)
    edited(tmp_path)
    with ChatServer(giving(3), latency_s=0.002) as server:
        config = split_config(tmp_path, server.url)
        assert run(["judge", str(config), "-q"]) == 0
    usage = report(config, capsys)["judge"]["usage"]
    assert {name: (one["calls"], one["reused"]) for name, one in usage["by_variant"].items()} == {
        "base": (12, 0),
        "lora": (6, 6),
    }
    assert usage["by_part"]["context"]["reused"] == 6
    assert usage["by_variant"]["base"]["cost_usd"] is None, "without a price there is no cost, not 0"


def test_equal_answers_are_paid_once_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 4, ("base",))
    (tmp_path / "lora.jsonl").write_bytes((tmp_path / "base.jsonl").read_bytes())
    with ChatServer(flat(3)) as server:
        config = priced(write_config(tmp_path, server.url))
        assert run(["judge", str(config), "-q"]) == 0
    usage = report(config, capsys)["judge"]["usage"]
    lora = usage["by_variant"]["lora"]
    assert (lora["calls"], lora["reused"], lora["cost_usd"]) == (0, 4, 0.0)
    assert list(usage["by_part"]) == ["joint"]
    assert usage["by_part"]["joint"]["criteria"] == list(CRITERIA)


def test_every_member_of_a_panel_has_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 3)
    with ChatServer(flat(3)) as a, ChatServer(flat(4)) as b:
        panel = [{"model": "gpt-4o", "base_url": a.url}, {"model": "own", "base_url": b.url}]
        config = config_of(tmp_path, *panel, more="repeats = 2\ntemperature = 0.5\n")
        assert run(["judge", str(config), "-q"]) == 0
    usage = report(config, capsys)["judge"]["usage"]
    assert {name: one["calls"] for name, one in usage["by_judge"].items()} == {"gpt-4o": 12, "own": 12}
    assert usage["by_judge"]["gpt-4o"]["cost_usd"] > 0
    assert usage["by_judge"]["own"]["cost_usd"] is None
    with Store.read(tmp_path / "simsa.simsa") as store:
        assert sum(share.calls for share in usage_shares(store)) == judge_usage(store).calls == 24


def test_every_format_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path, 4)
    edited(tmp_path)
    with ChatServer(giving(3)) as server:
        config = priced(split_config(tmp_path, server.url))
        assert run(["judge", str(config), "-q"]) == 0
    capsys.readouterr()
    for language, words in (("ko", "심사 호출 · 비용"), ("en", "Judge calls · cost")):
        for format in ("text", "md", "html"):
            assert run(["report", str(config), "--format", format, "--language", language]) == 0
            shown = capsys.readouterr().out
            assert words in shown
            assert "(+4)" in shown, "the context of the second variant was found done"
            assert {"ko": "균등하게 나눈 값", "en": "equal share of its"}[language] in " ".join(shown.split())
            assert {"ko": "문맥 기준", "en": "criteria of the context"}[language] in shown


def test_the_free_judge_costs_nothing_worth_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, 4)
    config = write_config(tmp_path, "http://127.0.0.1:9/v1")
    config.write_text(
        config.read_text().replace("judge-1", "lexical").replace('api_key_env = "JUDGE_KEY"\n', "")
    )
    assert run(["judge", str(config), "-q"]) == 0
    found = report(config, capsys)
    assert sums(found, "by_variant", "cost_usd") == 0
    assert run(["report", str(config)]) == 0
    assert "심사 호출" not in capsys.readouterr().out
    assert json.dumps(found)

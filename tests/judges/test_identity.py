"""Which model answers to a judge's name: what is told apart, what is found again, and what people hear of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simsa import judges
from simsa.cli.main import run
from simsa.config import JudgeConfig
from simsa.judges.identity import JudgeLocation, judge_locations, merge_locations, relocated
from simsa.llm import ModelInfo
from simsa.store import Store
from tests.servers.chat import ChatServer
from tests.support.judged_runs import write_config, write_data
from tests.support.model_folders import make_model

URL = "http://127.0.0.1:8000/v1"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")


def config(**more: Any) -> JudgeConfig:
    return JudgeConfig.model_validate({"model": "own-judge", "base_url": URL, **more})


def test_a_server_may_move_and_an_identity_tells_models_of_one_name_apart() -> None:
    here = judges.make(config())
    assert judges.make(config(base_url="http://node-7.cluster:9000/v1")).key == here.key
    first, second = (judges.make(config(identity=name)) for name in ("2026-11-01", "2026-12-01"))
    assert len({here.key, first.key, second.key}) == 3
    assert judges.make(config(identity="2026-11-01", base_url="http://elsewhere/v1")).key == first.key


def test_members_of_a_panel_have_identities_of_their_own() -> None:
    def panel(identity: str | None) -> str:
        members = [{"model": "a", "base_url": URL, "identity": identity}, {"model": "b", "base_url": URL}]
        return judges.make(JudgeConfig.model_validate({"panel": members})).key

    assert panel("new") != panel(None)


def test_the_best_evidence_that_both_have_decides() -> None:
    old = JudgeLocation("http://a/v1", "/models/judge", "w1")
    assert JudgeLocation("http://b/v1", "/moved/judge", "w1").same_model(old), "the same weights"
    assert not JudgeLocation("http://a/v1", "/models/judge", "w2").same_model(old), (
        "trained again in its place"
    )
    assert JudgeLocation("http://b/v1", "/models/judge").same_model(old), (
        "the same folder or name, from another machine"
    )
    assert not JudgeLocation("http://a/v1", "/models/other").same_model(old)
    assert JudgeLocation("http://a/v1").same_model(old), "a server that says nothing, at the same address"
    assert not JudgeLocation("http://b/v1").same_model(old)


def test_a_place_is_known_by_what_the_server_says_and_by_the_weights_that_are_here(tmp_path: Path) -> None:
    model = make_model(tmp_path / "judge")
    (here,) = judge_locations(config(), {"own-judge": ModelInfo("own-judge", root=str(model))}).values()
    assert (here.at, here.root) == ("http://localhost:8000/v1", str(model))
    assert here.weights
    (other,) = judge_locations(config(), {"own-judge": ModelInfo("own-judge", root="org/judge-7b")}).values()
    assert (other.root, other.weights) == ("org/judge-7b", None)
    far = config(base_url="http://gpu-1:8000/v1")
    (there,) = judge_locations(far, {"own-judge": ModelInfo("own-judge", root=str(model))}).values()
    assert there == JudgeLocation("http://gpu-1:8000/v1", str(model)), (
        "the folder of that name here is not that one"
    )


def test_a_model_of_a_public_service_is_the_same_everywhere() -> None:
    assert judge_locations(config(model="gpt-4o"), {"gpt-4o": ModelInfo("gpt-4o")}) == {}
    assert judge_locations(JudgeConfig(model="gpt-next"), {"gpt-next": ModelInfo("gpt-next")}) == {}
    assert judge_locations(config(), {}) == {}, "an endpoint that did not answer is nowhere"


def test_what_is_alike_is_kept_once_the_newest_last() -> None:
    first = merge_locations({}, {"j": JudgeLocation("http://a/v1")})
    again = merge_locations(first, {"j": JudgeLocation("http://a/v1", "/m")})
    assert again == {"j": [JudgeLocation("http://a/v1", "/m")]}, "the better known one stays"
    moved = merge_locations(
        json.loads(json.dumps(again)),
        {"j": JudgeLocation("http://b/v1", "/n"), "k": JudgeLocation("http://c/v1")},
    )
    assert moved == {
        "j": [JudgeLocation("http://a/v1", "/m"), JudgeLocation("http://b/v1", "/n")],
        "k": [JudgeLocation("http://c/v1")],
    }
    assert list(relocated(again, {"j": [["http://a/v1", "/m", None]]})) == []
    assert list(relocated(again, moved)) == []
    assert [name for name, *_ in relocated(again, {"j": [["http://z/v1", "/z", None]], "q": []})] == ["j"]


def judged(folder: Path, server: ChatServer, more: str = "", n: int = 3) -> Path:
    write_data(folder, n)
    written = write_config(folder, server.url, more=more)
    assert run(["judge", str(written), "-q"]) == 0
    return written


def notes(written: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert run(["report", str(written), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["notes"]
    return "\n".join(note["text"] for note in found if note["kind"] == "judge_moved")


def test_another_model_under_the_same_name_is_said_aloud_and_an_identity_judges_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cards = [{"id": "judge-1", "root": "org/judge-v1"}]
    with ChatServer(models=cards) as first, ChatServer(models=cards) as restarted:
        judged(tmp_path, first)
        written = judged(tmp_path, restarted)
        assert (first.count, restarted.count) == (6, 0), "what was judged is found again, whatever the port"
        assert notes(written, capsys) == ""
    with ChatServer(models=[{"id": "judge-1", "root": "org/judge-v2"}]) as second:
        written = judged(tmp_path, second, n=4)
        assert second.count == 2, "what is on file was kept"
        assert "org/judge-v1" in notes(written, capsys)
        assert "judge.identity" in notes(written, capsys)
        written = judged(tmp_path, second, 'identity = "v2"\n', n=4)
        assert second.count == 2 + 8
        assert notes(written, capsys) == ""
        with Store.read(tmp_path / "simsa.simsa") as store:
            assert set(store.meta("judge_places")) == {"judge-1", "judge-1 (v2)"}


def test_two_runs_of_one_judges_name_in_two_places_are_compared_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        ChatServer(models=[{"id": "judge-1", "root": "org/judge-v1"}]) as first,
        ChatServer(models=[{"id": "judge-1", "root": "org/judge-v2"}]) as second,
    ):
        old, new = judged(tmp_path / "old", first), judged(tmp_path / "new", second)
    capsys.readouterr()
    for language, says in (("en", "give each its own judge.identity"), ("ko", "judge.identity")):
        assert run(["compare", str(old), str(new), "--language", language, "--json"]) == 0
        (note,) = [n for n in json.loads(capsys.readouterr().out)["notes"] if n["kind"] == "judge_apart"]
        assert "org/judge-v1" in note["text"]
        assert "org/judge-v2" in note["text"]
        assert says in note["text"]
    assert run(["compare", str(old), str(old), "--json"]) == 0
    assert "judge_apart" not in capsys.readouterr().out


def test_a_run_of_another_time_keeps_its_verdicts(tmp_path: Path) -> None:
    """What was judged before anybody asked where: it is neither judged again nor spoken of."""
    with ChatServer() as server:
        judged(tmp_path, server)
        with Store.create(tmp_path / "simsa.simsa") as store:
            store.set_meta(judge_places=None, shutdown_dates=None)
        judged(tmp_path, server)
        assert server.count == 6

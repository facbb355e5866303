"""`simsa demo`: what it writes, says and leaves behind; recorded predictions stand for vLLM."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simsa import config
from simsa.cli.main import run
from simsa.demo import demo_files

Capture = pytest.CaptureFixture[str]


def replayed(out: Path, *options: str) -> int:
    return run(["demo", "--replay", "--limit", "3", "--out", str(out), *options])


def test_a_replay_is_a_run_like_any_other(tmp_path: Path, capfd: Capture) -> None:
    assert replayed(tmp_path / "demo", "--json", "-q") == 0
    said = capfd.readouterr()
    found = json.loads(said.out)
    assert [variant["name"] for variant in found["variants"]] == ["base", "rag-early", "rag-final"]
    assert found["run"]["n_questions"] == 3
    assert found["judge"]["model"] == "lexical"
    assert said.err == ""
    made = config.load(tmp_path / "demo")
    assert made.data.path == str(demo_files().test)
    assert run(["report", str(tmp_path / "demo"), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["variants"] == found["variants"]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("ko", ("질문 3개", "어디서 틀리는지", "내 모델과 어댑터로")),
        ("en", ("3 questions", "where it goes wrong", "your own model")),
    ],
)
def test_what_to_do_next_is_said_in_the_language_with_commands_to_copy(
    language: str, said: tuple[str, ...], tmp_path: Path, capfd: Capture
) -> None:
    out = tmp_path / "demo"
    assert replayed(out, "--language", language) == 0
    found = capfd.readouterr()
    for part in said:
        assert part in found.err
    assert f"  simsa examples {out} --worst\n" in found.err
    assert "  OPENAI_API_KEY=… simsa demo --replay\n" in found.err
    assert "simsa examples" not in found.out


def test_each_command_that_is_proposed_works(tmp_path: Path, capfd: Capture) -> None:
    import shlex

    out = tmp_path / "demo"
    assert replayed(out, "--language", "en") == 0
    proposed = [line.strip() for line in capfd.readouterr().err.splitlines() if line.startswith("  simsa ")]
    assert len(proposed) == 4
    for command in proposed[:3]:
        _, *argv = shlex.split(command.replace("report.html", str(tmp_path / "report.html")))
        assert run(argv) in (0, 3)
    assert (tmp_path / "report.html").is_file()


def test_a_second_replay_goes_on_with_the_first(tmp_path: Path, capfd: Capture) -> None:
    assert replayed(tmp_path / "demo", "-q") == 0
    first = capfd.readouterr().out
    assert replayed(tmp_path / "demo", "-q") == 0
    assert capfd.readouterr().out == first


def test_a_key_in_the_environment_means_a_strong_judge(
    tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert replayed(tmp_path / "demo", "-q", "--judge", "lexical") == 0, "a name wins"
    assert config.load(tmp_path / "demo").judge.model == "lexical"  # type: ignore[union-attr]
    with pytest.raises(Exception, match=r"api\.openai\.com"):  # tests reach nobody
        replayed(tmp_path / "other", "-q")
    made = config.load(tmp_path / "other").judge
    assert made is not None
    assert (made.model, made.api_key_env) == ("gpt-4o", "OPENAI_API_KEY")
    assert "sk-test" not in (tmp_path / "other" / "simsa.toml").read_text(encoding="utf-8")
    assert "sk-test" not in capfd.readouterr().err


def test_an_odd_folder_is_written_as_toml_reads_it(tmp_path: Path, capfd: Capture) -> None:
    out = tmp_path / '이름 "따옴표" \\ 역슬래시'
    assert replayed(out, "-q") == 0
    assert config.load(out).run_dir == out / "simsa.simsa"

"""`simsa init`: what it writes works, and a rubric's copy can be edited with errors that name the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simsa import rubrics
from simsa.cli.main import run
from simsa.errors import RubricError
from simsa.rubrics.declaration import line_of
from tests.servers.chat import ChatServer
from tests.support.probe_rows import careful
from tests.support.probed_runs import write

Capture = pytest.CaptureFixture[str]
CRITERIA = rubrics.built_in_criteria().names


def copied(folder: Path, language: str = "ko") -> Path:
    file = folder / "mine.toml"
    assert run(["init", str(folder), "--rubric", file.name, "--language", language]) == 0
    return file


def test_the_starter_is_written_once(tmp_path: Path, capfd: Capture) -> None:
    assert run(["init", str(tmp_path / "new")]) == 0
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["simsa.toml", "test.jsonl"]
    assert run(["init", str(tmp_path / "new")]) == 2
    assert "nothing was written" in capfd.readouterr().err


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_copied_rubric_asks_for_the_same_in_the_same_words(tmp_path: Path, language: str) -> None:
    file = copied(tmp_path, language)
    own, built_in = rubrics.load("mine.toml", tmp_path), rubrics.load(f"rag-{language}")
    assert own.part_hash(CRITERIA) == built_in.part_hash(CRITERIA)
    assert own.groups == built_in.groups
    assert {name: own.part_hash((name,)) for name in CRITERIA} == {
        name: built_in.part_hash((name,)) for name in CRITERIA
    }
    assert own.label == built_in.label.replace(f"rag-{language}@", "mine@")
    text = file.read_text(encoding="utf-8")
    for word in ("sees", "levels", "split", "language", "question", "prediction", '"mine.toml"'):
        assert any(word in line for line in text.splitlines() if line.startswith("#")), word
    for name in CRITERIA:
        assert text.index(f"[criteria.{name}]") < text.index(f"[criteria.{name}.levels]")
    assert max(len(line) for line in text.splitlines() if line.startswith("#")) <= 115


def test_without_a_name_it_is_called_rubric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--rubric"]) == 0
    out, err = capfd.readouterr()
    assert out == "rubric.toml\n"
    assert 'rubric = "rubric.toml"' in err
    assert [p.name for p in tmp_path.iterdir()] == ["rubric.toml"]


def test_no_rubric_is_overwritten_and_none_is_called_otherwise(tmp_path: Path, capfd: Capture) -> None:
    file = copied(tmp_path)
    file.write_text("mine")
    assert run(["init", str(tmp_path), "--rubric", file.name]) == 2
    assert file.read_text() == "mine"
    assert "exists already" in capfd.readouterr().err
    assert run(["init", str(tmp_path), "--rubric", "rubric.txt"]) == 2
    assert "rubric.toml" in capfd.readouterr().err
    assert not (tmp_path / "rubric.txt").exists()


@pytest.mark.parametrize(
    ("old", "new", "at", "about"),
    [
        ('3 = "맞는', '33 = "맞는', '33 = "맞는', "criteria.answer_correctness.levels"),
        (
            'title = "답변 정확성"',
            'name = "답변 정확성"',
            "[criteria.answer_correctness]",
            "title: is missing",
        ),
        ('title = "답변 정확성"', "title = 3", "title = 3", "answer_correctness.title"),
        (
            'sees = ["question", "context"]',
            'sees = ["question", "label"]',
            'sees = ["question", "label"]',
            "context_relevance.sees.1",
        ),
        ('closing = "', 'closng = "', "[words]", "words.closing: is missing"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, at: str, about: str) -> None:
    file = copied(tmp_path)
    text = file.read_text(encoding="utf-8")
    assert old in text
    broken = text.replace(old, new, 1)
    file.write_text(broken, encoding="utf-8")
    line = broken[: broken.index(f"\n{at}") + 1].count("\n") + 1
    with pytest.raises(RubricError) as caught:
        rubrics.load("mine.toml", tmp_path)
    assert f"mine.toml:{line}: " in str(caught.value)
    assert about in str(caught.value)


PROMPT = """Rate the answer. {question} {context} {prediction} {label}
Reply with {"reason": "one sentence", "is_correct": true, "quality": <0-10>, "fluency": 3, "confidence": 0.9}
"""


def test_front_matter_is_proposed_from_the_json_example_of_a_prompt(tmp_path: Path, capfd: Capture) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text(PROMPT, encoding="utf-8")
    assert run(["init", "--rubric", "--from", str(prompt)]) == 0
    out, err = capfd.readouterr()
    written = tmp_path / "prompt-rubric.txt"
    assert out == f"{written}\n"
    assert "is_correct (yes/no), quality (0–10), fluency (1–5)" in err
    assert "read from the key reason" in err
    assert "no scale was found for fluency" in err
    assert "confidence look like fractions" in err
    assert written.read_text(encoding="utf-8").endswith(f"+++\n{PROMPT}")
    assert prompt.read_text(encoding="utf-8") == PROMPT
    rubric = rubrics.load(written.name, tmp_path)
    assert [(c.name, c.low, c.high) for c in rubric.criteria] == [
        ("is_correct", 0, 1),
        ("quality", 0, 10),
        ("fluency", 1, 5),
    ]
    assert rubric.analysis == "reason"
    assert set(rubric.yes_no) == {"is_correct"}
    assert run(["init", "--rubric", "--from", str(prompt)]) == 2
    assert "exists already" in capfd.readouterr().err
    assert run(["init", str(tmp_path), "--rubric", "mine.md", "--from", str(prompt)]) == 0
    assert (tmp_path / "mine.md").read_bytes() == written.read_bytes()


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("Rate {prediction}.", "shows no JSON example"),
        ('{prediction} {"correctness": {"score": 4, "why": "text"}}', "asks for keys inside of correctness"),
        ("+++\n[criteria.a]\n+++\n{prediction}", "has front matter already"),
    ],
)
def test_a_prompt_from_which_nothing_can_be_proposed_is_refused(
    tmp_path: Path, capfd: Capture, prompt: str, said: str
) -> None:
    (tmp_path / "prompt.txt").write_text(prompt, encoding="utf-8")
    assert run(["init", "--rubric", "--from", str(tmp_path / "prompt.txt")]) == 2
    assert said in capfd.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["prompt.txt"]


def test_a_prompt_without_the_placeholders_says_which_it_needs(tmp_path: Path, capfd: Capture) -> None:
    (tmp_path / "p.txt").write_text(
        'Q: {query} A: {{answer}} -> {"정확성": 1~5점, "이유": "…"}', encoding="utf-8"
    )
    assert run(["init", "--rubric", "--from", str(tmp_path / "p.txt")]) == 0
    err = capfd.readouterr().err
    assert "has no {question}, {context}, {prediction}, {label}" in err
    assert "(it has {query}, {{answer}})" in err


def test_where_a_key_stands() -> None:
    text = 'a = 1\nb = """\n[c]\nx = 2\n"""\n[c]\n"x y" = 1\n[c.d]\nx.z = 2 # here\n[[e]]\nf = 1\n'
    assert line_of(text, ["a"]) == 1
    assert line_of(text, ["c"]) == 6
    assert line_of(text, ["c", "x y"]) == 7
    assert line_of(text, ["c", "d", "x", "z"]) == 9
    assert line_of(text, ["c", "d", "missing"]) == 8
    assert line_of(text, ["e", "f"]) == 11
    assert line_of(text, ["nowhere"]) is None
    assert line_of(text, []) is None


def report(capfd: Capture, folder: Path) -> dict[str, Any]:
    capfd.readouterr()
    assert run(["report", str(folder), "--format", "json"]) == 0
    document: dict[str, Any] = json.loads(capfd.readouterr().out)
    return document


def test_reports_name_the_version_and_versions_never_mix(tmp_path: Path, capfd: Capture) -> None:
    rubric = copied(tmp_path)
    with ChatServer(reply=careful) as server:
        file = write(tmp_path, server.url, rubric="mine.toml")
        assert run(["run", str(file), "-q"]) == 0
        first = report(capfd, file)["judge"]["rubric"]
        assert first == rubrics.load("mine.toml", tmp_path).label
        assert run(["run", str(file), "-q", "--out", str(tmp_path / "kept")]) == 0
        text = rubric.read_text(encoding="utf-8")
        rubric.write_text(text.replace("완전히 맞고", "모두 맞고"), encoding="utf-8")
        second = rubrics.load("mine.toml", tmp_path).label
        assert second != first
        assert report(capfd, file)["judge"]["rubric"] == first, "as it was judged"

        # Judging by the new one is stopped by its budget half way: no old score stands beside a new one.
        priced = file.read_text().replace("[report]", "[judge.price]\ninput = 100.0\noutput = 1.0\n[report]")
        file.write_text(priced)
        assert run(["judge", str(file), "-q", "--max-cost-usd", "0.9"]) == 4
        halfway = report(capfd, file)
        assert halfway["judge"]["rubric"] == second
        scored = [variant["n_scored"] for variant in halfway["variants"]]
        assert 0 < sum(scored) < 24
        assert run(["report", str(file), "--format", "csv"]) == 0
        rows = [line for line in capfd.readouterr().out.splitlines() if first in line]
        assert rows == [], "no row has the old rubric"

        assert run(["judge", str(file), "-q"]) == 0
    capfd.readouterr()
    assert run(["compare", str(file), str(tmp_path / "kept"), "--baseline", "v0"]) == 2
    said = capfd.readouterr().err
    assert first in said
    assert second in said

"""Every command that prints tables, on terminals of 80 and 160 cells, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from simsa.cli.main import COMMANDS
from tests.support.probed_runs import write
from tests.support.report_runs import make_run, question
from tests.support.simulated_labels import world
from tests.support.terminals import Shown, look

Look = Callable[[str, str, int], Shown]
NAMES = ("base", "미세조정-어댑터", "rag-lora-final-v2")
LONG = "이 문서는 별빛마을의 역사와 지리를 아주 길게 설명합니다. " * 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("terminal")


@pytest.fixture(scope="module")
def commands(folder: Path) -> dict[str, list[str]]:
    """Every command that prints a table, over the same run with long Korean and English names."""
    _, scores = world(80, 1)
    first = next(iter(scores.values()))
    shifted = {name: [min(5, s + k) for s in first] for k, name in enumerate(NAMES)}
    asked = [question(n, type=f"아주_긴_유형_이름_{n % 3}_with_english") for n in range(80)]
    run = make_run(
        folder / "run",
        {name: [(s, 3, s, 3) for s in found] for name, found in shifted.items()},
        questions=asked,
        predictions={name: [f"{LONG}{n}" for n in range(80)] for name in NAMES},
        analysis=LONG,
    )
    head = "question_id,variant,criterion,score\n"
    rows = [
        f"q{n},{name},answer_correctness,{s}\n"
        for name, found in shifted.items()
        for n, s in enumerate(found)
    ]
    (folder / "scores.csv").write_text(head + "".join(rows), encoding="utf-8")
    people = [
        row.replace(row.strip()[-1], str(min(5, int(row.strip()[-1]) + n % 2)), 0)
        for n, row in enumerate(rows)
    ]
    (folder / "people.csv").write_text(head + "".join(people), encoding="utf-8")
    answers = [
        f'{{"id": "q{n}", "question": "?", "contexts": ["{n}호"], "variant": "{name}", '
        f'"prediction": "{n}호입니다", "reference": "{n}호"}}\n'
        for name in NAMES
        for n in range(6)
    ]
    (folder / "answers.jsonl").write_text("".join(answers), encoding="utf-8")
    (folder / "made").mkdir()
    config = write(folder / "made")
    return {
        "check": ["check", str(config), "--train", str(folder / "made" / "test.jsonl")],
        "probe": ["probe", str(config), "-n", "2"],
        "report": ["report", str(run)],
        "compare": ["compare", str(run), "--gate", "total >= baseline - 0.5"],
        "examples": ["examples", str(run), "-n", "2"],
        "stats": ["stats", str(folder / "scores.csv")],
        "metrics": ["metrics", str(folder / "answers.jsonl")],
        "calibrate": [
            "calibrate",
            "--scores",
            str(folder / "scores.csv"),
            "--labels",
            str(folder / "people.csv"),
        ],
    }


@pytest.fixture(scope="module")
def seen(commands: dict[str, list[str]]) -> Look:
    """A command's screen by its name, language and width; each is made once."""

    @cache
    def see(name: str, language: str, width: int) -> Shown:
        return look([*commands[name], "--language", language], width)

    return see


PRINTING = ("check", "probe", "report", "compare", "examples", "stats", "metrics", "calibrate")


@pytest.mark.parametrize("width", [60, 80, 160])
@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("name", PRINTING)
def test_no_line_passes_the_width(name: str, language: str, width: int, seen: Look) -> None:
    shown = seen(name, language, width)
    assert len(shown.lines) > 5
    assert shown.broken == []


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("name", ["report", "compare", "stats", "metrics", "calibrate"])
def test_tables_use_the_room_of_a_wide_terminal(name: str, language: str, seen: Look) -> None:
    narrow, wide = seen(name, language, 60), seen(name, language, 160)
    assert max(map(wide.ends, range(len(wide.lines)))) > 60
    assert len(wide.lines) < len(narrow.lines)
    for table in wide.text.split("\n\n"):
        assert sum(is_head(line) for line in table.split("\n")) <= 1, "broken, though there is room"


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("name", ["report", "compare", "stats", "metrics"])
def test_the_rows_of_a_table_end_in_one_column(name: str, language: str, width: int, seen: Look) -> None:
    """Hangul takes two cells: an emulator that knows it sees every last column flush."""
    shown = seen(name, language, width)
    found = 0
    for first, last in spans(shown):
        ends = {shown.ends(row) for row in range(first, last)}
        assert len(ends) == 1, "\n".join(shown.lines[first:last])
        found += 1
    assert found >= 1


def is_head(line: str) -> bool:
    return line.startswith("   ") and any(name in line for name in NAMES)


def spans(shown: Shown) -> list[tuple[int, int]]:
    """The parts of tables: from a head that names variants to the next one, or to the end of the indented rows."""
    heads = [n for n, line in enumerate(shown.lines) if is_head(line)]
    found = []
    for head in heads:
        last = head + 1
        while last < len(shown.lines) and last not in heads and shown.lines[last].startswith("  "):
            last += 1
        if last - head > 1:
            found.append((head, last))
    return found


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_eighty_cells(name: str) -> None:
    shown = look([name, "--help"] if name else ["--help"], 80)
    assert shown.broken == []


@pytest.mark.parametrize("name", PRINTING)
def test_what_is_piped_has_no_colour_and_no_control_character(
    name: str,
    commands: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    from simsa.cli.main import run

    monkeypatch.setenv("TERM", "xterm-256color")
    assert run([*commands[name], "--language", "ko"]) == 0
    out = capfdbinary.readouterr().out.decode("utf-8")
    assert out
    assert not [c for c in out if ord(c) < 32 and c != "\n"]


@pytest.mark.parametrize("settings", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_that_wants_no_colour_gets_none(
    settings: dict[str, str], commands: dict[str, list[str]]
) -> None:
    plain = look(commands["report"], 80, environment=settings)
    assert "\x1b[3" not in plain.raw
    assert "\x1b[32m" in look(commands["report"], 80).raw, "others get green for better"


def test_an_error_is_folded_between_words(tmp_path: Path) -> None:
    shown = look(["report", str(tmp_path / "없는-실행-폴더")], 80, code=2)
    assert shown.broken == []
    assert shown.text.startswith("simsa:")
    assert "→" in shown.text

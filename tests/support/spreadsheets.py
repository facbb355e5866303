"""Reads cells as a spreadsheet program does."""

from __future__ import annotations

import re

_GUARDED = re.compile(r"((?:^|[;\t\n])[\s\"]*+)'('*+[=+\-@＝＋－＠])")


def is_formula(cell: str) -> bool:
    """Whether one that drops spaces and quotes before it may take the cell for a formula."""
    return cell.lstrip(' \t\r\n\u3000"').startswith(tuple("=+-@＝＋－＠"))


def unguarded(cell: str) -> str:
    """The text as it was: an apostrophe less where docs/terminal.md says that one is added."""
    return _GUARDED.sub(r"\1\2", cell)

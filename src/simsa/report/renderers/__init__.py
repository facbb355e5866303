"""Report formats. Each is one file in this package with a function `render_run`, registered in `RENDERERS`.

To add a format, write such a file and add one line to the table below, or call `register` from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from simsa.i18n.language import Language
    from simsa.store import Store


class RenderOptions(NamedTuple):
    """What a caller may ask of a format; a format ignores what it has no use for.

    `language` None is the run's own. `width` (in cells) and `colour` are for text, `byte_order_mark` is for CSV.
    """

    language: Language | None = None
    width: int = 80
    colour: bool = False
    byte_order_mark: bool = False


class Renderer(NamedTuple):
    """A format: its name, the suffixes of its files, and the function that writes a run.

    `render` returns text, or chunks of bytes that are written as they are made. `is_binary` output is
    not meant for a terminal.
    """

    name: str
    suffixes: tuple[str, ...]
    render: Callable[[Store, RenderOptions], str | Iterable[bytes]]
    is_binary: bool = False


RENDERERS: Final[dict[str, Renderer]] = {}
"""Every registered format by name, in the order of `simsa report --help`."""


def register(renderer: Renderer) -> None:
    """Adds a format, or replaces the one of the same name."""
    RENDERERS[renderer.name] = renderer


def renderer_for(path: Path) -> Renderer | None:
    """The format of a file by its suffix; None when no format has this suffix."""
    suffix = path.suffix.lower()
    return next((renderer for renderer in RENDERERS.values() if suffix in renderer.suffixes), None)


def _in_module(name: str) -> Callable[[Store, RenderOptions], str | Iterable[bytes]]:
    """`render_run` of a module of this package, imported when it is first used."""

    def render(store: Store, options: RenderOptions) -> str | Iterable[bytes]:
        found: str | Iterable[bytes] = import_module(f"{__name__}.{name}").render_run(store, options)
        return found

    return render


for _renderer in (
    Renderer("text", (".txt",), _in_module("terminal")),
    Renderer("md", (".md", ".markdown"), _in_module("markdown")),
    Renderer("html", (".html", ".htm"), _in_module("html")),
    Renderer("json", (".json",), _in_module("json_document")),
    Renderer("csv", (".csv",), _in_module("csv_rows")),
    Renderer("parquet", (".parquet",), _in_module("parquet_rows"), is_binary=True),
    Renderer("junit", (".xml",), _in_module("junit")),
):
    register(_renderer)

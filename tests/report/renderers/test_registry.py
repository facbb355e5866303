"""Report formats and exports are found by name, and a user can add one."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsa.exporters import EXPORTERS, Export, Exporter, ExportOptions
from simsa.exporters import register as register_exporter
from simsa.report.renderers import RENDERERS, Renderer, RenderOptions, register, renderer_for
from simsa.store import Store
from tests.support.report_runs import make_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", {"base": [(1, 2, 3, 4)] * 3})


def test_every_format_renders_a_run(run: Path) -> None:
    assert list(RENDERERS) == ["text", "md", "html", "json", "csv", "parquet", "junit"]
    with Store.read(run) as store:
        for renderer in RENDERERS.values():
            made = renderer.render(store, RenderOptions())
            assert made if isinstance(made, str) else b"".join(made)


@pytest.mark.parametrize(
    ("name", "format"),
    [("r.html", "html"), ("R.MD", "md"), ("r.xml", "junit"), ("r.txt", "text"), ("r", None), ("r.pdf", None)],
)
def test_the_suffix_of_a_file_names_its_format(name: str, format: str | None) -> None:
    found = renderer_for(Path(name))
    assert (found.name if found else None) == format


def test_a_format_and_an_export_are_a_function_and_a_registration(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count_rows(store: Store, options: RenderOptions) -> str:
        return f"{store.count('plan')} rows"

    def export_rows(store: Store, options: ExportOptions) -> Export:
        return Export(lines=[f"{options.project}: {store.count('plan')}"])

    monkeypatch.setitem(RENDERERS, "count", RENDERERS["text"])
    monkeypatch.setitem(EXPORTERS, "count", EXPORTERS["jsonl"])
    register(Renderer("count", (".count",), count_rows))
    register_exporter(Exporter("count", export_rows))
    found = renderer_for(Path("a.count"))
    assert found is not None
    with Store.read(run) as store:
        assert found.render(store, RenderOptions()) == "3 rows"
        assert list(EXPORTERS["count"].export(store, ExportOptions(run)).lines) == ["simsa: 3"]

"""A run as a Weights & Biases folder: written offline, to be uploaded with `wandb sync` if wanted."""

from __future__ import annotations

import warnings
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simsa import config
from simsa.errors import MissingExtra
from simsa.exporters import Export, ExportOptions
from simsa.exporters.tracker_run import REPORT_EXAMPLES, TrackedVariant, output_folder, variants
from simsa.report.renderers import html
from simsa.report.score_rows import columns, rows
from simsa.report.summary import summary
from simsa.store import Store, criteria_of

if TYPE_CHECKING:
    from simsa.report.summary_model import Summary

# A table is held in memory whole, here and in W&B.
_MOST_ROWS = 10_000


def export_run(store: Store, options: ExportOptions) -> Export:
    return Export(lines=map(str, export(store, options.out or options.run, options.project)))


def export(store: Store, folder: Path, project: str = "simsa") -> list[Path]:
    """Writes a W&B run for each variant below `folder` and returns their folders. Nothing is sent.

    The runs of one simsa run are a group. Each has its settings, its figures as the summary, its rows as a
    table (the first 10,000) and the report. Raises MissingExtra without wandb, InputError when the folder
    cannot be written.
    """
    # W&B reports its own errors to its servers unless the environment forbids it.
    config.default_environment("WANDB_ERROR_REPORTING", "false")
    try:
        import wandb
    except ImportError:
        raise MissingExtra("the export to Weights & Biases", "wandb") from None
    output_folder(folder)
    found = summary(store, n_examples=REPORT_EXAMPLES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return [_variant(wandb, one, store, found, folder, project) for one in variants(found)]
        finally:
            # W&B's process goes on writing after the end of a run; everything is on disk when it has ended.
            wandb.teardown()


def _variant(
    wandb: Any, one: TrackedVariant, store: Store, found: Summary, folder: Path, project: str
) -> Path:
    settings = wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        silent=True,
        x_disable_meta=True,
        x_disable_stats=True,
    )
    names = columns(criteria_of(store))
    with wandb.init(
        project=project,
        dir=str(folder),
        mode="offline",
        name=one.name,
        group=found.run.id or None,
        config=one.params | one.tags,
        reinit="create_new",
        settings=settings,
    ) as run:
        run.summary.update(one.figures)
        mine = (row for row in rows(store) if row["variant"] == one.name)
        cells = [[_cell(row[name]) for name in names] for row in islice(mine, _MOST_ROWS)]
        run.log({"rows": wandb.Table(columns=list(names), data=cells, allow_mixed_types=True)})
        report = Path(run.dir) / "report.html"
        report.write_text(html.render(found), encoding="utf-8", errors="replace")
        run.save(str(report), base_path=run.dir, policy="end")
        return Path(run.dir).parent


def _cell(value: Any) -> Any:
    return "\n\n".join(value) if isinstance(value, list) else value

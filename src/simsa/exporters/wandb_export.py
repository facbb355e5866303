"""A run as a Weights & Biases folder: written offline, for `wandb sync` to upload if somebody wants that."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simsa import config
from simsa.errors import InputError, MissingExtra
from simsa.exporters import tracker_run
from simsa.report.renderers import html
from simsa.report.score_rows import COLUMNS, rows
from simsa.report.summary import summary
from simsa.store import Store

if TYPE_CHECKING:
    from simsa.report.summary_model import Summary

_N_EXAMPLES = 5
# A table is held in memory whole, there and here.
_MOST_ROWS = 10_000


def export(store: Store, folder: Path, project: str = "simsa") -> list[Path]:
    """Writes a W&B run for each variant below `folder` and returns their folders. Nothing is sent.

    The runs of one simsa run are a group; each has its settings, its figures as the summary,
    its rows as a table (the first 10,000) and the report. Raises MissingExtra without wandb.
    """
    # It reports its own errors home unless the environment says no.
    config.default_environment("WANDB_ERROR_REPORTING", "false")
    try:
        import wandb
    except ImportError:
        raise MissingExtra("the export to Weights & Biases", "wandb") from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(folder)) from None
    found = summary(store, n_examples=_N_EXAMPLES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return [
                _variant(wandb, one, store, found, folder, project) for one in tracker_run.variants(found)
            ]
        finally:
            # Its process writes on after a run's end; only when that process has ended is all of it on disk.
            wandb.teardown()


def _variant(
    wandb: Any, one: tracker_run.Tracked, store: Store, found: Summary, folder: Path, project: str
) -> Path:
    with contextlib.closing(_WandbRun(wandb, one, found, folder, project)) as made:
        made.run.summary.update(one.figures)
        mine = (row for row in rows(store) if row["variant"] == one.name)
        cells = [
            [_cell(row[name]) for name in COLUMNS] for row, _ in zip(mine, range(_MOST_ROWS), strict=False)
        ]
        made.run.log({"rows": wandb.Table(columns=list(COLUMNS), data=cells, allow_mixed_types=True)})
        made.put("report.html", html.render(found))
    return made.folder


class _WandbRun:
    """An open W&B run that is closed whatever happens."""

    def __init__(
        self, wandb: Any, one: tracker_run.Tracked, found: Summary, folder: Path, project: str
    ) -> None:
        self.run = wandb.init(
            project=project,
            dir=str(folder),
            mode="offline",
            name=one.name,
            group=found.run.id or None,
            config=one.params | one.tags,
            reinit="create_new",
            settings=wandb.Settings(
                console="off",
                disable_code=True,
                disable_git=True,
                silent=True,
                x_disable_meta=True,
                x_disable_stats=True,
            ),
        )
        self.folder = Path(self.run.dir).parent

    def put(self, name: str, text: str) -> None:
        (Path(self.run.dir) / name).write_text(text, encoding="utf-8", errors="replace")
        self.run.save(str(Path(self.run.dir) / name), base_path=self.run.dir, policy="end")

    def close(self) -> None:
        self.run.finish()


def _cell(value: Any) -> Any:
    return "\n\n".join(value) if isinstance(value, list) else value

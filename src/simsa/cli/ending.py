"""What is printed when a run or a stage has ended, and the exit code that goes with it."""

from __future__ import annotations

from pathlib import Path

import click

from simsa.errors import EXIT_INCOMPLETE, EXIT_OK
from simsa.store import Store, statuses


def show_report(folder: Path, *, as_json: bool) -> int:
    """Prints the report of the run in `folder`; EXIT_INCOMPLETE where a row has no verdict."""
    from simsa import report
    from simsa.cli import console

    with Store.read(folder) as store:
        summary = report.summary(store)
        counts = outcome(store)
    if as_json:
        console.print_json(summary.to_dict())
    else:
        console.print_report(summary)
        click.echo(f"\n{folder}", err=True)
    return EXIT_OK if set(counts) <= {"scored"} else EXIT_INCOMPLETE


def show_counts(folder: Path, stage: str, *, as_json: bool, config: str | None = None) -> int:
    """Prints how many rows the stage has done, and what is open in batches; EXIT_INCOMPLETE where some are not."""
    from simsa import batching
    from simsa.cli import console

    with Store.read(folder) as store:
        counts = outcome(store)
        open_ = batching.standing(store, f"simsa judge {config or 'CONFIG'}") if stage == "judge" else None
    if stage == "generate":
        missing = counts.get("no_prediction", 0)
        counts = {"predicted": sum(counts.values()) - missing} | (
            {"no_prediction": missing} if missing else {}
        )
    done = counts.get("predicted" if stage == "generate" else "scored", 0)
    if as_json:
        found = {"schema": f"simsa.{stage}/1", "run": str(folder), "rows": counts}
        console.print_json(found | ({"batches": open_.jobs} if open_ else {}))
    else:
        click.echo(" · ".join(f"{status} {n}" for status, n in counts.items()))
        click.echo(f"simsa report {folder}", err=True)
    if open_:
        click.echo(open_.text, err=True)
    return EXIT_OK if done == sum(counts.values()) else EXIT_INCOMPLETE


def outcome(store: Store) -> dict[str, int]:
    """Status → how many planned rows have it."""
    return dict(sorted(statuses(store).items(), key=lambda item: (item[0] != "scored", item[0])))

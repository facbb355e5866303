"""What is printed when a run or a stage has ended, and the exit code that goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from simsa.errors import EXIT_INCOMPLETE, EXIT_OK
from simsa.i18n.language import Language, join_text, localize
from simsa.i18n.messages import msg
from simsa.store import TRANSIENT, Store, count_missing_claims, statuses
from simsa.text import count


def show_report(folder: Path, *, as_json: bool) -> int:
    """Prints the report of the run in `folder`; EXIT_INCOMPLETE where a row has no verdict, or a list that it was to have."""
    from simsa import report
    from simsa.cli import console

    with Store.read(folder) as store:
        summary = report.summary(store, None if as_json else console.reader(None))
        counts, lists = outcome(store), count_missing_claims(store)
        language: Language = store.meta("language", "ko")
    if as_json:
        console.print_json(summary.to_dict())
    else:
        console.print_report(summary)
        console.tell(join_text("", ("\n", msg("end.run", run=str(folder)))), language)
    _tell_unlisted(lists, language)
    return EXIT_OK if set(counts) <= {"scored"} and not lists else EXIT_INCOMPLETE


def show_counts(folder: Path, stage: str, *, as_json: bool, config: str | None = None) -> int:
    """Prints how many rows the stage has done, and what is open in batches; EXIT_INCOMPLETE where some are not."""
    from simsa.cli import console
    from simsa.run.batch.jobs import open_jobs

    with Store.read(folder) as store:
        counts = outcome(store)
        language: Language = store.meta("language", "ko")
        lists = count_missing_claims(store) if stage == "judge" else {}
        open_ = open_jobs(store, f"simsa judge {config or 'CONFIG'}") if stage == "judge" else None
    if stage == "generate":
        missing = counts.get("no_prediction", 0)
        counts = {"predicted": sum(counts.values()) - missing} | (
            {"no_prediction": missing} if missing else {}
        )
    done = counts.get("predicted" if stage == "generate" else "scored", 0)
    if as_json:
        found = {"schema": f"simsa.{stage}/1", "run": str(folder), "rows": counts}
        more = {"unlisted": lists} if lists else {}
        console.print_json(found | more | ({"batches": open_.jobs} if open_ else {}))
    else:
        console.prose([" · ".join(_counted(status, n, language) for status, n in counts.items())])
        console.tell(msg("end.report", run=str(folder)), language)
    if open_:
        console.tell(open_.text, language)
    else:
        _tell_unlisted(lists, language)
    return EXIT_OK if done == sum(counts.values()) and not lists else EXIT_INCOMPLETE


def _tell_unlisted(lists: Mapping[str, int], language: Language) -> None:
    """Says how many answers have no list of claims, and how to get the rest."""
    from simsa.cli import console

    if not lists:
        return
    found = " · ".join(_counted(status, n, language) for status, n in lists.items())
    asked = [status for status in lists if status not in (*TRANSIENT, "pending")]
    flags = " ".join(f"--retry {status}" for status in asked)
    how = msg("end.retry", flags=flags) if asked else msg("end.go_on")
    console.tell(msg("end.unlisted", n=sum(lists.values()), list=found, how=how), language)


def _counted(status: str, n: int, language: Language) -> str:
    from simsa.i18n.messages import words

    if status in ("scored", "predicted"):
        return localize(msg(f"status.{status}", n=n), language)
    return f"{words('ko')(f'status.{status}') if language == 'ko' else status} {count(n)}"


def outcome(store: Store) -> dict[str, int]:
    """Status → how many planned rows have it."""
    return dict(sorted(statuses(store).items(), key=lambda item: (item[0] != "scored", item[0])))

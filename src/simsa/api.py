"""simsa from Python: `evaluate` a config, or `judge` rows that already have predictions."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from simsa import config as configuration
from simsa.config import Config
from simsa.errors import DataError, MissingExtra

if TYPE_CHECKING:
    import polars

    from simsa.report import Summary

T = TypeVar("T")


class JudgeSpec:
    """Who judges: the keys of `[judge]` in simsa.toml as arguments.

    `Judge("gpt-4o")`, `Judge("lexical")`, `Judge("my-model", base_url="http://127.0.0.1:8000/v1")`,
    `Judge(panel=[{"model": "gpt-4o"}, {"model": "my-model", "base_url": "http://127.0.0.1:8000/v1"}])`.
    """

    def __init__(self, model: str | None = None, **settings: Any) -> None:
        self.settings: dict[str, Any] = settings if model is None else {"model": model, **settings}


class Run:
    """A run on disk. Everything is read from its folder when it is asked for."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def report(self) -> Summary:
        """Means, intervals, comparisons; `.to_dict()` is what `simsa report --format json` prints."""
        from simsa import report
        from simsa.store import Store

        with Store.read(self.folder) as store:
            return report.summary(store)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One flat dictionary per question and variant: prediction, scores, analysis, metrics."""
        from simsa.report.score_rows import rows
        from simsa.store import Store

        with Store.read(self.folder) as store:
            yield from rows(store)

    def to_polars(self) -> polars.DataFrame:
        """`rows` as a polars frame; needs `pip install polars`."""
        try:
            import polars
        except ImportError:
            raise MissingExtra("to_polars()", "polars") from None
        return polars.DataFrame(list(self.rows()), infer_schema_length=None)


async def aevaluate(config: str | Path | Config, *, out: str | Path | None = None) -> Run:
    """Generates, judges and keeps what `config` (a path or a Config) describes; resumes what is there.

    Raises a SimsaError for what ends the run; rows without a score are in the report.
    """
    from simsa import pipeline

    made = config if isinstance(config, Config) else configuration.load(config)
    folder = Path(out) if out is not None else made.run_dir
    await pipeline.evaluate(made, folder)
    return Run(folder)


def evaluate(config: str | Path | Config, *, out: str | Path | None = None) -> Run:
    """`aevaluate` for code that is not asynchronous, notebooks included."""
    return _wait(aevaluate(config, out=out))


async def ajudge(rows: Any, judge: JudgeSpec, *, out: str | Path | None = None) -> Run:
    """Judges rows that have a question, contexts, a reference and a prediction.

    `rows`: a list of dictionaries, a pandas or polars frame, or a `datasets.Dataset`, with
    field names as test sets have them and, where several variants are mixed, `variant`.
    `out` is the run's folder; without one it is a temporary folder that nobody deletes, so
    that paid verdicts are not lost.
    """
    folder = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="simsa-"))
    folder.mkdir(parents=True, exist_ok=True)
    names = _write_rows(rows, folder)
    made = configuration.build(
        {
            "data": {"path": "questions.jsonl"},
            "variants": [{"name": name, "predictions": "predictions.jsonl"} for name in names],
            "judge": dict(judge.settings),
        },
        root=folder,
    )
    return await aevaluate(made, out=folder)


def judge(rows: Any, judge: JudgeSpec, *, out: str | Path | None = None) -> Run:
    """`ajudge` for code that is not asynchronous, notebooks included."""
    return _wait(ajudge(rows, judge, out=out))


def _write_rows(rows: Any, folder: Path) -> list[str]:
    """Splits rows into a test set and predictions; returns the variants in order of appearance."""
    from simsa import data

    questions: dict[str, dict[str, Any]] = {}
    predictions: list[dict[str, Any]] = []
    for question, answer in data.judged_rows(rows):
        row = question.to_dict()
        if questions.setdefault(question.id, row) != row:
            raise DataError(
                "two different questions have one id", where="rows", field="id", found=question.id
            )
        predictions.append(
            {
                "question_id": question.id,
                "variant": answer.variant or "predictions",
                "prediction": answer.prediction,
            }
        )
    if not predictions:
        raise DataError("there are no rows", where="rows")
    _write_lines(folder / "questions.jsonl", questions.values())
    _write_lines(folder / "predictions.jsonl", predictions)
    return list(dict.fromkeys(row["variant"] for row in predictions))


def _write_lines(file: Path, rows: Any) -> None:
    file.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` to its end, in a thread of its own where a loop is running already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    outcome: dict[str, Any] = {}

    def target() -> None:
        try:
            outcome["value"] = asyncio.run(work)
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    value: T = outcome["value"]
    return value


__all__ = ["JudgeSpec", "Run", "aevaluate", "ajudge", "evaluate", "judge"]

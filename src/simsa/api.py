"""The library: `evaluate` a config, `judge` rows that already have predictions, `compare` variants."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, TypeVar

import orjson

from simsa import config as configuration
from simsa.config import Config
from simsa.errors import DataError, GateFailed, MissingExtra
from simsa.i18n.messages import msg

if TYPE_CHECKING:
    import pandas
    import polars

    from simsa.judges import Judge
    from simsa.report import Summary
    from simsa.report.comparisons import ComparisonReport

T = TypeVar("T")
AnyJudge: TypeAlias = "JudgeSpec | str | Judge"


class JudgeSpec:
    """The judge of `simsa.judge`: a model behind an OpenAI-compatible API, or `lexical`.

    The arguments are keys of `[judge]` in simsa.toml; `docs/configuration.md` describes each. Raises ConfigError
    at once for a value that is not valid.

    Judge("gpt-4o")
    Judge("my-model", base_url="http://127.0.0.1:8000/v1", rubric="my-rubric.toml")
    Judge(panel=[{"model": "gpt-4o"}, {"model": "my-model", "base_url": "http://127.0.0.1:8000/v1"}])
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        base_url: str | None = None,
        api_key_env: str | None = None,
        rubric: str | None = None,
        mode: Literal["joint", "split"] | None = None,
        panel: Sequence[Mapping[str, Any]] | None = None,
        repeats: int | None = None,
        claims: bool | None = None,
        logprobs: bool | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
        identity: str | None = None,
        max_concurrency: int | None = None,
        max_attempts: int | None = None,
        timeout_s: float | None = None,
        max_cost_usd: float | None = None,
        price: Mapping[str, float] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name != "self" and value is not None}
        if panel is not None:
            given["panel"] = [dict(member) for member in panel]
        configuration.check_judge(given)
        self.settings: dict[str, Any] = given

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"Judge({settings})"


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
        """`rows` as a polars frame. Raises MissingExtra without polars."""
        try:
            import polars
        except ImportError:
            raise MissingExtra("to_polars()", "frames") from None
        return polars.DataFrame(list(self.rows()), infer_schema_length=None)

    def to_pandas(self) -> pandas.DataFrame:
        """`rows` as a pandas frame. Raises MissingExtra without pandas."""
        try:
            import pandas
        except ImportError:
            raise MissingExtra("to_pandas()", "frames") from None
        return pandas.DataFrame(list(self.rows()))


class RunComparison:
    """The result of `compare`: paired comparisons with a baseline, and gates on them."""

    def __init__(self, runs: Sequence[Run], baseline: str | None) -> None:
        self._runs = runs
        self._baseline = baseline
        self.report = self._evaluate(())

    @property
    def passed(self) -> bool:
        """Whether every gate given so far holds; True without gates."""
        return all(outcome.passed for outcome in self.report.outcomes)

    def gate(self, *gates: str) -> Self:
        """Evaluates gates such as "total >= baseline - 0.5". Raises GateFailed if one does not hold."""
        self.report = self._evaluate(gates)
        failed = [outcome for outcome in self.report.outcomes if not outcome.passed]
        if failed:
            raise GateFailed(msg("error.gates_failed", n=len(failed), of=len(self.report.outcomes)))
        return self

    def to_dict(self) -> dict[str, Any]:
        """What `simsa compare --format json` prints."""
        return self.report.to_dict()

    def _evaluate(self, gates: Sequence[str]) -> ComparisonReport:
        from simsa.report.comparisons import comparison_report
        from simsa.report.gates import parse
        from simsa.store import Store

        with ExitStack() as opened:
            stores = [opened.enter_context(Store.read(run.folder)) for run in self._runs]
            return comparison_report(stores, self._baseline, [parse(gate) for gate in gates])


def compare(run: Run, other: Run | None = None, *, baseline: str | None = None) -> RunComparison:
    """Compares the variants of one run, or of two with the same questions and judge, with `baseline`.

    Raises RunError if the runs cannot be compared, InputError for an unknown baseline.
    """
    return RunComparison([run] if other is None else [run, other], baseline)


async def aevaluate(config: str | Path | Config, *, out: str | Path | None = None) -> Run:
    """Runs the evaluation that `config` (a path or a Config) describes, or continues it.

    Raises a SimsaError for an error that ends the run; rows without a score are counted in the report.
    """
    from simsa import pipeline

    made = config if isinstance(config, Config) else configuration.load(config)
    folder = Path(out) if out is not None else made.run_dir
    await pipeline.evaluate(made, folder)
    return Run(folder)


def evaluate(config: str | Path | Config, *, out: str | Path | None = None) -> Run:
    """`aevaluate` for synchronous code and notebooks."""
    return _wait(aevaluate(config, out=out))


async def ajudge(rows: Any, judge: AnyJudge, *, out: str | Path | None = None) -> Run:
    """Judges rows that have a question, contexts, a reference and a prediction.

    `rows`: a list of dictionaries, a pandas or polars frame, or a `datasets.Dataset`, with
    the field names of test sets and, if several variants are mixed, `variant`. `judge` is a `Judge`, a model's name, or
    a `FunctionJudge`. `out` is the run's folder; the default is a new temporary folder, which is never deleted, so that
    paid verdicts are not lost.
    """
    from simsa import pipeline

    folder = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="simsa-"))
    folder.mkdir(parents=True, exist_ok=True)
    names = _write_rows(rows, folder)
    variants = [{"name": name, "predictions": "predictions.jsonl"} for name in names]
    raw: dict[str, Any] = {"data": {"path": "questions.jsonl"}, "variants": variants}
    own = None
    if isinstance(judge, str):
        judge = JudgeSpec(judge)
    if isinstance(judge, JudgeSpec):
        raw["judge"] = judge.settings
    else:
        own = judge
    await pipeline.evaluate(configuration.build(raw, root=folder), folder, judge=own)
    return Run(folder)


def judge(rows: Any, judge: AnyJudge, *, out: str | Path | None = None) -> Run:
    """`ajudge` for synchronous code and notebooks."""
    return _wait(ajudge(rows, judge, out=out))


def _write_rows(rows: Any, folder: Path) -> list[str]:
    """Splits rows into a test set and predictions; returns the variants in order of appearance."""
    from simsa import data

    questions: dict[str, dict[str, Any]] = {}
    predictions: list[dict[str, Any]] = []
    for question, answer in data.judged_rows(rows):
        row = question.to_dict()
        if questions.setdefault(question.id, row) != row:
            raise DataError(msg("error.api.same_id"), where="rows", field="id", found=question.id)
        predictions.append(
            {
                "question_id": question.id,
                "variant": answer.variant or "predictions",
                "prediction": answer.prediction,
            }
        )
    if not predictions:
        raise DataError(msg("error.api.no_rows"), where="rows")
    _write_lines(folder / "questions.jsonl", questions.values())
    _write_lines(folder / "predictions.jsonl", predictions)
    return list(dict.fromkeys(row["variant"] for row in predictions))


def _write_lines(file: Path, rows: Any) -> None:
    file.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` to its end; in a new thread if this thread already runs an event loop."""
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


__all__ = ["JudgeSpec", "Run", "RunComparison", "aevaluate", "ajudge", "compare", "evaluate", "judge"]

"""Serves a judge that is an adapter, for `simsa probe` and `simsa compare --bridge`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

from simsa import engines
from simsa.config import Config
from simsa.judges import Judge
from simsa.run.concurrency import race

T = TypeVar("T")


async def with_judge_server(
    config: Config,
    judges: Iterable[Judge | None],
    folder: Path,
    say: Callable[[str], None],
    work: Coroutine[Any, Any, T],
) -> T:
    """Does `work` while the vLLM of `config`'s judge runs; just does it where simsa does not serve the judge.

    `judges` are that judge and variants of it; they get the server's address. The log is written into the run's
    `folder`. Raises what planning and starting a server raise, and EngineError when it dies.
    """
    try:
        plan = engines.plan_judge(config)
        if plan is None:
            return await work
        async with engines.VllmServer(plan, folder / "logs", say) as server:
            for judge in judges:
                if judge:
                    judge.set_base_url(server.base_url, server.key)
            return await race(server.died(), work)
    finally:
        work.close()

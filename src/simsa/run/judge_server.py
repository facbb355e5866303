"""A judge that is an adapter, served by itself for whoever wants to ask it: probes, and the bridge between two runs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

from simsa import engines
from simsa.config import Config
from simsa.judges import Judge
from simsa.judges.llm import LLMJudge
from simsa.run.concurrency import race

T = TypeVar("T")


async def serve_judge_while(
    config: Config,
    judges: Iterable[Judge | None],
    folder: Path,
    say: Callable[[str], None],
    work: Coroutine[Any, Any, T],
) -> T:
    """Does `work` with the vLLM of `config`'s judge up; at once where simsa does not serve the judge.

    `judges` are that judge, and the same with other settings; they are told where they are. The log goes into
    the run's `folder`. Raises what planning and starting a server raise, and EngineError when it dies.
    """
    try:
        plan = engines.plan_judge(config)
        if plan is None:
            return await work
        async with engines.VllmServer(plan, folder / "logs", say) as server:
            for judge in judges:
                if isinstance(judge, LLMJudge):
                    judge.served_at(server.base_url, server.key)
            return await race(server.died(), work)
    finally:
        work.close()

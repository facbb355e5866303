"""What the stages of one run share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from simsa import prompts
from simsa.config import Config
from simsa.engines import InferenceEngine
from simsa.run.progress import Progress
from simsa.run.queue import JudgingQueue
from simsa.store import TRANSIENT, Store


@dataclass(frozen=True, slots=True)
class SharedServer:
    """The vLLM of a judge that simsa serves itself, beside the variants.

    Generation starts the server, announces it, and keeps it open until judging has `released` it. On a GPU it
    is announced with the first answer, on a CPU with the last.
    """

    server: asyncio.Future[InferenceEngine | None]
    """None: there is nothing to judge."""
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def of(cls, config: Config) -> SharedServer | None:
        """For a config whose judge is an adapter; None for others. Needs a running event loop."""
        if config.judge is None or config.judge.adapter is None:
            return None
        return cls(asyncio.get_running_loop().create_future())


@dataclass(frozen=True, slots=True)
class RunContext:
    """A run, and what its stages tell each other."""

    store: Store
    config: Config
    progress: Progress
    queue: JudgingQueue
    prompt: prompts.Prompt
    generated: Sequence[str]
    """The variants that answer in this process."""
    capabilities: dict[str, Any]
    """What the run has learned about the request fields that endpoints accept."""
    retry: tuple[str, ...] = ()
    """Statuses to ask again, besides those of a failed endpoint."""
    judge_server: SharedServer | None = None
    adapters_checked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once every adapter is known to work: the judge is not paid before."""

    @property
    def retried(self) -> tuple[str, ...]:
        """All statuses that are asked again."""
        return (*TRANSIENT, *self.retry)

"""The interface of an inference engine: a server process that simsa starts and asks over an OpenAI-compatible API.

A new engine is one class with these members in a file of its own; the pipeline and the adapter checks use
nothing else. `VllmServer` is the implementation for vLLM.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from simsa.engines.deployment import ServerPlan


class RunningServer(Protocol):
    """What the adapter checks need of a server that runs."""

    @property
    def plan(self) -> ServerPlan:
        """What is served, and under which model names."""

    @property
    def base_url(self) -> str:
        """Base URL of the OpenAI-compatible API, ending in /v1."""

    @property
    def key(self) -> str:
        """API key of the server."""


class InferenceEngine(RunningServer, Protocol):
    """A server that runs inside its `async with` block and serves the variants of `plan`."""

    async def died(self) -> None:
        """Waits until the server process ends, and then raises EngineError with the reason."""

    async def __aenter__(self) -> Self:
        """Starts the server. Raises EngineError if it does not become ready, ConfigError for a refused argument."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the server and every process that it started."""

"""Sends requests to a test server through the client and collects the results."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from simsa.errors import SimsaError
from simsa.llm import AdmissionStats, Capabilities, ChatEndpoint, ChatFailure, ChatReply, ChatRequest
from tests.servers.chat import ChatServer

SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "enum": [1, 2, 3, 4, 5]}},
    "required": ["score"],
    "additionalProperties": False,
}


@dataclass
class Outcome:
    """What all requests came to: replies and failures in their order, or the error that ended it."""

    results: list[ChatReply | ChatFailure | SimsaError] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    capabilities: Capabilities = field(default_factory=Capabilities)
    stats: AdmissionStats = field(default_factory=AdmissionStats)

    @property
    def replies(self) -> list[ChatReply]:
        return [result for result in self.results if isinstance(result, ChatReply)]

    @property
    def failures(self) -> list[ChatFailure]:
        return [result for result in self.results if isinstance(result, ChatFailure)]

    @property
    def errors(self) -> list[SimsaError]:
        return [result for result in self.results if isinstance(result, SimsaError)]

    @property
    def only(self) -> Any:
        assert len(self.results) == 1, self.results
        return self.results[0]


def request(text: str = "몇 점인가?", **changes: Any) -> ChatRequest:
    given = {"max_tokens": 64, "seed": 0, "schema": SCHEMA, **changes}
    return ChatRequest(messages=[{"role": "user", "content": text}], **given)


def ask(server: ChatServer | str, requests: int | Sequence[ChatRequest] = 1, **options: Any) -> Outcome:
    """Sends all requests at once through one endpoint."""
    url = server if isinstance(server, str) else server.url
    wanted = [request(f"{i}번") for i in range(requests)] if isinstance(requests, int) else requests
    outcome = Outcome()

    async def one(endpoint: ChatEndpoint, wanted: ChatRequest) -> ChatReply | ChatFailure | SimsaError:
        try:
            return await endpoint.complete(wanted)
        except SimsaError as error:
            return error

    async def all_() -> None:
        given = {
            "model": "judge",
            "backoff_s": 0.01,
            "timeout_s": 5.0,
            "on_event": outcome.events.append,
            **options,
        }
        async with ChatEndpoint(url, **given) as endpoint:
            outcome.results = list(await asyncio.gather(*(one(endpoint, request) for request in wanted)))
            outcome.capabilities = endpoint.capabilities
            outcome.stats = endpoint.stats

    asyncio.run(all_())
    return outcome

"""What an endpoint takes, asked of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from simsa.llm.capabilities import LENGTH_FIELDS, OPTIONAL_FIELDS, probe_request
from simsa.llm.capability_cache import LOGPROBS_GIVEN, SCHEMA_KEPT, TOKENS, CachedCapabilities, remember
from simsa.llm.chat import ChatReply
from simsa.llm.client import ChatEndpoint


async def probe_capabilities(
    endpoint: ChatEndpoint, extra_body: Mapping[str, Any] | None = None
) -> CachedCapabilities | None:
    """Asks the endpoint one small question with every optional field, and remembers what it made of it.

    `extra_body` is what is sent along with every request. Takes a few tokens. None when it gave no answer at
    all; raises EndpointError as every request does.
    """
    reply = await endpoint.complete(probe_request(extra_body))
    if not isinstance(reply, ChatReply):
        return None
    abilities = endpoint.abilities
    taken = {name: abilities.takes(name) for name in (*OPTIONAL_FIELDS, *LENGTH_FIELDS)}
    found = {name: int(takes) for name, takes in taken.items() if takes is not None}
    found |= {
        SCHEMA_KEPT: int(abilities.schema is True and _kept(reply.text)),
        LOGPROBS_GIVEN: int(bool(reply.logprobs)),
        TOKENS: reply.prompt_tokens + reply.completion_tokens,
    }
    return CachedCapabilities.of(
        endpoint.address, remember(endpoint.address, endpoint.model, extra_body, found, by="check")
    )


def _kept(text: str) -> bool:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and list(found) == ["ok"] and isinstance(found["ok"], bool)

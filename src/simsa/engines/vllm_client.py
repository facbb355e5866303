"""Direct calls to a vLLM server for checks and for loading adapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import orjson

from simsa.errors import EndpointError
from simsa.i18n.messages import msg
from simsa.llm.base_url import BaseUrl
from simsa.records import Message

if TYPE_CHECKING:
    import aiohttp

_TIMEOUT_S = 300.0
_REFUSED_KEY = (401, 403)


class VllmReply(NamedTuple):
    """HTTP status and JSON object of a response; the object is empty if the response was not JSON."""

    status: int
    body: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        return self.status == 200

    @property
    def complaint(self) -> str:
        """The error message of an OpenAI-compatible server."""
        error = self.body.get("error", self.body)
        message = error.get("message") if isinstance(error, dict) else error
        return str(message or f"HTTP status {self.status}")


class VllmClient:
    """A client for `base_url` with `key`, to be used as an async context manager."""

    def __init__(self, base_url: str, key: str | None) -> None:
        self._address = BaseUrl.parse(base_url)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def models(self) -> list[Mapping[str, Any]]:
        """The entries of `/v1/models`; adapters name their `parent`."""
        reply = await self._call("GET", self._address.route("models"))
        if not reply.ok:
            raise EndpointError(
                msg("error.engines.does_not_list_models", complaint=reply.complaint),
                where=self._address.base_url,
            )
        return [entry for entry in reply.body.get("data") or () if isinstance(entry, dict)]

    async def complete(self, model: str, messages: Sequence[Message], **how: Any) -> VllmReply:
        """One chat completion."""
        body = {"model": model, "messages": [message.to_json() for message in messages], **how}
        return await self._call("POST", self._address.route("chat/completions"), body)

    async def tokens(self, model: str, messages: Sequence[Message]) -> VllmReply:
        """The token ids of a chat prompt, as the server passes them to the model."""
        body = {"model": model, "messages": [message.to_json() for message in messages]}
        return await self._call("POST", self._root("tokenize"), body)

    async def tokens_of_text(self, model: str, text: str) -> VllmReply:
        """The token ids of a text, without added special tokens."""
        body = {"model": model, "prompt": text, "add_special_tokens": False}
        return await self._call("POST", self._root("tokenize"), body)

    async def load_adapter(self, name: str, path: str) -> VllmReply:
        """Asks the server to load an adapter from a folder on its disk."""
        body = {"lora_name": name, "lora_path": path}
        return await self._call("POST", self._address.route("load_lora_adapter"), body)

    def _root(self, name: str) -> str:
        """The URL of a route outside of `/v1`, such as `/tokenize`."""
        return f"{self._address.base_url.removesuffix('/v1')}/{name}"

    async def _call(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> VllmReply:
        import aiohttp

        assert self._session, "not entered"
        data = orjson.dumps(body) if body is not None else None
        kind = {"Content-Type": "application/json"}
        try:
            async with self._session.request(method, url, data=data, headers=kind) as response:
                status, raw = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why = msg("vllm.no_answer") if isinstance(error, TimeoutError) else type(error).__name__
            raise EndpointError(
                msg("error.engines.cannot_reached", why=why), where=self._address.base_url
            ) from None
        if status in _REFUSED_KEY:
            raise EndpointError(
                msg("error.engines.refused_key_http_status", status=status),
                where=self._address.base_url,
                hint=msg("error.engines.check_variable_api_key_env"),
            )
        return VllmReply(status, _json(raw))


def _json(raw: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {"message": raw.decode("utf-8", "replace")[:500]} if raw else {}
    return value if isinstance(value, dict) else {"message": str(value)}

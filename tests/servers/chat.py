"""An OpenAI-compatible server in a thread, true to the protocol and misbehaving on request.

    with ChatServer(reply='{"score": 4}', faults={"server_error": 0.1, "hang": {3}}) as server:
        ask(server.url)
        assert server.count == 10

`python -m tests.servers.chat --port 0` runs it as a process of its own and prints the URL.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

from tests.servers.faults import FAULTS, error, plain
from tests.servers.http import Connection, Request, Response
from tests.servers.limits import RateLimit
from tests.servers.logprobs import certain, given, split

Body = dict[str, Any]
Reply = str | Response | Mapping[str, Any]


def verdict(analysis: str = "근거가 문서에 있다.", /, **scores: int) -> str:
    """A judge's answer as JSON; criteria that are not named get their own constant score."""
    wanted = {
        "answer_correctness": 4,
        "context_relevance": 3,
        "context_faithfulness": 5,
        "context_recall": 4,
    }
    return orjson.dumps({"analysis": analysis} | wanted | scores).decode()


def text_of(body: Body) -> str:
    """All that the messages of a request say."""
    return "\n".join(message["content"] or "" for message in body["messages"])


def asks_claims(body: Body) -> bool:
    """Whether a request wants an answer's claims listed."""
    return any('{"claims": [' in str(message["content"]) for message in body["messages"][:1])


def material(body: Body, name: str) -> str:
    """What a judge's request shows as `name`: question, context, prediction, reference."""
    text = str(body["messages"][1]["content"])
    found = re.search(rf"<{name} (\w+)>\n(.*?)\n</{name} \1>", text, re.DOTALL)
    assert found, f"no {name} in the request"
    return found[2]


def listed(*claims: tuple[str, int | str | None, str | None]) -> str:
    """A list of claims as JSON, each with the number of a passage and a quotation, or neither."""
    rows = [{"claim": claim, "passage": passage, "quote": quote} for claim, passage, quote in claims]
    return orjson.dumps({"claims": rows}).decode()


def listing(body: Body) -> str:
    """What an honest judge lists: a claim a sentence, borne out by the first passage that has the sentence."""
    passages = re.split(r"^\[\[ref\d+\]\] ", material(body, "context"), flags=re.MULTILINE)[1:]
    sentences = [
        one.strip() for one in re.split(r"(?<=[.!?])\s", material(body, "prediction")) if one.strip()
    ]
    found = [(one, next((n for n, text in enumerate(passages, 1) if one in text), None)) for one in sentences]
    return listed(*((one, n, None if n is None else one) for one, n in found))


@dataclass(slots=True)
class Call:
    """One request for a completion, and what became of it."""

    body: Body
    headers: dict[str, str]
    at: float
    status: int = 0
    fault: str | None = None


@dataclass
class ChatServer:
    """Serves `/v1/chat/completions`, `/v1/models`, adapter loading and `/health` on loopback.

    `reply` is the answer, or a function of the request's body: a string becomes the
    message's content, a mapping is merged into the message, a `Response` is sent as is.
    `lists` is the same for requests that want claims listed.
    `faults` maps names of `tests.servers.faults` to a probability or to the numbers of the
    calls (from 0) that get them; or it is a function of (number, body) that names one or None.
    `refuses` names request fields that are answered by a 400 in OpenAI's words.
    `rate` is a `RateLimit`, or requests a minute. `capacity`: more than so many at once get a 503.
    `latency_s` is a constant, or a function of the body. `context` is the longest prompt in
    tokens, counted at four characters each. `key`: the only one that is let in.
    Where token probabilities are asked for, `spell` cuts an answer into tokens and `doubt`
    says of each what could have stood there, with its probability.
    """

    reply: Reply | Callable[[Body], Reply] = field(default_factory=verdict)
    lists: Reply | Callable[[Body], Reply] = listing
    faults: Mapping[str, float | Collection[int]] | Callable[[int, Body], str | None] = field(
        default_factory=dict
    )
    refuses: Collection[str] = ()
    rate: RateLimit | int | None = None
    capacity: int | None = None
    latency_s: float | Callable[[Body], float] = 0.0
    models: Sequence[str | Mapping[str, Any]] | None = None
    context: int | None = None
    key: str | None = None
    spell: Callable[[str], Sequence[str | bytes]] = split
    doubt: Callable[[str], Mapping[str, float]] = certain
    seed: int = 0
    port: int = 0
    record: bool = True
    on_ready: Callable[[], None] = lambda: None

    calls: list[Call] = field(default_factory=list, init=False)
    count: int = field(default=0, init=False)
    answered: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)
    in_flight: int = field(default=0, init=False)
    peak: int = field(default=0, init=False)
    connections: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._limit = RateLimit(self.rate) if isinstance(self.rate, int) else self.rate
        self._random = random.Random(self.seed)
        self._open: set[Connection] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._cards = [{"id": m} if isinstance(m, str) else dict(m) for m in self.models or ()]
        unknown = set() if callable(self.faults) else set(self.faults) - set(FAULTS)
        assert not unknown, f"no such fault: {unknown}"

    @property
    def url(self) -> str:
        """The base URL, with `/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> list[Body]:
        """The bodies of all calls, as they came."""
        return [call.body for call in self.calls]

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the server did not start"
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def serve(self) -> None:
        """Listens until told to stop."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await self._loop.create_server(self._connect, "127.0.0.1", self.port, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self.on_ready()
        try:
            await self._stop.wait()
        finally:
            server.close()
            for connection in tuple(self._open):
                connection.abort()
            await asyncio.sleep(0)

    def _run(self) -> None:
        asyncio.run(self.serve())

    def _connect(self) -> Connection:
        self.connections += 1
        return Connection(self._handle, self._open)

    def _handle(self, request: Request, connection: Connection) -> None:
        match request.method, request.path:
            case "POST", "/v1/chat/completions":
                self._complete(request, connection)
            case "GET", "/v1/models":
                connection.send(self._refuse_key(request) or self._list())
            case "POST", "/v1/load_lora_adapter":
                connection.send(self._load(orjson.loads(request.body)))
            case "GET", "/health":
                connection.send(Response())
            case "GET", "/count":
                counts = {name: getattr(self, name) for name in ("count", "answered", "refused", "peak")}
                connection.send(Response(200, orjson.dumps(counts)))
            case _:
                connection.send(Response(404, b'{"detail":"Not Found"}'))

    def _complete(self, request: Request, connection: Connection) -> None:
        number, self.count = self.count, self.count + 1
        try:
            body = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            return connection.send(error(400, "We could not parse the JSON body of your request."))
        call = Call(body, request.headers, time.monotonic()) if self.record else None
        if call:
            self.calls.append(call)
        fault = self._fault(number, body)
        response = self._refuse_key(request) or self._refuse(body) or self._answer(number, body, fault)
        if self._limit:
            response = response._replace(
                headers=self._limit.describe(time.monotonic()) | dict(response.headers)
            )
        if call:
            call.status, call.fault = response.status, fault
        self.answered += response.status == 200
        self.refused += response.status == 429
        wait = self.latency_s(body) if callable(self.latency_s) else self.latency_s
        if not wait or response.status != 200:
            return connection.send(response)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        self._loop.call_later(wait, self._late, response, connection)
        return None

    def _late(self, response: Response, connection: Connection) -> None:
        self.in_flight -= 1
        connection.send(response)

    def _fault(self, number: int, body: Body) -> str | None:
        if callable(self.faults):
            return self.faults(number, body)
        drawn = self._random.random() if self.faults else 0.0
        for name, when in self.faults.items():
            if not isinstance(when, int | float):
                if number in when:
                    return name
            elif drawn < when:
                return name
            else:
                drawn -= when
        return None

    def _refuse_key(self, request: Request) -> Response | None:
        if self.key is None or request.headers.get("authorization") == f"Bearer {self.key}":
            return None
        sent = request.headers.get("authorization", "")
        return error(401, f"Incorrect API key provided: {sent}", code="invalid_api_key")

    def _refuse(self, body: Body) -> Response | None:
        """What a request is refused for before anything is generated."""
        now = time.monotonic()
        if self._limit and (wait := self._limit.take(now)):
            refusal = self._limit.refusal(wait)
            return error(429, "Rate limit reached for requests", type="requests", headers=refusal)
        if self.capacity is not None and self.in_flight >= self.capacity:
            return error(503, "The engine's queue is full", type="ServiceUnavailableError", code=503)
        known = [card["id"] for card in self._cards]
        if known and body.get("model") not in known:
            message = f"The model `{body.get('model')}` does not exist or you do not have access to it."
            return error(404, message, param="model", code="model_not_found")
        for name in self.refuses:
            if name in body:
                return unsupported(name)
        if self.context is not None and len(text_of(body)) // 4 > self.context:
            message = f"This model's maximum context length is {self.context} tokens."
            return error(400, message, param="messages", code="context_length_exceeded")
        return None

    def _answer(self, number: int, body: Body, fault: str | None) -> Response:
        wanted = self.lists if asks_claims(body) else self.reply
        reply = wanted(body) if callable(wanted) else wanted
        if isinstance(reply, Response):
            return reply
        message = (
            {"role": "assistant", "content": reply}
            if isinstance(reply, str)
            else {"role": "assistant", **reply}
        )
        prompt, said = len(text_of(body)) // 4, len(message.get("content") or "") // 4
        completion = {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": body.get("model"),
            "system_fingerprint": "fp_test",
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "finish_reason": "stop",
                    "logprobs": self._logprobs(body, message),
                }
            ],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": said,
                "total_tokens": prompt + said,
                "prompt_tokens_details": {"cached_tokens": prompt // 2},
            },
        }
        return (FAULTS[fault] if fault else plain)(completion)

    def _logprobs(self, body: Body, message: Mapping[str, Any]) -> dict[str, Any] | None:
        if not body.get("logprobs"):
            return None
        spelt = self.spell(message.get("content") or "")
        return given(spelt, self.doubt, body.get("top_logprobs") or 0)

    def _list(self) -> Response:
        cards = [{"object": "model", "created": 0, "owned_by": "test", **card} for card in self._cards]
        return Response(200, orjson.dumps({"object": "list", "data": cards}))

    def _load(self, body: Body) -> Response:
        name = body["lora_name"]
        if any(card["id"] == name for card in self._cards):
            return error(400, f"The lora adapter '{name}' has already been loaded.", type="InvalidUserInput")
        base = self._cards[0]["id"] if self._cards else None
        self._cards.append({"id": name, "root": body["lora_path"], "parent": base})
        return Response(
            200, f"Success: LoRA adapter '{name}' added successfully.".encode(), content_type="text/plain"
        )


def unsupported(name: str) -> Response:
    """The 400 of a model that does not take the field `name`."""
    instead = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}.get(name)
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    message += f" Use '{instead}' instead." if instead else ""
    return error(400, message, param=name, code="unsupported_parameter")


def main() -> None:
    """Serves until killed; for benchmarks, which pin it to a core of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--rate", type=int, help="requests a minute")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME=PROBABILITY")
    parser.add_argument("--model", action="append", metavar="ID")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    faults = {name: float(p) for name, _, p in (fault.partition("=") for fault in given.fault)}
    server = ChatServer(
        faults=faults,
        rate=given.rate,
        latency_s=given.latency,
        models=given.model,
        seed=given.seed,
        port=given.port,
        record=False,
    )

    server.on_ready = lambda: print(server.url, flush=True)
    asyncio.run(server.serve())


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()

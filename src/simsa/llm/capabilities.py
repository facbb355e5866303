"""Which optional request fields a model at an endpoint accepts, learned from its error responses."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, MutableMapping, Set
from dataclasses import dataclass, replace
from typing import Any, Self

import orjson

from simsa.llm.api_errors import ErrorResponse
from simsa.llm.base_url import BaseUrl
from simsa.llm.chat import ChatReply, ChatRequest
from simsa.records import content_hash

LENGTH_FIELDS = ("max_tokens", "max_completion_tokens")

# The request fields that can be left out, and how error messages refer to them.
_OPTIONAL = {
    "response_format": re.compile(
        r"response_?format|json_?schema|json_?object|structured.?output|guided|grammar", re.I
    ),
    "temperature": re.compile(r"\btemperature\b"),
    "top_p": re.compile(r"\btop_p\b"),
    "seed": re.compile(r"['\"`]seed['\"`]|\bseed (?:is|param)"),
    "stop": re.compile(r"['\"`]stop['\"`]|\bstop (?:is|param|sequence)"),
    "logprobs": re.compile(r"logprobs"),
}
_LENGTH = re.compile(r"\b(?:max_tokens|max_completion_tokens)\b")
_UNSUPPORTED = re.compile(
    r"not supported|unsupported|unrecogni[sz]ed|unknown|unexpected|extra|not (?:permitted|allowed|valid)|"
    r"deprecated|use '?max|instead|no longer|not support",
    re.I,
)
_OUT_OF_BOUNDS = re.compile(
    r"between|at (?:most|least)|greater|less than|larger|smaller|too (?:large|small|high|low|long|many)|"
    r"m(?:ax|in)imum|\brange\b|[<>]=?|must be|should be",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The fields that an endpoint has accepted, those it has refused, and its name for the length limit."""

    length_field: str = "max_tokens"
    accepted: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()

    @classmethod
    def of(cls, address: BaseUrl) -> Capabilities:
        """The capabilities to assume before the first request."""
        return cls("max_completion_tokens" if address.is_openai else "max_tokens")

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Restores what `to_state` returned."""
        return cls(state["length_field"], refused=frozenset(state["refused"]))

    def to_state(self) -> dict[str, Any]:
        """The part that decides how requests look, as JSON for the run's store."""
        return {"length_field": self.length_field, "refused": sorted(self.refused)}

    def to_dict(self) -> dict[str, Any]:
        """The length field, and true, false or null (never tried) for each optional field."""
        return {"length_field": self.length_field} | {name: self.accepts(name) for name in _OPTIONAL}

    def accepts(self, name: str) -> bool | None:
        """Whether the request field `name` is accepted; None if it was never tried."""
        if name in self.refused:
            return False
        return True if name in self.accepted else None

    def composes_like(self, other: Capabilities) -> bool:
        """Whether `compose` returns the same for both."""
        return self.length_field == other.length_field and self.refused == other.refused

    def compose(self, request: ChatRequest, model: str) -> dict[str, Any]:
        """The JSON body of `request` without the fields that the endpoint refuses."""
        body: dict[str, Any] = {
            "model": model,
            "messages": request.messages,
            self.length_field: request.max_tokens,
        }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.top_p is not None:
            body["top_p"] = request.top_p
        if request.seed is not None:
            body["seed"] = request.seed
        if request.stop:
            body["stop"] = request.stop
        if request.logprobs is not None:
            body["logprobs"] = True
            body["top_logprobs"] = request.logprobs
        if request.schema is not None:
            named = {"name": "answer", "strict": True, "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        for name in self.refused:
            body.pop(name, None)
            if name == "logprobs":
                body.pop("top_logprobs", None)
        if request.extra_body:
            body |= request.extra_body
        return body

    def confirmed(self, sent: Mapping[str, Any]) -> Capabilities:
        """These capabilities after the body `sent` was answered."""
        return replace(self, accepted=self.accepted | sent.keys())

    def without(
        self, error: ErrorResponse, sent: Mapping[str, Any], unverified: Set[str] = frozenset()
    ) -> Capabilities | None:
        """These capabilities less the field of the body `sent` that `error` is about; None if it is about no field.

        `unverified` are fields whose refusal is only known from an earlier process. If both names of
        the length limit are refused, such a name is tried again.
        """
        name = _field_in_error(error, sent)
        if name in LENGTH_FIELDS:
            other = LENGTH_FIELDS[1 - LENGTH_FIELDS.index(name)]
            if (other in self.refused and other not in unverified) or not _UNSUPPORTED.search(error.message):
                return None
            return replace(self, length_field=other, refused=self.refused - {other} | {name})
        if name is None or name in self.refused:
            return None
        return replace(self, refused=self.refused | {name}, accepted=self.accepted - {name})


class CapabilityLearner:
    """Learns the capabilities of one model at one endpoint from its responses.

    It starts with the entry for this endpoint, model and `extra_body` (sent with every request)
    in `saved`, which the caller keeps with the run. A refused field is added to that entry once
    a request without the field was answered: until then the error may have had another cause.
    A value that is out of bounds is never added, because another value may be accepted.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        extra_body: Mapping[str, Any] | None = None,
        saved: MutableMapping[str, Any] | None = None,
    ) -> None:
        """Raises ConfigError if `base_url` is invalid."""
        address = BaseUrl.parse(base_url)
        self._model = model
        self._key = _key(address, model, extra_body)
        self._saved = {} if saved is None else saved
        state = self._saved.get(self._key)
        self.capabilities = Capabilities.from_state(state) if state else Capabilities.of(address)
        self._unverified = self.capabilities.refused
        self._unproven: set[str] = set()

    def record_error(self, error: ErrorResponse, sent: Mapping[str, Any]) -> str | None:
        """Leaves out the field that `error` is about from now on. Returns its name; None if it is about no field."""
        learned = self.capabilities.without(error, sent, self._unverified)
        if learned is None:
            return None
        name = next(iter(learned.refused - self.capabilities.refused))
        self._unverified &= learned.refused
        if is_lasting(error):
            self._unproven.add(name)
        self.capabilities = learned
        return name

    def record_success(self, sent: Mapping[str, Any], model: str) -> None:
        """Notes that `model` answered the body `sent`. Called for every response, so it must be fast."""
        if not sent.keys() <= self.capabilities.accepted:
            self.capabilities = self.capabilities.confirmed(sent)
        if self._unproven and model == self._model and (proven := self._unproven - sent.keys()):
            self._unproven -= proven
            before = self._saved.get(self._key, {}).get("refused", ())
            refused = self.capabilities.refused & proven.union(before)
            self._saved[self._key] = replace(self.capabilities, refused=refused).to_state()


@dataclass(frozen=True, slots=True)
class CapabilityReport:
    """What a probe has found out about a model at an endpoint."""

    capabilities: Capabilities
    schema_kept: bool
    """Whether the answer followed the JSON schema."""
    logprobs_given: bool
    """Whether the answer had token probabilities."""
    tokens: int
    """The tokens that the probe used."""
    found: datetime.date
    """The day of the probe, UTC."""

    @classmethod
    def of(cls, capabilities: Capabilities, reply: ChatReply) -> Self:
        """The report on `reply`, the answer to `probe_request`."""
        return cls(
            capabilities,
            schema_kept=capabilities.accepts("response_format") is True and _follows_schema(reply.text),
            logprobs_given=bool(reply.logprobs),
            tokens=reply.prompt_tokens + reply.completion_tokens,
            found=datetime.datetime.now(datetime.UTC).date(),
        )

    @property
    def is_reasoning(self) -> bool:
        """Whether this is probably a reasoning model: those refuse a temperature."""
        return self.capabilities.accepts("temperature") is False

    def to_dict(self) -> dict[str, Any]:
        """As `simsa check --json` prints it."""
        return self.capabilities.to_dict() | {
            "schema_kept": self.schema_kept,
            "logprobs_given": self.logprobs_given,
            "reasoning": self.is_reasoning,
            "found": str(self.found),
            "tokens": self.tokens,
        }


def probe_request(extra_body: Mapping[str, Any] | None = None) -> ChatRequest:
    """A small request with every optional field that judging may send, and `extra_body`."""
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    message = {"role": "user", "content": 'Answer with the JSON object {"ok": true}.'}
    return ChatRequest(
        [message], max_tokens=16, top_p=1.0, seed=0, schema=schema, logprobs=1, extra_body=extra_body or {}
    )


def is_lasting(error: ErrorResponse) -> bool:
    """Whether the field is refused whatever its value, rather than because its value is out of bounds."""
    text = f"{error.code} {error.message}"
    return bool(_UNSUPPORTED.search(text)) and not _OUT_OF_BOUNDS.search(text)


def _key(address: BaseUrl, model: str, extra_body: Mapping[str, Any] | None) -> str:
    """The name of an entry. The URL's query and the body may hold a secret, so only their hash is part of it."""
    more = [address.query, {**extra_body} if extra_body else {}]
    return f"{address.base_url} {model}" + (f" {content_hash(*more)}" if any(more) else "")


def _field_in_error(error: ErrorResponse, sent: Mapping[str, Any]) -> str | None:
    """The field of `sent` that an error is about: the one in its `param`, else one in its message."""
    for text in (error.param or "", error.message):
        for name, pattern in _OPTIONAL.items():
            if name in sent and (text == name or pattern.search(text)):
                return name
        if _LENGTH.search(text):
            return next((name for name in LENGTH_FIELDS if name in sent), None)
    return None


def _follows_schema(text: str) -> bool:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and list(found) == ["ok"] and isinstance(found["ok"], bool)

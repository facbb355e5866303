"""What an endpoint takes, learnt from its refusals, and requests made to fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from simsa.llm.api_errors import ErrorResponse
from simsa.llm.base_url import BaseUrl
from simsa.llm.chat import ChatRequest

LENGTH_FIELDS = ("max_tokens", "max_completion_tokens")

# A field of the request that can be left out, and how complaints about it are worded.
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
OPTIONAL_FIELDS = tuple(_OPTIONAL)
_LENGTH = re.compile(r"\b(?:max_tokens|max_completion_tokens)\b")
_UNKNOWN = re.compile(
    r"not supported|unsupported|unrecogni[sz]ed|unknown|unexpected|extra|not (?:permitted|allowed|valid)|"
    r"deprecated|use '?max|instead|no longer|not support",
    re.I,
)

_BOUNDS = re.compile(
    r"between|at (?:most|least)|greater|less than|larger|smaller|too (?:large|small|high|low|long|many)|"
    r"m(?:ax|in)imum|\brange\b|[<>]=?|must be|should be",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an endpoint takes: fields it has accepted, fields it has refused, and how it names the length limit."""

    length_field: str = "max_tokens"
    accepted: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()

    @classmethod
    def of(cls, address: BaseUrl) -> Capabilities:
        """What is known of an endpoint before it was asked."""
        return cls("max_completion_tokens" if address.is_openai else "max_tokens")

    def same_form(self, other: Capabilities) -> bool:
        """Whether both make the same of every request."""
        return self.length_field == other.length_field and self.refused == other.refused

    def takes(self, name: str) -> bool | None:
        """Whether the request field `name` is accepted; None: never tried."""
        if name in self.refused:
            return False
        return True if name in self.accepted else None

    @property
    def schema(self) -> bool | None:
        """Whether a JSON schema of the answer is accepted."""
        return self.takes("response_format")

    @property
    def temperature(self) -> bool | None:
        return self.takes("temperature")

    @property
    def seed(self) -> bool | None:
        return self.takes("seed")

    @property
    def logprobs(self) -> bool | None:
        return self.takes("logprobs")

    def to_dict(self) -> dict[str, Any]:
        """For people and files: the length field, and true, false or null for each optional field."""
        return {"length_field": self.length_field} | {name: self.takes(name) for name in _OPTIONAL}

    def compose(self, request: ChatRequest, model: str) -> dict[str, Any]:
        """The JSON body of `request` in a form that this endpoint takes."""
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
        """These abilities after `sent` was answered."""
        return replace(self, accepted=self.accepted | sent.keys())

    def without(
        self, refusal: ErrorResponse, sent: Mapping[str, Any], hearsay: Set[str] = frozenset()
    ) -> Capabilities | None:
        """These abilities less the field of `sent` that `refusal` complains of; None when it complains of something else.

        `hearsay` are fields whose refusal is only remembered: of the two names of the length limit such a one is
        tried again when the other is refused.
        """
        name = _complaint(refusal, sent)
        if name in LENGTH_FIELDS:
            other = LENGTH_FIELDS[1 - LENGTH_FIELDS.index(name)]
            if (other in self.refused and other not in hearsay) or not _UNKNOWN.search(refusal.message):
                return None
            return replace(self, length_field=other, refused=self.refused - {other} | {name})
        if name is None or name in self.refused:
            return None
        return replace(self, refused=self.refused | {name}, accepted=self.accepted - {name})


def wanted_capabilities(request: ChatRequest) -> set[str]:
    """The optional fields that `request` has something for, whether they are taken or not."""
    given = {
        "response_format": request.schema,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "stop": request.stop or None,
        "logprobs": request.logprobs,
    }
    return {name for name, value in given.items() if value is not None}


def is_lasting(refusal: ErrorResponse) -> bool:
    """Whether a field is refused whatever it holds: a value that is out of bounds says nothing of the next one."""
    text = f"{refusal.code} {refusal.message}"
    return bool(_UNKNOWN.search(text)) and not _BOUNDS.search(text)


def probe_request(extra_body: Mapping[str, Any] | None = None) -> ChatRequest:
    """A small request with every optional field that judging may send, and `extra_body`; its answer shows what is made of them."""
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    message = {"role": "user", "content": 'Answer with the JSON object {"ok": true}.'}
    asked = ChatRequest([message], max_tokens=16, top_p=1.0, seed=0, schema=schema, logprobs=1)
    return replace(asked, extra_body=extra_body or {})


def _complaint(refusal: ErrorResponse, sent: Mapping[str, Any]) -> str | None:
    """The field of `sent` that a refusal is about: the one it names as its parameter, else one it speaks of."""
    for text in (refusal.param or "", refusal.message):
        for name, wording in _OPTIONAL.items():
            if name in sent and (text == name or wording.search(text)):
                return name
        if _LENGTH.search(text):
            return next((name for name in LENGTH_FIELDS if name in sent), None)
    return None

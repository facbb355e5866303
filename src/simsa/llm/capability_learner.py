"""What one process learns of a model at an endpoint while it has it work, and passes on to all others."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import orjson

from simsa.llm.base_url import BaseUrl
from simsa.llm.capabilities import LENGTH_FIELDS, OPTIONAL_FIELDS, Capabilities
from simsa.llm.capability_cache import LOGPROBS_GIVEN, SCHEMA_KEPT, cached_capabilities, remember
from simsa.llm.chat import ChatReply

_FIELDS = frozenset((*OPTIONAL_FIELDS, *LENGTH_FIELDS))
SHOWING = 5
"""So many answers show by their majority whether a field is heeded; one may be chance."""


class CapabilityLearner:
    """Begins with what is remembered; keeps what is news as soon as an answer has borne it out.

    A field that was refused counts once a request without it was answered: until then it may
    have been something else. Answers that agree with what is known change nothing, so what is known keeps
    its day, and grows old.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        extra_body: Mapping[str, Any] | None = None,
        *,
        unproven: Set[str] = frozenset(),
    ) -> None:
        """`extra_body` is what is sent along with every request; `unproven` are fields whose refusal another process met, and no answer has borne out yet."""
        self._address = BaseUrl.parse(base_url)
        self._model = model
        self._extra = extra_body
        self.known = cached_capabilities(base_url, model, extra_body)
        self.unproven = set(unproven)
        facts = self.known.facts if self.known else {}
        self._taken = {name for name in _FIELDS if name in facts and facts[name].value}
        self._watched: dict[str, list[bool]] = {SCHEMA_KEPT: [], LOGPROBS_GIVEN: []}

    @property
    def abilities(self) -> Capabilities:
        """What to begin with."""
        return self.known.abilities if self.known else Capabilities.of(self._address)

    def refused(self, name: str) -> None:
        """The endpoint has said that it does not take the field `name`."""
        self._taken.discard(name)
        self.unproven.add(name)

    def answered(self, sent: Mapping[str, Any], reply: ChatReply) -> None:
        """A request was answered. Quick where there is nothing to be learnt, for it is called for each."""
        news = dict.fromkeys((_FIELDS & sent.keys()) - self._taken, 1)
        if self.unproven:
            news |= dict.fromkeys(self.unproven - sent.keys(), 0)
        if self._watched:
            news |= self._heeding(sent, reply)
        if news:
            self._note(news)

    def _heeding(self, sent: Mapping[str, Any], reply: ChatReply) -> dict[str, int]:
        """What answers have shown of the fields that were sent, where that is news."""
        if SCHEMA_KEPT in self._watched and "response_format" in sent and reply.finish_reason == "stop":
            self._watched[SCHEMA_KEPT].append(_fits(reply.text, sent["response_format"]))
        if LOGPROBS_GIVEN in self._watched and "logprobs" in sent:
            self._watched[LOGPROBS_GIVEN].append(bool(reply.logprobs))
        shown = {name: seen for name, seen in self._watched.items() if len(seen) == SHOWING}
        news = {}
        for name, seen in shown.items():
            del self._watched[name]
            heeded = 2 * sum(seen) > len(seen)
            if self.known is None or self.known.heeds(name) is not heeded:
                news[name] = int(heeded)
        return news

    def _note(self, news: Mapping[str, int]) -> None:
        self._taken |= {name for name, value in news.items() if value}
        self.unproven -= news.keys()
        remember(self._address, self._model, self._extra, news, by="run")


def _fits(text: str, form: Any) -> bool:
    """Whether an answer has the fields that the schema in `form` (a `response_format`) wants, and no others."""
    try:
        found = orjson.loads(text)
        schema = form["json_schema"]["schema"]
        return (
            bool(schema["required"])
            and set(schema["required"]) <= found.keys() <= schema["properties"].keys()
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return False

"""Does an adapter do anything? Asked of the running server, in a few tokens.

An adapter that vLLM loads without a word and then does not apply is a mistake that
every stack makes now and then. It is found by answers, not by configs: greedy, one
request at a time, each with a cache of its own, so that a model compared with itself
gives the same log-probabilities to the last bit. Even so the base is asked twice, and
what differs between the two is the noise that an effect has to exceed.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from simsa.errors import AdapterWithoutEffect, ConfigError
from simsa.records import Message
from simsa.serving.calls import Calls

TOLERANCE = 1e-4
"""Differences of log-probabilities up to this (or three times the noise, if that is more) are none."""

_STEPS = 12
_ALTERNATIVES = 5
_LIKELY = (
    "likely: it was trained on another base model, its module names are not those of this model (look for "
    "“language_model” or a prefix of the trainer's), or it was merged into this base already"
)

Step = Mapping[str, float]
"""Token → log-probability of the likeliest tokens at one place; the chosen one first."""


class Effect(NamedTuple):
    """The largest difference of a log-probability (nats) between adapter and base, on `prompts` prompts."""

    difference: float
    noise: float
    prompts: int

    @property
    def exists(self) -> bool:
        return self.difference > max(TOLERANCE, 3 * self.noise)


async def prove_effect(
    calls: Calls, base: str, adapters: Sequence[str], prompts: Sequence[Sequence[Message]]
) -> dict[str, Effect]:
    """Compares every adapter with `base` until a prompt shows its effect.

    Raises AdapterWithoutEffect naming those that showed none on any prompt, ConfigError
    when the server refuses all the prompts.
    """
    effects = dict.fromkeys(adapters, Effect(0.0, 0.0, 0))
    noise, complaint = None, ""
    for messages in prompts:
        missing = [name for name, effect in effects.items() if not effect.exists]
        if not missing:
            break
        expected, complaint = await _answer(calls, base, messages)
        if expected is None:
            continue
        if noise is None:
            again, _ = await _answer(calls, base, messages)
            noise = difference(expected, again or expected)
        for name in missing:
            found, complaint = await _answer(calls, name, messages)
            if found is not None:
                before = effects[name]
                worst = max(before.difference, difference(expected, found))
                effects[name] = Effect(worst, noise, before.prompts + 1)
    _refuse(effects, base, complaint)
    return effects


def difference(a: Sequence[Step], b: Sequence[Step]) -> float:
    """How far two greedy answers are apart, up to where their texts part: nats, inf beyond the alternatives."""
    worst = 0.0
    for left, right in zip(a, b, strict=False):
        ours, theirs = next(iter(left)), next(iter(right))
        if ours not in right or theirs not in left:
            return math.inf
        worst = max(worst, *(abs(left[token] - right[token]) for token in left.keys() & right.keys()))
        if ours != theirs:
            return worst
    return worst if len(a) == len(b) else math.inf


async def _answer(calls: Calls, model: str, messages: Sequence[Message]) -> tuple[list[Step] | None, str]:
    reply = await calls.complete(
        model,
        messages,
        max_tokens=_STEPS,
        temperature=0,
        seed=0,
        logprobs=True,
        top_logprobs=_ALTERNATIVES,
        cache_salt=secrets.token_hex(8),
    )
    if not reply.ok:
        return None, reply.complaint
    try:
        places = reply.body["choices"][0]["logprobs"]["content"]
        return [_step(place) for place in places], ""
    except (KeyError, IndexError, TypeError, AttributeError):
        return None, "the server gives no log-probabilities"


def _step(place: Mapping[str, object]) -> Step:
    chosen = {str(place["token"]): float(str(place["logprob"]))}
    others = place.get("top_logprobs")
    assert isinstance(others, list)
    return chosen | {str(other["token"]): float(other["logprob"]) for other in others}


def _refuse(effects: Mapping[str, Effect], base: str, complaint: str) -> None:
    without = {name: effect for name, effect in effects.items() if not effect.exists}
    if not without:
        return
    if not any(effect.prompts for effect in without.values()):
        if complaint:
            raise ConfigError(f"vLLM refuses the prompts of this run: {complaint}", field=base)
        return
    names = " and ".join(without)
    effect = next(iter(without.values()))
    raise AdapterWithoutEffect(
        f"{names} answer{'s' if len(without) == 1 else ''} exactly as the base model ({base}) on "
        f"{effect.prompts} of the run's prompts, log-probabilities included",
        hint=_LIKELY,
    )

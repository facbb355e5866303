"""Where a judge was asked, and what stood there: a name alone does not say which model answers to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from simsa.config import JudgeConfig
from simsa.i18n.language import LocalizedText
from simsa.i18n.messages import msg
from simsa.llm import ModelInfo, deprecation, price
from simsa.llm.base_url import BaseUrl
from simsa.request_hash import weights_hash


class JudgeLocation(NamedTuple):
    """An address, the folder or name that the server says it serves there, and the hash of that folder's weights.

    `root` and `weights` are None where the server doesn't say, or serves it from another machine.
    """

    at: str
    root: str | None = None
    weights: str | None = None

    def __str__(self) -> str:
        return f"{self.at} ({self.root})" if self.root else self.at

    def is_like(self, other: JudgeLocation) -> bool:
        """Whether the same model is there, by the best evidence that both have: weights, what is served, the address."""
        if self.weights and other.weights:
            return self.weights == other.weights
        if self.root and other.root:
            return self.root == other.root
        return self.at == other.at


def judge_locations(config: JudgeConfig, listed: Mapping[str, ModelInfo]) -> dict[str, JudgeLocation]:
    """Judge → where it is, for those whose name alone does not say which model they are.

    `listed` is what the endpoints that answered say of the model. A model of a public service is the same at
    whatever address it is asked.
    """
    found = {}
    for known_as, (name, one) in zip(identified(config), config.each.items(), strict=True):
        if name in listed and not _is_public(one):
            found[known_as] = _place(one, listed[name])
    return found


def identified(config: JudgeConfig) -> list[str]:
    """Each judge's name with its identity, where it has one."""
    return [f"{name} ({one.identity})" if one.identity else name for name, one in config.each.items()]


def merge_locations(
    kept: Mapping[str, Sequence[Sequence[Any]]], new: Mapping[str, JudgeLocation]
) -> dict[str, list[JudgeLocation]]:
    """What a run has kept of its judges' places, with where they are now; one that is like another stands once."""
    found = {name: [JudgeLocation(*place) for place in known] for name, known in kept.items()}
    for name, place in new.items():
        found[name] = [*(known for known in found.get(name, []) if not known.is_like(place)), place]
    return found


def relocation_note(name: str, where: Sequence[JudgeLocation]) -> LocalizedText:
    """A word on a judge that was in several places."""
    return msg("judge.moved", name=name, list=", ".join(map(str, where)))


def apart(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> Iterator[tuple[str, JudgeLocation, JudgeLocation]]:
    """Judges of one name that two runs have asked in places that are not alike."""
    for name in first.keys() & second.keys():
        ours, theirs = ([JudgeLocation(*place) for place in kept[name]] for kept in (first, second))
        if not any(a.is_like(b) for a in ours for b in theirs):
            yield name, ours[-1], theirs[-1]


def _is_public(config: JudgeConfig) -> bool:
    known = price(config.model) or deprecation(config.model)
    return known is not None or BaseUrl.parse(config.base_url).is_openai


def _place(config: JudgeConfig, card: ModelInfo) -> JudgeLocation:
    address = BaseUrl.parse(config.base_url)
    at = (
        address.base_url.replace(f"//{address.host}", "//localhost", 1)
        if address.is_loopback
        else address.base_url
    )
    is_here = address.is_loopback and card.root and Path(card.root).is_dir()
    return JudgeLocation(at, card.root, weights_hash(card.root) if card.root and is_here else None)

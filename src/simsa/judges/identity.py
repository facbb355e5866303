"""Where a judge was asked, and which model was there: a name alone does not say which model answers to it."""

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
    """An address, the folder or name that the server reports for the model, and the hash of that folder's weights.

    `root` and `weights` are None where the server does not report a folder, or is on another machine.
    """

    at: str
    root: str | None = None
    weights: str | None = None

    def __str__(self) -> str:
        return f"{self.at} ({self.root})" if self.root else self.at

    def same_model(self, other: JudgeLocation) -> bool:
        """Whether both have the same model, by the best evidence that both have: weights, folder, address."""
        if self.weights and other.weights:
            return self.weights == other.weights
        if self.root and other.root:
            return self.root == other.root
        return self.at == other.at


def judge_locations(config: JudgeConfig, listed: Mapping[str, ModelInfo]) -> dict[str, JudgeLocation]:
    """Judge → its location, for judges whose name does not identify the model.

    `listed` is what the endpoints that answered report of their models. A model of a public service is the
    same at every address, so it has no location.
    """
    found = {}
    for label, (name, one) in zip(identified_names(config), config.each.items(), strict=True):
        if name in listed and not _is_public(one):
            found[label] = _location(one, listed[name])
    return found


def identified_names(config: JudgeConfig) -> list[str]:
    """The name of each judge, with its identity where it has one."""
    return [f"{name} ({one.identity})" if one.identity else name for name, one in config.each.items()]


def merge_locations(
    stored: Mapping[str, Sequence[Sequence[Any]]], new: Mapping[str, JudgeLocation]
) -> dict[str, list[JudgeLocation]]:
    """The stored locations of each judge with the new ones; of several with the same model only the last."""
    found = {name: [JudgeLocation(*one) for one in known] for name, known in stored.items()}
    for name, location in new.items():
        others = (known for known in found.get(name, []) if not known.same_model(location))
        found[name] = [*others, location]
    return found


def relocation_note(name: str, locations: Sequence[JudgeLocation]) -> LocalizedText:
    """The note on a judge that was asked in several locations."""
    return msg("judge.moved", name=name, list=", ".join(map(str, locations)))


def relocated(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> Iterator[tuple[str, JudgeLocation, JudgeLocation]]:
    """Judges with one name that two runs asked in locations with different models."""
    for name in first.keys() & second.keys():
        ours, theirs = ([JudgeLocation(*one) for one in stored[name]] for stored in (first, second))
        if not any(a.same_model(b) for a in ours for b in theirs):
            yield name, ours[-1], theirs[-1]


def _is_public(config: JudgeConfig) -> bool:
    known = price(config.model) or deprecation(config.model)
    return known is not None or BaseUrl.parse(config.base_url).is_openai


def _location(config: JudgeConfig, info: ModelInfo) -> JudgeLocation:
    address = BaseUrl.parse(config.base_url)
    at = address.base_url
    if address.is_loopback:
        at = at.replace(f"//{address.host}", "//localhost", 1)
    if info.root and address.is_loopback and Path(info.root).is_dir():
        return JudgeLocation(at, info.root, weights_hash(info.root))
    return JudgeLocation(at, info.root)

"""Everything that can be told of a test set, at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simsa.hygiene.labels import mislabelled, unsupported
from simsa.hygiene.model import Finding, Hygiene, Kind, Match
from simsa.hygiene.overlap import duplicates, leaks
from simsa.records import Question

__all__ = ["Finding", "Hygiene", "Kind", "Match", "inspect"]


def inspect(test: Sequence[Question], train: Iterable[Question] = ()) -> Hygiene:
    """Leaks from `train` (streamed), doubles within `test`, and references that cannot be right."""
    return Hygiene((*leaks(test, train), *duplicates(test), *unsupported(test), *mislabelled(test)))

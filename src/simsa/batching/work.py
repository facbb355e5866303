"""What everything here works on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from simsa.config import JudgeConfig
from simsa.errors import ConfigError
from simsa.judges import Judge
from simsa.judges.asking import Correspondent
from simsa.progress import Progress
from simsa.store import TRANSIENT, Answered, Store
from simsa.store.batches import Ledger

_BLOCK = 512


class Member(NamedTuple):
    """One chat model that is asked, with its settings: the judge itself, or one of a panel, by its name there."""

    name: str
    judge: Correspondent
    config: JudgeConfig


@dataclass(frozen=True, slots=True)
class Work:
    """A run's judging. `retry` names statuses that are to be judged anew."""

    store: Store
    judge: Judge
    config: JudgeConfig
    progress: Progress
    retry: tuple[str, ...] = ()

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.store)

    @property
    def folder(self) -> Path:
        """Where request and result files are, while a job needs them."""
        return self.store.folder / "batches"

    @property
    def again(self) -> tuple[str, ...]:
        """Statuses that are no reason not to ask."""
        return (*TRANSIENT, *self.retry)

    def members(self) -> dict[str, Member]:
        """Who is asked, by name; the name of a judge that is alone is empty.

        Raises ConfigError for a judge whose requests cannot be written into files.
        """
        voice = getattr(self.judge, "voice", None)
        if voice is None:
            raise ConfigError(
                "has no requests that could be written into files",
                field="judge.model",
                found=self.judge.label,
                hint='use judge.via = "direct"',
            )
        each = self.config.each if self.config.panel else {"": self.config}
        return {name: Member(name, voice(name), config) for name, config in each.items()}

    def unjudged(self) -> Iterator[Answered]:
        """Every answer that has no verdict, or one that is to be made anew, block by block."""
        after = 0
        while block := self.store.unjudged(self.judge.task, after, _BLOCK, self.again):
            after = block[-1].serial
            yield from block

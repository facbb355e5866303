"""What is to be done about batches in one go of the program.

What everything here works on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from simsa.config import JudgeConfig
from simsa.errors import ConfigError
from simsa.judges import Judge
from simsa.judges.retry import BatchableJudge
from simsa.run.progress import Progress
from simsa.store import TRANSIENT, Answered, Store
from simsa.store.batches import BatchTable


@dataclass(frozen=True, slots=True)
class Wait:
    """Submit what is pending, and wait until everything is judged."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Submit what is pending, and leave."""


@dataclass(frozen=True, slots=True)
class Collect:
    """Fetch what is ready, and leave. Nothing is submitted, so nothing is spent."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Have the endpoint end what is open, and leave. What it has answered by then is still to be collected."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write what is pending into files in `folder`, to be run elsewhere."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Read:
    """Read the results of such files."""

    files: tuple[Path, ...]


Mode = Wait | Submit | Collect | Cancel | Write | Read


def default(config: JudgeConfig | None) -> Mode | None:
    """What a config asks for by itself; None: no batches."""
    return Wait() if config and config.via == "batch" and not config.is_local else None


def is_offline(mode: Mode | None) -> bool:
    """Whether no endpoint will be asked."""
    return isinstance(mode, Write | Read)


_BLOCK = 512


class BatchMember(NamedTuple):
    """One chat model that is asked, with its settings: the judge itself, or one of a panel, by its name there."""

    name: str
    judge: BatchableJudge
    config: JudgeConfig


@dataclass(frozen=True, slots=True)
class BatchContext:
    """A run's judging. `retry` names statuses that are to be judged anew."""

    store: Store
    judge: Judge
    config: JudgeConfig
    progress: Progress
    retry: tuple[str, ...] = ()

    @property
    def ledger(self) -> BatchTable:
        return BatchTable(self.store)

    @property
    def folder(self) -> Path:
        """Where request and result files are, while a job needs them."""
        return self.store.folder / "batches"

    @property
    def again(self) -> tuple[str, ...]:
        """Statuses that are no reason not to ask."""
        return (*TRANSIENT, *self.retry)

    def members(self) -> dict[str, BatchMember]:
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
        return {name: BatchMember(name, voice(name), config) for name, config in each.items()}

    def unjudged(self) -> Iterator[Answered]:
        """Every answer that has no verdict, or one that is to be made anew, block by block."""
        after = 0
        while block := self.store.unjudged(self.judge.task, after, _BLOCK, self.again):
            after = block[-1].serial
            yield from block

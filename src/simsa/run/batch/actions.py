"""What to do about batches in one call of the program, and what all of it works on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from simsa.config import JudgeConfig
from simsa.errors import ConfigError
from simsa.i18n.messages import msg
from simsa.judges import Judge
from simsa.judges.conversation import ChatJudge
from simsa.run.progress import Progress
from simsa.store import TRANSIENT, Answered, Store
from simsa.store.batches import BatchTable

_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Wait:
    """Submit what is pending, and wait until everything is judged."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Submit what is pending, and return."""


@dataclass(frozen=True, slots=True)
class Collect:
    """Fetch what is ready, and return. Nothing is submitted, so nothing is spent."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel open batches at the endpoint, and return. Replies that exist by then can still be collected."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write what is pending into files in `folder`, to be run elsewhere."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Read:
    """Read the results of such files."""

    files: tuple[Path, ...]


BatchAction = Wait | Submit | Collect | Cancel | Write | Read


def default_action(config: JudgeConfig | None) -> BatchAction | None:
    """The action that a config implies; None: no batches."""
    return Wait() if config and config.via == "batch" and not config.is_local else None


def is_offline(action: BatchAction | None) -> bool:
    """Whether no endpoint is asked."""
    return isinstance(action, Write | Read)


class BatchMember(NamedTuple):
    """A chat model that is asked: the judge itself, under the name "", or a member of a panel."""

    name: str
    judge: ChatJudge
    config: JudgeConfig


@dataclass(frozen=True, slots=True)
class BatchContext:
    """The judging of a run by batch. `retry` names statuses to ask again."""

    store: Store
    judge: Judge
    config: JudgeConfig
    progress: Progress
    retry: tuple[str, ...] = ()

    @property
    def table(self) -> BatchTable:
        return BatchTable(self.store)

    @property
    def folder(self) -> Path:
        """Where request and result files are, while a job needs them."""
        return self.store.folder / "batches"

    @property
    def retried(self) -> tuple[str, ...]:
        """All statuses that are asked again."""
        return (*TRANSIENT, *self.retry)

    def members(self) -> dict[str, BatchMember]:
        """The chat models that are asked, by name. Raises ConfigError for a judge that is no chat model."""
        models = self.judge.chat_models()
        if not models:
            raise ConfigError(
                msg("error.batch.no_chat_model"),
                field="judge.model",
                found=self.judge.label,
                hint=msg("error.batch.use_direct"),
            )
        return {
            name: BatchMember(name, judge, self.config.each.get(name, self.config))
            for name, judge in models.items()
        }

    def unjudged(self) -> Iterator[Answered]:
        """Every answer without a verdict, or with one to make again, block by block."""
        after = 0
        while block := self.store.unjudged(self.judge.task, after, _BLOCK, self.retried):
            after = block[-1].serial
            yield from block

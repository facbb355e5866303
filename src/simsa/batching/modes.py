"""What is to be done about batches in one go of the program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simsa.config import JudgeConfig


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

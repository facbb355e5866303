"""The embedded example: Korean test questions, two stages of a real LoRA fine-tune, recorded answers."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

ADAPTERS = ("rag-early", "rag-final")
JUDGE = "demo-judge"
_HERE = Path(__file__).parent


class DemoFiles(NamedTuple):
    """Where the parts of the example lie.

    `adapters` maps a variant's name to its PEFT folder, in the order of training;
    `judge` is the adapter of the demo's own judge, `rubric` the short text that it was trained to be asked by;
    `recorded` has the predictions of base and adapters that `simsa demo --replay` reads.
    """

    test: Path
    adapters: dict[str, Path]
    recorded: Path
    judge: Path
    rubric: Path


def demo_files() -> DemoFiles:
    """The files that came with the package."""
    return DemoFiles(
        test=_HERE / "data" / "test.jsonl",
        adapters={name: _HERE / "adapters" / name for name in ADAPTERS},
        recorded=_HERE / "data" / "predictions.jsonl",
        judge=_HERE / "adapters" / JUDGE,
        rubric=_HERE / "data" / "demo-ko.txt",
    )

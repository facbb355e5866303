"""Replaces vLLM by a small server process."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsa.engines import vllm_install

ROOT = Path(__file__).resolve().parents[2]


def stand_in(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *, cpu: bool = False, latency_s: float = 0.0
) -> Path:
    """Has `tests.servers.vllm` started for vLLM, as if there were a GPU unless `cpu`.

    Returns the file in which it writes the model of each request as it comes.
    """
    calls = folder / "calls.txt"
    monkeypatch.setattr(
        vllm_install, "installed", lambda: vllm_install.VllmInstall("0.0", cpu, "tests.servers.vllm")
    )
    for name, value in (("PYTHONPATH", ROOT), ("CALLS", calls), ("LATENCY", latency_s)):
        monkeypatch.setenv(name, str(value))
    return calls

"""The benchmark of the page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_it_reports_times_and_memory(tmp_path: Path) -> None:
    command = [sys.executable, "bench/page.py", "-n", "120", "--keep", str(tmp_path / "run")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    rows = {line[:36].strip(): line[36:].split() for line in done.stdout.splitlines()}
    assert {"first page", "status", "search, everywhere", "by difference", "overview"} <= rows.keys()
    slowest, median, busy = map(float, rows["first page"])
    assert 0 <= median <= slowest
    assert busy > 0
    assert len([name for name in rows if name.endswith(", any order")]) == 12
    assert re.fullmatch(r"\d+ MB", " ".join(rows["memory at most"]))
    assert (tmp_path / "run" / "run.sqlite").exists()

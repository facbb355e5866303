"""The benchmark runs, and means what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_it_compares_whole_processes() -> None:
    command = [
        sys.executable,
        "bench/overhead.py",
        "bare",
        "client",
        "-n",
        "300",
        "--rounds",
        "1",
        "--in-flight",
        "16",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    bare, client = done.stdout.splitlines()
    assert re.fullmatch(r"bare +\d+ rows/s +\d+ rows/CPU s +1\.00 and 1\.00 of bare", bare)
    ratio = re.search(r" (\d\.\d\d) of bare$", client)
    assert ratio
    assert float(ratio[1]) > 0.2  # mostly imports at so few rows

"""`simsa view` as a process that can be killed and restarted."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self


class Viewing:
    """A server over `runs`. `address` ends in a slash."""

    def __init__(self, *runs: Path, port: int | None = None, options: tuple[str, ...] = ()) -> None:
        self.port = port or free_port()
        self._command = [sys.executable, "-m", "simsa", "view", *map(str, runs), "--no-open"]
        self._command += ["--port", str(self.port), *options]
        self.address = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            assert self._wait() == 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        assert self.address, "the server did not start"

    def kill(self) -> None:
        """As the power going: nothing is said to it."""
        assert self._process is not None
        self._process.kill()
        self._wait()

    def _wait(self) -> int:
        assert self._process is not None
        code = self._process.wait(20)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def until(
    what: Callable[[], object], why: Callable[[], str] = lambda: "waited in vain", s: float = 15.0
) -> None:
    """Waits up to `s` seconds until `what()` is true; else fails and says `why()`."""
    end = time.monotonic() + s
    while not what():
        assert time.monotonic() < end, why()
        time.sleep(0.03)

"""A pseudo terminal with an emulator that shows what a command printed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

import pyte
import pytest

from simsa.cli.main import run

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]")


class Shown:
    """What stood on a terminal of `width` cells after `data` was written to it."""

    def __init__(self, data: bytes, width: int) -> None:
        self.data = data
        self.width = width
        self.raw = data.decode("utf-8", "replace").replace("\r\n", "\n")
        bare = ESCAPE.sub("", self.raw)
        rows = sum(1 + 2 * len(line) // width for line in bare.split("\n")) + 2
        self._screen = pyte.Screen(width, rows)
        pyte.ByteStream(self._screen).feed(data)

    @property
    def cursor_hidden(self) -> bool:
        return bool(self._screen.cursor.hidden)

    @property
    def lines(self) -> list[str]:
        """The rows of the screen, without what is empty below. A row that was broken counts as two."""
        rows = [self._row(n) for n in range(self._screen.lines)]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def _row(self, n: int) -> str:
        cells = self._screen.buffer[n]
        return "".join(cells[x].data for x in range(max(cells, default=-1) + 1)).rstrip()

    def ends(self, row: int) -> int:
        """How many cells of a row are taken up, a wide character taking two: its second cell holds nothing."""
        cells = self._screen.buffer[row]
        return max((x + 1 for x, cell in cells.items() if cell.data != " "), default=0)

    @property
    def broken(self) -> list[str]:
        """Lines that were longer than the terminal is wide."""
        roomy = Shown(self.data, 4 * self.width)
        return [line for n, line in enumerate(roomy.lines) if roomy.ends(n) > self.width]


@contextlib.contextmanager
def _reading(ours: int) -> Iterator[list[bytes]]:
    """Reads a terminal until it is closed."""
    chunks: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 65536):
                chunks.append(chunk)

    thread = threading.Thread(target=read)
    thread.start()
    yield chunks
    thread.join()


def size(descriptor: int, width: int, height: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def look(
    argv: Sequence[str],
    width: int,
    *,
    height: int = 24,
    code: int | None = 0,
    environment: Mapping[str, str] = {},
) -> Shown:
    """Runs a command in this process with its stdout and stderr on a terminal."""
    ours, theirs = pty.openpty()
    size(theirs, width, height)
    stream: TextIO = os.fdopen(theirs, "w", encoding="utf-8", buffering=1)
    settings = {"COLUMNS": str(width), "LINES": str(height), "TERM": "xterm-256color", "PAGER": "cat"}
    with pytest.MonkeyPatch.context() as patch, _reading(ours) as chunks:
        for name, value in (settings | dict(environment)).items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdout", stream)
        patch.setattr(sys, "stderr", stream)
        try:
            found = run(argv)
        finally:
            stream.close()
    os.close(ours)
    assert code is None or found == code, b"".join(chunks).decode("utf-8", "replace")
    return Shown(b"".join(chunks), width)


class Terminal:
    """A command in a process of its own on a terminal: it can be typed at, resized and interrupted."""

    def __init__(
        self, argv: Sequence[str], width: int = 80, height: int = 24, environment: Mapping[str, str] = {}
    ) -> None:
        self._ours, theirs = pty.openpty()
        size(theirs, width, height)
        self.width = width
        self.data = b""
        settings = {"TERM": "xterm-256color"} | dict(environment)
        inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "simsa", *argv],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=inherited | settings,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)

    def until(self, text: str, seconds: float = 60) -> None:
        """Waits until `text` has been written."""
        end = time.monotonic() + seconds
        while text not in self.data.decode("utf-8", "replace"):
            assert self._read(end - time.monotonic()), f"never said {text!r}: {self.data!r}"

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def kill(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        """Reads on until the command has ended; its exit code."""
        while self._read(60):
            pass
        os.close(self._ours)
        return self._process.wait(30)

    @property
    def shown(self) -> Shown:
        return Shown(self.data, self.width)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, seconds))
        if not ready:
            return False
        try:
            chunk = os.read(self._ours, 65536)
        except OSError:
            return False
        self.data += chunk
        return bool(chunk)

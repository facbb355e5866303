"""Runs a command and ends it, with everything it started, when the parent is gone.

    python guard.py COMMAND…

stdin closes when the parent closes it, exits or is killed, even with -9. The command then gets
SIGTERM and, after a grace period, its whole process group gets SIGKILL. Processes that the
command leaves behind are killed too. The first line of stdout is the process group of the
command; the command's own output goes to stderr. The exit status is that of the command
(128 + n for signal n).

Only the standard library is imported, so that the guard starts at once and stays small.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

GRACE_S = 10.0
_POLL_S = 0.2


def main(command: list[str]) -> int:
    """Runs `command` to its end; returns the exit status to leave with."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True)
    print(child.pid, flush=True)
    deadline = None
    while (status := child.poll()) is None:
        if deadline is not None:
            time.sleep(_POLL_S / 4)
            if time.monotonic() > deadline:
                _end(child.pid)
        elif not _parent_lives():
            # The command alone is asked first: it ends its own children in good order.
            child.terminate()
            deadline = time.monotonic() + GRACE_S
    _end(child.pid)
    return status if status >= 0 else 128 - status


def _parent_lives() -> bool:
    readable, _, _ = select.select([0], [], [], _POLL_S)
    return not readable or bool(os.read(0, 64))


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Whatever ends the parent, nothing it started stays behind.

What is run here stands in for vLLM as a family of processes: a parent that ignores
signals or not, children and grandchildren.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simsa.engines import process_guard

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX")

# Starts a child that starts a grandchild; each writes its pid; all wait.
_FAMILY = """
import os, signal, subprocess, sys, time
place, depth, stubborn = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "stubborn"
if stubborn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if depth:
    subprocess.Popen([sys.executable, "-I", __file__, place, str(depth - 1), sys.argv[3]])
open(os.path.join(place, f"{os.getpid()}.pid"), "w").close()
time.sleep(300)
"""


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "pids").mkdir()
    (tmp_path / "family.py").write_text(_FAMILY)
    yield tmp_path
    for pid in _pids(tmp_path):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _command(family: Path, manner: str = "polite") -> list[str]:
    return [sys.executable, "-I", str(family / "family.py"), str(family / "pids"), "2", manner]


def _pids(family: Path) -> list[int]:
    return [int(file.stem) for file in (family / "pids").glob("*.pid")]


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _wait(condition: object, seconds: float = 20.0) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", process_guard.__file__, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def test_closing_the_lifeline_ends_the_family(family: Path) -> None:
    with _start(_command(family)) as guarding:
        assert _wait(lambda: len(_pids(family)) == 3)
        assert guarding.stdin
        guarding.stdin.close()
        assert guarding.wait(20) == 128 + signal.SIGTERM
    assert _wait(lambda: not any(map(_alive, _pids(family))))


def test_the_stubborn_are_killed(family: Path, tmp_path: Path) -> None:
    quick = tmp_path / "guard.py"
    quick.write_text(Path(process_guard.__file__).read_text().replace("GRACE_S = 10.0", "GRACE_S = 0.3"))
    command = [sys.executable, "-I", str(quick), *_command(family, "stubborn")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as guarding:
        assert _wait(lambda: len(_pids(family)) == 3)
        assert guarding.stdin
        guarding.stdin.close()
        assert guarding.wait(20) == 128 + signal.SIGKILL
    assert _wait(lambda: not any(map(_alive, _pids(family))))


def test_kill_9_of_the_parent_ends_the_family(family: Path) -> None:
    """The parent here is a process that started the guard and waits, as simsa does."""
    script = textwrap.dedent(
        f"""
        import subprocess, sys, time
        subprocess.Popen([sys.executable, "-I", {process_guard.__file__!r}, *{_command(family)!r}], stdin=subprocess.PIPE,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(300)
        """
    )
    with subprocess.Popen([sys.executable, "-I", "-c", script]) as parent:
        assert _wait(lambda: len(_pids(family)) == 3)
        parent.kill()
    assert _wait(lambda: not any(map(_alive, _pids(family))))


def test_a_parent_that_dies_alone_leaves_no_children(family: Path) -> None:
    """As when vLLM's API server is killed and its engine is not."""
    with _start(_command(family)) as guarding:
        assert guarding.stdout
        group = int(guarding.stdout.readline())
        assert _wait(lambda: len(_pids(family)) == 3)
        assert group in _pids(family)
        os.kill(group, signal.SIGKILL)
        assert guarding.wait(20) == 128 + signal.SIGKILL
    assert _wait(lambda: not any(map(_alive, _pids(family))))


@pytest.mark.parametrize("status", [0, 1, 2, 77])
def test_the_exit_status_comes_through(status: int) -> None:
    with _start([sys.executable, "-I", "-c", f"raise SystemExit({status})"]) as guarding:
        assert guarding.wait(20) == status


def test_output_goes_to_stderr_and_the_group_to_stdout() -> None:
    script = "print('hello'); import os; print(os.getpgid(0))"
    out, err = _run([sys.executable, "-I", process_guard.__file__, sys.executable, "-I", "-c", script])
    hello, group = err.split()
    assert (hello, group) == ("hello", out.strip())


def test_ctrl_c_at_the_terminal_does_not_reach_it(family: Path) -> None:
    """Only the parent decides: the guard and its command are in sessions of their own."""
    with _start(_command(family)) as guarding:
        assert guarding.stdout
        group = int(guarding.stdout.readline())
        assert len({os.getsid(0), os.getsid(guarding.pid), os.getsid(group)}) == 3
        assert guarding.stdin
        guarding.stdin.close()
        guarding.wait(20)


def test_it_imports_nothing_of_ours() -> None:
    command = [
        sys.executable,
        "-I",
        "-X",
        "importtime",
        process_guard.__file__,
        sys.executable,
        "-I",
        "-c",
        "pass",
    ]
    _, imported = _run(command)
    assert "subprocess" in imported
    assert "simsa" not in imported and "asyncio" not in imported


def _run(command: list[str]) -> tuple[str, str]:
    """Both outputs, with stdin held open to the end."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout and process.stderr
        assert process.wait(20) == 0
        return process.stdout.read(), process.stderr.read()

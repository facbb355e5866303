"""`make test` looks for a browser, installs one where it may, and otherwise says that its tests are skipped."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

MAKE = shutil.which("make")
MAKEFILE = Path(__file__).resolve().parents[1] / "Makefile"
pytestmark = pytest.mark.skipif(MAKE is None, reason="needs make")

Machine = Callable[..., tuple[str, bool]]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with nothing but a shell and `programs`, each a script; what `make` says, and whether it is settled."""

    def run(**programs: str) -> tuple[str, bool]:
        place, venv = tmp_path / "bin", tmp_path / "venv"
        shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(venv, ignore_errors=True)
        place.mkdir()
        venv.mkdir()
        (venv / ".venv").touch()
        for name in ("sh", "touch", "echo"):
            (place / name).symlink_to(str(shutil.which(name)))
        for name, script in programs.items():
            file = place / name.replace("_", "-")
            file.write_text(f"#!/bin/sh\n{script}\n")
            file.chmod(0o755)
        assert MAKE is not None
        done = subprocess.run(
            [MAKE, "-s", "-f", str(MAKEFILE), f"VENV={venv}", f"{venv}/.browser"],
            env={"PATH": str(place), "LOG": str(tmp_path / "log")},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, "what can't be installed is no failure"
        assert done.stderr == ""
        return done.stdout, (venv / ".browser").exists()

    return run


ROOT, USER = "echo 0", "echo 1000"
APT = 'echo "$@" >> "$LOG"'


@pytest.mark.parametrize("name", ["chromium", "chromium_browser", "google_chrome"])
def test_a_browser_that_is_there_is_taken(machine: Machine, name: str) -> None:
    assert machine(id=ROOT, chromedriver="", apt_get="exit 1", **{name: ""}) == ("", True)


def test_root_installs_one(machine: Machine, tmp_path: Path) -> None:
    said, settled = machine(id=ROOT, apt_get=APT)
    assert said == "installing Chromium for the tests of the page\n"
    assert settled
    update, install = (tmp_path / "log").read_text().splitlines()
    assert update.endswith(" update")
    assert install.endswith(" chromium chromium-driver fonts-noto-cjk")
    assert " -y " in install


@pytest.mark.parametrize("step", ["update", "install"])
def test_what_fails_is_said_and_tried_again_another_time(machine: Machine, step: str) -> None:
    said, settled = machine(id=ROOT, apt_get=f'case "$*" in *{step}*) exit 100;; esac')
    assert said.endswith("Chromium can't be installed: tests of the page in a browser are skipped\n")
    assert not settled


@pytest.mark.parametrize("programs", [{"id": USER, "apt_get": APT, "sudo": APT}, {"id": ROOT}, {"id": USER}])
def test_without_the_right_to_install_it_is_said_how(
    machine: Machine, tmp_path: Path, programs: dict[str, str]
) -> None:
    said, settled = machine(chromium="", **programs)
    assert said.startswith("no Chromium: tests of the page in a browser are skipped")
    assert "apt-get install chromium chromium-driver fonts-noto-cjk" in said
    assert not settled
    assert not (tmp_path / "log").exists(), "nothing was tried"

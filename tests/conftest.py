"""What holds for every test: no network but loopback, and nobody's key or language."""

from __future__ import annotations

import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.support.running_vllm import demo_model, vllm_server

# A shell that runs the tests in the background has interruptions ignored, by all that the tests start too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

__all__ = ["demo_model", "vllm_server"]

# A shared machine is slow at times; how long an example takes says nothing about the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

_KEYS = (
    "LC_ALL",
    "LC_MESSAGES",
    "LANG",
    "OPENAI_API_KEY",
    "HF_TOKEN",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
)


class NetworkForbidden(Exception):
    """A test tried to leave this machine."""


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", _resolving(socket.getaddrinfo))
        yield


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _KEYS:
        monkeypatch.delenv(name, raising=False)


def _guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            raise NetworkForbidden(f"a test tried to connect to {address[0]}")
        return connect(self, address)

    return guarded


def _resolving(resolve: Callable[..., Any]) -> Callable[..., Any]:
    def resolving(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name and not _is_local(name):
            if name.endswith(".invalid"):  # reserved never to exist: nothing to be asked
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            raise NetworkForbidden(f"a test tried to look up {name}")
        return resolve(host, *args, **kwargs)

    return resolving


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False

"""vLLM as a child process: starts it, watches it, and ends it with its whole process group."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from simsa.engines import process_guard, startup_log
from simsa.engines.deployment import ServerPlan
from simsa.errors import ConfigError, EngineError, SimsaError
from simsa.i18n.messages import msg

if TYPE_CHECKING:
    import aiohttp

LOOPBACK = "127.0.0.1"
_ATTEMPTS = 3
_POLL_S = 0.25
_KILLED = 128 + signal.SIGKILL


class VllmServer:
    """Runs the vLLM of `plan` for the duration of an `async with` block.

    It listens on loopback, on a free port, with a random key that is only in the child's environment. Its output
    goes to a file in `logs` (mode 0600). `say` receives the phases of the start. vLLM ends with this process, also
    when this process is killed with -9.

    Entering raises EngineError with the relevant line of the log if vLLM does not start in time, and ConfigError if
    vLLM refuses an argument.
    """

    def __init__(
        self,
        plan: ServerPlan,
        logs: Path,
        say: Callable[[str], None] = lambda text: None,
        *,
        host: str = LOOPBACK,
        port: int | None = None,
        key: str | None = None,
    ) -> None:
        self.plan = plan
        self.log = logs / f"vllm-{plan.name}.log"
        self.key = key or secrets.token_urlsafe(24)
        self.startup_s = 0.0
        self._say = say
        self._host = host
        self._port = self._wanted_port = port or 0
        self._offset = 0
        self._group: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ended: asyncio.Task[int] | None = None

    @property
    def base_url(self) -> str:
        host = LOOPBACK if self._host == "0.0.0.0" else self._host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}/v1"

    @property
    def models(self) -> tuple[str, ...]:
        """The model names that requests may use: the base model and its adapters."""
        return self.plan.models

    @property
    def version(self) -> str:
        """vLLM's version."""
        return self.plan.vllm.version

    async def died(self) -> None:
        """Waits until vLLM ends, which is always an error, and raises EngineError."""
        assert self._ended, "not started"
        raise self._failure(msg("vllm.ended"), await asyncio.shield(self._ended))

    def check(self) -> None:
        """Raises EngineError if vLLM has ended."""
        if self._ended and self._ended.done():
            raise self._failure(msg("vllm.ended"), self._ended.result())

    async def __aenter__(self) -> Self:
        began = time.monotonic()
        models = ", ".join(self.models)
        self._say(msg("vllm.starting", version=self.version, models=models, log=str(self.log)))
        try:
            async with asyncio.timeout(self.plan.start_timeout_s):
                await self._start()
        except BaseException as error:
            await self._end()
            if isinstance(error, TimeoutError):
                raise self._late() from None
            raise
        self.startup_s = time.monotonic() - began
        self._say(msg("vllm.ready", seconds=self.startup_s))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _start(self) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            self._port = self._wanted_port or _free_port(self._host)
            await self._launch()
            try:
                await self._until_ready()
                return
            except EngineError:
                # Another process took the port before vLLM bound it.
                await self._end()
                lost = startup_log.PORT_TAKEN.search(self._output())
                if not lost or self._wanted_port or attempt == _ATTEMPTS:
                    raise

    async def _launch(self) -> None:
        command = [sys.executable, "-m", self.plan.vllm.module, *self.plan.argv]
        command += [f"--host={self._host}", f"--port={self._port}"]
        with self._open_log() as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                process_guard.__file__,
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**self.plan.env, "VLLM_API_KEY": self.key},
                cwd=self.plan.cwd,
                start_new_session=True,
            )
        self._ended = asyncio.create_task(self._process.wait())
        assert self._process.stdout
        line = await self._process.stdout.readline()
        self._group = int(line) if line.strip().isdigit() else None

    @contextlib.contextmanager
    def _open_log(self) -> Iterator[int]:
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise EngineError(
                msg("error.engines.vllm_s_log_cannot_written", strerror=error.strerror), where=str(self.log)
            ) from None
        try:
            self._offset = os.fstat(descriptor).st_size
            yield descriptor
        finally:
            os.close(descriptor)

    async def _until_ready(self) -> None:
        import aiohttp

        assert self._ended
        phases = self._phases()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            while True:
                for phase in next(phases):
                    self._say(msg("vllm.phase", phase=phase))
                if await self._ready(session):
                    return
                await asyncio.wait((self._ended,), timeout=_POLL_S)
                if self._ended.done():
                    raise self._failure(msg("vllm.not_started"), self._ended.result())

    def _phases(self) -> Iterator[list[str]]:
        """Yields the new phases of the start, read from the log since the last call."""
        read, told = self._offset, ""
        while True:
            fresh = startup_log.read_from(self.log, read)
            read += len(fresh)
            new = []
            for line in fresh.decode("utf-8", "replace").splitlines():
                if (phase := startup_log.phase(line)) and phase != told:
                    told = phase
                    new.append(phase)
            yield new

    async def _ready(self, session: aiohttp.ClientSession) -> bool:
        """Whether our server answers with all of its models."""
        import aiohttp

        root = self.base_url.removesuffix("/v1")
        try:
            async with session.get(f"{root}/health") as health:
                if health.status != 200:
                    return False
            bearer = {"Authorization": f"Bearer {self.key}"}
            async with session.get(f"{self.base_url}/models", headers=bearer) as listed:
                known = {model["id"] for model in (await listed.json())["data"]}
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
            return False
        return known >= set(self.models)

    async def _end(self) -> None:
        """Closes the guard's stdin, on which the guard ends vLLM; kills the process group if the guard is gone."""
        if not (self._process and self._ended):
            return
        if self._process.stdin:
            self._process.stdin.close()
        await asyncio.wait((self._ended,), timeout=process_guard.GRACE_S + 5)
        if not self._ended.done():
            self._process.kill()
            await self._ended
        if self._ended.result() < 0 and self._group:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, signal.SIGKILL)

    def _output(self) -> str:
        return startup_log.read_from(self.log, self._offset).decode("utf-8", "replace")

    def _failure(self, what: str, status: int) -> SimsaError:
        found = startup_log.startup_failure(self._output())
        if found and status == 2 and ": error: " in found.line:
            return ConfigError(
                msg("error.engines.vllm_refuses", value=found.line.partition(": error: ")[2]),
                field="serving.args",
                hint=str(self.log),
            )
        if found:
            return EngineError(f"{what}: {found.line}", where=str(self.log), hint=found.hint)
        if status in (_KILLED, -signal.SIGKILL):
            return EngineError(
                msg("error.engines.was_killed_signal", what=what),
                where=str(self.log),
                hint=msg("error.engines.most_likely_memory_ran_out"),
            )
        return EngineError(
            msg("error.engines.exit_status", what=what, status=status),
            where=str(self.log),
            hint=msg("error.engines.log_tells_more"),
        )

    def _late(self) -> EngineError:
        found = startup_log.startup_failure(self._output())
        return EngineError(
            msg(
                "error.engines.vllm_was_not_ready_within",
                start_timeout_s=self.plan.start_timeout_s,
                value=f": {found.line}" if found else "",
            ),
            where=str(self.log),
            hint=msg("error.engines.raise_serving_start_timeout_s"),
        )


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            raise ConfigError(
                msg("error.engines.nothing_can_listen_there", strerror=error.strerror),
                field="--host",
                found=host,
            ) from None
        return int(probe.getsockname()[1])

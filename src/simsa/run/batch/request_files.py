"""Request files within an endpoint's limits, and the request format that an endpoint takes."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Self

from simsa.errors import InputError
from simsa.i18n.messages import msg
from simsa.llm import Capabilities, CapabilityLearner, batch_lines
from simsa.llm.api_errors import ErrorResponse
from simsa.llm.base_url import BaseUrl
from simsa.run.batch.actions import BatchContext, BatchMember

MB = 1_000_000
_CUSTOM_ID = re.compile(r"([0-9a-f]{32})-(\d{1,6})")


def custom_id(request_hash: str, round: int) -> str:
    """The `custom_id` of a request; `round` counts how often the request was sent before."""
    return f"{request_hash}-{round}"


def request_of(custom_id: str) -> tuple[str, int] | None:
    """The request hash and round in a `custom_id`; None for one that simsa did not write."""
    found = _CUSTOM_ID.fullmatch(custom_id)
    return (found[1], int(found[2])) if found else None


@dataclass(slots=True)
class RequestFile:
    """A request file: its requests in order, as (hash, estimated USD), and its size in bytes."""

    key: str
    path: Path
    requests: list[tuple[str, float | None]] = field(default_factory=list)
    bytes: int = 0

    @property
    def estimate_usd(self) -> float | None:
        """None when no price is known."""
        known = [usd for _, usd in self.requests if usd is not None]
        return sum(known) if len(known) == len(self.requests) else None


class RequestFiles:
    """Writes requests into as many files as the limits need; `finished` gets each file once it is on disk."""

    def __init__(
        self,
        folder: Path,
        *,
        max_requests: int,
        max_mb: float,
        finished: Callable[[RequestFile], Awaitable[None]],
        name: Callable[[str], str] = "{}.jsonl".format,
    ) -> None:
        self._folder = folder
        self._max_requests = max_requests
        self._max_bytes = int(max_mb * MB)
        self._finished = finished
        self._name = name
        self._open: tuple[RequestFile, BinaryIO] | None = None

    async def add(self, request_hash: str, round: int, body: Mapping[str, Any], usd: float | None) -> bool:
        """Adds a request. Returns False where the request alone exceeds the size of a file."""
        line = batch_lines.request_line(custom_id(request_hash, round), body)
        if len(line) > self._max_bytes:
            return False
        if self._open:
            file, _ = self._open
            if len(file.requests) >= self._max_requests or file.bytes + len(line) > self._max_bytes:
                await self.close()
        file, stream = self._open = self._open or self._begin()
        with _write_errors(file.path):
            stream.write(line)
        file.requests.append((request_hash, usd))
        file.bytes += len(line)
        return True

    async def close(self) -> None:
        """Ends the open file, if there is one."""
        if self._open is None:
            return
        (file, stream), self._open = self._open, None
        with _write_errors(file.path), stream:
            stream.flush()
            os.fsync(stream.fileno())
        with _write_errors(file.path):
            _unfinished(file.path).replace(file.path)
            _sync_folder(self._folder)
        await self._finished(file)

    def abandon(self) -> None:
        """Deletes the open file, if there is one."""
        if self._open:
            (file, stream), self._open = self._open, None
            stream.close()
            _unfinished(file.path).unlink(missing_ok=True)

    def _begin(self) -> tuple[RequestFile, BinaryIO]:
        key = secrets.token_hex(8)
        path = self._folder / self._name(key)
        with _write_errors(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            return RequestFile(key, path), _unfinished(path).open("wb")


def request_file(folder: Path, key: str) -> Path:
    return folder / f"{key}.jsonl"


def output_file(folder: Path, key: str) -> Path:
    return folder / f"{key}.output.jsonl"


def error_file(folder: Path, key: str) -> Path:
    return folder / f"{key}.errors.jsonl"


def remove_unfinished(folder: Path, known: Collection[str]) -> None:
    """Removes the files that an interrupted process left: unfinished ones, and those of unknown jobs."""
    if not folder.is_dir():
        return
    for file in folder.iterdir():
        if file.suffix == ".part" or (file.suffix == ".jsonl" and file.name.partition(".")[0] not in known):
            file.unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _sync_folder(folder: Path) -> None:
    """Makes the new file name survive a power failure."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    """Raises InputError for what the operating system refuses."""
    try:
        yield
    except OSError as error:
        raise InputError(msg("error.cli.cannot_written", strerror=error.strerror), where=str(path)) from None


class RequestFormats:
    """The request fields to send to a member now, and those that each earlier job was sent with."""

    def __init__(
        self,
        name: str,
        now: Capabilities,
        by_job: Mapping[str, Capabilities],
        unverified: Set[str] = frozenset(),
    ) -> None:
        """`unverified` are fields that were refused outside of batches only."""
        self.now = now
        self._meta = f"batch_form:{name}"
        self._first = now
        self._by_job = by_job
        self._unverified = unverified

    @classmethod
    def of(cls, context: BatchContext, member: BatchMember, *, elsewhere: bool) -> Self:
        """What the responses to earlier batches of this run have shown, or else those to its other requests.

        `elsewhere`: the requests are for another endpoint, about which nothing is known.
        """
        config = member.config
        name = f"{config.model}@{BaseUrl.parse(config.base_url).base_url}"
        by_job = {key: Capabilities.from_state(form) for key, form in context.table.forms().items()}
        if stored := context.store.meta(f"batch_form:{name}"):
            return cls(name, Capabilities.from_state(stored), by_job)
        saved = {} if elsewhere else context.store.meta("capabilities", {})
        now = CapabilityLearner(config.base_url, config.model, config.extra_body, saved).capabilities
        return cls(name, now, by_job, unverified=now.refused)

    def keep(self, context: BatchContext) -> None:
        """Stores the fields for the next batch, if they have changed."""
        if self.now is not self._first:
            context.store.set_meta(**{self._meta: self.now.to_state()})

    def asked_in(self, job: str | None) -> Capabilities:
        """The fields that a job was sent with."""
        return self._by_job.get(job or "", self._first)

    def learn(
        self, job: str | None, error: ErrorResponse, sent: Mapping[str, Any]
    ) -> tuple[bool, str | None]:
        """Whether the next request will differ in the field that `error` is about, and the field if it is news."""
        asked = self.asked_in(job)
        learnt = asked.without(error, sent, self._unverified)
        if learnt is None:
            return False, None
        news = sorted(learnt.refused - self.now.refused)
        if news:
            swap = self.now.length_field in learnt.refused
            length = learnt.length_field if swap else self.now.length_field
            accepted_again = asked.refused - learnt.refused
            refused = self.now.refused.difference(accepted_again).union(news)
            self.now = replace(self.now, length_field=length, refused=refused)
        return True, news[0] if news else None

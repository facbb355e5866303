"""Request files within an endpoint's limits, on disk whole before anything counts on them.

In which form an endpoint takes requests: learnt from refusals, kept with the run.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Self

from simsa.errors import InputError
from simsa.llm import Capabilities, CapabilityLearner, batch_lines
from simsa.llm.api_errors import ErrorResponse
from simsa.llm.base_url import BaseUrl
from simsa.run.batch.actions import BatchContext, BatchMember

MB = 1_000_000
_CUSTOM_ID = re.compile(r"([0-9a-f]{32})-(\d{1,6})")


def custom_id(request_hash: str, round: int) -> str:
    """How a line names its request; `round` tells its answer from one to an earlier asking."""
    return f"{request_hash}-{round}"


def request_of(custom_id: str) -> tuple[str, int] | None:
    """The request hash and round of a line; None for a line that is not ours."""
    found = _CUSTOM_ID.fullmatch(custom_id)
    return (found[1], int(found[2])) if found else None


@dataclass(slots=True)
class RequestFile:
    """One finished file: its requests in order, as (hash, estimated USD), and its size in bytes."""

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
    """Writes requests into as many files as the limits want; `sealed` gets each one when it is on disk."""

    def __init__(
        self,
        folder: Path,
        *,
        most: int,
        most_mb: float,
        sealed: Callable[[RequestFile], Awaitable[None]],
        name: Callable[[str], str] = "{}.jsonl".format,
    ) -> None:
        self._folder = folder
        self._most = most
        self._most_bytes = int(most_mb * MB)
        self._sealed = sealed
        self._name = name
        self._now: RequestFile | None = None
        self._stream: BinaryIO | None = None

    async def add(self, request_hash: str, round: int, body: Mapping[str, Any], usd: float | None) -> bool:
        """Adds a request; False where it alone is more than a file may hold."""
        line = batch_lines.request_line(custom_id(request_hash, round), body)
        if len(line) > self._most_bytes:
            return False
        now = self._now
        if now and (len(now.requests) >= self._most or now.bytes + len(line) > self._most_bytes):
            await self.close()
        if self._now is None or self._stream is None:
            self._begin()
        assert self._now is not None
        assert self._stream is not None
        with _told(self._now.path):
            self._stream.write(line)
        self._now.requests.append((request_hash, usd))
        self._now.bytes += len(line)
        return True

    async def close(self) -> None:
        """Ends the file under way, if there is one."""
        now, stream = self._now, self._stream
        self._now = self._stream = None
        if now is None or stream is None:
            return
        with _told(now.path), stream:
            stream.flush()
            os.fsync(stream.fileno())
        with _told(now.path):
            _unfinished(now.path).replace(now.path)
            _sync_folder(self._folder)
        await self._sealed(now)

    def abandon(self) -> None:
        """Gives up the file under way."""
        now, stream = self._now, self._stream
        self._now = self._stream = None
        if now is not None and stream is not None:
            stream.close()
            _unfinished(now.path).unlink(missing_ok=True)

    def _begin(self) -> None:
        key = secrets.token_hex(8)
        path = self._folder / self._name(key)
        with _told(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._stream = _unfinished(path).open("wb")
        self._now = RequestFile(key, path)


def request_file(folder: Path, key: str) -> Path:
    return folder / f"{key}.jsonl"


def output_file(folder: Path, key: str) -> Path:
    return folder / f"{key}.output.jsonl"


def error_file(folder: Path, key: str) -> Path:
    return folder / f"{key}.errors.jsonl"


def tidy(folder: Path, known: Collection[str]) -> None:
    """Removes what an interrupted process left half made: files of jobs that were never written down."""
    if not folder.is_dir():
        return
    for file in folder.iterdir():
        if file.suffix == ".part" or (file.suffix == ".jsonl" and file.name.partition(".")[0] not in known):
            file.unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _sync_folder(folder: Path) -> None:
    """So that the new name survives a power cut too."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class _told:
    """Trouble with a file, in our words."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise InputError(f"cannot be written: {error.strerror}", where=str(self._path)) from None


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
    def of(cls, work: BatchContext, member: BatchMember, *, elsewhere: bool) -> Self:
        """What the responses to earlier batches of this run have shown, or else those to its other requests.

        `elsewhere`: the requests are for another endpoint, about which nothing is known.
        """
        config = member.config
        address = BaseUrl.parse(config.base_url)
        name = f"{config.model}@{address.base_url}"
        by_job = {key: Capabilities.from_state(form) for key, form in work.ledger.forms().items()}
        if kept := work.store.meta(f"batch_form:{name}"):
            return cls(name, Capabilities.from_state(kept), by_job)
        saved = {} if elsewhere else work.store.meta("capabilities", {})
        now = CapabilityLearner(config.base_url, config.model, config.extra_body, saved).capabilities
        return cls(name, now, by_job, unverified=now.refused)

    def keep(self, work: BatchContext) -> None:
        """Stores the fields for the next batch, if they have changed."""
        if self.now is not self._first:
            work.store.set_meta(**{self._meta: self.now.to_state()})

    def asked_in(self, job: str | None) -> Capabilities:
        """The fields that a job was sent with."""
        return self._by_job.get(job or "", self._first)

    def learn(
        self, job: str | None, refusal: ErrorResponse, sent: Mapping[str, Any]
    ) -> tuple[bool, str | None]:
        """Whether the next request will differ in the field that `refusal` is about, and the field if it is news."""
        asked = self.asked_in(job)
        learnt = asked.without(refusal, sent, self._unverified)
        if learnt is None:
            return False, None
        news = sorted(learnt.refused - self.now.refused)
        if news:
            swap = self.now.length_field in learnt.refused
            length = learnt.length_field if swap else self.now.length_field
            healed = asked.refused - learnt.refused
            refused = self.now.refused.difference(healed).union(news)
            self.now = replace(self.now, length_field=length, refused=refused)
        return True, news[0] if news else None

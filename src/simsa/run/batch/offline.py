"""Requests as files for `vllm run-batch` or anything else that takes them, and their results read back."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Literal, NamedTuple

from simsa.config import JudgeConfig
from simsa.errors import DataError, InputError
from simsa.i18n.language import join_text
from simsa.i18n.messages import msg
from simsa.judges import JudgeRequest
from simsa.llm.batch_lines import BatchResult, parse_result
from simsa.llm.chat import MalformedResponse
from simsa.run.batch import request_files as files
from simsa.run.batch.actions import BatchContext, BatchMember
from simsa.run.batch.judging_pass import BatchJudge, JudgingPass
from simsa.run.batch.request_files import RequestFile, RequestFiles, RequestFormats

Fate = Literal["new", "repeated", "known", "foreign"]


_BOM = b"\xef\xbb\xbf"
_FATES: tuple[Fate, ...] = ("new", "repeated", "known", "foreign")


class _ReplyPlace(NamedTuple):
    """Where an answer stands, and whether it is one."""

    path: Path
    line: int
    good: bool


async def write(work: BatchContext, folder: Path) -> None:
    """Writes what is pending into files `simsa-001.jsonl`, … in `folder`; nothing is sent or written down."""
    _want_empty(folder)
    written: list[tuple[RequestFile, BatchMember]] = []
    numbers = count(1)

    def request_files(member: BatchMember, forms: RequestFormats) -> RequestFiles:
        batch = member.config.batch

        async def sealed(file: RequestFile) -> None:
            written.append((file, member))

        mark = f"{re.sub(r'[^A-Za-z0-9._-]', '_', member.name)}-" if member.name else ""
        return RequestFiles(
            folder,
            most=batch.max_requests,
            most_mb=batch.max_mb,
            sealed=sealed,
            name=lambda key: f"simsa-{mark}{next(numbers):03}.jsonl",
        )

    done = JudgingPass(work, request_files, elsewhere=True)
    try:
        await done.run(BatchJudge(work))
    except BaseException:
        for file, _ in written:
            file.path.unlink(missing_ok=True)
        raise
    if not written:
        work.progress.say(msg("files.nothing"))
    for file, member in written:
        size = {"n": len(file.requests), "mb": file.bytes / files.MB}
        work.progress.say(msg("files.written", path=str(file.path), **size))
        work.progress.say(msg("files.run", command=_command(file.path, member.config)))


def _command(path: Path, judge: JudgeConfig) -> str:
    """How vLLM runs a file of requests; an adapter needs the base model's name, which is the reader's to fill in."""
    results = f"results-{path.name.removeprefix('simsa-')}"
    words = ["vllm", "run-batch", "-i", str(path), "-o", results, "--model", judge.model]
    if judge.adapter:
        words[-1:] = ["BASE", "--enable-lora", "--lora-modules", f"{judge.model}={judge.adapter}"]
    return shlex.join(words)


def _want_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            "is not an empty folder",
            where=str(folder),
            hint="name a new one: requests of an earlier time must not lie beside new ones",
        )


async def read(work: BatchContext, paths: Sequence[Path]) -> None:
    """Reads results from files, in any order, of any part of the requests.

    Raises DataError, before anything is kept, for a line that is no result.
    """
    chosen, fates = _sort(paths, await _wanted(work), work.store.judged_requests(()))
    work.ledger.keep_foreign(_chosen_lines(paths, chosen))
    done = JudgingPass(work, None, elsewhere=True)
    await done.run(BatchJudge(work))
    counted = [msg(f"files.{fate}", n=fates[fate]) for fate in _FATES if fates[fate]]
    work.progress.say(msg("files.lines", list=join_text(", ", counted or [msg("files.none")])))
    if done.unasked:
        work.progress.say(msg("files.unasked", n=done.unasked))


def _sort(
    paths: Sequence[Path], wanted: Mapping[str, int], judged: Collection[str]
) -> tuple[dict[str, _ReplyPlace], Counter[Fate]]:
    """Which line is the answer to each request, and how many lines there are of each fate.

    Of several answers to one request the first counts, and one that is an answer before one
    that is an error.
    """
    chosen: dict[str, _ReplyPlace] = {}
    fates: Counter[Fate] = Counter()
    for path in paths:
        for number, found in _lines(path):
            request = files.request_of(found.custom_id)
            if request is None or (request[0] not in wanted and request[0] not in judged):
                fates["foreign"] += 1
                continue
            key, round = request
            if wanted.get(key) != round:
                fates["known"] += 1
                continue
            fates["repeated" if key in chosen else "new"] += 1
            good = found.status == 200
            if key not in chosen or (good and not chosen[key].good):
                chosen[key] = _ReplyPlace(path, number, good)
    return chosen, fates


async def _wanted(work: BatchContext) -> dict[str, int]:
    """Every request that is to be asked, with the round it is in."""
    standings = work.ledger.standings()
    found: dict[str, int] = {}

    async def ask(request: JudgeRequest) -> None:
        standing = standings.get(request.request_hash)
        if standing in (None, "again"):
            row = work.ledger.row(request.request_hash) if standing else None
            found[request.request_hash] = row.round if row else 0

    await BatchJudge(work).over(ask)
    return found


def _chosen_lines(paths: Sequence[Path], chosen: dict[str, _ReplyPlace]) -> Iterator[tuple[str, int, bytes]]:
    for path in paths:
        for number, found in _lines(path):
            request = files.request_of(found.custom_id)
            place = chosen.get(request[0]) if request else None
            if request and place and (place.path, place.line) == (path, number):
                yield (*request, found.to_json())


def _lines(path: Path) -> Iterator[tuple[int, BatchResult]]:
    """The results in a file, with line numbers. Raises DataError."""
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                try:
                    yield number, parse_result(line.removeprefix(_BOM) if number == 1 else line)
                except MalformedResponse as malformed:
                    raise DataError(
                        str(malformed),
                        where=f"{path}:{number}",
                        found=line[:80].decode("utf-8", "replace"),
                        hint="nothing of it was read; if the file was cut while it was copied, copy it again",
                    ) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from None

"""Request files for `vllm run-batch` or another program that takes them, and reading their results."""

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
from simsa.run.batch.actions import BatchContext, BatchMember
from simsa.run.batch.judging_pass import BatchSession, JudgingPass
from simsa.run.batch.request_files import MB, RequestFile, RequestFiles, RequestFormats, request_of

LineKind = Literal["new", "repeated", "known", "foreign"]

_BOM = b"\xef\xbb\xbf"
_LINE_KINDS: tuple[LineKind, ...] = ("new", "repeated", "known", "foreign")


class _ReplyPosition(NamedTuple):
    """Where a reply is, and whether it is an answer rather than an error."""

    path: Path
    line: int
    is_answer: bool


async def write(context: BatchContext, folder: Path) -> None:
    """Writes pending requests into files `simsa-001.jsonl`, … in `folder`. Sends and stores nothing."""
    _require_empty(folder)
    written: list[tuple[RequestFile, BatchMember]] = []
    numbers = count(1)

    def files_for(member: BatchMember, formats: RequestFormats) -> RequestFiles:
        async def finished(file: RequestFile) -> None:
            written.append((file, member))

        batch = member.config.batch
        prefix = f"{re.sub(r'[^A-Za-z0-9._-]', '_', member.name)}-" if member.name else ""
        return RequestFiles(
            folder,
            max_requests=batch.max_requests,
            max_mb=batch.max_mb,
            finished=finished,
            name=lambda key: f"simsa-{prefix}{next(numbers):03}.jsonl",
        )

    try:
        await JudgingPass(context, files_for, elsewhere=True).run(BatchSession(context))
    except BaseException:
        for file, _ in written:
            file.path.unlink(missing_ok=True)
        raise
    say = context.progress.say
    if not written:
        say(msg("files.nothing"))
    for file, member in written:
        say(msg("files.written", path=str(file.path), n=len(file.requests), mb=file.bytes / MB))
        say(msg("files.run", command=_command(file.path, member.config)))


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            msg("error.batch.not_empty"),
            where=str(folder),
            hint=msg("error.batch.new_folder"),
        )


def _command(path: Path, judge: JudgeConfig) -> str:
    """The command that runs a request file with vLLM; the reader replaces BASE by the base model of an adapter."""
    results = f"results-{path.name.removeprefix('simsa-')}"
    words = ["vllm", "run-batch", "-i", str(path), "-o", results, "--model", judge.model]
    if judge.adapter:
        words[-1:] = ["BASE", "--enable-lora", "--lora-modules", f"{judge.model}={judge.adapter}"]
    return shlex.join(words)


async def read(context: BatchContext, paths: Sequence[Path]) -> None:
    """Reads results from files, in any order, of any part of the requests.

    Raises DataError, before anything is stored, for a line that is no result.
    """
    chosen, kinds = _choose(paths, await _pending(context), context.store.judged_requests(()))
    context.table.keep_foreign(_chosen_replies(paths, chosen))
    done = JudgingPass(context, None, elsewhere=True)
    await done.run(BatchSession(context))
    counted = [msg(f"files.{kind}", n=kinds[kind]) for kind in _LINE_KINDS if kinds[kind]]
    context.progress.say(msg("files.lines", list=join_text(", ", counted or [msg("files.none")])))
    if done.unasked:
        context.progress.say(msg("files.unasked", n=done.unasked))


def _choose(
    paths: Sequence[Path], pending: Mapping[str, int], judged: Collection[str]
) -> tuple[dict[str, _ReplyPosition], Counter[LineKind]]:
    """The line with the reply to each request, and the number of lines of each kind.

    Of several replies to one request, the first answer counts; without an answer, the first error.
    """
    chosen: dict[str, _ReplyPosition] = {}
    kinds: Counter[LineKind] = Counter()
    for path in paths:
        for number, found in _lines(path):
            request = request_of(found.custom_id)
            if request is None or (request[0] not in pending and request[0] not in judged):
                kinds["foreign"] += 1
                continue
            key, round = request
            if pending.get(key) != round:
                kinds["known"] += 1
                continue
            kinds["repeated" if key in chosen else "new"] += 1
            is_answer = found.status == 200
            if key not in chosen or (is_answer and not chosen[key].is_answer):
                chosen[key] = _ReplyPosition(path, number, is_answer)
    return chosen, kinds


async def _pending(context: BatchContext) -> dict[str, int]:
    """Every request without a reply that is not in a batch, with its round."""
    standings = context.table.standings()
    found: dict[str, int] = {}

    async def note(request: JudgeRequest) -> None:
        standing = standings.get(request.request_hash)
        if standing in (None, "again"):
            row = context.table.row(request.request_hash) if standing else None
            found[request.request_hash] = row.round if row else 0

    await BatchSession(context).run(note)
    return found


def _chosen_replies(
    paths: Sequence[Path], chosen: Mapping[str, _ReplyPosition]
) -> Iterator[tuple[str, int, bytes]]:
    for path in paths:
        for number, found in _lines(path):
            request = request_of(found.custom_id)
            position = chosen.get(request[0]) if request else None
            if request and position and (position.path, position.line) == (path, number):
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
                        hint=msg("error.batch.nothing_read"),
                    ) from None
    except OSError as error:
        raise DataError(msg("error.batch.cannot_read", strerror=error.strerror), where=str(path)) from None

"""Judged rows a second through an endpoint that answers at once: what simsa adds to the bare loop.

    python bench/overhead.py                     # every contender, 3 rounds, 6,000 rows, 256 in flight
    python bench/overhead.py bare client -n 2000

Each contender is a whole process on one core, from start to exit; the server has the other
core. All of them send the same requests and append one line of JSON a row to a file. Only
the ratios carry to other machines; on a busy one, go by the processor's time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

ROOT = Path(__file__).resolve().parent.parent
MODEL = "judge"
_INSTRUCTIONS = "너는 답변을 1점부터 5점까지 평가하는 심사자다. JSON으로만 답하라. " * 12


class Job(NamedTuple):
    """What a contender is to do: ask `url` about every row of `rows`, and keep the answers at `out`."""

    url: str
    rows: Path
    out: Path
    in_flight: int


Contender = Callable[[Job], Sequence[str]]
"""The command that does a job; its processes are timed as a whole."""


def bare(job: Job) -> Sequence[str]:
    """A loop over aiohttp that posts, parses and appends: the most that Python does here."""
    return _this("bare", job)


def client(job: Job) -> Sequence[str]:
    """The same loop over simsa's client, without the rest of simsa."""
    return _this("client", job)


def judge(job: Job) -> Sequence[str]:
    """`simsa judge`: reads the files, plans, asks by the built-in rubric, reads strictly, keeps all in SQLite."""
    return _simsa("judge", job)


def run(job: Job) -> Sequence[str]:
    """`simsa run`: that, and metrics, statistics and the report."""
    return _simsa("run", job)


def _simsa(command: str, job: Job) -> Sequence[str]:
    job.out.mkdir()
    config = job.out / "bench.toml"
    config.write_text(
        f'[data]\npath = "{job.rows}"\n[[variants]]\nname = "given"\npredictions = "{job.rows}"\n'
        f'[judge]\nmodel = "{MODEL}"\nbase_url = "{job.url}"\nmax_concurrency = {job.in_flight}\n'
    )
    return [sys.executable, "-m", "simsa", command, str(config), "-q"]


CONTENDERS: dict[str, Contender] = {"bare": bare, "client": client, "judge": judge, "run": run}


# Inside the contenders ----------------------------------------------------------------------


async def run_bare(job: Job) -> None:
    import aiohttp

    url = f"{job.url}/chat/completions"
    headers = {"content-type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=job.in_flight)) as session:

        async def judge(row: dict[str, Any], out: BinaryIO) -> None:
            body = {"model": MODEL, "messages": messages(row), "max_tokens": 512, "temperature": 0.0}
            async with session.post(url, data=orjson.dumps(body), headers=headers) as response:
                answer = orjson.loads(await response.read())
            append(out, row, answer["choices"][0]["message"]["content"], answer["usage"]["prompt_tokens"])

        await each(job, judge)


async def run_client(job: Job) -> None:
    from simsa.llm import ChatEndpoint, ChatReply, ChatRequest

    async with ChatEndpoint(job.url, MODEL, max_concurrency=job.in_flight) as endpoint:

        async def judge(row: dict[str, Any], out: BinaryIO) -> None:
            reply = await endpoint.complete(ChatRequest(messages(row), max_tokens=512))
            assert isinstance(reply, ChatReply), reply
            append(out, row, reply.text, reply.prompt_tokens)

        await each(job, judge)


async def each(job: Job, work: Callable[[dict[str, Any], BinaryIO], Any]) -> None:
    """Does `work` on every row, so many at a time."""
    with job.rows.open("rb") as lines, job.out.open("ab") as out:
        rows = _stream(lines)

        async def worker() -> None:
            async for row in rows:
                await work(row, out)

        async with asyncio.TaskGroup() as group:
            for _ in range(job.in_flight):
                group.create_task(worker())


async def _stream(lines: BinaryIO) -> AsyncIterator[dict[str, Any]]:
    for line in lines:
        yield orjson.loads(line)


def messages(row: dict[str, Any]) -> list[dict[str, str]]:
    text = "\n\n".join(str(row[name]) for name in ("question", "contexts", "prediction", "reference"))
    return [{"role": "system", "content": _INSTRUCTIONS}, {"role": "user", "content": text}]


def append(out: BinaryIO, row: dict[str, Any], text: str, tokens: int) -> None:
    verdict = orjson.loads(text)
    line = {"id": row["id"], "scores": verdict, "raw": text, "prompt_tokens": tokens}
    out.write(orjson.dumps(line) + b"\n")


# The stopwatch ------------------------------------------------------------------------------


def rows(n: int) -> Iterator[dict[str, Any]]:
    """Questions with their answers, about 1.5 kB each."""
    for i in range(n):
        yield {
            "id": f"q{i}",
            "question": f"{i}번 다리는 몇 년에 놓였는가?",
            "contexts": [f"가람시의 {i}번 다리는 {1900 + i % 100}년에 놓였다. " * 8] * 2,
            "prediction": f"{1900 + i % 100}년에 놓였습니다.",
            "reference": f"{1900 + i % 100}년",
        }


@contextlib.contextmanager
def server(core: int) -> Iterator[str]:
    """The URL of a test server on a core of its own."""
    command = [*_pinned(core), sys.executable, "-m", "tests.servers.chat"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


class Rate(NamedTuple):
    """Rows per second by the clock, and per second of the processor's time."""

    wall: float
    cpu: float


def calls(url: str) -> int:
    """How many completions the server has been asked for."""
    with urllib.request.urlopen(f"{url.removesuffix('/v1')}/count") as answer:
        count: int = orjson.loads(answer.read())["count"]
    return count


def timed(contender: Contender, job: Job, core: int) -> tuple[float, float]:
    """Seconds that the contender takes, all in all: by the clock, and of the processor's time."""
    start, cpu = time.perf_counter(), _children_cpu()
    subprocess.run([*_pinned(core), *contender(job)], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, _children_cpu() - cpu


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare(names: Sequence[str], n: int, in_flight: int, rounds: int) -> dict[str, list[Rate]]:
    """The rates of each contender in each round; rounds interleave, so that drift hits all alike."""
    rates: dict[str, list[Rate]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder, server(core=1) as url:
        data = Path(folder) / "rows.jsonl"
        data.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows(n)))
        for number in range(rounds):
            for name in names:
                out, before = Path(folder) / f"{name}-{number}", calls(url)
                wall, cpu = timed(CONTENDERS[name], Job(url, data, out, in_flight), core=0)
                made = calls(url) - before
                assert out.exists() and made == n, f"{name} made {made} calls for {n} rows"
                rates[name].append(Rate(n / wall, n / cpu))
    return rates


def _this(name: str, job: Job) -> list[str]:
    inner = ["--inside", name, "--url", job.url, "--rows", str(job.rows), "--out", str(job.out)]
    return [sys.executable, __file__, *inner, "--in-flight", str(job.in_flight)]


def _pinned(core: int) -> list[str]:
    return ["taskset", "-c", str(core)] if (os.cpu_count() or 1) > 1 else []


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("contenders", nargs="*", help=", ".join(CONTENDERS))
    parser.add_argument("-n", type=int, default=6000, help="rows")
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    for hidden in ("inside", "url", "rows", "out"):
        parser.add_argument(f"--{hidden}", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        job = Job(given.url, Path(given.rows), Path(given.out), given.in_flight)
        asyncio.run({"bare": run_bare, "client": run_client}[given.inside](job))
        return
    rates = compare(given.contenders or list(CONTENDERS), given.n, given.in_flight, given.rounds)
    middle = {
        name: Rate(*(statistics.median(part) for part in zip(*all_, strict=True)))
        for name, all_ in rates.items()
    }
    yardstick = middle.get("bare")
    for name, rate in middle.items():
        line = f"{name:12} {rate.wall:6.0f} rows/s {rate.cpu:6.0f} rows/CPU s"
        if yardstick:
            line += f"   {rate.wall / yardstick.wall:4.2f} and {rate.cpu / yardstick.cpu:4.2f} of bare"
        print(line)


if __name__ == "__main__":
    main()

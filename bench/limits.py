"""How much of a rate limit is used, and how often it is run into: simsa's judge beside Inspect's adaptive mode.

    python bench/limits.py                                   # 600 requests a minute, 900 rows
    python bench/limits.py simsa --per 10 -n 1800            # 600 in 10 s: quicker, sixty times a second
    python bench/limits.py --inspect /tmp/inspect-venv       # where inspect-ai and openai are installed

The endpoint refuses with 429s like a service: a token bucket of one second's worth, a
`retry-after` in whole seconds, and the `x-ratelimit-*` headers. Both contenders judge the
same rows, as whole processes; the clock runs from the first call to the last answer.
`quota` is the share of what the limit allows that was answered, `refused` the share of
calls that met a 429 after the first seconds. Inspect is not installed by this project:
without an environment that has it, it is left out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.servers.chat import ChatServer  # noqa: E402  found only with the root on the path
from tests.servers.limits import RateLimit  # noqa: E402

KINDS = ("bucket", "fixed", "sliding")


class Outcome(NamedTuple):
    """What the server saw: seconds from first call to last answer, and shares of 1 (None: nothing to divide by)."""

    answered: int
    seconds: float
    quota: float
    refused: float
    refused_later: float | None


class Job(NamedTuple):
    """What a contender is to do in `folder`: judge `n` rows at `url`, at most `width` at a time."""

    url: str
    folder: Path
    n: int
    width: int
    inspect: Path | None


Contender = Callable[[Job], Sequence[str] | str]
"""The command that does a job, or the sentence that says why there is none."""


def simsa(job: Job) -> Sequence[str] | str:
    rows = job.folder / "rows.jsonl"
    with rows.open("wb") as out:
        for n in range(job.n):
            row = {"id": str(n), "question": f"질문 {n}?", "contexts": [f"본문 {n}."], "reference": f"답 {n}"}
            out.write(orjson.dumps(row | {"prediction": f"답변 {n}"}) + b"\n")
    config = job.folder / "limits.toml"
    config.write_text(
        f'[data]\npath = "{rows}"\n[[variants]]\nname = "given"\npredictions = "{rows}"\n'
        f'[judge]\nmodel = "judge"\nbase_url = "{job.url}"\nmax_concurrency = {job.width}\n'
    )
    return [sys.executable, "-m", "simsa", "judge", str(config), "-q"]


_INSPECT = """
import sys
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.solver import generate
samples = [Sample(id=str(n), input=f"질문 {n}? 답변 {n}을 1점에서 5점까지 채점하라.") for n in range(int(sys.argv[1]))]
task = Task(dataset=samples, solver=generate(), config=GenerateConfig(max_tokens=256))
(log,) = eval(task, model="openai/judge", model_base_url=sys.argv[2],
    model_args={"responses_api": False}, adaptive_connections=int(sys.argv[3]),
    max_samples=int(sys.argv[3]), log_dir=sys.argv[4], display="none")
if log.status != "success":
    sys.exit(str(log.error))
"""


def inspect(job: Job) -> Sequence[str] | str:
    """Inspect's `eval` of plain generation in its adaptive mode, up to as many connections."""
    python = job.inspect / "bin" / "python" if job.inspect else Path(sys.executable)
    missing = (
        not python.exists()
        or subprocess.run(
            [python, "-c", "import inspect_ai, openai"], capture_output=True, check=False
        ).returncode
    )
    if missing:
        return "inspect: left out, inspect-ai and openai are not installed (--inspect VENV says where)"
    arguments = [str(job.n), job.url, str(job.width), str(job.folder / "logs")]
    return [str(python), "-c", _INSPECT, *arguments]


CONTENDERS: dict[str, Contender] = {"simsa": simsa, "inspect": inspect}


def measure(contender: Contender, limit: RateLimit, args: argparse.Namespace) -> Outcome | str:
    """Runs one contender against a fresh server."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ChatServer(rate=limit, latency_s=args.latency) as server,
    ):
        job = Job(server.url, Path(folder), args.n, args.width, args.inspect)
        command = contender(job)
        if isinstance(command, str):
            return command
        environment = os.environ | {
            "PYTHONPATH": str(ROOT / "src"),
            "OPENAI_API_KEY": "sk-bench",
        }
        done = subprocess.run(command, env=environment, capture_output=True, check=False, cwd=folder)
        if done.returncode:
            return f"failed: {(done.stderr or done.stdout).decode(errors='replace')[-400:]}"
        return outcome(server, limit, args.settle)


def outcome(server: ChatServer, limit: RateLimit, settle: float) -> Outcome:
    """What `server` has seen. The quota counts what may come at once at the beginning, too."""
    calls = server.calls
    begin = calls[0].at
    answered = [call for call in calls if call.status == 200]
    refused = [call for call in calls if call.status == 429]
    # The last answer is the end: what was allowed until then is what could have been had.
    seconds = answered[-1].at - begin
    if limit.kind == "bucket":
        allowed = limit.capacity + limit.rate * seconds
    else:
        allowed = limit.requests * (1 + seconds // limit.per_s)
    later = [call for call in calls if call.at - begin > settle]
    return Outcome(
        answered=len(answered),
        seconds=seconds,
        quota=len(answered) / allowed,
        refused=len(refused) / len(calls),
        refused_later=sum(call.status == 429 for call in later) / len(later) if later else None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("contenders", nargs="*", metavar="|".join(CONTENDERS), help="all by default")
    parser.add_argument("-n", type=int, default=900, help="rows")
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--per", type=float, default=60.0, help="seconds")
    parser.add_argument("--kind", choices=KINDS, default="bucket")
    parser.add_argument("--latency", type=float, default=0.5, help="seconds an answer takes")
    parser.add_argument("--width", type=int, default=64, help="most requests at a time")
    parser.add_argument("--settle", type=float, default=5.0, help="the first seconds")
    parser.add_argument("--no-headers", action="store_true", help="no x-ratelimit-* headers")
    parser.add_argument("--inspect", type=Path, help="a virtual environment with inspect-ai and openai")
    args = parser.parse_args()
    for name in args.contenders or CONTENDERS:
        limit = RateLimit(args.requests, args.per, args.kind, headers=not args.no_headers)
        found = measure(CONTENDERS[name], limit, args)
        if isinstance(found, str):
            print(found, flush=True)
            continue
        later = "–" if found.refused_later is None else f"{found.refused_later:.1%}"
        print(
            f"{name:<8} {found.answered} answered in {found.seconds:.1f} s · quota {found.quota:.1%} · "
            f"refused {found.refused:.1%}, after {args.settle:g} s {later}",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""What faults cost: calls a row while an endpoint fails in every way that passes, each alone and all at once.

    python bench/faults.py                     # 10 % of the calls get the fault, 500 rows
    python bench/faults.py server_error hang --share 0.2

`needed` is one call a row. Every row must end with the score that the endpoint meant, or
with a status; `all` draws from all kinds together, so many of a hundred calls in sum.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import orjson

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.servers.chat import Body, ChatServer, text_of  # noqa: E402
from tests.support.criteria import CRITERIA  # noqa: E402

from simsa import judges  # noqa: E402  found only with the root on the path
from simsa.config import JudgeConfig  # noqa: E402
from simsa.records import Judgement, Passage, Question  # noqa: E402

# Faults that are gone when the same is asked again.
PASSING = (
    "rate_limited", "rate_limited_silently", "server_error", "bad_gateway", "overloaded", "request_timeout",
    "conflict", "hang", "disconnect", "cut", "truncated", "html", "empty", "no_choices", "error_in_200",
    "length", "refusal", "filtered", "null_content", "no_usage", "reasoning", "parts",
)  # fmt: skip


class Outcome(NamedTuple):
    """Calls for so many rows, the statuses they ended with, and scores that the endpoint never meant."""

    rows: int
    calls: int
    seconds: float
    statuses: Mapping[str, int]
    wrong: int


def meant(n: int) -> dict[str, int]:
    """The scores of row `n`: different ones for neighbours."""
    return {name: 1 + (n + place) % 5 for place, name in enumerate(CRITERIA)}


def reply(body: Body) -> str:
    text = text_of(body)
    n = int(text[text.index("행번호") + 3 :].split("끝", 1)[0])
    return orjson.dumps({"analysis": "."} | meant(n)).decode()


def measure(faults: Mapping[str, float], rows: int, width: int, seed: int = 0) -> Outcome:
    """Judges `rows` answers at an endpoint with `faults`."""
    with ChatServer(reply=reply, faults=faults, seed=seed) as server:
        config = JudgeConfig(
            model="judge", base_url=server.url, max_concurrency=width, max_attempts=6, timeout_s=2
        )
        began = time.monotonic()
        found = asyncio.run(_judge(config, rows))
        seconds = time.monotonic() - began
        scored = {n: judgement for n, judgement in found.items() if judgement.status == "scored"}
        return Outcome(
            rows,
            server.count,
            seconds,
            Counter(judgement.status for judgement in found.values()),
            sum(judgement.scores != meant(n) for n, judgement in scored.items()),
        )


async def _judge(config: JudgeConfig, rows: int) -> dict[int, Judgement]:
    judge = judges.make(config)
    found: dict[int, Judgement] = {}

    async def ask(n: int) -> None:
        question = Question(f"q{n}", f"행번호{n}끝은 무엇인가요?", (Passage(f"본문 {n}."),), (f"답 {n}",))
        (request,) = judge.requests(question, f"답변 {n}")
        found[n] = await judge.judge(request)

    async with judge, asyncio.TaskGroup() as group:
        for n in range(rows):
            group.create_task(ask(n))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"of {', '.join(PASSING)}, all")
    parser.add_argument("-n", type=int, default=500, help="rows")
    parser.add_argument("--share", type=float, default=0.1, help="of the calls")
    parser.add_argument("--width", type=int, default=32)
    args = parser.parse_args()
    for name in args.faults or (*PASSING, "all"):
        kinds = PASSING if name == "all" else (name,)
        found = measure(dict.fromkeys(kinds, args.share / len(kinds)), args.n, args.width)
        statuses = ", ".join(f"{status} {n}" for status, n in sorted(found.statuses.items()))
        print(
            f"{name:<22} {found.calls / found.rows:.2f} calls a row · {found.seconds:5.1f} s · {statuses}"
            f" · {found.wrong} wrong scores",
            flush=True,
        )


if __name__ == "__main__":
    main()

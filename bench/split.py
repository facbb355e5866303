"""What split mode costs and holds: calls a question, and whether a context's scores depend on the answer beside it.

    python bench/split.py                      # 1,000 questions, 4 variants, all answers different
    python bench/split.py -n 200 --same 0.5    # half of the answers are the same for all variants

The judge's scores of a context waver with what it is shown, so that only what is asked
once can be the same for all variants. In joint mode the report gives their spread instead.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zlib
from collections import defaultdict
from pathlib import Path

import orjson

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.servers.chat import Body, ChatServer, text_of  # noqa: E402
from tests.support.criteria import CRITERIA  # noqa: E402

CONTEXT = ("context_relevance", "context_recall")


def reply(body: Body) -> str:
    """Scores that depend on every letter of the request, for the criteria that its schema asks for."""
    draw = random.Random(zlib.crc32(text_of(body).encode()))
    asked = body["response_format"]["json_schema"]["schema"]["properties"]
    return orjson.dumps({"analysis": "."} | {c: draw.randint(1, 5) for c in CRITERIA if c in asked}).decode()


def write(folder: Path, url: str, mode: str, n: int, variants: int, same: float) -> Path:
    """Test set, finished answers and config of one run."""
    draw = random.Random(0)
    names = [f"v{k}" for k in range(variants)]
    with (folder / "test.jsonl").open("w") as questions, (folder / "answers.jsonl").open("w") as answers:
        for q in range(n):
            row = {
                "id": f"q{q}",
                "question": f"{q}번 마을은?",
                "contexts": [f"{q}번 글"],
                "answer": f"답 {q}",
            }
            questions.write(json.dumps(row) + "\n")
            alike = draw.random() < same
            for name in names:
                said = f"{q}번 답변 {'' if alike else name}"
                answers.write(
                    json.dumps({"question_id": f"q{q}", "variant": name, "prediction": said}) + "\n"
                )
    config = folder / f"{mode}.toml"
    config.write_text(
        '[data]\npath = "test.jsonl"\n'
        + "".join(f'[[variants]]\nname = "{name}"\npredictions = "answers.jsonl"\n' for name in names)
        + f'[judge]\nmodel = "judge"\nbase_url = "{url}"\nmode = "{mode}"\nmax_concurrency = 128\n'
    )
    return config


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=1000, help="questions")
    parser.add_argument("--variants", type=int, default=4)
    parser.add_argument("--same", type=float, default=0.0, help="share of questions that all answer alike")
    args = parser.parse_args()
    for mode in ("joint", "split"):
        with ChatServer(reply=reply) as server, tempfile.TemporaryDirectory() as folder:
            config = write(Path(folder), server.url, mode, args.n, args.variants, args.same)
            began = time.monotonic()
            # A key of no worth, and no memory: the port is another's tomorrow.
            variables = os.environ | {"OPENAI_API_KEY": "none"}
            for command in (["judge", str(config), "-q"], ["export", str(config), "--to", "jsonl"]):
                done = subprocess.run(
                    [sys.executable, "-m", "simsa", *command],
                    env=variables,
                    stdout=subprocess.PIPE,
                    check=True,
                )
            seconds = time.monotonic() - began
            calls = server.count
        seen: dict[str, set[tuple[int, ...]]] = defaultdict(set)
        unscored = 0
        for row in map(json.loads, done.stdout.splitlines()):
            seen[row["question_id"]].add(tuple(row[name] for name in CONTEXT))
            unscored += row["status"] != "scored"
        differ = sum(len(scores) > 1 for scores in seen.values())
        print(
            f"{mode}: {calls / args.n:.2f} calls a question · {seconds:.1f} s · {unscored} unscored · context scores "
            f"differ between variants at {differ} of {len(seen)} questions",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""How long the search for leaks takes: a test set against a large training file.

    python bench/leaks.py                      # 100,000 training rows, 1,000 test rows
    python bench/leaks.py -n 10000 --passages 5

Rows are invented Korean: a question, passages of about 500 characters of one vocabulary,
so that texts share many shingles by chance, as those of one domain do. One in a hundred test rows is leaked.
Prints what `simsa check --train` took, its peak of memory, and what it found.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SYLLABLES = 400
WORDS = 20_000
PASSAGE, QUESTION = 110, 9  # words
LEAKED = 100  # one in so many test rows


def rows(name: str, n: int, passages: int, seed: int) -> Iterator[dict[str, object]]:
    """Invented rows; words are as uneven as those of a language (Zipf)."""
    random = np.random.default_rng(seed)
    vocabulary = np.array(words())
    weights = 1.0 / np.arange(10, WORDS + 10)
    edges = np.cumsum(weights / weights.sum())
    for number in range(n):
        drawn = vocabulary[np.searchsorted(edges, random.random(passages * PASSAGE + QUESTION))]
        texts = [" ".join(drawn[k * PASSAGE : (k + 1) * PASSAGE]) + "." for k in range(passages)]
        yield {
            "id": f"{name}{number}",
            "question": " ".join(drawn[-QUESTION:]) + "?",
            "contexts": texts,
            "reference": " ".join(drawn[:3]),
        }


def words() -> list[str]:
    random = np.random.default_rng(0)
    return [
        "".join(chr(0xAC00 + 28 * int(s)) for s in random.integers(0, SYLLABLES, random.integers(2, 5)))
        for _ in range(WORDS)
    ]


def write(folder: Path, n: int, n_test: int, passages: int) -> tuple[Path, Path]:
    test, train = folder / "test.jsonl", folder / "train.jsonl"
    kept = list(rows("q", n_test, passages, 1))
    test.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), encoding="utf-8")
    with train.open("w", encoding="utf-8") as file:
        for number, row in enumerate(rows("t", n, passages, 2)):
            if number % (n // max(1, n_test // LEAKED)) == 0:
                row |= {"contexts": kept[number * n_test // n]["contexts"]}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return test, train


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("-n", type=int, default=100_000, help="training rows")
    options.add_argument("--test", type=int, default=1_000, help="test rows")
    options.add_argument("--passages", type=int, default=3, help="passages a row")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _test, train = write(Path(folder), given.n, given.test, given.passages)
        print(f"{train.stat().st_size / 1e6:.0f} MB of training rows, {given.test} test rows")
        config = Path(folder) / "simsa.toml"
        config.write_text('[data]\npath = "test.jsonl"\n[[variants]]\nname = "a"\npredictions = "p.jsonl"\n')
        (Path(folder) / "p.jsonl").write_text('{"question_id": "q0", "prediction": "x"}\n')
        started = time.monotonic()
        command = [sys.executable, "-m", "simsa", "check", str(config), "--train", str(train), "--json"]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
        found = json.loads(said.stdout)["hygiene"]["counts"]
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        shown = re.sub('[{}"]', "", json.dumps(found))
        print(
            f"{seconds:.1f} s ({used.ru_utime + used.ru_stime:.1f} s of processor), {used.ru_maxrss / 1024:,.0f} MB, {shown}"
        )


if __name__ == "__main__":
    main()

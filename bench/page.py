"""Response times and memory of `simsa view` over a large run.

    python bench/page.py                            # 10,000 questions, 4 variants
    python bench/page.py -n 100000 --variants 2 --keep /tmp/large
    python bench/page.py --samples 2                # each variant answers each question twice

Each line is the slowest and the median of several requests: the server's own time, in milliseconds; "CPU" is the
most processor time that one of them took, which does not depend on other programs. The server keeps the last lists in
memory, so that only the first request of a line with one list computes it. "Any order" is a filter with every order,
up and down. The memory is the highest of the server.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Awaitable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from simsa.metrics.registry import METRICS
from simsa.records import Judgement, Passage, Prediction, Question
from simsa.rubrics import built_in_criteria
from simsa.store import Answered, Planned, Store

CRITERIA = built_in_criteria().names
VARIANTS = ("base", "rag-lora", "rag-early", "rag-dpo")
WORDS = "마을 사람 도서관 바람 나무 강물 이름 역사 학교 시장 연구 기록 지도 축제 음악 건물 위원회 조합 배 등대 별빛 하늘 언덕 시계 공장 빵집 과자 씨앗 식물원 천문대 기차역 항구 다리 우체국 정원 화가 시인 장인 어부 농부"
PATHS = (
    ("first page", "0/questions"),
    ("a late page", "0/questions?page=150"),
    ("type", "0/questions?type=no_answer"),
    ("status", "0/questions?status=refused"),
    ("score", "0/questions?variant=base&criterion=context_faithfulness&low=1&high=2"),
    ("total, of any variant", "0/questions?low=18&high=20"),
    ("difference", "0/questions?diff=lower"),
    ("by difference", "0/questions?sort=diff&down=1"),
    ("by score", "0/questions?sort=total&of=rag-lora"),
    (
        "both scores",
        "0/questions?a=rag-lora&b=base&criterion=answer_correctness&alow=4&ahigh=4&blow=2&bhigh=2",
    ),
    ("answers differ", "0/questions?said=differs"),
    ("answers are the same", "0/questions?said=same"),
    ("a metric, of any variant", "0/questions?metric=chrf&mlow=0.4&mhigh=0.5"),
    ("a metric, of one", "0/questions?metric=korquad_f1&mlow=0.5&variant=base&sort=diff"),
    ("cut off", "0/questions?finish=length"),
    ("declined", "0/questions?refused=yes"),
    ("not labelled", "0/questions?labelled=no"),
    ("document", f"0/questions?cluster={quote('문서 77')}"),
    ("ids", "0/questions?ids=q77,q78,q123*"),
    ("nothing fits", "0/questions?ids=q77&type=no_answer&status=refused&said=same&low=20&finish=length"),
    ("search, rare", f"0/questions?search={quote('천이백삼십사번')}"),
    ("search, frequent", f"0/questions?search={quote('도서관')}"),
    ("search, two words", f"0/questions?search={quote('도서관 등대')}"),
    ("search, without a word", f"0/questions?search={quote('도서관 -등대')}"),
    ("search, only without", f"0/questions?search={quote('-도서관')}"),
    ("search, everywhere", f"0/questions?search={quote('입니다')}"),
    ("search, filter, sort", f"0/questions?search={quote('별빛')}&type=no_answer&diff=lower&sort=diff"),
    ("one question", "0/question?id=q77&diff=lower"),
    ("overview", "0/"),
    ("overview, the other way round", "0/?a=base&b=rag-lora"),
)
FILTERS = {
    "nothing": "",
    "type": "type=no_answer",
    "status": "status=refused",
    "score": "variant=base&criterion=context_faithfulness&low=1&high=2",
    "total, of any variant": "low=18&high=20",
    "difference": "diff=lower",
    "both scores": "a=rag-lora&b=base&alow=13&ahigh=16&blow=9&bhigh=12",
    "metric": "metric=chrf&mlow=0.3",
    "answers": "said=differs",
    "search": f"search={quote('도서관')}",
    "search everywhere": f"search={quote('입니다')}",
    "all of them": f"type=no_answer&status=scored&low=8&high=20&diff=differs&search={quote('도서관')}",
}
SORTS = ("sort=place", "sort=type", "sort=total&of=base", "sort=total&of=rag-lora", "sort=diff")
_WORDS = WORDS.split()
_ROUNDS = 5
_NAME_WIDTH = 36
_BLOCK = 2_000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("-n", type=int, default=10_000, help="questions")
    arguments.add_argument("--variants", type=int, default=4, choices=(2, 3, 4), help="variants")
    arguments.add_argument("--samples", type=int, default=1, help="answers of a variant to a question")
    arguments.add_argument(
        "--keep", type=Path, help="where the run is, or is to be, instead of a temporary folder"
    )
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder: Path = given.keep or Path(scratch) / "large.simsa"
        if not (folder / "run.sqlite").exists():
            print(f"making a run of {given.n:,} questions", file=sys.stderr)
            asyncio.run(make(folder, given.n, VARIANTS[: given.variants], given.samples))
        measure(folder)


async def make(folder: Path, n: int, variants: Sequence[str], samples: int = 1) -> None:
    """Writes a run like a real one: passages, answers of some words, a few of them not scored."""
    chance = random.Random(0)
    questions = [_question(i, chance) for i in range(n)]
    planned = [
        Planned(q.id, v, _key(q, v, s), s) for q in questions for v in variants for s in range(samples)
    ]
    with Store.create(folder) as store:
        store.set_questions(questions)
        store.set_variants((name, {"base": "tiny"}) for name in variants)
        store.set_plan(planned)
        store.add_predictions(
            Prediction(q.id, v, text, _key(q, v, s), "length" if n % 50 == 0 else "stop", 900, 60, 0.4)
            for n, q in enumerate(questions)
            for s in range(samples)
            for v, text in zip(variants, _answers(chance, len(variants), is_same=n % 20 == 0), strict=True)
        )
        async with store.writing():
            for start in range(0, n, _BLOCK):
                block = [
                    (q, v, s)
                    for q in questions[start : start + _BLOCK]
                    for v in variants
                    for s in range(samples)
                ]
                await asyncio.gather(*_verdicts(store, block, chance))
        store.add_measures(
            (_key(q, v, s), q.content_hash, "1", _figures(chance))
            for q in questions
            for v in variants
            for s in range(samples)
        )
        store.set_meta(
            run={"id": "large", "created": "2026-01-01T00:00:00+00:00", "config_hash": "c", "data_hash": "d"},
            judge={"model": "gpt-4o", "rubric": "rag-ko@1a2b3c4d", "mode": "joint", "key": "k"},
            language="ko",
            baseline=variants[0],
            criteria=[{"name": name} for name in CRITERIA],
        )


def _answers(chance: random.Random, n: int, *, is_same: bool) -> list[str]:
    """`n` answers, of which the first two are equal where `is_same`."""
    found = [f"{_words(chance, 25)}입니다. [[ref1]]" for _ in range(n)]
    return [found[0], found[0], *found[2:]] if is_same else found


def _figures(chance: random.Random) -> dict[str, float]:
    return {name: round(chance.random(), 3) for name in METRICS} | {
        "abstained": float(chance.random() < 0.05)
    }


def _question(i: int, chance: random.Random) -> Question:
    return Question(
        id=f"q{i}",
        question=f"{_number(i)}번 {_words(chance, 6)}은 무엇인가요?",
        contexts=tuple(Passage(_words(chance, 90)) for _ in range(3)),
        reference=(f"{_words(chance, 4)}입니다.",),
        type=("mrc_question", "no_answer", "synthetic_question")[i % 3],
        answerable=i % 3 != 1,
        cluster=f"문서 {i // 5}",
    )


def _verdicts(
    store: Store, answers: Sequence[tuple[Question, str, int]], chance: random.Random
) -> Iterator[Awaitable[None]]:
    for q, v, s in answers:
        key = f"judge {_key(q, v, s)}"
        is_scored = chance.random() > 0.01
        scores = {c: chance.choice((1, 2, 3, 4, 4, 5, 5)) for c in CRITERIA} if is_scored else {}
        status = "scored" if is_scored else "refused"
        words = "문맥에 있는 내용과 거의 같고 빠진 것은 없습니다."
        yield store.add_judgement(
            Judgement(key, "gpt-4o", "rag-ko@1a2b3c4d", status, scores, words, "{}", 900, 80)  # type: ignore[arg-type]
        )
        yield store.add_verdict(Answered(0, q, v, _key(q, v, s), "", s), "k", [("joint", key)])


def _key(question: Question, variant: str, sample: int) -> str:
    return f"{variant}/{question.id}/{sample}"


def _words(chance: random.Random, n: int) -> str:
    return " ".join(chance.choices(_WORDS, k=n))


def _number(n: int) -> str:
    digits = "영일이삼사오육칠팔구"
    units = ("", "십", "백", "천", "만", "십만")
    return "".join(digits[int(d)] + units[len(str(n)) - 1 - place] for place, d in enumerate(str(n)))


def measure(folder: Path) -> None:
    began = time.perf_counter()
    command = [sys.executable, "-m", "simsa", "view", str(folder), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        print(f"{'answers after':<{_NAME_WIDTH}}{time.perf_counter() - began:8.2f} s")
        memory = _Memory(server.pid)
        memory.start()
        ask = _Client(address, server.pid)
        try:
            cold, busy, _ = ask("0/questions")
            print(f"{'very first page':<{_NAME_WIDTH}}{cold:8.0f} ms, {busy:.0f} ms of them CPU")
            ask("0/")
            while "http-equiv" in ask("0/").page:
                time.sleep(0.2)
            print(f"{'overview complete after':<{_NAME_WIDTH}}{time.perf_counter() - began:8.2f} s")
            print(f"{'':<{_NAME_WIDTH}}{'slowest':>8}{'median':>8}{'CPU':>9} ms")
            for name, path in PATHS:
                ask.report(name, [path] * _ROUNDS)
            for name, query in FILTERS.items():
                paths = (
                    f"0/questions?{query}&{sort}&down={down}&page={page}"
                    for sort in SORTS
                    for down in (0, 1)
                    for page in (1, 9)
                )
                ask.report(f"by {name}, any order", list(paths))
        finally:
            server.terminate()
            memory.stop()
        print(f"{'memory at most':<{_NAME_WIDTH}}{memory.highest / 2**20:8.0f} MB")


class _Reply(NamedTuple):
    """A page, the server's time for it and the CPU time in it, in milliseconds."""

    took: float
    busy: float
    page: str


class _Client:
    def __init__(self, address: str, pid: int) -> None:
        self._address = address
        self._pid = pid

    def __call__(self, path: str) -> _Reply:
        before = _cpu_seconds(self._pid)
        with urllib.request.urlopen(self._address + path, timeout=600) as answer:
            took = re.search(r"dur=([\d.]+)", answer.headers["Server-Timing"])
            page = answer.read().decode()
        assert took is not None
        return _Reply(float(took[1]), 1000 * (_cpu_seconds(self._pid) - before), page)

    def report(self, name: str, paths: Sequence[str]) -> None:
        replies = [self(path) for path in paths]
        took = [one.took for one in replies]
        busy = max(one.busy for one in replies)
        print(f"{name:<{_NAME_WIDTH}}{max(took):8.0f}{statistics.median(took):8.0f}{busy:9.0f}")


def _cpu_seconds(pid: int) -> float:
    """Seconds of processor time that a process's threads have used."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


class _Memory(threading.Thread):
    """Watches the memory of a process, in bytes."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.highest = 0
        self._pid = pid
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(0.1):
            self.highest = max(self.highest, _resident(self._pid))

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _resident(pid: int) -> int:
    try:
        found = re.search(r"Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main()

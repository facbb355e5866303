"""The demo's own judge beside the lexical one, on cases with known scores.

    python recipes/measure_judge.py --base-url URL --key-env KEY     # `simsa serve` on the demo's config
    python recipes/measure_judge.py                                  # the lexical judge alone

Two sets that no training has seen: 400 cases of the invented world with documents kept apart, and four cases
on each row of the demo's hand-written test set. Prints quadratic kappa and the share of exact scores, a criterion a line;
a score that cannot be known is left out.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable, Sequence

from make_data import TOPICS
from make_judge_data import HELD_OUT_TOPICS, NOTHING, Answer, Case, JudgeWorld, on_rows

from simsa import judges
from simsa.config import JudgeConfig
from simsa.demo import JUDGE, demo_files
from simsa.judges import Judge
from simsa.records import Passage, Question
from simsa.rubrics import built_in_criteria
from simsa.stats.agreement import Agreement, agree

CRITERIA = built_in_criteria().names
Cases = Sequence[tuple[Case, Answer]]
Scores = dict[str, int]


def held_out() -> dict[str, Cases]:
    world = JudgeWorld(999, TOPICS[-HELD_OUT_TOPICS:])
    return {
        "held-out documents": list(world.cases(400)),
        "hand-written test set": list(on_rows(demo_files().test, 4, 5)),
    }


def known(case: Case, answer: Answer) -> dict[str, int | None]:
    return dict(zip(CRITERIA, (answer.correct, case.relevance, answer.faithful, case.recall), strict=True))


async def judged(judge: Judge, cases: Cases) -> list[Scores]:
    """What `judge` says of every case; empty where it said nothing readable."""
    limit = asyncio.Semaphore(judge.width)

    async def one(number: int, case: Case, answer: Answer) -> Scores:
        question = Question(
            id=str(number),
            question=case.question,
            contexts=tuple(Passage(text) for text in case.passages),
            reference=(case.reference,),
            answerable=case.key != NOTHING,
        )
        (request,) = judge.requests(question, answer.text)
        async with limit:
            return dict((await judge.judge(request)).scores)

    async with judge:
        return await asyncio.gather(*(one(n, *case) for n, case in enumerate(cases)))


def agreement(cases: Cases, said: Iterable[Scores]) -> dict[str, Agreement]:
    """By criterion, of the cases whose score is known and was given."""
    found: dict[str, Agreement] = {}
    rows = list(zip(cases, said, strict=True))
    for name in CRITERIA:
        pairs = [
            (truth, got[name])
            for (case, answer), got in rows
            if name in got and (truth := known(case, answer)[name])
        ]
        if pairs:
            found[name] = agree([truth for truth, _ in pairs], [got for _, got in pairs], range(1, 6))
    return found


def compare(all_judges: dict[str, Judge]) -> None:
    for title, cases in held_out().items():
        print(f"\n{title}: {len(cases)} cases")
        for label, judge in all_judges.items():
            said = asyncio.run(judged(judge, cases))
            print(f"  {label}: {sum(not s for s in said)} unscored")
            for name, found in agreement(cases, said).items():
                kappa = "–" if found.quadratic_kappa is None else f"{found.quadratic_kappa:.3f}"
                print(f"    {name:<22} n {found.n_labels:>3}  kappa {kappa}  exact {found.exact:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base-url", help="where the demo's judge is served")
    parser.add_argument("--key-env", help="variable that holds its key")
    args = parser.parse_args()
    both = {"lexical": judges.make(JudgeConfig(model="lexical"))}
    if args.base_url:
        rubric = str(demo_files().rubric)
        served = JudgeConfig(
            model=JUDGE,
            base_url=args.base_url,
            api_key_env=args.key_env,
            rubric=rubric,
            max_tokens=96,
            timeout_s=1200,
        )
        both[JUDGE] = judges.make(served)
    compare(both)


if __name__ == "__main__":
    main()

"""Whatever is written in whatever order, and whenever the power goes: the store says what a few dicts say."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from simsa.records import Judgement, Passage, Prediction, Question
from simsa.rubrics import built_in_criteria
from simsa.store import Answered, Planned, Store, judge_usage, results, statuses

CRITERIA = built_in_criteria().names
VARIANTS = ("base", "lora")
IDS = tuple(f"q{n}" for n in range(4))
STATUSES = ("scored", "refused", "failed")
Row = tuple[str | None, str, dict[str, int]]

ids = st.sampled_from(IDS)
variants = st.sampled_from(VARIANTS)
plans = st.integers(0, 2)
judges = st.sampled_from(["first", "second"])


def question(one: str, edition: int) -> Question:
    return Question(one, f"{one} 질문", (Passage("문맥"),), (f"정답 {edition}",), type="t")


class Run(RuleBasedStateMachine):
    """`edition` is a question's text, `plan` what a row is to be asked; the rest is keyed as the store's tables."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = Path(tempfile.mkdtemp(prefix="simsa-store-"))
        self.n_copies = 0
        self.folder = self.scratch / "run"
        self.store = Store.create(self.folder)
        self.edition: dict[str, int] = {}
        self.plan: dict[tuple[str, str], str] = {}
        self.answers: dict[str, str] = {}
        self.judgements: dict[str, tuple[str, dict[str, int]]] = {}
        self.judging: dict[tuple[str, str], tuple[str, str, str]] = {}

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.scratch)

    # What is done to it -------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.store.set_meta(criteria=[{"name": name} for name in CRITERIA])
        self.ask(dict.fromkeys(IDS, 0))
        self.store.set_variants((name, {"n": n}) for n, name in enumerate(VARIANTS))
        self.replan(dict.fromkeys(((q, v) for q in IDS for v in VARIANTS), 0))

    @rule(editions=st.dictionaries(ids, st.integers(0, 1), min_size=1))
    def ask(self, editions: dict[str, int]) -> None:
        assert self.store.set_questions(question(*one) for one in editions.items()) == len(editions)
        kept = {q for q, edition in editions.items() if self.edition.get(q) == edition}
        self.judging = {key: said for key, said in self.judging.items() if key[0] in kept}
        self.edition = editions

    @rule(chosen=st.dictionaries(st.tuples(ids, variants), plans))
    def replan(self, chosen: dict[tuple[str, str], int]) -> None:
        self.plan = {(q, v): f"{q} to {v}, {n}" for (q, v), n in chosen.items()}
        self.store.set_plan(Planned(q, v, asked) for (q, v), asked in self.plan.items())

    @rule(one=ids, variant=variants, n=plans, text=st.sampled_from(["답", "다른 답", ""]))
    def answer(self, one: str, variant: str, n: int, text: str) -> None:
        asked = f"{one} to {variant}, {n}"
        self.store.add_predictions([Prediction(one, variant, text, asked)])
        self.answers.setdefault(asked, text)  # the first one stands: a second would cost its verdict

    @rule(judge=judges, status=st.sampled_from(STATUSES), score=st.integers(1, 5), limit=st.integers(1, 9))
    def judge(self, judge: str, status: str, score: int, limit: int) -> None:
        block = self.store.unjudged(judge, 0, limit, ("failed",))
        scores = dict.fromkeys(CRITERIA, score) if status == "scored" else {}

        async def work() -> None:
            async with self.store.writing(), asyncio.TaskGroup() as together:
                for row in block:
                    together.create_task(self._keep(row, judge, status, scores))

        asyncio.run(work())
        for row in block:
            request = f"{judge} of {row.answer_hash}"
            self.judgements[request] = status, scores
            self.judging[row.question.id, row.variant] = judge, row.answer_hash, request

    async def _keep(self, row: Answered, judge: str, status: str, scores: Mapping[str, int]) -> None:
        request = f"{judge} of {row.answer_hash}"
        made = Judgement(request, judge, "rubric@1", status, dict(scores), "말", "{}", 10, 5, 0, 0.5)  # type: ignore[arg-type]
        await self.store.add_judgement(made)
        await self.store.add_verdict(row, judge, [("joint", request)])

    @rule(judge=judges)
    def forget(self, judge: str) -> None:
        self.store.unlink_other_judges(judge)
        self.judging = {key: said for key, said in self.judging.items() if said[0] == judge}

    @rule()
    def fail_half_way(self) -> None:
        """A file that turns out bad at its end changes nothing."""

        def rows() -> Iterator[Question]:
            yield question("new", 0)
            raise OSError("row 2 is bad")

        with pytest.raises(OSError, match="row 2"):
            self.store.set_questions(rows())

    # What happens to it -------------------------------------------------------------------------

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store.create(self.folder)

    @rule()
    def lose_power(self) -> None:
        """Goes on with what the disk held at this moment, without a word to the process that wrote it."""
        self.n_copies += 1
        copy = self.scratch / f"copy-{self.n_copies}"
        copy.mkdir()
        for file in ("run.sqlite", "run.sqlite-wal"):
            if (self.folder / file).exists():
                shutil.copy(self.folder / file, copy / file)
        self.store.close()
        self.folder, self.store = copy, Store.create(copy)

    # What it must say ---------------------------------------------------------------------------

    def row(self, one: str, variant: str) -> Row:
        asked = self.plan[one, variant]
        text = self.answers.get(asked)
        said = self.judging.get((one, variant))
        if text is None:
            return None, "no_prediction", {}
        if said is None or said[1] != asked:
            return text, "pending", {}
        return text, *self.judgements[said[2]]

    @property
    def planned(self) -> list[tuple[str, str]]:
        return [(q, v) for q in self.edition for v in VARIANTS if (q, v) in self.plan]

    @invariant()
    def results_are_those_of_the_dicts(self) -> None:
        with Store.read(self.folder) as reader:
            found = [(r.question_id, r.variant, r.prediction, r.status, r.scores) for r in results(reader)]
            texts = [q.reference for q in reader.questions()]
        assert found == [(*key, *self.row(*key)) for key in self.planned]
        assert texts == [(f"정답 {edition}",) for edition in self.edition.values()]

    @invariant()
    def pending_is_plan_minus_done(self) -> None:
        pending = [(p.question_id, p.variant) for p in self.store.pending_answers(VARIANTS)]
        assert pending == [key for key in self.planned if self.plan[key] not in self.answers]

    @invariant()
    def unjudged_are_answers_without_a_standing_verdict(self) -> None:
        for judge in ("first", "second"):
            rows = {(r.question.id, r.variant) for r in self.store.unjudged(judge, 0, 100, ("failed",))}
            assert rows == {key for key in self.planned if self._is_open(key, judge)}
            n = self.store.count_unjudged(judge, answered=True, retry=("failed",))
            planned = [key for key in self.plan if self.plan[key] in self.answers]
            assert n == sum(self._is_open(key, judge) for key in planned)

    def _is_open(self, key: tuple[str, str], judge: str) -> bool:
        asked = self.plan[key]
        if asked not in self.answers:
            return False
        said = self.judging.get(key)
        if said is None:
            return True
        stands = said[:2] == (judge, asked)
        return not stands or self.judgements[said[2]][0] == "failed"

    @invariant()
    def counts_add_up(self) -> None:
        counted = statuses(self.store)
        assert sum(counted.values()) == len(self.planned)
        usage = judge_usage(self.store)
        standing = [said[2] for said in self.judging.values()]
        assert usage.calls == len(set(standing))
        assert usage.reused == len(standing) - len(set(standing))
        assert self.store.spent_usd() == pytest.approx(0.5 * len(self.judgements))


TestRun = Run.TestCase
TestRun.settings = settings(
    max_examples=15, stateful_step_count=16, deadline=None, suppress_health_check=list(HealthCheck)
)

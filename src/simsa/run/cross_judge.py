"""Joins two runs with different judges: a sample of answers that both judges score.

Scores of two judges, or by two rubrics, cannot be mixed. Two runs are joined by a seeded sample of their answers
that is judged by both. The judgements are stored in the run of the judge that gave them, so that none is paid
twice; they are not part of that run's own results.
"""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from simsa import config as configuration
from simsa import judges, rubrics
from simsa.config import Config
from simsa.errors import InputError, RunError
from simsa.i18n.messages import msg
from simsa.judges import Judge, JudgeRequest, combine
from simsa.judges.cost import CostEstimate
from simsa.records import Question, Verdict
from simsa.run.budget import Budget
from simsa.run.cost_estimate import estimate_requests
from simsa.run.judge_server import with_judge_server
from simsa.run.judging import JudgingSession
from simsa.run.progress import Progress
from simsa.store import TRANSIENT, Store, judgement, results

RunIndex = int
"""0 is the first run and its judge, 1 the second."""


class Sampled(NamedTuple):
    """An answer of the sample, and the run that it is from."""

    side: RunIndex
    question: Question
    variant: str
    prediction: str


class DoublyJudged(NamedTuple):
    """One answer under both judges: a status and scores from each."""

    side: RunIndex
    question_id: str
    variant: str
    cluster: str
    status: tuple[str, str]
    scores: tuple[Mapping[str, int], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Bridge:
    """The sample under both judges, and what it took.

    `judges` are the descriptions of the judges that the runs store. `n_drawn` answers were drawn; `answers` are
    those that both judges have judged: fewer only when the budget `stopped` it. `calls` were made now, `reused`
    judgements were stored before. `cost_usd` is None where a price is not known.
    """

    judges: tuple[Mapping[str, Any], Mapping[str, Any]]
    answers: tuple[DoublyJudged, ...]
    n_drawn: int
    seed: int
    calls: int
    reused: int
    cost_usd: float | None
    stopped: bool = False


class BridgedRun(NamedTuple):
    """A run's folder, and where its rubric may be looked for."""

    folder: Path
    roots: tuple[Path, ...] = ()


class BridgedJudge(NamedTuple):
    """The judge of a run as it was: itself, its config, and the run's description of it."""

    folder: Path
    judge: Judge
    config: Config
    facts: Mapping[str, Any]

    def requests(self, sample: Sequence[Sampled]) -> list[JudgeRequest]:
        return [r for one in sample for r in self.judge.requests(one.question, one.prediction)]

    @property
    def limit_usd(self) -> float | None:
        return self.config.judge.max_cost_usd if self.config.judge else None


@dataclass(frozen=True, slots=True)
class BridgePlan:
    """A drawn sample, and what judging it is expected to take. Nothing has been spent yet."""

    judges: tuple[BridgedJudge, BridgedJudge]
    sample: tuple[Sampled, ...]
    seed: int
    estimate: CostEstimate
    """Expected calls, tokens and cost of both judges together."""


def plan(
    first: BridgedRun,
    second: BridgedRun,
    n: int,
    *,
    seed: int = 0,
    among: Collection[tuple[str, str]] | None = None,
) -> BridgePlan:
    """Draws the sample and estimates its cost.

    Whole questions are drawn, with every variant's answer in either run (except perhaps for the last question),
    so that both judges see the same range of answers. `among` limits them to these pairs of ids, one in each
    run; by default the ids that both runs have. Raises RunError when the judge of a run cannot be made again.
    """
    with ExitStack() as opened:
        stores = [opened.enter_context(Store.read(run.folder)) for run in (first, second)]
        ours, theirs = (_judge_of(store, run) for store, run in zip(stores, (first, second), strict=True))
        sample = tuple(_draw(stores, n, seed, among))
        if not sample:
            raise RunError(msg("error.judging.no_answer_to_bridge"), where=str(first.folder))
        one, other = (
            estimate_requests(side.judge, side.requests(sample), store, store.judged_requests(TRANSIENT))
            for side, store in zip((ours, theirs), stores, strict=True)
        )
    return BridgePlan((ours, theirs), sample, seed, one.plus(other))


async def build(
    planned: BridgePlan, *, max_cost_usd: float | None = None, progress: Progress | None = None
) -> Bridge:
    """Has both judges judge the sample.

    `max_cost_usd` limits what this costs; without it, the limit of each run holds for everything that was spent
    in that run. Raises RunError while a run is being written, EndpointError when a judge cannot be reached;
    what was judged by then is stored.
    """
    for side in planned.judges:
        assert side.config.judge is not None
        judges.require_prices(side.config.judge, max_cost_usd)
    progress = progress or Progress()
    progress.judge.begin(sum(len(side.requests(planned.sample)) for side in planned.judges))
    spent_before = progress.spent_usd
    shared = None if max_cost_usd is None else Budget(max_cost_usd, 0.0)
    verdicts: list[list[Verdict | None]] = []
    calls, unpriced, stopped = 0, 0, False
    with ExitStack() as opened:
        # Both runs are locked before either judge is paid.
        stores = [opened.enter_context(Store.create(side.folder)) for side in planned.judges]
        for side, store in zip(planned.judges, stores, strict=True):
            budget = shared or Budget(side.limit_usd, store.spent_usd())
            calls_before, unpriced_before = _used(store)
            verdicts.append(await _judge(side, store, budget, planned.sample, progress))
            calls_after, unpriced_after = _used(store)
            calls += calls_after - calls_before
            unpriced += unpriced_after - unpriced_before
            stopped |= budget.exhausted
    progress.judge.end()
    ours, theirs = planned.judges
    return Bridge(
        judges=(ours.facts, theirs.facts),
        answers=tuple(
            DoublyJudged(
                one.side,
                one.question.id,
                one.variant,
                one.question.cluster,
                (a.status, b.status),
                (a.scores, b.scores),
            )
            for one, a, b in zip(planned.sample, *verdicts, strict=True)
            if a and b
        ),
        n_drawn=len(planned.sample),
        seed=planned.seed,
        calls=calls,
        reused=progress.judge.reused,
        cost_usd=None if unpriced else progress.spent_usd - spent_before,
        stopped=stopped,
    )


async def _judge(
    side: BridgedJudge, store: Store, budget: Budget, sample: Sequence[Sampled], progress: Progress
) -> list[Verdict | None]:
    """One judge's verdicts on the sample, in its order; None where the budget did not suffice."""
    session = JudgingSession(store, side.judge, budget, progress)
    requests = side.requests(sample)
    async with store.writing():
        work = session.run(requests)
        if session.has(*requests):  # then neither the judge nor its server is needed
            await work
        else:
            await with_judge_server(side.config, (side.judge,), store.folder, progress.say, work)
    verdicts: list[Verdict | None] = []
    for one in sample:
        parts = side.judge.requests(one.question, one.prediction)
        made = [found for part in parts if (found := judgement(store, part.request_hash))]
        verdicts.append(
            combine(one.question.id, one.variant, made, side.judge.criteria) if session.has(*parts) else None
        )
    return verdicts


def _used(store: Store) -> tuple[int, int]:
    """Calls that all stored judgements took, and how many judgements have no known price."""
    row = store.db.execute("SELECT total(attempts), count(*) - count(cost_usd) FROM judgements").fetchone()
    return int(row[0]), int(row[1])


def _draw(
    stores: Sequence[Store], n: int, seed: int, among: Collection[tuple[str, str]] | None
) -> Iterator[Sampled]:
    ids = [store.question_ids() for store in stores]
    pairs = [(q, q) for q in ids[0] if q in ids[1]] if among is None else list(among)
    left = n
    for pair in sorted(pairs, key=lambda pair: _random_key(seed, *pair)):
        answers = [
            (side, result.variant, result.prediction)
            for side, (store, question_id) in enumerate(zip(stores, pair, strict=True))
            for result in results(store, question_id=question_id)
            if result.prediction is not None
        ]
        for side, variant, prediction in sorted(answers, key=lambda a: _random_key(seed, *pair, a[0], a[1])):
            if not left:
                return
            question = stores[side].question(pair[side])
            assert question is not None, pair
            yield Sampled(side, question, variant, prediction)
            left -= 1


def _random_key(*parts: str | int) -> bytes:
    return hashlib.blake2b(orjson.dumps(parts), digest_size=16).digest()


def _judge_of(store: Store, run: BridgedRun) -> BridgedJudge:
    """The run's judge as it was. Raises RunError when the judge or its rubric has changed since."""
    facts, stored = store.meta("judge"), store.meta("config")
    if not facts or not stored or not stored.get("judge"):
        raise RunError(
            msg("error.judging.no_judge_to_bridge"),
            where=str(run.folder),
            hint=msg("error.judging.name_a_judge"),
        )
    roots = dict.fromkeys((*run.roots, Path(store.meta("root") or "."), run.folder.resolve().parent))
    named = stored["judge"]["rubric"]
    failure: InputError | None = None
    with tempfile.TemporaryDirectory() as temporary:
        kept = _stored_rubric(store, named, Path(temporary))
        for path, root in itertools.product((named, kept) if kept else (named,), roots):
            # The run's own limit may date from a time when none needed a price.
            changes = {"rubric": path, "via": "direct", "claims": False}
            config = configuration.rebuild({**stored, "judge": {**stored["judge"], **changes}}, root=root)
            assert config.judge is not None
            try:
                judge = judges.from_config(config, config.judge.model_copy(update={"max_cost_usd": None}))
            except InputError as error:
                failure = failure or error
                continue
            if judge.key == facts["key"]:
                return BridgedJudge(run.folder, judge, config, facts)
    if failure is not None:
        raise failure
    adapter = f"{stored['judge']['adapter']} or its base model, or " if stored["judge"].get("adapter") else ""
    raise RunError(
        msg("error.judging.rubric_changed", changed=f"{adapter}{named}", rubric=facts["rubric"]),
        where=str(run.folder),
        hint=msg("error.judging.restore_config"),
    )


def _stored_rubric(store: Store, named: str, folder: Path) -> str | None:
    """The rubric's text that the run has stored, as a file in `folder`; None where it has stored none."""
    stored = (store.meta("made") or {}).get("rubric")
    if not stored:
        return None
    file = folder / (f"{named}.toml" if named in rubrics.BUILT_IN else Path(named).name)
    file.write_text(stored["text"], encoding="utf-8")
    return str(file)

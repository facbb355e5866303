"""The bridge between two judges: a sample of answers that both have judged.

Scores of two judges, or by two rubrics, do not mix. What joins two runs under different
ones is a seeded sample of their answers that is judged again under the other's judge. The
verdicts are kept in the run whose judge gave them, so that none is paid twice; they are no
part of that run's own results.
"""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from simsa import config as configuration
from simsa import judges, rubrics
from simsa.config import Config, JudgeConfig
from simsa.errors import InputError, RunError
from simsa.judges import Judge, JudgeRequest, combine
from simsa.judges.cost import NOTHING, CostEstimate, cost_estimate
from simsa.records import Question
from simsa.run.concurrency import Budget, async_iter, for_each_concurrent
from simsa.run.judge_server import serve_judge_while
from simsa.run.judging import JudgingSession, ask_with_budget
from simsa.run.progress import Progress
from simsa.store import TRANSIENT, Store, judgement, results

RunIndex = int
"""0 is the first run and its judge, 1 the second."""
_Verdict = tuple[str, Mapping[str, int]]
"""A status, and the criteria that were scored."""


class Sampled(NamedTuple):
    """One answer of the sample: of which run, and what was asked and said."""

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

    `judges` are the two runs' own descriptions of them. `n_drawn` answers were drawn;
    `answers` are those that both judges have looked at: fewer only when `stopped` (by the
    budget). `calls` were made now, `reused` judgements had been paid for before. `cost_usd`
    is None where a price is not known.
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


@dataclass(slots=True)
class BridgePlan:
    """A drawn sample, and what judging it would take. Nothing has been spent yet."""

    runs: tuple[BridgedRun, BridgedRun]
    judges: tuple[Judge, Judge]
    configs: tuple[Config, Config]
    described: tuple[Mapping[str, Any], Mapping[str, Any]]
    sample: tuple[Sampled, ...]
    seed: int
    expense: CostEstimate
    """Expected calls, tokens and cost of both judges together."""


def plan(
    first: BridgedRun,
    second: BridgedRun,
    n: int,
    *,
    seed: int = 0,
    among: Collection[tuple[str, str]] | None = None,
) -> BridgePlan:
    """Draws the sample and looks at what it would take.

    Whole questions are drawn, with every variant's answer in either run (of the last one
    perhaps not all), so that both judges see the same spread. `among` limits them to those
    pairs of ids, one in each run; by default the ids that both have. Raises RunError when a
    run's judge cannot be made again as it was.
    """
    made, configs, described = [], [], []
    runs = (first, second)
    with ExitStack() as opened:
        stores = [opened.enter_context(Store.read(run.folder)) for run in runs]
        for run, store in zip(runs, stores, strict=True):
            judge, config = _judge(store, run)
            made.append(judge)
            configs.append(config)
            described.append(store.meta("judge"))
        sample = tuple(_draw(stores, n, seed, among))
        if not sample:
            raise RunError("there is no answer to judge twice", where=str(first.folder))
        total = NOTHING
        for judge, config, store in zip(made, configs, stores, strict=True):
            known = store.judged_requests(TRANSIENT)
            total = total.plus(cost_estimate(judge, _of(config), _requests(judge, sample), known))
    return BridgePlan(
        runs,
        (made[0], made[1]),
        (configs[0], configs[1]),
        (described[0], described[1]),
        sample,
        seed,
        total,
    )


async def build(
    planned: BridgePlan, *, max_cost_usd: float | None = None, progress: Progress | None = None
) -> Bridge:
    """Has both judges look at the sample.

    `max_cost_usd` limits what this bridge may cost; without it each run's own limit holds
    for all that was spent in that run. Raises RunError while a run is being written,
    EndpointError when a judge cannot be reached; what was judged by then is kept.
    """
    for config in planned.configs:
        judges.require_prices(_of(config), max_cost_usd)
    progress = progress or Progress()
    stage = progress.judge
    stage.begin(2 * len(planned.sample))
    shared = None if max_cost_usd is None else Budget(max_cost_usd, 0.0)
    found: list[list[_Verdict | None]] = []
    spent, calls, unpriced, stopped = 0.0, 0, 0, False
    with ExitStack() as opened:
        # Both runs are locked before either judge is paid.
        stores = [opened.enter_context(Store.create(run.folder)) for run in planned.runs]
        for store, judge, config in zip(stores, planned.judges, planned.configs, strict=True):
            budget = shared or Budget(_of(config).max_cost_usd, store.spent_usd())
            before, (asked, unknown) = budget.spent, _used(store)
            found.append(await _hear(store, judge, config, budget, planned.sample, progress))
            spent += budget.spent - before
            calls, unpriced = calls + _used(store)[0] - asked, unpriced + _used(store)[1] - unknown
            stopped |= budget.exhausted
    stage.end()
    return Bridge(
        judges=planned.described,
        answers=tuple(_both(planned.sample, found[0], found[1])),
        n_drawn=len(planned.sample),
        seed=planned.seed,
        calls=calls,
        reused=stage.reused,
        cost_usd=None if unpriced else spent,
        stopped=stopped,
    )


async def _hear(
    store: Store, judge: Judge, config: Config, budget: Budget, sample: Sequence[Sampled], progress: Progress
) -> list[_Verdict | None]:
    """One judge's verdicts on the sample, in its order; None where there was no money left to ask.

    Where nothing is to be asked the judge need not be there, nor be served by us.
    """
    hearing = JudgingSession(
        store, judge, ask_with_budget(judge, budget, _of(config)), progress.judge, TRANSIENT
    )
    heard: list[bool] = [False] * len(sample)
    before = budget.spent

    async def look(place: int) -> None:
        one = sample[place]
        requests = judge.requests(one.question, one.prediction)
        heard[place] = all([await hearing.hear(request) for request in requests])
        progress.judge.done += heard[place]
        progress.spent_usd = budget.spent - before

    async def look_at_all(asking: AbstractAsyncContextManager[object]) -> None:
        async with asking:
            await for_each_concurrent(async_iter(range(len(sample))), look, judge.width)

    known = store.judged_requests(TRANSIENT)
    async with store.writing():
        if any(request.request_hash not in known for request in _requests(judge, sample)):
            await serve_judge_while(config, (judge,), store.folder, progress.say, look_at_all(judge))
        else:
            await look_at_all(nullcontext())
    return [_verdict(store, judge, one) if there else None for one, there in zip(sample, heard, strict=True)]


def _verdict(store: Store, judge: Judge, one: Sampled) -> _Verdict:
    requests = judge.requests(one.question, one.prediction)
    parts = [made for r in requests if (made := judgement(store, r.request_hash)) is not None]
    verdict = combine(one.question.id, one.variant, parts)
    return verdict.status, verdict.scores


def _both(
    sample: Sequence[Sampled],
    first: Sequence[_Verdict | None],
    second: Sequence[_Verdict | None],
) -> Iterator[DoublyJudged]:
    for one, a, b in zip(sample, first, second, strict=True):
        if a is not None and b is not None:
            q = one.question
            yield DoublyJudged(one.side, q.id, one.variant, q.cluster, (a[0], b[0]), (a[1], b[1]))


def _used(store: Store) -> tuple[int, int]:
    """Requests that all judgements on file took, and how many judgements have no known price."""
    row = store.db.execute("SELECT total(attempts), count(*) - count(cost_usd) FROM judgements").fetchone()
    return int(row[0]), int(row[1])


def _draw(
    stores: Sequence[Store], n: int, seed: int, among: Collection[tuple[str, str]] | None
) -> Iterator[Sampled]:
    ids = [store.question_ids() for store in stores]
    pairs = [(q, q) for q in ids[0] if q in ids[1]] if among is None else list(among)
    left = n
    for pair in sorted(pairs, key=lambda pair: _lot(seed, *pair)):
        answers = [
            (side, result.variant, result.prediction)
            for side, (store, question_id) in enumerate(zip(stores, pair, strict=True))
            for result in results(store, question_id=question_id)
            if result.prediction is not None
        ]
        for side, variant, prediction in sorted(answers, key=lambda a: _lot(seed, *pair, a[0], a[1])):
            if not left:
                return
            question = stores[side].question(pair[side])
            assert question is not None, pair
            yield Sampled(side, question, variant, prediction)
            left -= 1


def _requests(judge: Judge, sample: Sequence[Sampled]) -> Iterator[JudgeRequest]:
    for one in sample:
        yield from judge.requests(one.question, one.prediction)


def _of(config: Config) -> JudgeConfig:
    assert config.judge is not None
    return config.judge


def _judge(store: Store, run: BridgedRun) -> tuple[Judge, Config]:
    """The run's judge as it was, and the config it goes by. Raises RunError when it, or its rubric, is another now."""
    described, kept = store.meta("judge"), store.meta("config")
    if not described or not kept or not kept.get("judge"):
        raise RunError("has no judge to bridge from", where=str(run.folder), hint="`simsa judge` names one")
    roots = dict.fromkeys((*run.roots, Path(store.meta("root") or "."), run.folder.resolve().parent))
    failure: InputError | None = None
    with tempfile.TemporaryDirectory() as aside:
        named = kept["judge"]["rubric"]
        rubric = _kept_rubric(store, named, Path(aside))
        for path, root in itertools.product((named, rubric) if rubric else (named,), roots):
            config = configuration.rebuild(
                {**kept, "judge": {**kept["judge"], "rubric": path, "via": "direct", "claims": False}},
                root=root,
            )
            try:
                # The run's own limit may be from a time when none needed a price.
                judge = judges.of(config, _of(config).model_copy(update={"max_cost_usd": None}))
            except InputError as error:
                failure = failure or error
                continue
            if judge.key == described["key"]:
                return judge, config
    if failure is not None:
        raise failure
    adapter = f"{kept['judge']['adapter']} or its base model, or " if kept["judge"].get("adapter") else ""
    raise RunError(
        f"its judge can't be made again: {adapter}{named} is no longer what {described['rubric']} was judged by",
        where=str(run.folder),
        hint="give the run by the config it was made from, with everything as it was",
    )


def _kept_rubric(store: Store, named: str, folder: Path) -> str | None:
    """The rubric that the run has kept, written into `folder`; None where it has kept none."""
    kept = (store.meta("made") or {}).get("rubric")
    if not kept:
        return None
    file = folder / (f"{named}.toml" if named in rubrics.BUILT_IN else Path(named).name)
    file.write_text(kept["text"], encoding="utf-8")
    return str(file)


def _lot(*parts: str | int) -> bytes:
    return hashlib.blake2b(orjson.dumps(parts), digest_size=16).digest()

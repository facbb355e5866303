"""Runs of any shape, written through the store."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simsa.metrics.registry import score_rows
from simsa.records import Judgement, Passage, Prediction, Question
from simsa.rubrics import built_in_criteria
from simsa.store import Answered, Planned, Store

Scored = Sequence[int] | Mapping[str, int] | str | None

JUDGE = {"model": "gpt-4o", "rubric": "rag-ko@1a2b3c4d", "mode": "joint", "key": "k"}


# Sixteen verdicts each; the second are 3.75 better in total.
BASE: Sequence[Scored] = [(3, 3, 3, 3), (2, 2, 2, 2), (4, 4, 4, 4), (3, 3, 3, 3)] * 4
BETTER: Sequence[Scored] = [(4, 4, 4, 4), (3, 3, 3, 3), (5, 5, 5, 4), (4, 4, 4, 4)] * 4


def question(n: int, **more: Any) -> Question:
    facts: dict[str, Any] = {
        "question": f"{n}번 마을의 이름은 무엇인가요?",
        "contexts": (Passage(f"{n}번 마을의 이름은 별빛마을 {n}호입니다.", title="마을"),),
        "reference": (f"별빛마을 {n}호",),
        "type": "mrc_question" if n % 2 else "no_answer",
        "answerable": bool(n % 2),
    }
    return Question(id=f"q{n}", **(facts | more))


def make_run(
    folder: Path,
    scores: Mapping[str, Sequence[Scored]],
    *,
    questions: Sequence[Question] | None = None,
    predictions: Mapping[str, Sequence[str | None]] | None = None,
    analysis: str = "문맥에 있는 내용과 같습니다.",
    measured: bool = True,
    figures: Mapping[str, float] | None = None,
    judge: Mapping[str, Any] | None = JUDGE,
    cost_usd: float | None = 0.001,
    **meta: Any,
) -> Path:
    """Writes a run and returns its folder.

    `scores` gives each variant's verdicts in the order of the questions: four integers, scores by criterion
    (with `criteria` as a meta value), a status such as "refused", or None where nothing is judged yet.
    `predictions` likewise; None is an answer that is missing. `figures` are stored as
    the metrics of every answer, in place of the computed ones.
    """
    n = max(map(len, scores.values()), default=0)
    asked = list(questions) if questions is not None else [question(i) for i in range(n)]
    said = {name: [f"{name} {i}번 답" for i in range(len(asked))] for name in scores} | dict(
        predictions or {}
    )
    asyncio.run(_write(folder, scores, asked, said, analysis, cost_usd))
    if measured:
        _measure(folder, figures)
    facts: dict[str, Any] = {
        "run": {
            "id": "abc123",
            "created": "2026-11-24T03:00:00+00:00",
            "config_hash": "c0ffee",
            "data_hash": "da7a",
            "simsa_version": "0.1.0",
        },
        "judge": judge,
        "language": "en",
        "baseline": next(iter(scores), None),
        "stopped": None,
        "notes": [],
    }
    with Store.create(folder) as store:
        named = ((facts | meta).get("judge") or {}).get("criteria", built_in_criteria().names)
        store.set_meta(**({"criteria": built_in_criteria().only(named).to_list()} | facts | meta))
    return folder


async def _write(
    folder: Path,
    scores: Mapping[str, Sequence[Scored]],
    questions: Sequence[Question],
    said: Mapping[str, Sequence[str | None]],
    analysis: str,
    cost_usd: float | None,
) -> None:
    with Store.create(folder) as store:
        store.set_questions(questions)
        store.set_variants((name, {"base": "tiny"}) for name in scores)
        store.set_plan(Planned(q.id, name, f"{name}/{q.id}") for name in scores for q in questions)
        rows = [
            (name, place, q, text)
            for name in scores
            for place, q in enumerate(questions)
            if (text := said[name][place]) is not None
        ]
        store.add_predictions(
            Prediction(q.id, name, text, f"{name}/{q.id}", "stop", 100, 10, 0.5) for name, _, q, text in rows
        )
        async with store.writing(), asyncio.TaskGroup() as together:
            for name, place, q, text in rows:
                found = scores[name][place] if place < len(scores[name]) else None
                if found is not None:
                    judgement = _judgement(f"judge {name}/{q.id}", found, analysis, cost_usd)
                    answered = Answered(0, q, name, f"{name}/{q.id}", text)
                    together.create_task(_keep(store, judgement, answered))


async def _keep(store: Store, judgement: Judgement, answered: Answered) -> None:
    await store.add_judgement(judgement)
    await store.add_verdict(answered, "k", [("joint", judgement.request_hash)])


def _measure(folder: Path, figures: Mapping[str, float] | None) -> None:
    with Store.create(folder) as store:
        rows = store.unmeasured("1", 100_000)
        found = score_rows((row.prediction, row.question) for row in rows)
        store.add_measures(
            (row.answer_hash, row.question.content_hash, "1", dict(figures) if figures else next(found))
            for row in rows
        )


def _judgement(
    key: str, found: Sequence[int] | Mapping[str, int] | str, analysis: str, cost_usd: float | None
) -> Judgement:
    usage = {"prompt_tokens": 200, "completion_tokens": 20, "cost_usd": cost_usd, "raw": "{}"}
    if isinstance(found, str):
        return Judgement(key, "gpt-4o", "rag-ko@1a2b3c4d", found, **usage)  # type: ignore[arg-type]
    named = found if isinstance(found, Mapping) else zip(built_in_criteria().names, found, strict=True)
    scored = dict(named)
    return Judgement(key, "gpt-4o", "rag-ko@1a2b3c4d", "scored", scored, analysis, **usage)  # type: ignore[arg-type]


def answer_again(
    folder: Path,
    scores: Mapping[str, Sequence[Sequence[Scored]]],
    said: Mapping[str, Sequence[Sequence[str]]] | None = None,
    *,
    analysis: str = "",
) -> Path:
    """Gives questions of a run more answers: variant → for each further answer the verdicts, in the order of the questions.

    `said` likewise; by default "{variant} {place}번 또 다른 답 {sample}".
    """
    asyncio.run(_again(folder, scores, said or {}, analysis))
    return folder


async def _again(
    folder: Path,
    scores: Mapping[str, Sequence[Sequence[Scored]]],
    said: Mapping[str, Sequence[Sequence[str]]],
    analysis: str,
) -> None:
    with Store.create(folder) as store:
        questions = list(store.questions())
        first = store.db.execute("SELECT question_id, variant, request_hash FROM plan WHERE sample = 0")
        more = [
            (Planned(q.id, name, f"{name}/{q.id}/{n}", n), place, found)
            for name, answers in scores.items()
            for n, of in enumerate(answers, 1)
            for place, (q, found) in enumerate(zip(questions, of, strict=False))
        ]
        store.set_plan([*(Planned(*row) for row in first.fetchall()), *(planned for planned, _, _ in more)])
        texts = {
            planned: said[planned.variant][planned.sample - 1][place]
            if planned.variant in said
            else f"{planned.variant} {place}번 또 다른 답 {planned.sample}"
            for planned, place, _ in more
        }
        store.add_predictions(
            Prediction(p.question_id, p.variant, text, p.request_hash, "stop", 100, 10, 0.5)
            for p, text in texts.items()
        )
        async with store.writing():
            for planned, place, found in more:
                if found is None:
                    continue
                judgement = _judgement(f"judge {planned.request_hash}", found, analysis, None)
                answered = Answered(
                    0, questions[place], planned.variant, planned.request_hash, texts[planned], planned.sample
                )
                await _keep(store, judgement, answered)

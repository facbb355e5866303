"""A run as one flat row per question and variant, as tables and spreadsheets want it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from simsa.judges import combine
from simsa.metrics.registry import METRICS
from simsa.records import Claim, Criteria, Judgement
from simsa.report.judge_reliability import sub_scores
from simsa.store import Store, claimed, criteria_of, judgements, measures, results, snapshot

_BEFORE_SCORES = (
    "question_id",
    "variant",
    "type",
    "answerable",
    "cluster",
    "question",
    "contexts",
    "reference",
    "prediction",
    "judge",
    "rubric",
    "status",
)
_AFTER_SCORES = (
    "total",
    "analysis",
    *METRICS,
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
    "latency_s",
    "raw",
    "judge_prompt_tokens",
    "judge_completion_tokens",
    "cost_usd",
    "request_hash",
    "members",
    "repeats",
    "expected",
    "claims_supported",
    "claims_total",
    "claims",
    "sample",
)


def columns(criteria: Criteria) -> tuple[str, ...]:
    """The keys of the rows of a run with `criteria`, in order."""
    return (*_BEFORE_SCORES, *criteria.names, *_AFTER_SCORES)


def rows(store: Store) -> Iterator[dict[str, Any]]:
    """Every planned row in the order of the test set, with the keys of `columns`.

    Where a question was answered several times each answer is a row; `sample` counts them from 0.
    What is missing is None. `contexts` and `reference` are lists of texts. The columns from
    `raw` on are the verdict's: what the judge answered, what that took, its request, and as
    objects what each member of a panel and each repeat said, where there are several, and the
    expected scores, where token probabilities were asked for. The last are the answer's claims, where
    they were asked for: how many a passage bears out, of how many, and all of them as JSON text.
    """
    with snapshot(store):
        yield from _rows(store)


def _expected(parts: Iterable[Judgement], criteria: Criteria) -> dict[str, float | None] | None:
    found = {name: one.score for part in parts for name, one in part.expected.items()}
    return {name: found.get(name) for name in criteria.names} if found else None


def _claims(found: tuple[Claim, ...] | None) -> dict[str, Any]:
    if found is None:
        return dict.fromkeys(("claims_supported", "claims_total", "claims"))
    return {
        "claims_supported": sum(claim.supported for claim in found),
        "claims_total": len(found),
        "claims": orjson.dumps([claim._asdict() for claim in found]).decode(),
    }


def _rows(store: Store) -> Iterator[dict[str, Any]]:
    judge, criteria = store.meta("judge") or {}, criteria_of(store)
    question, several = None, bool(store.count("sub_judgements"))
    voices: dict[int, dict[str, dict[str, Any]]] = {}
    listed: dict[tuple[str, int], tuple[Claim, ...] | None] = {}
    for result, figures in zip(results(store, sample=None), measures(store, sample=None), strict=True):
        if question is None or question.id != result.question_id:
            question = store.question(result.question_id)
            voices = {}
            found = claimed(store, result.question_id, sample=None)
            listed = {(one.variant, one.sample): one.claims for one in found}
        assert question is not None  # results are joined with the questions
        if several and result.sample not in voices:
            voices[result.sample] = sub_scores(store, result.question_id, criteria, result.sample)
        said = voices.get(result.sample, {}).get(result.variant, {})
        parts = judgements(store, result.question_id, result.variant, result.sample)
        verdict = combine(result.question_id, result.variant, parts) if parts else None
        yield {
            "question_id": result.question_id,
            "variant": result.variant,
            "type": result.type,
            "answerable": result.answerable,
            "cluster": result.cluster,
            "question": question.question,
            "contexts": [passage.text for passage in question.contexts],
            "reference": list(question.reference),
            "prediction": result.prediction,
            "judge": judge.get("model"),
            "rubric": judge.get("rubric"),
            "status": result.status,
            **{name: result.scores.get(name) for name in criteria.names},
            "total": result.total,
            "analysis": verdict.analysis if verdict else "",
            **{name: (figures or {}).get(name) for name in METRICS},
            "finish_reason": result.finish_reason,
            "prompt_tokens": result.prompt_tokens,
            "completion_tokens": result.completion_tokens,
            "latency_s": result.latency_s,
            "raw": verdict and verdict.raw,
            "judge_prompt_tokens": verdict and verdict.prompt_tokens,
            "judge_completion_tokens": verdict and verdict.completion_tokens,
            "cost_usd": verdict and verdict.cost_usd,
            "request_hash": verdict and verdict.request_hash,
            **{name: said.get(name) for name in ("members", "repeats")},
            "expected": _expected(parts, criteria),
            **_claims(listed.get((result.variant, result.sample))),
            "sample": result.sample,
        }

"""A run as one flat row per question and variant, for tables and spreadsheets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from simsa.judges import combine
from simsa.metrics.registry import METRICS
from simsa.records import Claim, Criteria
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
_AFTER_METRICS = (
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
    return (*_BEFORE_SCORES, *criteria.names, "total", "analysis", *METRICS, *_AFTER_METRICS)


def rows(store: Store) -> Iterator[dict[str, Any]]:
    """Every planned row in the order of the test set, with the keys of `columns`; missing values are None.

    Each of several answers to a question is a row; `sample` counts them from 0. `contexts` and `reference` are
    lists of texts. The columns from `raw` to `request_hash` are the verdict's. `members`, `repeats` and `expected`
    are objects: the scores of panel members and repeats, and expected scores. `claims` is JSON text.
    """
    with snapshot(store):
        yield from _rows(store)


def _rows(store: Store) -> Iterator[dict[str, Any]]:
    judge, criteria = store.meta("judge") or {}, criteria_of(store)
    question, has_parts = None, bool(store.count("sub_judgements"))
    by_sample: dict[int, dict[str, dict[str, Any]]] = {}
    listed: dict[tuple[str, int], tuple[Claim, ...] | None] = {}
    for result, figures in zip(results(store, sample=None), measures(store, sample=None), strict=True):
        if question is None or question.id != result.question_id:
            question = store.question(result.question_id)
            by_sample = {}
            found = claimed(store, result.question_id, sample=None)
            listed = {(one.variant, one.sample): one.claims for one in found}
        assert question is not None  # results are joined with the questions
        if has_parts and result.sample not in by_sample:
            by_sample[result.sample] = sub_scores(store, result.question_id, criteria, result.sample)
        parts = judgements(store, result.question_id, result.variant, result.sample)
        verdict = combine(result.question_id, result.variant, parts, criteria) if parts else None
        expected = {name: one.score for part in parts for name, one in part.expected.items()}
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
            "members": None,
            "repeats": None,
            **by_sample.get(result.sample, {}).get(result.variant, {}),
            "expected": {name: expected.get(name) for name in criteria.names} if expected else None,
            **_claims(listed.get((result.variant, result.sample))),
            "sample": result.sample,
        }


def _claims(found: tuple[Claim, ...] | None) -> dict[str, Any]:
    if found is None:
        return dict.fromkeys(("claims_supported", "claims_total", "claims"))
    return {
        "claims_supported": sum(claim.supported for claim in found),
        "claims_total": len(found),
        "claims": orjson.dumps([claim._asdict() for claim in found]).decode(),
    }

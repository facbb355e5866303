"""A run as Inspect eval logs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

import orjson

from simsa.exporters import Export, ExportOptions
from simsa.records import content_hash
from simsa.report.score_rows import rows
from simsa.store import Store, criteria_of
from simsa.version import __version__

_STOP_REASONS = {"stop": "stop", "length": "max_tokens", "content_filter": "content_filter"}
_EPOCH = "1970-01-01T00:00:00+00:00"


def export_run(store: Store, options: ExportOptions) -> Export:
    folder = options.out or options.run / "inspect"
    return Export(files=((folder / name, log) for name, log in inspect(store)))


def inspect(store: Store) -> Iterator[tuple[str, bytes]]:
    """The file name and the Inspect eval log (version 2, JSON) of every variant.

    A sample without a score has none in the log either; its status is in the metadata.
    `inspect view` lists a JSON file only when its name has Inspect's own form, TIME_TASK_ID.json.
    """
    # Lists of logs show the first score.
    scores = ("total", *criteria_of(store).names)
    for variant in store.variants():
        found = [row for row in rows(store) if row["variant"] == variant]
        log = _log(store, variant, found, scores)
        time = log["eval"]["created"][:19].replace(":", "-")
        # Characters that every file system allows, and not too many; the id keeps names different.
        task = re.sub(r"[^0-9A-Za-z가-힣.]+", "-", variant)[:40]
        yield f"{time}_{task}_{log['eval']['task_id']}.json", orjson.dumps(log, option=orjson.OPT_INDENT_2)


def _log(store: Store, variant: str, found: list[dict[str, Any]], scores: Sequence[str]) -> dict[str, Any]:
    run = store.meta("run") or {}
    judge = store.meta("judge") or {}
    ids = list(dict.fromkeys(row["question_id"] for row in found))
    task_id = content_hash(run.get("id"), variant)
    answered = sum(row["prediction"] is not None for row in found)
    created = run.get("created") or _EPOCH
    return {
        "version": 2,
        "status": "success" if answered == len(found) else "error",
        "eval": {
            "eval_id": task_id,
            "run_id": run.get("id") or task_id,
            "created": created,
            "task": "simsa",
            "task_id": task_id,
            "dataset": {"name": store.data_hash(), "samples": len(ids), "sample_ids": ids},
            "model": f"simsa/{variant}",
            "config": {},
            "packages": {"simsa": __version__},
            "metadata": {"judge": judge.get("model"), "rubric": judge.get("rubric")},
        },
        "results": {
            "total_samples": len(found),
            "completed_samples": answered,
            "scores": [_score(name, found) for name in scores],
        },
        # A run may be interrupted and resumed on another day: it has a beginning but no duration.
        "stats": {"started_at": created, "completed_at": created, "model_usage": {variant: _usage(found)}},
        "samples": [_sample(row, scores) for row in found],
    }


def _score(name: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    values = [row[name] for row in found if row[name] is not None]
    mean = {"mean": {"name": "mean", "value": fmean(values)}} if values else {}
    return {
        "name": name,
        "scorer": name,
        "scored_samples": len(values),
        "unscored_samples": len(found) - len(values),
        "metrics": mean,
    }


def _usage(found: list[dict[str, Any]]) -> dict[str, int]:
    read, written = (sum(row[name] or 0 for row in found) for name in ("prompt_tokens", "completion_tokens"))
    return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}


def _sample(row: dict[str, Any], scores: Sequence[str]) -> dict[str, Any]:
    passages = "\n\n".join(row["contexts"])
    asked = f"{row['question']}\n\n{passages}" if passages else row["question"]
    answer = row["prediction"]
    sample: dict[str, Any] = {
        "id": row["question_id"],
        "epoch": 1 + row["sample"],
        "input": asked,
        "target": row["reference"],
        "scores": {
            name: {"value": row[name], "answer": answer, "explanation": row["analysis"]}
            for name in scores
            if row[name] is not None
        },
        "messages": [{"role": "user", "content": asked}],
        "metadata": {name: row[name] for name in ("status", "type", "answerable", "cluster")},
    }
    if answer is not None:
        message = {"role": "assistant", "content": answer}
        sample["messages"].append(message)
        sample["model_usage"] = {row["variant"]: _usage([row])}
        sample["total_time"] = sample["working_time"] = row["latency_s"]
        stop = _STOP_REASONS.get(row["finish_reason"] or "stop", "unknown")
        sample["output"] = {
            "model": row["variant"],
            "choices": [{"message": message, "stop_reason": stop}],
            "completion": answer,
            "time": row["latency_s"],
        }
    return sample

"""One SQLite file a run: numbered schema, group commit, one writer, any number of readers."""

from simsa.store.reading import (
    JudgeUsage,
    Result,
    analyses,
    judge_usage,
    judgements,
    measures,
    results,
    snapshot,
    statuses,
)
from simsa.store.store import TRANSIENT, Answered, Planned, Store

__all__ = [
    "TRANSIENT",
    "Answered",
    "JudgeUsage",
    "Planned",
    "Result",
    "Store",
    "analyses",
    "judge_usage",
    "judgements",
    "measures",
    "results",
    "snapshot",
    "statuses",
]

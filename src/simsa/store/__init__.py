"""One SQLite file a run: numbered schema, group commit, one writer, any number of readers."""

from simsa.store.reading import (
    JudgeUsage,
    Result,
    analyses,
    judge_usage,
    judgement,
    judgements,
    measures,
    results,
    snapshot,
    statuses,
    voices,
)
from simsa.store.store import TRANSIENT, Answered, Planned, Store, Voice

__all__ = [
    "TRANSIENT",
    "Answered",
    "JudgeUsage",
    "Planned",
    "Result",
    "Store",
    "Voice",
    "analyses",
    "judge_usage",
    "judgement",
    "judgements",
    "measures",
    "results",
    "snapshot",
    "statuses",
    "voices",
]

"""One SQLite file a run: numbered schema, group commit, one writer, any number of readers."""

from simsa.store.reading import (
    Heard,
    JudgeUsage,
    Result,
    analyses,
    expected,
    judge_usage,
    judgement,
    judgements,
    measures,
    members,
    repeats,
    results,
    snapshot,
    statuses,
    voices,
)
from simsa.store.store import TRANSIENT, Answered, Planned, Role, Store, Voice

__all__ = [
    "TRANSIENT",
    "Answered",
    "Heard",
    "JudgeUsage",
    "Planned",
    "Result",
    "Role",
    "Store",
    "Voice",
    "analyses",
    "expected",
    "judge_usage",
    "judgement",
    "judgements",
    "measures",
    "members",
    "repeats",
    "results",
    "snapshot",
    "statuses",
    "voices",
]

"""Judging by way of files: through an endpoint's Batch API, or run by anybody anywhere.

A request is in one place at a time: waiting to be asked, in one job, answered but not yet
read, or judged. Where it is, is in the run's store before it moves.
"""

from simsa.batching.modes import Cancel, Collect, Mode, Read, Submit, Wait, Write, default, is_offline
from simsa.batching.scoring import refuse_if_open, score
from simsa.batching.telling import standing
from simsa.batching.work import Work

__all__ = [
    "Cancel",
    "Collect",
    "Mode",
    "Read",
    "Submit",
    "Wait",
    "Work",
    "Write",
    "default",
    "is_offline",
    "refuse_if_open",
    "score",
    "standing",
]

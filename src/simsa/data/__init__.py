"""Files of every known kind → questions, strictly: what is wrong is refused with its place and a remedy."""

from simsa.data.reading import FORMATS, from_rows, judged_rows, read, read_predictions
from simsa.data.rows import PredictionRow
from simsa.data.summary import DataSummary, Spread, describe

__all__ = [
    "FORMATS",
    "DataSummary",
    "PredictionRow",
    "Spread",
    "describe",
    "from_rows",
    "judged_rows",
    "read",
    "read_predictions",
]

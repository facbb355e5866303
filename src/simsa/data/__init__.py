"""Files of every known kind → questions, strictly: what is wrong is refused with its place and a remedy."""

from simsa.data.profile import DataSummary, LengthSpread, describe
from simsa.data.readers import FORMATS, from_rows, judged_rows, read, read_predictions
from simsa.data.row_reader import PredictionRow

__all__ = [
    "FORMATS",
    "DataSummary",
    "LengthSpread",
    "PredictionRow",
    "describe",
    "from_rows",
    "judged_rows",
    "read",
    "read_predictions",
]

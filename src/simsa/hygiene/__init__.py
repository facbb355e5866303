"""Is the test set fit to test with? Leaks from training data, doubles, references and labels that can't be right.

Pure functions over questions; nothing here changes or drops a row.
"""

from simsa.hygiene.findings import Finding, Hygiene, Kind, Match, inspect
from simsa.hygiene.labels import mislabelled, unsupported
from simsa.hygiene.overlap import duplicates, leaks

__all__ = [
    "Finding",
    "Hygiene",
    "Kind",
    "Match",
    "duplicates",
    "inspect",
    "leaks",
    "mislabelled",
    "unsupported",
]

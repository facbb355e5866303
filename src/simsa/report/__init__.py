"""What a run says: its store becomes a `Summary`, and a summary becomes text, Markdown, HTML or JSON.

`csv`, `parquet` and `junit` have one row per question and variant and read the store themselves.
"""

from simsa.report.model import Answer, Example, Note, Slice, Summary, VariantSummary
from simsa.report.summarise import summary

__all__ = ["Answer", "Example", "Note", "Slice", "Summary", "VariantSummary", "summary"]

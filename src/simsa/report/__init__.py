"""What a run says: its store becomes a `Summary`, and a summary becomes text, Markdown, HTML or JSON.

`csv`, `parquet` and `junit` have one row per question and variant and read the store themselves.
"""

from simsa.report.summary import summary
from simsa.report.summary_model import Example, ExampleAnswer, Note, Slice, Summary, VariantSummary

__all__ = ["Example", "ExampleAnswer", "Note", "Slice", "Summary", "VariantSummary", "summary"]

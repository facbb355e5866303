"""A run as rows of a ragas `EvaluationDataset`."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from simsa.exporters import Export, ExportOptions
from simsa.i18n.messages import msg
from simsa.report.score_rows import rows
from simsa.store import Store, criteria_of


def export_run(store: Store, options: ExportOptions) -> Export:
    notes = () if store.count("answers") else (msg("export.none", run=str(options.run)),)
    return Export(content=ragas(store), notes=notes)


def ragas(store: Store) -> Iterator[bytes]:
    """The rows as JSONL, with the variant and the scores beside ragas' own fields.

    ragas knows one reference: the first accepted answer. Rows without a prediction are left out, since
    ragas cannot represent a missing answer.
    """
    scores = (*criteria_of(store).names, "total")
    for row in rows(store):
        if row["prediction"] is None:
            continue
        sample = {
            "user_input": row["question"],
            "retrieved_contexts": row["contexts"],
            "response": row["prediction"],
            "reference": next(iter(row["reference"]), ""),
            "question_id": row["question_id"],
            "variant": row["variant"],
            "sample": row["sample"],
            "status": row["status"],
            **{name: row[name] for name in scores},
        }
        yield orjson.dumps(sample, option=orjson.OPT_APPEND_NEWLINE)

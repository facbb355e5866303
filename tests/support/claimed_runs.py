"""Runs whose answers have lists of claims."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from simsa.records import CLAIMS, Claim, Judgement
from simsa.store import Answered, Store, results
from tests.support.criteria import CRITERIA

YES = Claim("별빛마을이다", 1, "별빛마을", supported=True)


NO = Claim("바다 옆이다", None, None, supported=False)


MADE_UP = Claim("산 옆이다", 1, "산 옆", supported=False)


Lists = Sequence[Sequence[Claim] | str | None]


def with_claims(folder: Path, lists: Mapping[str, Lists]) -> Path:
    """Adds lists of claims to a run, by variant in the order of its questions: claims, a status, or None."""

    async def write() -> None:
        with Store.create(folder) as store:
            rows = {(r.question_id, r.variant): r for r in results(store)}
            async with store.writing():
                for name, of in lists.items():
                    for question_id, found in zip(store.question_ids(), of, strict=False):
                        if found is None:
                            continue
                        asked = store.question(question_id)
                        assert asked is not None
                        row, key = rows[question_id, name], f"claims {name}/{question_id}"
                        status, claims = (found, None) if isinstance(found, str) else ("scored", tuple(found))
                        made = Judgement(key, "gpt-4o", "claims-ko@1", status, claims=claims, raw="{원문}")  # type: ignore[arg-type]
                        await store.add_judgement(made)
                        answered = Answered(0, asked, name, row.answer_hash, row.prediction or "")
                        await store.add_verdict(answered, "k", [(CLAIMS, key)])

    asyncio.run(write())
    return folder


def faithful(*scores: int) -> list[tuple[int, int, int, int]]:
    place = CRITERIA.index("context_faithfulness")
    return [tuple(score if n == place else 3 for n in range(4)) for score in scores]  # type: ignore[misc]

"""Variant names that are long and similar."""

from __future__ import annotations

KOREAN = "한국어문서검색증강생성미세조정실험용어댑터버전이공이육년십일월최종의최종" * 2


LONG = (
    KOREAN[:39] + "갑" + KOREAN[:40],
    KOREAN[:39] + "을" + KOREAN[:40],
    "rag-lora-gemma-3-270m-ko-lr2e-4-r16-alpha32-epochs3-seed1234-checkpoint-00500-fin",
)

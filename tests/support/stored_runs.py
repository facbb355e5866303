"""Questions, predictions and a filled store."""

from __future__ import annotations

from simsa.records import Passage, Prediction, Question
from simsa.store import Planned, Store


def questions(n: int) -> list[Question]:
    return [Question(f"q{i}", f"질문 {i}?", (Passage(f"문서 {i}"),), (f"답 {i}",)) for i in range(n)]


def fill(store: Store, n: int = 3, variants: tuple[str, ...] = ("base", "lora")) -> None:
    store.set_questions(questions(n))
    store.set_variants((name, {}) for name in variants)
    store.set_plan(Planned(f"q{i}", name, f"{name}-{i}") for i in range(n) for name in variants)


def predicted(i: int, variant: str, text: str | None = "답") -> Prediction:
    return Prediction(f"q{i}", variant, text, f"{variant}-{i}")

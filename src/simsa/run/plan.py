"""What is to be asked: each variant's request for each question, named by its content.

A request's hash covers everything that can change the answer: the weights, the
adapter, the template, the messages, the sampling. Work is found again by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simsa import data, prompts
from simsa.config import Config, VariantConfig
from simsa.errors import DataError
from simsa.i18n.messages import msg
from simsa.records import Prediction, Question, content_hash
from simsa.request_hash import of_served
from simsa.run.progress import Progress
from simsa.store import Planned, Store


def prepare(store: Store, config: Config, progress: Progress) -> None:
    """Reads the test set into the run and plans every request; answers from files are taken over."""
    n = store.set_questions(read_questions(config))
    if n == 0:
        raise DataError("has no questions", where=config.data.path)
    store.set_variants((variant.name, _describe(config, variant)) for variant in config.variants)
    given = {v.name: _given(store, config, v, progress) for v in config.variants if v.predictions}
    store.set_plan(_planned(store, config, given))


def read_questions(config: Config) -> Iterator[Question]:
    """The test set that `config` names, row by row."""
    source = config.data
    path = config.path(source.path)
    return data.read(
        path if path.exists() else source.path,
        format=source.format,
        fields=source.fields,
        limit=source.limit,
        split=source.split,
    )


def _planned(store: Store, config: Config, given: dict[str, dict[str, str]]) -> Iterator[Planned]:
    prompt = prompts.load(config.generation.prompt, config.root)
    sampling = config.generation.model_dump(mode="json", exclude={"prompt", "max_attempts", "samples"})
    several = [sampling | _of_sample(config, n) for n in range(config.generation.samples)]
    asked = {v.name: _identity(config, v) for v in config.variants if v.name not in given}
    for question_id in store.question_ids():
        for name, answers in given.items():
            request = answers.get(question_id) or content_hash("not given", name, question_id)
            yield Planned(question_id, name, request)
    if asked:
        for question in store.questions():
            messages = [message.to_json() for message in prompt.messages(question)]
            for name, identity in asked.items():
                for n, how in enumerate(several):
                    yield Planned(question.id, name, content_hash(identity, messages, how), n)


def _of_sample(config: Config, n: int) -> dict[str, Any]:
    """What tells the request for the n-th answer from that for the first: its seed, or where there is none its number."""
    seed = config.generation.seed
    if n == 0:
        return {}
    return {"sample": n} if seed is None else {"seed": seed + n}


def _given(store: Store, config: Config, variant: VariantConfig, progress: Progress) -> dict[str, str]:
    """Takes over a file's answers; returns question id → request hash."""
    path = config.path(variant.predictions or "")
    known = store.question_ids()
    taken: dict[str, Prediction] = {}
    unknown = 0
    for row in data.read_predictions(path):
        if row.variant not in (None, variant.name):
            continue
        if row.question_id not in known:
            unknown += 1
            continue
        if row.question_id in taken:
            raise DataError(
                "two predictions for one question",
                where=str(path),
                field="question_id",
                found=row.question_id,
                hint="keep one, as that with `sample` 0, or tell them apart by a `variant` field",
            )
        if row.prediction is not None:
            taken[row.question_id] = _taken(variant.name, row)
    if not taken:
        raise DataError(
            f"has no prediction for any question of {config.data.path}",
            where=str(path),
            hint="its `question_id` must be the `id` that `simsa convert` shows for the test set",
        )
    store.add_predictions(taken.values())
    file = variant.predictions
    if unknown and config.data.limit is None:  # with a limit, the rest of the file is expected
        progress.note("predictions", msg("given.unknown", path=file, n=unknown))
    if len(taken) < len(known):
        progress.note("predictions", msg("given.missing", path=file, n=len(known) - len(taken)))
    return {question_id: prediction.request_hash for question_id, prediction in taken.items()}


def _taken(variant: str, row: data.PredictionRow) -> Prediction:
    return Prediction(
        question_id=row.question_id,
        variant=variant,
        prediction=row.prediction,
        request_hash=content_hash("given", row.question_id, row.prediction),
        finish_reason=row.finish_reason,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        latency_s=row.latency_s,
    )


def _describe(config: Config, variant: VariantConfig) -> dict[str, Any]:
    """What a report tells of a variant."""
    info = variant.model_dump(mode="json", exclude_none=True, exclude={"name"})
    if not (variant.model or variant.endpoint or variant.predictions):
        info["base"] = config.serving.model
    return info


def _identity(config: Config, variant: VariantConfig) -> Any:
    if variant.predictions:
        return None
    if variant.endpoint:
        e = variant.endpoint
        return ["endpoint", e.base_url, e.model, e.adapter, e.extra_body]
    return of_served(config, variant.adapter, variant.model)

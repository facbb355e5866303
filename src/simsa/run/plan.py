"""The plan of a run: each variant's request for each question, named by its content.

The hash of a request covers everything that can change the answer: weights, adapter, chat template, messages,
sampling. Stored answers are found by it.
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
    """Reads the test set into the run, plans every request, and stores the answers that files give."""
    n = store.set_questions(read_questions(config))
    if n == 0:
        raise DataError(msg("error.plan.no_questions"), where=config.data.path)
    store.set_variants((variant.name, _describe(config, variant)) for variant in config.variants)
    given = {v.name: _store_given(store, config, v, progress) for v in config.variants if v.predictions}
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
    samples = [sampling | _sample_settings(config, n) for n in range(config.generation.samples)]
    asked = {v.name: _identity(config, v) for v in config.variants if v.name not in given}
    for question_id in store.question_ids():
        for name, answers in given.items():
            request = answers.get(question_id) or content_hash("not given", name, question_id)
            yield Planned(question_id, name, request)
    if asked:
        for question in store.questions():
            messages = [message.to_json() for message in prompt.messages(question)]
            for name, identity in asked.items():
                for n, settings in enumerate(samples):
                    yield Planned(question.id, name, content_hash(identity, messages, settings), n)


def _sample_settings(config: Config, n: int) -> dict[str, Any]:
    """How the request for the n-th answer differs from the first: in its seed, or without one in its number."""
    seed = config.generation.seed
    if n == 0:
        return {}
    return {"sample": n} if seed is None else {"seed": seed + n}


def _store_given(store: Store, config: Config, variant: VariantConfig, progress: Progress) -> dict[str, str]:
    """Stores the answers of a file; returns question id → request hash."""
    path = config.path(variant.predictions or "")
    known = store.question_ids()
    given: dict[str, Prediction] = {}
    unknown = 0
    for row in data.read_predictions(path):
        if row.variant not in (None, variant.name):
            continue
        if row.question_id not in known:
            unknown += 1
            continue
        if row.question_id in given:
            raise DataError(
                msg("error.plan.two_predictions"),
                where=str(path),
                field="question_id",
                found=row.question_id,
                hint=msg("error.plan.keep_one"),
            )
        if row.prediction is not None:
            given[row.question_id] = _prediction(variant.name, row)
    if not given:
        raise DataError(
            msg("error.plan.no_prediction", path=config.data.path),
            where=str(path),
            hint=msg("error.plan.question_id"),
        )
    store.add_predictions(given.values())
    file = variant.predictions
    if unknown and config.data.limit is None:  # with a limit, the rest of the file is expected
        progress.note("predictions", msg("given.unknown", path=file, n=unknown))
    if len(given) < len(known):
        progress.note("predictions", msg("given.missing", path=file, n=len(known) - len(given)))
    return {question_id: prediction.request_hash for question_id, prediction in given.items()}


def _prediction(variant: str, row: data.PredictionRow) -> Prediction:
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
    """What reports show of a variant."""
    info = variant.model_dump(mode="json", exclude_none=True, exclude={"name"})
    if not (variant.model or variant.endpoint or variant.predictions):
        info["base"] = config.serving.model
    return info


def _identity(config: Config, variant: VariantConfig) -> Any:
    """What identifies the model of a variant, as JSON."""
    if variant.endpoint:
        e = variant.endpoint
        return ["endpoint", e.base_url, e.model, e.adapter, e.extra_body]
    return of_served(config, variant.adapter, variant.model)

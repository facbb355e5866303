"""Looks at everything a run needs, and spends nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from simsa import data, engines, judges, prompts
from simsa.config import Config, JudgeConfig, secret
from simsa.data.contamination import DataFinding, DataQuality, inspect_quality
from simsa.errors import SimsaError
from simsa.i18n.messages import msg
from simsa.judges import Judge
from simsa.llm import CapabilityReport, ChatEndpoint, ModelInfo, deprecation
from simsa.llm.batch_client import BatchEndpoint
from simsa.records import Question
from simsa.run import plan
from simsa.run.cost_estimate import RunEstimate, estimate_run
from simsa.text import one_line

Level = Literal["ok", "warning", "error"]
_EXAMPLES = 3


class CheckFinding(NamedTuple):
    """One thing that was looked at. `exit_code` is what a run would end with because of it."""

    level: Level
    about: str
    text: str
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Everything that was found, the data's description, the estimate, and the doubtful rows."""

    findings: tuple[CheckFinding, ...]
    data: dict[str, Any] | None
    estimate: RunEstimate | None
    hygiene: DataQuality | None = None
    capabilities: Mapping[str, CapabilityReport | None] = field(default_factory=dict)
    """Variant or judge → what its endpoint accepts; None if it was not asked."""

    @property
    def exit_code(self) -> int:
        return max((finding.exit_code for finding in self.findings), default=0)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "simsa.check/1",
            "ok": self.exit_code == 0,
            "findings": [finding._asdict() for finding in self.findings],
            "abilities": {str(name): known and known.to_dict() for name, known in self.capabilities.items()},
            "data": self.data,
            "estimate": None if self.estimate is None else self.estimate.to_dict(),
            "hygiene": None if self.hygiene is None else self.hygiene.to_dict(),
        }


async def check(config: Config, folder: Path, train: Path | None = None, *, ask: bool = False) -> CheckReport:
    """Looks at config, data, prompts, adapters, endpoints and judge; goes on past what is wrong.

    `train` is a file of training rows, which the test set should have nothing of. `ask` has each
    endpoint answer one small question, a few tokens, to find out what it takes.
    """
    findings: list[CheckFinding] = []
    known: dict[str, CapabilityReport | None] = {}
    questions = _questions(config, findings)
    doubtful = _hygiene(questions, train, findings)
    _prompt(config, questions, findings)
    _adapters(config, findings)
    findings.extend([finding async for finding in _endpoints(config, known, ask)])
    judge = _judge(config, findings)
    if config.judge and judge and not (judge.is_local or config.judge.adapter):
        findings.extend([finding async for finding in _judge_endpoint(config.judge, known, ask)])
    takes = estimate_run(config, folder, judge, questions) if judge and questions else None
    described = data.describe(questions).to_dict() if questions else None
    return CheckReport(tuple(findings), described, takes, doubtful, known)


def _fine(about: str, text: str) -> CheckFinding:
    return CheckFinding("ok", msg(f"about.{about}"), text)


def _wrong(about: str, error: SimsaError) -> CheckFinding:
    return CheckFinding("error", about, str(error), error.exit_code)


def _questions(config: Config, findings: list[CheckFinding]) -> list[Question]:
    try:
        questions = list(plan.read_questions(config))
        for variant in config.variants:
            if variant.predictions:
                rows = data.read_predictions(config.path(variant.predictions))
                n = sum(row.variant in (None, variant.name) for row in rows)
                found = msg("check.predictions", n=n, path=variant.predictions)
                findings.append(CheckFinding("ok", variant.name, found))
    except SimsaError as error:
        findings.append(_wrong(msg("about.data"), error))
        return []
    findings.append(_fine("data", msg("check.questions", n=len(questions), path=config.data.path)))
    return questions


def _hygiene(
    questions: list[Question], train: Path | None, findings: list[CheckFinding]
) -> DataQuality | None:
    try:
        doubtful = inspect_quality(questions, data.read(train) if train else ())
    except SimsaError as error:
        findings.append(_wrong(msg("about.training"), error))
        return None
    for kind, n in doubtful.counts.items():
        examples = "; ".join(_example(found) for found in doubtful.of(kind)[:_EXAMPLES])
        what = {"n": n, "total": len(questions), "doubt": msg(f"doubt.{kind}"), "examples": examples}
        about = msg("about.training" if kind.startswith("leaked") else "about.data")
        findings.append(CheckFinding("warning", about, msg("check.doubt", **what)))
    if train and not any(kind.startswith("leaked") for kind in doubtful.counts):
        findings.append(_fine("training", msg("check.no_leak", path=str(train))))
    return doubtful


def _example(found: DataFinding) -> str:
    like = f", {found.match} to {found.other}" if found.other else ""
    return f"{found.question_id}{like} ({one_line(found.excerpt, 40)})"


def _prompt(config: Config, questions: list[Question], findings: list[CheckFinding]) -> None:
    try:
        prompt = prompts.load(config.generation.prompt, config.root)
        for question in questions:
            prompt.messages(question)
    except SimsaError as error:
        findings.append(_wrong(msg("about.prompt"), error))
        return
    own = sum(1 for question in questions if question.messages)
    text: str = prompt.label if own < len(questions) or not questions else msg("check.own_messages")
    findings.append(_fine("prompt", msg("check.with_messages", text=text, n=own) if own else text))


def _adapters(config: Config, findings: list[CheckFinding]) -> None:
    try:
        notes = engines.check_adapters(config)
        plans = engines.plan_servers(config)
    except SimsaError as error:
        findings.append(_wrong(msg("about.serving"), error))
        return
    findings.extend(CheckFinding("warning", msg("about.serving"), note) for note in notes)
    findings.extend(_fine("serving", msg("check.one_vllm", names=", ".join(p.variants))) for p in plans)


async def _endpoints(
    config: Config, known: dict[str, CapabilityReport | None], ask: bool
) -> AsyncIterator[CheckFinding]:
    for variant in config.variants:
        if e := variant.endpoint:
            named = (variant.name, e.base_url, e.model, e.api_key_env)
            reached = True
            async for finding in _reachable(*named, has_adapter=bool(e.adapter)):
                reached = reached and finding.level != "error"
                yield finding
            always = {**config.generation.extra_body, **e.extra_body}
            asks = ask and reached and not e.adapter
            async for finding in _capabilities(*named, known, ask=asks, always=always):
                yield finding


def _judge(config: Config, findings: list[CheckFinding]) -> Judge | None:
    if config.judge is None:
        findings.append(CheckFinding("warning", msg("about.judge"), msg("check.no_judge")))
        return None
    try:
        judge = judges.from_config(config)
    except SimsaError as error:
        findings.append(_wrong(msg("about.judge"), error))
        return None
    what = {"judge": judge.label, "rubric": judge.rubric, "mode": judge.mode}
    findings.append(_fine("judge", msg("check.judge", **what)))
    findings.extend(CheckFinding("warning", msg("about.judge"), note) for note in judge.notes)
    return judge


async def _judge_endpoint(
    config: JudgeConfig, known: dict[str, CapabilityReport | None], ask: bool
) -> AsyncIterator[CheckFinding]:
    for name, one in config.each.items():
        about = msg("about.member", name=name) if config.panel else msg("about.judge")
        named = (about, one.base_url, one.model, one.key_variable)
        reached = True
        async for finding in _reachable(*named):
            reached = reached and finding.level != "error"
            yield finding
        async for finding in _capabilities(*named, known, ask=ask and reached, always=one.extra_body):
            yield finding
        if one.via == "batch":
            yield await _batch_api(about, one)


async def _batch_api(about: str, config: JudgeConfig) -> CheckFinding:
    try:
        async with BatchEndpoint(
            config.base_url,
            key=secret(config.key_variable),
            key_name=config.key_variable,
            timeout_s=20,
            max_attempts=2,
            patience_s=0,
        ) as endpoint:
            await endpoint.check()
    except SimsaError as error:
        return _wrong(about, error)
    return CheckFinding(
        "ok", about, msg("check.batch_api", url=config.base_url, discount=config.batch.discount)
    )


async def _reachable(
    about: str, base_url: str, model: str, key_name: str | None, has_adapter: bool = False
) -> AsyncIterator[CheckFinding]:
    try:
        endpoint = ChatEndpoint(
            base_url, model, key=secret(key_name), key_name=key_name, timeout_s=20, max_attempts=2
        )
        async with endpoint:
            models = await endpoint.models()
    except SimsaError as error:
        yield _wrong(about, error)
        for finding in _retiring(about, model, None):
            yield finding
        return
    known = {info.id: info for info in models}
    if known and model not in known and not has_adapter:
        listed = ", ".join(sorted(known)[:8])
        yield CheckFinding("warning", about, msg("check.unlisted", url=base_url, model=model, list=listed))
    else:
        yield CheckFinding("ok", about, msg("check.answers", url=base_url))
    for finding in _retiring(about, model, known.get(model)):
        yield finding


async def _capabilities(
    about: str,
    base_url: str,
    model: str,
    key_name: str | None,
    known: dict[str, CapabilityReport | None],
    *,
    ask: bool,
    always: Mapping[str, Any],
) -> AsyncIterator[CheckFinding]:
    """Puts a report on the endpoint's capabilities into `known`, or None unless `ask`.

    `always` is sent with every request.
    """
    known[about] = None
    try:
        endpoint = ChatEndpoint(
            base_url, model, key=secret(key_name), key_name=key_name, timeout_s=20, max_attempts=2
        )
        if ask:
            async with endpoint:
                known[about] = await endpoint.probe(always)
    except SimsaError as error:
        yield _wrong(about, error)
        return
    if ask and known[about] is None:
        yield CheckFinding("warning", about, msg("check.silent", url=base_url))


def _retiring(about: str, model: str, info: ModelInfo | None) -> Iterator[CheckFinding]:
    end = deprecation(model, listed=info.shutdown_date if info else None)
    if end and end.is_soon:
        yield CheckFinding("warning", about, end.said)

"""`simsa check`: checks everything that a run needs, without spending anything."""

from __future__ import annotations

from collections.abc import Mapping
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
    """The result of one check. `exit_code` is what a run would end with because of it."""

    level: Level
    about: str
    text: str
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All findings, the description of the data, the cost estimate, and the doubtful rows."""

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
    """Checks config, data, prompts, adapters, endpoints and judge; continues after a problem.

    `train` is a file of training rows that the test set must not contain. With `ask` each endpoint gets one
    request of a few tokens that shows which request fields it accepts.
    """
    checks = _Checks(config, ask)
    questions = checks.questions()
    quality = checks.quality(questions, train)
    checks.prompt(questions)
    checks.adapters()
    for variant in config.variants:
        if e := variant.endpoint:
            extra_body = {**config.generation.extra_body, **e.extra_body}
            named = (variant.name, e.base_url, e.model, e.api_key_env)
            await checks.endpoint(*named, extra_body=extra_body, has_adapter=bool(e.adapter))
    judge = checks.judge()
    if config.judge and judge and not (judge.is_local or config.judge.adapter):
        for name, one in config.judge.each.items():
            about = msg("about.member", name=name) if config.judge.panel else msg("about.judge")
            named = (about, one.base_url, one.model, one.key_variable)
            await checks.endpoint(*named, extra_body=one.extra_body)
            if one.via == "batch":
                await checks.batch_api(about, one)
    estimate = estimate_run(config, folder, judge, questions) if judge and questions else None
    described = data.describe(questions).to_dict() if questions else None
    return CheckReport(tuple(checks.findings), described, estimate, quality, checks.capabilities)


class _Checks:
    """The checks, and what they have found so far."""

    def __init__(self, config: Config, ask: bool) -> None:
        self.findings: list[CheckFinding] = []
        self.capabilities: dict[str, CapabilityReport | None] = {}
        self._config = config
        self._ask = ask

    def _add(self, about: str, text: str, level: Level = "ok") -> None:
        self.findings.append(CheckFinding(level, about, text))

    def _error(self, about: str, error: SimsaError) -> None:
        self.findings.append(CheckFinding("error", about, error.localized(), error.exit_code))

    def questions(self) -> list[Question]:
        config, about = self._config, msg("about.data")
        try:
            questions = list(plan.read_questions(config))
            for variant in config.variants:
                if variant.predictions:
                    rows = data.read_predictions(config.path(variant.predictions))
                    n = sum(row.variant in (None, variant.name) for row in rows)
                    self._add(variant.name, msg("check.predictions", n=n, path=variant.predictions))
        except SimsaError as error:
            self._error(about, error)
            return []
        self._add(about, msg("check.questions", n=len(questions), path=config.data.path))
        return questions

    def quality(self, questions: list[Question], train: Path | None) -> DataQuality | None:
        """Doubtful rows of the test set, and rows that are in the training data."""
        training = msg("about.training")
        try:
            quality = inspect_quality(questions, data.read(train) if train else ())
        except SimsaError as error:
            self._error(training, error)
            return None
        leaked = False
        for kind, n in quality.counts.items():
            is_leak = kind.startswith("leaked")
            leaked |= is_leak
            examples = "; ".join(_example(found) for found in quality.of(kind)[:_EXAMPLES])
            text = msg(
                "check.doubt", n=n, total=len(questions), doubt=msg(f"doubt.{kind}"), examples=examples
            )
            self._add(training if is_leak else msg("about.data"), text, "warning")
        if train and not leaked:
            self._add(training, msg("check.no_leak", path=str(train)))
        return quality

    def prompt(self, questions: list[Question]) -> None:
        about = msg("about.prompt")
        try:
            prompt = prompts.load(self._config.generation.prompt, self._config.root)
            for question in questions:
                prompt.messages(question)
        except SimsaError as error:
            self._error(about, error)
            return
        own = sum(1 for question in questions if question.messages)
        text: str = prompt.label if own < len(questions) or not questions else msg("check.own_messages")
        self._add(about, msg("check.with_messages", text=text, n=own) if own else text)

    def adapters(self) -> None:
        about = msg("about.serving")
        try:
            notes = engines.check_adapters(self._config)
            plans = engines.plan_servers(self._config)
        except SimsaError as error:
            self._error(about, error)
            return
        for note in notes:
            self._add(about, note, "warning")
        for server in plans:
            self._add(about, msg("check.one_vllm", names=", ".join(server.variants)))

    def judge(self) -> Judge | None:
        about = msg("about.judge")
        if self._config.judge is None:
            self._add(about, msg("check.no_judge"), "warning")
            return None
        try:
            judge = judges.from_config(self._config)
        except SimsaError as error:
            self._error(about, error)
            return None
        self._add(about, msg("check.judge", judge=judge.label, rubric=judge.rubric, mode=judge.mode))
        for note in judge.notes:
            self._add(about, note, "warning")
        return judge

    async def endpoint(
        self,
        about: str,
        base_url: str,
        model: str,
        key_name: str | None,
        *,
        extra_body: Mapping[str, Any],
        has_adapter: bool = False,
    ) -> None:
        """Whether an endpoint answers, has the model, and keeps it; with `ask` also what it accepts."""
        self.capabilities[about] = None
        models: dict[str, ModelInfo] = {}
        reached = False
        try:
            endpoint = ChatEndpoint(
                base_url, model, key=secret(key_name), key_name=key_name, timeout_s=20, max_attempts=2
            )
            async with endpoint:
                models = {info.id: info for info in await endpoint.models()}
            reached = True
            if models and model not in models and not has_adapter:
                names = ", ".join(sorted(models)[:8])
                text = msg("check.unlisted", url=base_url, model=model, list=names)
                self._add(about, text, "warning")
            else:
                self._add(about, msg("check.answers", url=base_url))
        except SimsaError as error:
            self._error(about, error)
        info = models.get(model)
        end = deprecation(model, listed=info.shutdown_date if info else None)
        if end and end.is_soon:
            self._add(about, end.said, "warning")
        if self._ask and reached and not has_adapter:
            await self._probe(about, endpoint, extra_body)

    async def _probe(self, about: str, endpoint: ChatEndpoint, extra_body: Mapping[str, Any]) -> None:
        try:
            async with endpoint:
                report = self.capabilities[about] = await endpoint.probe(extra_body)
        except SimsaError as error:
            self._error(about, error)
            return
        if report is None:
            self._add(about, msg("check.silent", url=endpoint.base_url), "warning")

    async def batch_api(self, about: str, config: JudgeConfig) -> None:
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
            self._error(about, error)
            return
        self._add(about, msg("check.batch_api", url=config.base_url, discount=config.batch.discount))


def _example(found: DataFinding) -> str:
    like = f", {found.match} to {found.other}" if found.other else ""
    return f"{found.question_id}{like} ({one_line(found.excerpt, 40)})"

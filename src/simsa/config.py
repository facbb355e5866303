"""simsa.toml and flags become one frozen, validated `Config`.

This is the only module that knows the environment. Secrets are never part of a
`Config`: it names the variable, and `secret()` looks it up when it is needed.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from simsa.config_problems import ConfigProblem, explain, missing_file_hint, toml_error
from simsa.errors import ConfigError
from simsa.i18n.messages import msg
from simsa.records import content_hash
from simsa.text import encoding_hint, list_choices

DEFAULT_CONFIG = "simsa.toml"
LOCAL_JUDGES = ("lexical",)
OPENAI = "https://api.openai.com/v1"

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\s/\\\x00-\x1f]+$")]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Temperature = Annotated[float, Field(ge=0, le=2)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, arbitrary_types_allowed=False)


class DataConfig(_Section):
    """The test set."""

    path: str
    """File, `save_to_disk` folder or hub name; relative paths are relative to the config."""
    format: str = "auto"
    """`auto` sniffs the content; otherwise the name of a format that `simsa convert --help` lists."""
    limit: Positive | None = None
    """Take the first N questions."""
    fields: dict[str, str] = {}
    """Role → field name of the file, where the aliases do not fit: `{ question = "q" }`."""
    split: str | None = None
    """Which split of a `datasets` folder or hub name."""


class EndpointConfig(_Section):
    """An OpenAI-compatible server that somebody else runs."""

    base_url: str
    model: str
    api_key_env: str | None = None
    adapter: str | None = None
    """A PEFT folder (as that server sees it) to load there at run time under the name `model`."""
    max_concurrency: Positive = 64
    timeout_s: Seconds = 600.0
    extra_body: dict[str, Any] = {}


class VariantConfig(_Section):
    """One thing to be compared: the base model, an adapter, a merged model, an endpoint, a file."""

    name: Name
    adapter: str | None = None
    """A PEFT folder, served beside the base model of `[serving]`."""
    model: str | None = None
    """A merged checkpoint with a server of its own."""
    endpoint: EndpointConfig | None = None
    predictions: str | None = None
    """A file of finished answers with `question_id` (or `id`) and `prediction`."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [k for k in ("adapter", "model", "endpoint", "predictions") if getattr(self, k)]
        if len(given) > 1:
            raise ConfigProblem("", "error.config.one_source", list=", ".join(given))
        return self


class ServingConfig(_Section):
    """How vLLM is started. `args` takes any vLLM engine argument by its own name."""

    model: str | None = None
    """The base model: a folder or a hub name."""
    dtype: str | None = None
    max_model_len: Positive | None = None
    chat_template: str | None = None
    """A Jinja file; by default the model's own."""
    args: dict[str, Any] = {}
    env: dict[str, str] = {}
    """Environment variables for the vLLM process."""
    start_timeout_s: Seconds = 900.0
    max_concurrency: Positive = 256
    request_timeout_s: Seconds = 600.0
    check_adapters: bool = True
    """Ask the started server whether every adapter has an effect and the template is training's; files are checked always."""


class GenerationConfig(_Section):
    """What the variants are asked, and how they answer."""

    prompt: str = "rag-ko"
    """`rag-ko`, `rag-en` or a Jinja file; rows with `messages` are sent as they are."""
    temperature: Temperature = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Positive = 256
    seed: int | None = 0
    samples: Positive = 1
    """How many answers each variant gives to each question, with `seed`, `seed + 1`, …; needs a `temperature`
    above 0. All are judged, a question's score is their mean, and the report says how much of the uncertainty is
    that of generation and what to buy next. Raised later, only the new answers are made. Files of finished
    answers have one."""
    stop: tuple[str, ...] = ()
    extra_body: dict[str, Any] = {}
    max_attempts: Positive = 4

    @model_validator(mode="after")
    def _differing(self) -> Self:
        if self.samples > 1 and self.temperature == 0:
            raise ConfigProblem("samples", "error.config.same_samples", samples=self.samples)
        return self

    def of_sample(self, n: int) -> Self:
        """How the n-th answer is asked for, from 0."""
        return self if not n or self.seed is None else self.model_copy(update={"seed": self.seed + n})


class PriceConfig(_Section):
    """USD per million tokens, where simsa's own table does not know the model or is out of date."""

    input: Annotated[float, Field(ge=0)]
    cached: Annotated[float, Field(ge=0)] | None = None
    """Of prompt tokens that the endpoint had in its cache; by default as much as `input`."""
    output: Annotated[float, Field(ge=0)]


class MemberConfig(_Section):
    """One of several judges. What it leaves out is as in `[judge]`; but with an address of its own it
    takes no key, price or `extra_body` from there."""

    model: str
    name: Name | None = None
    """What reports call it; the model by default. Two members need two names."""
    identity: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    temperature: Temperature | None = None
    max_tokens: Positive | None = None
    seed: int | None = None
    max_concurrency: Positive | None = None
    max_attempts: Positive | None = None
    timeout_s: Seconds | None = None
    price: PriceConfig | None = None
    extra_body: dict[str, Any] | None = None

    @property
    def label(self) -> str:
        return self.name or self.model


class BatchConfig(_Section):
    """The judge's Batch API, where `judge.via` is `batch`."""

    max_requests: Positive = 50_000
    """Requests a file; OpenAI takes 50,000."""
    max_mb: Annotated[float, Field(gt=0)] = 200.0
    """Megabytes (of 1,000,000 bytes) a file; OpenAI takes 200."""
    window: str = "24h"
    """Within which time the endpoint is to be done; OpenAI knows only `24h`."""
    discount: Annotated[float, Field(ge=0, le=1)] = 0.5
    """What a batch saves of the usual price."""
    poll_s: Seconds = 60.0
    """The longest pause between two looks at a batch."""
    settle_s: Annotated[float, Field(ge=0)] = 15.0
    """How long to look for a batch whose submission was interrupted before it is submitted again."""


class JudgeConfig(_Section):
    """Who judges, by which rubric, and what it may cost."""

    model: str
    """A model behind an OpenAI-compatible API, or `lexical`, the free baseline; not beside a `panel`."""
    panel: tuple[MemberConfig, ...] = ()
    """Several judges in place of one: `[{ model = "…", base_url = "…", api_key_env = "…" }, …]`. Each
    criterion's score is the median of theirs, of an even number the lower of the two in the middle; more
    than half of them must have scored a row."""
    adapter: str | None = None
    """A PEFT folder on the base model of `[serving]`: simsa serves it beside the variants, under the name
    `model`, and it judges there: on a GPU while answers are written, on a CPU once they are. In place of
    `base_url`."""
    base_url: str = OPENAI
    identity: str | None = None
    """Which model it is, where its name does not say: a revision, a date. Verdicts are found again by the judge's
    name and this, whatever the address, so that a server may move; another model under the same name needs
    another identity. simsa says so when what a server serves has changed."""
    api_key_env: str | None = None
    rubric: str = "rag-ko"
    mode: Literal["joint", "split"] = "joint"
    via: Literal["direct", "batch"] = "direct"
    """`batch`: through the endpoint's Batch API, at half the price, within a day; see docs/batch.md."""
    batch: BatchConfig = BatchConfig()
    temperature: Temperature | None = 0.0
    max_tokens: Positive = 1024
    seed: int | None = 0
    repeats: Positive = 1
    """How often each judge is asked the same, with `seed`, `seed + 1`, …; the median counts, as in a panel,
    and the report shows how far the repeats differ. Worth it only at a `temperature` above 0."""
    logprobs: bool = False
    """Ask for token probabilities too: beside each integer, the mean of the scores weighted by them is kept
    and shown, where the endpoint gives them. What was judged without is asked once more."""
    claims: bool = False
    """Have the claims of every answer listed too, each with the passage and the words in it that bear it out;
    simsa looks the words up. The report shows the share of claims that are borne out beside the score of
    faithfulness. One more call an answer; scores on file stand. Of a panel the first judge does it. See
    docs/claims.md."""
    max_concurrency: Positive = 64
    max_attempts: Positive = 4
    timeout_s: Seconds = 120.0
    max_cost_usd: Annotated[float, Field(ge=0)] | None = None
    """What all judging of the run may cost. It stops before that is passed, or by no more than the calls that are
    under way, and a higher limit goes on; a price has to be known."""
    price: PriceConfig | None = None
    extra_body: dict[str, Any] = {}
    note: str | None = None
    """A remark on this judge that every report repeats."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        """A panel goes by the names of its members."""
        panel = given.get("panel") if isinstance(given, dict) else None
        if not isinstance(panel, list | tuple) or not panel:
            return given
        names = [one.get("name") or one.get("model") if isinstance(one, dict) else one.label for one in panel]
        model = f"panel({', '.join(map(str, names))})"
        if given.get("model") not in (None, model):
            raise ConfigProblem("", "error.config.model_or_panel")
        return {**given, "model": model}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.panel) == 1:
            raise ConfigProblem("panel", "error.config.one_member")
        names = [member.label for member in self.panel]
        if doubled := [name for name in names if names.count(name) > 1]:
            raise ConfigProblem("panel", "error.config.same_member", name=doubled[0])
        if local := [member.model for member in self.panel if member.model in LOCAL_JUDGES]:
            raise ConfigProblem("panel", "error.config.local_member", model=local[0])
        if self.via == "batch":
            self._check_one_key_per_address()
        if self.adapter:
            self._check_served_adapter()
        if self.is_local and self.repeats > 1:
            raise ConfigProblem("repeats", "error.config.local_repeats", model=self.model)
        if self.is_local and self.claims:
            raise ConfigProblem("claims", "error.config.local_claims", model=self.model)
        return self

    def _check_one_key_per_address(self) -> None:
        """Batches at one address belong to one account, so members at an address must share its key."""
        keys: dict[str, str | None] = {}
        for member in self.each.values():
            if keys.setdefault(member.base_url, member.key_variable) != member.key_variable:
                raise ConfigProblem("panel", "error.config.batch_keys", base_url=member.base_url)

    def _check_served_adapter(self) -> None:
        """Checks the settings of a judge that simsa serves itself."""
        given = {
            "base_url": self.base_url != OPENAI,
            "api_key_env": self.api_key_env is not None,
            "panel": bool(self.panel),
        }
        if elsewhere := [key for key, is_given in given.items() if is_given]:
            raise ConfigProblem("adapter", "error.config.adapter_elsewhere", key=elsewhere[0])
        if self.via == "batch":
            raise ConfigProblem("adapter", "error.config.adapter_batch")
        if re.search(r"[\s/\\\x00-\x1f]", self.model):
            raise ConfigProblem("adapter", "error.config.adapter_name", model=self.model)
        if self.is_local:
            raise ConfigProblem("adapter", "error.config.adapter_local", model=self.model)

    @property
    def is_local(self) -> bool:
        return self.model in LOCAL_JUDGES

    @property
    def each(self) -> dict[str, JudgeConfig]:
        """Every judge by its name, with settings of its own: the members of a panel, or this one alone."""
        return {member.label: self._member(member) for member in self.panel} or {self.model: self}

    def _member(self, member: MemberConfig) -> JudgeConfig:
        elsewhere: dict[str, Any] = (
            {} if member.base_url is None else {"api_key_env": None, "price": None, "extra_body": {}}
        )
        own = member.model_dump(exclude_none=True, exclude={"name", "price"})
        price = {} if member.price is None else {"price": member.price}
        return self.model_copy(update={**elsewhere, **own, **price, "panel": ()})

    @property
    def price_share(self) -> float:
        """The part of the usual price that calls cost."""
        return 1.0 - self.batch.discount if self.via == "batch" else 1.0

    @property
    def key_variable(self) -> str | None:
        """Name of the variable that holds the key; OpenAI's own is assumed only for OpenAI's own address."""
        if self.api_key_env or self.adapter:
            return self.api_key_env
        return "OPENAI_API_KEY" if self.base_url.startswith("https://api.openai.com/") else None


class ReportConfig(_Section):
    language: Literal["ko", "en"] = "ko"
    baseline: str | None = None
    """The variant the others are compared with; the first one by default."""


class Config(_Section):
    """Everything a run is made from."""

    data: DataConfig
    serving: ServingConfig = ServingConfig()
    variants: tuple[VariantConfig, ...] = (VariantConfig(name="base"),)
    generation: GenerationConfig = GenerationConfig()
    judge: JudgeConfig | None = None
    report: ReportConfig = ReportConfig()

    _root: Path = PrivateAttr(default=Path())
    _source: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.variants:
            raise ConfigProblem("variants", "error.config.no_variants")
        names = [variant.name for variant in self.variants]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigProblem("variants", "error.config.same_variant", name=doubled[0])
        for variant in self.variants:
            served_base = not (variant.model or variant.endpoint or variant.predictions)
            if served_base and not self.serving.model:
                raise ConfigProblem("variants", "error.config.not_served", name=variant.name)
        if self.judge and self.judge.adapter:
            if self.judge.model in names:
                raise ConfigProblem("judge.model", "error.config.judge_is_variant", model=self.judge.model)
            if not self.serving.model:
                raise ConfigProblem("judge.adapter", "error.config.judge_not_served")
        if (baseline := self.report.baseline) and baseline not in names:
            hint = list_choices(baseline, names)
            raise ConfigProblem("report.baseline", "error.config.no_baseline", name=baseline, hint=hint)
        return self

    @property
    def served(self) -> tuple[VariantConfig, ...]:
        """What simsa's own vLLM has to serve: variants, and a judge that is an adapter."""
        ours = tuple(v for v in self.variants if not (v.endpoint or v.predictions))
        if self.judge and self.judge.adapter:
            return (*ours, VariantConfig(name=self.judge.model, adapter=self.judge.adapter))
        return ours

    @property
    def baseline(self) -> str:
        return self.report.baseline or self.variants[0].name

    @property
    def root(self) -> Path:
        """The folder that relative paths start at."""
        return self._root

    @property
    def source(self) -> Path | None:
        """The file this was read from; None when flags made it."""
        return self._source

    @property
    def run_dir(self) -> Path:
        """`<config name>.simsa/` beside the config; the data file's name where flags made it."""
        stem = (self._source or Path(self.data.path)).stem
        return self._root / f"{stem}.simsa"

    @property
    def hash(self) -> str:
        return content_hash(self.model_dump(mode="json"))

    def path(self, relative: str) -> Path:
        """`relative` as seen from the config's folder; `~` is the home folder."""
        return self._root / Path(relative).expanduser()

    def local(self, model: str) -> str:
        """A model's folder as a path where there is one, otherwise its hub name unchanged."""
        folder = self.path(model)
        return str(folder.resolve()) if folder.exists() else model


def load(path: str | Path, overrides: dict[str, Any] | None = None) -> Config:
    """Reads a TOML config. `overrides` maps dotted keys to values and wins over the file.

    Raises ConfigError naming the file and the key.
    """
    file = Path(path)
    if file.is_dir():
        file = file / DEFAULT_CONFIG
    text, data = "", b""
    try:
        data = file.read_bytes()
        text = data.decode("utf-8-sig")
        raw = tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError(
            msg("error.config.no_file"), where=str(path), hint=missing_file_hint(file, DEFAULT_CONFIG)
        ) from None
    except OSError as error:
        raise ConfigError(msg("error.config.unreadable", reason=error.strerror), where=str(path)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            msg("error.config.not_utf8", byte=error.start),
            where=str(path),
            hint=encoding_hint(data, str(path)),
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise toml_error(str(error), text, str(path)) from None
    return build(raw, overrides, root=file.parent, source=file)


def rebuild(kept: dict[str, Any], overrides: dict[str, Any] | None = None, *, root: Path = Path()) -> Config:
    """A Config as a run has kept it. What its variables for vLLM were is not kept: it gets this process's."""
    return build({**kept, "serving": {**kept.get("serving", {}), "env": {}}}, overrides, root=root)


def build(
    raw: dict[str, Any],
    overrides: dict[str, Any] | None = None,
    *,
    root: Path = Path(),
    source: Path | None = None,
) -> Config:
    """A Config from nested dictionaries, as TOML or flags give them."""
    for dotted, value in (overrides or {}).items():
        if value is not None:
            _set(raw, dotted.split("."), value)
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise explain(error, Config, source) from None
    config._root, config._source = root, source
    return config


def check_judge(settings: dict[str, Any]) -> None:
    """Raises ConfigError if `settings` are not a valid [judge] section."""
    try:
        JudgeConfig.model_validate(settings)
    except ValidationError as error:
        raise explain(error, Config, None, ("judge",)) from None


def environment() -> dict[str, str]:
    """A copy of the process environment, for a child process."""
    return dict(os.environ)


def default_environment(name: str, value: str) -> None:
    """Sets `name` where nobody has, for a library that takes a setting from nowhere else."""
    os.environ.setdefault(name, value)


def secret(name: str | None) -> str | None:
    """The value of the environment variable `name`; None when unset, empty or unnamed."""
    value = os.environ.get(name, "").strip() if name else ""
    return value or None


def locale_language() -> Literal["ko", "en"]:
    """What a person at this terminal reads, where no run says it: Korean in a Korean locale, else English."""
    spoken = next(
        (os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), ""
    )
    return "ko" if spoken.lower().startswith("ko") else "en"


def cache_dir() -> Path:
    """Where converted models are kept: $SIMSA_CACHE, else the user's cache folder."""
    own = os.environ.get("SIMSA_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "simsa"


def _set(tree: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
    tree[keys[-1]] = value

"""Chat templates: comparing the template used in training with the one used in serving.

A model that was fine-tuned with one template and is served with another answers worse, without any error. The
template saved beside the adapter is the one used in training. A missing or doubled `<bos>` does the most harm.
"""

from __future__ import annotations

import difflib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from simsa.errors import ConfigError
from simsa.i18n.language import LocalizedText, join_text
from simsa.i18n.messages import msg
from simsa.records import Message

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE = "chat_template.jinja"
_TOKENIZER = "tokenizer_config.json"
_SPECIALS = "special_tokens_map.json"
_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")
# Models that were always trained with <bos>, even if a converted tokenizer does not add it.
_NEEDS_BOS = ("gemma",)
_SHOWN_LINES = 24


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A chat template with the special tokens of its tokenizer.

    `text` is None if no template was saved. `file` is the template file, if it is one of its own. `adds_bos` is
    true if the tokenizer's config says that it puts `<bos>` before plain text.
    """

    text: str | None
    tokens: Mapping[str, str]
    file: Path | None = None
    adds_bos: bool = False

    @classmethod
    def from_file(cls, file: Path, model: ChatTemplate | None) -> ChatTemplate:
        """Reads a template file, used with the tokenizer of `model`. Raises ConfigError."""
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                msg("error.engines.chat_template_cannot_read", error=error),
                where=str(file),
                field="serving.chat_template",
            ) from None
        return cls(text, model.tokens if model else {}, file)

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt as `apply_chat_template` of transformers renders it, with the generation prompt.

        Raises ConfigError if the template refuses these messages.
        """
        try:
            template = _environment().from_string(self.text or "")
            return template.render(
                messages=[message.to_json() for message in messages],
                tools=None,
                documents=None,
                add_generation_prompt=True,
                **self.tokens,
            )
        except Exception as error:  # a template is a program and may raise anything
            raise ConfigError(
                msg("error.engines.chat_template_refuses_prompt_run", error=error),
                where=str(self.file) if self.file else None,
            ) from None

    @property
    def bos(self) -> str | None:
        return self.tokens.get("bos_token")


@dataclass(frozen=True, slots=True)
class TemplateFinding:
    """A difference between the templates of training and serving.

    `template` means other text around the same messages; `bos_missing` and `bos_doubled` are about the beginning of
    the prompt. `trained` and `served` are the two prompts or their beginnings.
    """

    kind: Literal["template", "bos_missing", "bos_doubled"]
    message: str
    variants: tuple[str, ...] = ()
    trained: str = ""
    served: str = ""

    def __str__(self) -> str:
        return str(self.text)

    @property
    def text(self) -> LocalizedText:
        """The message, followed by a diff of the two prompts."""
        if self.kind != "template":
            return join_text("", [self.message])
        lines = difflib.unified_diff(
            _lines(self.trained), _lines(self.served), "as trained", "as served", n=1, lineterm=""
        )
        shown: list[str] = list(lines)
        if len(shown) > _SHOWN_LINES:
            shown[_SHOWN_LINES:] = [msg("template.more", n=len(shown) - _SHOWN_LINES)]
        return join_text("\n  ", [self.message, *shown])


def read_template(folder: Path) -> ChatTemplate:
    """Reads the template saved in a model or adapter folder; unreadable files count as missing."""
    settings = _json(folder / _TOKENIZER)
    specials = _json(folder / _SPECIALS) | settings
    tokens = {name: text for name in _TOKENS if (text := _token(specials.get(name)))}
    file = folder / TEMPLATE
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ChatTemplate(
            _named(settings.get("chat_template")), tokens, adds_bos=settings.get("add_bos_token") is True
        )
    return ChatTemplate(text, tokens, file, settings.get("add_bos_token") is True)


def compare(
    trained: ChatTemplate, served: ChatTemplate, prompts: Iterable[Sequence[Message]]
) -> tuple[str, str] | None:
    """The first prompt that the two templates render differently, as (trained, served); None if there is none."""
    if trained.text is None or served.text is None:
        return None
    trained = ChatTemplate(trained.text, dict(served.tokens) | dict(trained.tokens), trained.file)
    if (trained.text, trained.tokens) == (served.text, served.tokens):
        return None
    for messages in prompts:
        try:
            as_trained = trained.render(messages)
        except ConfigError as error:
            as_trained = f"({error.message})"
        pair = as_trained, served.render(messages)
        if pair[0] != pair[1]:
            return pair
    return None


def reasons_for_bos(
    bos: str,
    trained: Mapping[str, ChatTemplate],
    model: ChatTemplate | None,
    model_type: str | None,
    prompt: Any,
) -> list[str]:
    """The reasons why a prompt should begin with `bos`; empty if there are none."""
    found: list[str] = []
    for name, template in trained.items():
        if template.text and _begins(template, bos, prompt):
            found.append(msg("bos.template", name=name))
        elif template.adds_bos:
            found.append(msg("bos.tokenizer", name=name))
    if model and model.text and _begins(model, bos, prompt):
        found.append(msg("bos.own"))
    if model_type and model_type.startswith(_NEEDS_BOS):
        found.append(msg("bos.kind", kind=model_type))
    return found


def _begins(template: ChatTemplate, bos: str, prompt: Sequence[Message]) -> bool:
    tokens = {"bos_token": bos} | dict(template.tokens)
    try:
        return ChatTemplate(template.text, tokens).render(prompt).startswith(tokens["bos_token"])
    except ConfigError:
        return False


def _lines(text: str) -> list[str]:
    return [line.replace("\n", "⏎") for line in text.splitlines(keepends=True)]


def _named(value: object) -> str | None:
    """The default template: transformers 4 stored one template as text, or several as a list with names."""
    if isinstance(value, list):
        named = {entry.get("name"): entry.get("template") for entry in value if isinstance(entry, dict)}
        value = named.get("default")
    return value if isinstance(value, str) else None


def _token(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _json(file: Path) -> dict[str, Any]:
    try:
        value = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def _environment() -> Environment:
    """The Jinja environment that transformers uses for chat templates, sandboxed."""
    from jinja2 import nodes
    from jinja2.exceptions import TemplateError
    from jinja2.ext import Extension
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """The tag `{% generation %}`, which marks the text to train on; it renders its body."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, **how: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **how)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = tojson
    environment.globals |= {"raise_exception": refuse, "strftime_now": time.strftime}
    return environment

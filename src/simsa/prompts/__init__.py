"""What the variants are asked: chat messages from a Jinja template.

A template gets `question` (str), `passages` (each with `n` from 1, `text`, `title`,
`id`), `context` (the passages as one numbered text) and `type`. A line `### system`,
`### user` or `### assistant` begins a message; a template without any is one user
message. Templates are sandboxed: they see these values and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simsa.errors import ConfigError
from simsa.i18n.messages import msg
from simsa.records import Message, Question, content_hash
from simsa.text import encoding_hint, suggestion

if TYPE_CHECKING:
    from jinja2 import Template

BUILT_IN = ("rag-ko", "rag-en")
_HEADER = re.compile(r"^### (system|user|assistant)[ \t]*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template: its name with version, `rag-ko@1a2b3c4d`, and its text."""

    label: str
    source: str
    _parts: tuple[tuple[str, Template], ...]

    def messages(self, question: Question) -> tuple[Message, ...]:
        """The chat messages that ask `question`; its own, unchanged, where it has some."""
        if question.messages:
            return question.messages
        values = _values(question)
        try:
            return tuple(Message(role, part.render(values).strip()) for role, part in self._parts)
        except Exception as error:  # a template is a program of the user's: anything may come out
            raise ConfigError(
                msg("error.prompts.prompt_cannot_filled_question", id=question.id, error=error),
                where=self.label,
            ) from None


def load(name: str, root: Path = Path()) -> Prompt:
    """The built-in prompt `name`, or the Jinja file at `root / name`. Raises ConfigError."""
    if name in BUILT_IN:
        file, label = Path(__file__).with_name(f"{name}.jinja"), name
    else:
        file = root / Path(name).expanduser()
        label = file.stem
    try:
        source = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            msg("error.prompts.prompt_is_not_utf_byte", start=error.start),
            where=str(file),
            field="generation.prompt",
            hint=encoding_hint(file.read_bytes(), str(file)),
        ) from None
    except OSError as error:
        raise ConfigError(
            msg("error.prompts.prompt_cannot_read", strerror=error.strerror),
            where=str(file),
            field="generation.prompt",
            hint=msg(
                "hint.built_in",
                suggestion=suggestion(name, BUILT_IN),
                list=", ".join(BUILT_IN),
            ),
        ) from None
    return Prompt(f"{label}@{content_hash(source)[:8]}", source, _compile(source, str(file)))


def _compile(source: str, where: str) -> tuple[tuple[str, Template], ...]:
    from jinja2 import StrictUndefined, TemplateSyntaxError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=False, trim_blocks=True, lstrip_blocks=True
    )
    try:
        return tuple((role, environment.from_string(text)) for role, text in _split(source))
    except TemplateSyntaxError as error:
        raise ConfigError(
            msg("error.prompts.prompt_is_not_valid_jinja", error=error), where=f"{where}:{error.lineno}"
        ) from None


def _split(source: str) -> list[tuple[str, str]]:
    pieces = _HEADER.split(source)
    if len(pieces) == 1:
        return [("user", source)]
    return list(zip(pieces[1::2], pieces[2::2], strict=True))


def _values(question: Question) -> dict[str, Any]:
    passages = [
        {"n": n, "text": p.text, "title": p.title, "id": p.id} for n, p in enumerate(question.contexts, 1)
    ]
    return {
        "question": question.question,
        "passages": passages,
        "context": numbered(question),
        "type": question.type,
    }


def numbered(question: Question) -> str:
    """The passages as one text, each behind the `[[refN]]` by which an answer cites it."""
    return "\n".join(
        f"[[ref{n}]] {f'{p.title}: ' if p.title else ''}{p.text}" for n, p in enumerate(question.contexts, 1)
    )

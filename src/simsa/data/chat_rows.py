"""Chat rows as used for supervised fine-tuning: `messages`, ShareGPT's `conversations`, `prompt` + `completion`.

The last assistant message is the reference, the messages before it are what the model is
sent, unchanged. The question is the last user message among them; the passages are read
out of the system message, or of that user message, behind a heading such as `검색 결과:`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from simsa.data.schema import wrong_type
from simsa.errors import DataError
from simsa.records import Message

_ROLES = ("system", "developer", "user", "assistant")
_SHAREGPT = {"human": "user", "gpt": "assistant", "bot": "assistant"}

_OPEN, _CLOSE = r"[ \t#*\[<【(]*", r"[ \t*\]>】)]*"
# Alone on its line, or before a colon; Markdown and brackets around it do not matter.
_HEADING, _ASKS = (
    re.compile(rf"^{_OPEN}(?:{names}){_CLOSE}(?:[:：][ \t*]*|\r?$)", re.IGNORECASE | re.MULTILINE)
    for names in (
        r"검색\s?결과|검색된\s?문서|참고\s?(?:문서|자료|문헌)|관련\s?(?:문서|자료)|근거\s?문서|문서|문맥|컨텍스트|지문|본문"
        r"|(?:search|retrieval)\s?results?|(?:retrieved|reference|relevant)\s(?:documents?|passages?|contexts?)"
        r"|documents?|passages?|contexts?",
        r"(?:사용자\s?)?(?:질문|질의)|(?:user\s)?(?:question|query)",
    )
)
_TAGGED = re.compile(
    r"<(contexts?|documents?|passages|search_results?)>(.*?)</\1>", re.IGNORECASE | re.DOTALL
)
_NUMBERED = (
    re.compile(r"[ \t]*\[\[ref(\d+)\]\][ \t]*:?[ \t]*", re.IGNORECASE),
    re.compile(
        r"^[ \t#*]*[\[(<【]?(?:(?:참고\s?)?문서|검색\s?결과|지문|document|doc|passage|context)\s?#?(\d+)"
        r"[\])>】]?[ \t*]*(?:[:：]|(?<=[\])>】])|\r?$)[ \t*]*",
        re.IGNORECASE | re.MULTILINE,
    ),
    re.compile(r"^[ \t]*\[(\d+)\][ \t]*:?[ \t]*", re.MULTILINE),
)
_RULE = re.compile(r"^[ \t]*[-=*_]{3,}[ \t\r]*$", re.MULTILINE)
_BLANK = re.compile(r"\n[ \t\r]*\n")
_ANSWER_NEXT = re.compile(r"\n\s*(?:답변|답|answer)\s*[:：]?\s*$", re.IGNORECASE)


class Chat(NamedTuple):
    """What a chat row says: `contexts` is None where no heading introduces any; `reference` where nobody answers."""

    question: str
    contexts: list[str] | None
    reference: str | None
    messages: tuple[Message, ...]


def messages(value: Any, where: str, field: str) -> tuple[Message, ...]:
    """The messages of a list of `{role, content}` or `{from, value}`. Raises DataError."""
    if not isinstance(value, list | tuple):
        raise wrong_type(value, "a list of messages", where, field)
    return tuple(_message(item, where, f"{field}[{position}]") for position, item in enumerate(value))


def read(said: Sequence[Message], where: str, field: str) -> Chat:
    """Takes a conversation apart. Raises DataError where no user asks anything."""
    sent, reference = tuple(said), None
    if sent and sent[-1].role == "assistant":
        sent, reference = sent[:-1], sent[-1].content
    asked = next((message.content for message in reversed(sent) if message.role == "user"), None)
    if asked is None:
        raise DataError(
            "has no user message to answer",
            where=where,
            field=field,
            found=f"roles {', '.join(message.role for message in said) or 'none'}",
        )
    # In the system message, else beside the question, else with an earlier question.
    for message in sent:
        found = _find(message.content) if message.role in ("system", "developer") else None
        if found:
            return Chat(asked, split(message.content[found.inner : found.stop]), reference, sent)
    found = _find_asked(asked)
    if found:
        rest = _ASKS.sub("", asked[: found.start] + asked[found.end :], count=1)
        question = _ANSWER_NEXT.sub("", rest).strip()
        return Chat(question or asked, split(asked[found.inner : found.stop]), reference, sent)
    for message in reversed(sent):
        found = _find_asked(message.content) if message.role == "user" else None
        if found:
            return Chat(asked, split(message.content[found.inner : found.stop]), reference, sent)
    return Chat(asked, None, reference, sent)


def split(section: str) -> list[str]:
    """The passages of a text: by numbered marks, else by rules, else by blank lines; otherwise it is one."""
    section = section.strip()
    for pattern in _NUMBERED:
        found = _by_number(section, pattern)
        if found:
            return found
    for pattern in (_RULE, _BLANK):
        parts = [part.strip() for part in pattern.split(section)]
        parts = [part for part in parts if part]
        if len(parts) > 1:
            return parts
    bare = _bare(section)
    return [bare] if bare else []


def _by_number(section: str, pattern: re.Pattern[str]) -> list[str]:
    """Passages behind marks that count 1, 2, 3 … from the start of the section; a mark out of turn is text."""
    marks: list[re.Match[str]] = []
    for mark in pattern.finditer(section):
        if int(mark[1]) == len(marks) + 1 and (marks or not _bare(section[: mark.start()])):
            marks.append(mark)
    ends = [*(mark.start() for mark in marks), len(section)][1:]
    return [_bare(section[mark.end() : end]) for mark, end in zip(marks, ends, strict=True)]


def _bare(text: str) -> str:
    """`text` without the rules and white space around it."""
    lines = text.strip().split("\n")
    while lines and (not lines[0].strip() or _RULE.fullmatch(lines[0])):
        lines.pop(0)
    while lines and (not lines[-1].strip() or _RULE.fullmatch(lines[-1])):
        lines.pop()
    return "\n".join(lines).strip()


class _Found(NamedTuple):
    """Where the search results stand in a message: from their heading to their end, and the text inside."""

    start: int
    inner: int
    stop: int
    end: int


def _find(text: str) -> _Found | None:
    tagged = _TAGGED.search(text)
    if tagged:
        return _Found(tagged.start(), tagged.start(2), tagged.end(2), tagged.end())
    heading = _HEADING.search(text)
    if heading:
        return _Found(heading.start(), heading.end(), len(text), len(text))
    for pattern in _NUMBERED[:2]:  # without a heading, only marks that mean nothing else
        for mark in pattern.finditer(text):
            if int(mark[1]) == 1 and text[: mark.start()].rpartition("\n")[2] == "":
                return _Found(mark.start(), mark.start(), len(text), len(text))
    return None


def _find_asked(asked: str) -> _Found | None:
    """As `_find`, for a user message: the question may stand before or behind the search results."""
    found = _find(asked)
    if found is None or found.end < len(asked) or _ASKS.search(asked, 0, found.start):
        return found
    last = max((ask.start() for ask in _ASKS.finditer(asked, found.inner)), default=len(asked))
    return found._replace(stop=last, end=last)


def _message(value: Any, where: str, field: str) -> Message:
    if not isinstance(value, Mapping):
        raise wrong_type(value, "an object with role and content", where, field)
    role = value.get("role", value.get("from"))
    role = _SHAREGPT.get(role, role) if isinstance(role, str) else role
    if role not in _ROLES:
        raise DataError(
            f"the role of a message is one of {', '.join(_ROLES)}",
            where=where,
            field=f"{field}.role",
            found=role,
        )
    content = value.get("content", value.get("value"))
    if isinstance(content, list) and all(
        isinstance(part, Mapping) and part.get("type") == "text" for part in content
    ):
        content = "".join(part["text"] for part in content if isinstance(part.get("text"), str))
    if not isinstance(content, str):
        raise wrong_type(content, "a text", where, f"{field}.content")
    return Message(role, content)

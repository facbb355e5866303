"""Chat rows as used for supervised fine-tuning: `messages`, ShareGPT's `conversations`, `prompt` + `completion`.

The last assistant message is the reference. The messages before it are sent to the model unchanged. The
question is the last user message among them. The passages come from the system message or from that user
message, after a heading such as `검색 결과:`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from simsa.data.problems import problem
from simsa.data.schema import wrong_type
from simsa.records import Message

_ROLES = ("system", "developer", "user", "assistant")
_SHAREGPT = {"human": "user", "gpt": "assistant", "bot": "assistant"}

_OPEN, _CLOSE = r"[ \t#*\[<【(]*", r"[ \t*\]>】)]*"
# A heading is alone on its line, or before a colon, with or without Markdown and brackets.
_PASSAGES_HEADING, _QUESTION_HEADING = (
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
_ANSWER_HEADING = re.compile(r"\n\s*(?:답변|답|answer)\s*[:：]?\s*$", re.IGNORECASE)


class Chat(NamedTuple):
    """A chat row taken apart.

    `contexts` is None without a heading for passages, `reference` without a last assistant message.
    """

    question: str
    contexts: list[str] | None
    reference: str | None
    messages: tuple[Message, ...]


def messages(value: Any, where: str, field: str) -> tuple[Message, ...]:
    """The messages of a list of `{role, content}` or `{from, value}`. Raises DataError."""
    if not isinstance(value, list | tuple):
        raise wrong_type(value, "want.messages", where, field)
    return tuple(_message(item, where, f"{field}[{position}]") for position, item in enumerate(value))


def read(conversation: Sequence[Message], where: str, field: str) -> Chat:
    """Takes a conversation apart. Raises DataError without a user message to answer."""
    sent, reference = tuple(conversation), None
    if sent and sent[-1].role == "assistant":
        sent, reference = sent[:-1], sent[-1].content
    user = next((message.content for message in reversed(sent) if message.role == "user"), None)
    if user is None:
        roles = ", ".join(message.role for message in conversation)
        raise problem("no_user", where, field, found=f"roles {roles or 'none'}")
    # Passages are in the system message, else beside the question, else in an earlier user message.
    for message in sent:
        section = _find_passages(message.content) if message.role in ("system", "developer") else None
        if section:
            return Chat(user, section.passages(message.content), reference, sent)
    section = _find_in_user_message(user)
    if section:
        rest = _QUESTION_HEADING.sub("", user[: section.start] + user[section.end :], count=1)
        question = _ANSWER_HEADING.sub("", rest).strip()
        return Chat(question or user, section.passages(user), reference, sent)
    for message in reversed(sent):
        section = _find_in_user_message(message.content) if message.role == "user" else None
        if section:
            return Chat(user, section.passages(message.content), reference, sent)
    return Chat(user, None, reference, sent)


def split(section: str) -> list[str]:
    """The passages of a section: separated by numbered marks, else by rules, else by blank lines; else one."""
    section = section.strip()
    for pattern in _NUMBERED:
        found = _numbered_passages(section, pattern)
        if found:
            return found
    for pattern in (_RULE, _BLANK):
        parts = [part.strip() for part in pattern.split(section)]
        parts = [part for part in parts if part]
        if len(parts) > 1:
            return parts
    trimmed = _trimmed(section)
    return [trimmed] if trimmed else []


def _numbered_passages(section: str, pattern: re.Pattern[str]) -> list[str]:
    """The passages after marks that count 1, 2, 3 … from the start of the section; other marks are text."""
    marks: list[re.Match[str]] = []
    for mark in pattern.finditer(section):
        if int(mark[1]) == len(marks) + 1 and (marks or not _trimmed(section[: mark.start()])):
            marks.append(mark)
    ends = [*(mark.start() for mark in marks), len(section)][1:]
    return [_trimmed(section[mark.end() : end]) for mark, end in zip(marks, ends, strict=True)]


def _trimmed(text: str) -> str:
    """`text` without surrounding rules and white space."""
    lines = text.strip().split("\n")
    while lines and (not lines[0].strip() or _RULE.fullmatch(lines[0])):
        lines.pop(0)
    while lines and (not lines[-1].strip() or _RULE.fullmatch(lines[-1])):
        lines.pop()
    return "\n".join(lines).strip()


class _ChatSection(NamedTuple):
    """Offsets of the search results in a message: with their heading (`start`, `end`), and of their text."""

    start: int
    inner: int
    stop: int
    end: int

    def passages(self, text: str) -> list[str]:
        return split(text[self.inner : self.stop])


def _find_passages(text: str) -> _ChatSection | None:
    tagged = _TAGGED.search(text)
    if tagged:
        return _ChatSection(tagged.start(), tagged.start(2), tagged.end(2), tagged.end())
    heading = _PASSAGES_HEADING.search(text)
    if heading:
        return _ChatSection(heading.start(), heading.end(), len(text), len(text))
    for pattern in _NUMBERED[:2]:  # without a heading, only unambiguous marks
        for mark in pattern.finditer(text):
            if int(mark[1]) == 1 and text[: mark.start()].rpartition("\n")[2] == "":
                return _ChatSection(mark.start(), mark.start(), len(text), len(text))
    return None


def _find_in_user_message(text: str) -> _ChatSection | None:
    """As `_find_passages`; the question may be before or after the passages."""
    found = _find_passages(text)
    if found is None or found.end < len(text) or _QUESTION_HEADING.search(text, 0, found.start):
        return found
    headings = _QUESTION_HEADING.finditer(text, found.inner)
    last = max((heading.start() for heading in headings), default=len(text))
    return found._replace(stop=last, end=last)


def _message(value: Any, where: str, field: str) -> Message:
    if not isinstance(value, Mapping):
        raise wrong_type(value, "want.message", where, field)
    role = value.get("role", value.get("from"))
    role = _SHAREGPT.get(role, role) if isinstance(role, str) else role
    if role not in _ROLES:
        raise problem("role", where, f"{field}.role", found=role, list=", ".join(_ROLES))
    content = value.get("content", value.get("value"))
    if isinstance(content, list) and all(
        isinstance(part, Mapping) and part.get("type") == "text" for part in content
    ):
        content = "".join(part["text"] for part in content if isinstance(part.get("text"), str))
    if not isinstance(content, str):
        raise wrong_type(content, "json.text", where, f"{field}.content")
    return Message(role, content)

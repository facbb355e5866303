"""A parser of HTML and Markdown reports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser

from markdown_it import MarkdownIt
from markdown_it.token import Token

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def inline(tokens: Sequence[Token]) -> list[Token]:
    return [leaf for token in tokens for leaf in token.children or ()]


def check_markdown(made: str, names: Sequence[str]) -> None:
    """No element but those that the report itself makes, none left open, nobody called, nothing linked."""
    tokens = GITHUB.parse(made)
    assert not {leaf.type for leaf in inline(tokens)} & {"link_open", "image", "code_inline", "s_open"}
    assert not {token.type for token in tokens} & {
        "fence",
        "code_block",
        "blockquote_open",
        "hr",
        "ordered_list_open",
    }
    blocks = "".join(t.content for t in tokens if t.type == "html_block")
    inside = "".join(leaf.content for leaf in inline(tokens) if leaf.type == "html_inline")
    elements = re.findall(r"</?\w+", re.sub("<!--.*?-->", "", blocks + inside))
    assert set(elements) <= {"<details", "</details", "<summary", "</summary"}
    assert elements.count("<details") == elements.count("</details")
    prose = re.sub("<!-- -->", "\x00", made)
    assert not re.search(r"@[\w-]", prose) and not re.search(r"(?<![\\&])#\d", prose)


VOID = {"br", "meta", "wbr"}


OURS = set(
    re.findall(
        r"\w+",
        "html head meta title style body header h1 h2 h3 h4 p nav a main div span br figure figcaption table caption thead tbody tfoot tr th td "
        "svg rect line circle text details summary wbr abbr dl dt dd pre section ul li b i",
    )
)


class Page(HTMLParser):
    """What a page has: that its elements nest, which they are, what their attributes say, and the text."""

    def __init__(self, made: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(made)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_data(self, data: str) -> None:
        self.text += data

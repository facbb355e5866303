"""Who looks, as far as a page needs to know."""

from __future__ import annotations

from typing import NamedTuple


class Visit(NamedTuple):
    """`nonce` lets the page's script run, `token` its forms be sent; `annotator` is who labels, once asked."""

    nonce: str
    token: str
    annotator: str | None = None

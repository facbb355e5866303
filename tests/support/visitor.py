"""An HTTP client that keeps cookies and sends forms like the page."""

from __future__ import annotations

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import NamedTuple


class Reply(NamedTuple):
    status: int
    text: str
    headers: dict[str, str]
    address: str


class Visitor:
    """Somebody at `address`, which ends in a slash."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    @property
    def origin(self) -> str:
        return self.address.rstrip("/")

    def get(self, path: str = "", **headers: str) -> Reply:
        return self._open(urllib.request.Request(self.address + path, headers=headers))

    def post(self, path: str, fields: dict[str, str], origin: str | None = "", **headers: str) -> Reply:
        """Sends `fields` with the page's token; `origin` "" is the page's own, None is none."""
        sent = {"csrf": self.token} | fields
        data = urllib.parse.urlencode(sent).encode()
        request = urllib.request.Request(self.address + path, data=data, headers=headers)
        if origin is not None:
            request.add_header("Origin", origin or self.origin)
        return self._open(request)

    @property
    def token(self) -> str:
        return next((cookie.value or "" for cookie in self.cookies if cookie.name == "simsa-form"), "")

    def sit_down(self, name: str, n: int = 10, run: int = 0, seed: int = 0) -> Reply:
        self.get(f"{run}/label")
        return self.post(f"{run}/label/begin", {"name": name, "n": str(n), "seed": str(seed)})

    def score(self, page: Reply, criterion: str, score: int | str, **changes: str) -> Reply:
        """Clicks a score on a page of the desk."""
        fields = {name: field(page, name) for name in ("place", "seen", "at")} | changes
        return self.post("0/label/score", fields | {"set": f"{criterion}:{score}"}, Accept="application/json")

    def _open(self, request: urllib.request.Request) -> Reply:
        try:
            with self._opener.open(request, timeout=30) as answer:
                return Reply(
                    answer.status, answer.read().decode("utf-8-sig"), dict(answer.headers), answer.url
                )
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, error.read().decode(), dict(error.headers), request.full_url)


def field(page: Reply, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found is not None, name
    return found[1]

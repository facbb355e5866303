"""Where an endpoint is: base URLs as people write them, made canonical."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit, urlunsplit

from simsa.errors import ConfigError
from simsa.i18n.messages import msg

_ROUTES = ("/chat/completions", "/completions", "/models")


class BaseUrl(NamedTuple):
    """An endpoint's base URL in its canonical form, and what was asked with it (`?api-version=…`)."""

    base_url: str
    query: str
    host: str

    @classmethod
    def parse(cls, text: str) -> BaseUrl:
        """Reads a base URL with or without `/v1`, a trailing slash or the path of a route.

        Raises ConfigError for what is no HTTP address, and for credentials within it.
        """
        try:
            parts = urlsplit(text.strip())
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise _wrong(f"is not an address: {error}") from None
        if parts.scheme not in ("http", "https") or not host:
            raise _wrong("is not an http or https address", text)
        if parts.username is not None or parts.password is not None:
            raise _wrong(
                "holds a user name or password",
                hint="put the key in an environment variable and name it in api_key_env",
            )
        canonical = SplitResult(parts.scheme, parts.netloc, _base_path(parts.path), "", "")
        return cls(urlunsplit(canonical), parts.query, host)

    def route(self, name: str) -> str:
        """The URL of a route such as `chat/completions`."""
        return f"{self.base_url}/{name}" + (f"?{self.query}" if self.query else "")

    @property
    def is_loopback(self) -> bool:
        """Whether this machine itself is meant, by name or by number."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_near(self) -> bool:
        """Whether it is on this machine or in a network of its owner's, by its number or a name without a domain."""
        try:
            return ipaddress.ip_address(self.host).is_private
        except ValueError:
            return "." not in self.host or self.host.endswith((".localhost", ".local", ".internal", ".lan"))

    @property
    def is_openai(self) -> bool:
        return self.host == "api.openai.com"

    @property
    def is_open(self) -> bool:
        """Whether what is sent can be read on the way."""
        return self.base_url.startswith("http://") and not self.is_loopback

    def warning(self, key: str | None) -> str | None:
        """What to tell a person who sends `key` there; None where nothing is wrong with it."""
        if key and self.is_open:
            return msg("endpoint.open_key", url=self.base_url)
        return None


def check_key(key: str | None, name: str | None) -> None:
    """Raises ConfigError for a key that no header can carry; `name` is the variable it came from."""
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        message = "holds characters that no key has: a space, a line break, or beyond ASCII"
        raise ConfigError(message, field=name or "key", hint="copy the key again")


def _base_path(path: str) -> str:
    path = path.rstrip("/")
    for route in _ROUTES:
        path = path.removesuffix(route)
    return path.rstrip("/") or "/v1"


def _wrong(message: str, found: object = None, hint: str | None = None) -> ConfigError:
    hint = hint or 'for example base_url = "http://localhost:8000/v1"'
    return ConfigError(message, field="base_url", found=found, hint=hint)

"""Base URLs of endpoints as people write them, in a canonical form."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit, urlunsplit

from simsa.errors import ConfigError
from simsa.i18n.messages import msg

_ROUTES = ("/chat/completions", "/completions", "/models")


class BaseUrl(NamedTuple):
    """An endpoint's base URL in canonical form, and its query (`api-version=…`)."""

    base_url: str
    query: str
    host: str

    @classmethod
    def parse(cls, text: str) -> BaseUrl:
        """Parses a base URL with or without `/v1`, a trailing slash or the path of a route.

        Raises ConfigError if it is no HTTP address or contains credentials.
        """
        try:
            parts = urlsplit(text.strip())
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise _invalid(f"is not an address: {error}") from None
        if parts.scheme not in ("http", "https") or not host:
            raise _invalid("is not an http or https address", text)
        if parts.username is not None or parts.password is not None:
            raise _invalid(
                "contains a user name or password",
                hint="put the key in an environment variable and name it in api_key_env",
            )
        path = parts.path.rstrip("/")
        for route in _ROUTES:
            path = path.removesuffix(route)
        canonical = SplitResult(parts.scheme, parts.netloc, path.rstrip("/") or "/v1", "", "")
        return cls(urlunsplit(canonical), parts.query, host)

    def route(self, name: str) -> str:
        """The URL of a route such as `chat/completions`."""
        return f"{self.base_url}/{name}" + (f"?{self.query}" if self.query else "")

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_openai(self) -> bool:
        return self.host == "api.openai.com"

    @property
    def is_unencrypted(self) -> bool:
        """Whether requests go over a network without encryption."""
        return self.base_url.startswith("http://") and not self.is_loopback

    def key_warning(self, key: str | None) -> str | None:
        """The warning about sending `key` unencrypted; None if there is nothing to warn about."""
        if key and self.is_unencrypted:
            return msg("endpoint.open_key", url=self.base_url)
        return None


def check_key(key: str | None, name: str | None) -> None:
    """Raises ConfigError if `key` cannot be sent in a header; `name` is its environment variable."""
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        message = msg("error.llm.contains_characters_no_key_has")
        raise ConfigError(message, field=name or "key", hint=msg("error.llm.copy_key_again"))


def _invalid(message: str, found: object = None, hint: str | None = None) -> ConfigError:
    hint = hint or 'for example base_url = "http://localhost:8000/v1"'
    return ConfigError(message, field="base_url", found=found, hint=hint)

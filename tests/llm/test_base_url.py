"""Base URLs as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.errors import ConfigError
from simsa.llm.base_url import BaseUrl


@pytest.mark.parametrize(
    ("written", "base", "route"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1", "http://localhost:8000/v1/models"),
        ("http://localhost:8000/", "http://localhost:8000/v1", "http://localhost:8000/v1/models"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1", "http://localhost:8000/v1/models"),
        (" https://api.openai.com/v1/ ", "https://api.openai.com/v1", "https://api.openai.com/v1/models"),
        (
            "https://api.openai.com/v1/chat/completions",
            "https://api.openai.com/v1",
            "https://api.openai.com/v1/models",
        ),
        ("http://h/openai/v1beta", "http://h/openai/v1beta", "http://h/openai/v1beta/models"),
        ("http://h/v1?api-version=1", "http://h/v1", "http://h/v1/models?api-version=1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1", "http://[::1]:8000/v1/models"),
    ],
)
def test_canonical_forms(written: str, base: str, route: str) -> None:
    address = BaseUrl.parse(written)
    assert address.base_url == base
    assert address.route("models") == route
    assert BaseUrl.parse(address.base_url).base_url == base


@pytest.mark.parametrize(
    "written",
    [
        "",
        "localhost:8000",
        "ftp://host/v1",
        "http://",
        "https:///v1",
        "http://host:port/v1",
        "http://[::1/v1",
    ],
)
def test_an_invalid_address_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(ConfigError) as caught:
        BaseUrl.parse(written)
    assert caught.value.field == "base_url"
    assert "http://localhost:8000/v1" in (caught.value.hint or "")


@pytest.mark.parametrize("written", ["http://user:hunter2@host/v1", "https://hunter2@host/v1"])
def test_credentials_in_the_url_are_refused_and_not_shown(written: str) -> None:
    with pytest.raises(ConfigError) as caught:
        BaseUrl.parse(written)
    assert "hunter2" not in str(caught.value)
    assert "api_key_env" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("written", "loopback", "open_"),
    [
        ("http://localhost:8000", True, False),
        ("http://judge.localhost", True, False),
        ("http://127.0.0.5:1", True, False),
        ("http://[::1]:1", True, False),
        ("http://10.0.0.1", False, True),
        ("http://localhost.example.com", False, True),
        ("https://example.com", False, False),
    ],
)
def test_which_addresses_are_loopback_and_unencrypted(written: str, loopback: bool, open_: bool) -> None:
    address = BaseUrl.parse(written)
    assert (address.is_loopback, address.is_unencrypted) == (loopback, open_)


@given(st.text(max_size=40) | st.builds("http://{}".format, st.text(max_size=40)))
def test_any_text_is_parsed_or_a_config_error(text: str) -> None:
    try:
        address = BaseUrl.parse(text)
    except ConfigError:
        return
    assert BaseUrl.parse(address.base_url).base_url == address.base_url

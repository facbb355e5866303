from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.browser import Browser, chromium


@pytest.fixture(scope="session")
def window() -> Iterator[Browser]:
    yield from chromium()


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    """A window without cookies. A page that complains fails its test."""
    window.fresh()
    window.console()
    yield window
    assert window.console() == []

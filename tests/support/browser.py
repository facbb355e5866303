"""Chromium, started once for all tests."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from tests.support.view_server import until

BINARY = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
WHY = "needs Chromium and its driver: apt-get install chromium chromium-driver fonts-noto-cjk"
needs_browser = pytest.mark.skipif(not (BINARY and DRIVER), reason=WHY)
# What Chromium itself says about a server that is down.
REFUSED = "ERR_CONNECTION_REFUSED"


class Browser:
    """One window. `console` is what the page has complained of since it was last asked."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, address: str) -> None:
        self.driver.get(address)

    def size(self, width: int, height: int = 900) -> None:
        facts = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", facts)

    def scheme(self, name: str) -> None:
        wanted = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})

    def fresh(self) -> None:
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.size(1280)
        self.scheme("light")

    def all(self, selector: str) -> list[Any]:
        found: list[Any] = self.driver.find_elements("css selector", selector)
        return found

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        found: list[str] = self.js(
            "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent.trim())", selector
        )
        return found

    def text(self, selector: str = "main") -> str:
        return str(self.js("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def value(self, selector: str) -> str:
        return str(self.js("return document.querySelector(arguments[0])?.value ?? ''", selector))

    def sees(self, selector: str, text: str) -> None:
        """Waits until the first element that fits has `text`."""
        until(lambda: text in self.text(selector), lambda: f"no {text!r} in {self.text(selector)!r}")

    def keys(self, *keys: str) -> None:
        """Types into whatever has the focus."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def fill(self, selector: str, text: str) -> None:
        """Types into the only element that fits, in place of what stands there."""
        field = self.one(selector)
        field.clear()
        field.send_keys(text)

    def click(self, selector: str) -> None:
        self.one(selector).click()

    def js(self, code: str, *values: Any) -> Any:
        return self.driver.execute_script(code, *values)

    def focused(self) -> str:
        return str(self.js("return document.activeElement.textContent.trim()"))

    @property
    def address(self) -> str:
        return str(self.driver.current_url)

    def console(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def violations(self) -> list[str]:
        """What axe-core calls serious or critical on the page, with the elements."""
        self.js(axe())
        found = self.driver.execute_async_script(
            "axe.run({resultTypes: ['violations']}).then((found) => arguments[0](found.violations))"
        )
        return [
            f"{one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def overflow(self) -> list[str]:
        """Elements that stick out of the page to the right, outside regions that scroll by themselves."""
        found: list[str] = self.js(
            """const width = document.documentElement.clientWidth;
            return [...document.body.querySelectorAll("*")]
              .filter((e) => e.getBoundingClientRect().right > width + 1 && e.getClientRects().length
                && !e.closest(".scroll, .runs, .skip, .sr, .list thead, dialog:not([open])"))
              .map((e) => e.outerHTML.slice(0, 120))"""
        )
        return found


@cache
def axe() -> str:
    """The text of axe-core."""
    try:
        files = importlib.metadata.files("axe-playwright-python") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs axe-core: pip install --no-deps axe-playwright-python")
    [file] = [file for file in files if file.name == "axe.min.js"]
    return file.read_text(encoding="utf-8")


def chromium() -> Iterator[Browser]:
    """A browser that is closed at the end."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--lang=ko",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.binary_location = BINARY or ""
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    try:
        driver.execute_cdp_cmd("Network.enable", {})
        yield Browser(driver)
    finally:
        driver.quit()


# Texts that try to become part of the page.
PAYLOADS = (
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 2'><svg onload='window.hacked = 3'>",
    "\"'><a href='javascript:window.hacked=4'>눌러 보세요</a>",
    "{{7*7}} ${7*7} {% raw %} <%= 7*7 %> [[ref1]]",
    "</textarea></script></style></title><iframe srcdoc='<script>parent.hacked=5</script>'></iframe>",
    "\u202e뒤집힌 글\u202c \u200b\u200d\ufeff\u2066고립\u2069",
    '=HYPERLINK("http://evil.invalid","눌러")',
    "javascript:window.hacked=6",
    "길" * 1_000_000,
    "x" * 300 + " " + "가" * 5000,
    "\x00\x1b[31m\r\n끝" + "\U0001f469\u200d\U0001f469\u200d\U0001f467",
)

LOOK = """
const all = [...document.querySelectorAll("*")];
return {
  hacked: window.hacked ?? null,
  elements: all.filter((e) => e.matches("main :is(script, img, iframe, object, style, base)")).length,
  links: all.filter((e) => e.matches("a") && e.protocol == "javascript:").length,
  handlers: all.flatMap((e) => [...e.attributes]).filter((a) => a.name.startsWith("on")).length,
  hidden: /[\u202a-\u202e\u200b\u2066-\u2069\ufeff]/.test(document.body.textContent),
}
"""
QUIET = {"hacked": None, "elements": 0, "links": 0, "handlers": 0, "hidden": False}


def is_quiet(browser: Browser) -> None:
    """Nothing ran, nothing of the run became an element, nothing broke out of the page."""
    assert browser.js(LOOK) == QUIET
    assert browser.console() == []

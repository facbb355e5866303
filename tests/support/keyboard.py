"""Moves through a page with the Tab key and reports what cannot be reached."""

from __future__ import annotations

from tests.support.browser import Browser

TAB = "\ue004"
_INTERACTIVE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"
_FOUND = f"""
const open = [...document.querySelectorAll("{_INTERACTIVE}")].filter((e) => e.checkVisibility() && !e.disabled
  && !e.closest("dialog:not([open])"));
const groups = new Set();
const wanted = open.filter((e) => {{  // one stop for a group of radio buttons
  if (e.type !== "radio") return true;
  const first = !groups.has(e.name);
  groups.add(e.name);
  return first;
}});
// What scrolls by itself has to be scrolled without a mouse.
const scrolling = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility()
  && e.scrollWidth > e.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(e).overflowX)
  && !e.matches("input, select, textarea") && !e.querySelector("{_INTERACTIVE}"));
return [...new Set([...wanted, ...scrolling])];
"""


def missed_by_tab(browser: Browser) -> list[str]:
    """What can be used on the page and is never focused by going on with Tab from its beginning."""
    browser.js(
        f"window.wanted = (() => {{ {_FOUND} }})(); window.reached = new Set(); window.unlit = [];"
        "addEventListener('focusin', (event) => {"
        "  reached.add(event.target);"
        "  if (event.target.type === 'radio') document.getElementsByName(event.target.name).forEach((e) => reached.add(e));"
        "});"
        "addEventListener('keyup', () => {"  # only now is it certain whether the focus shows
        "  const here = document.activeElement, style = getComputedStyle(here);"
        "  if (here !== document.body && style.outlineStyle === 'none' && style.boxShadow === 'none')"
        "    unlit.push(here.outerHTML.slice(0, 120));"
        "})"
    )
    n = browser.js("return wanted.length")
    browser.keys(*[TAB] * (n + 5))
    found: list[str] = browser.js(
        "return wanted.filter((e) => !reached.has(e) && e.checkVisibility()).map((e) => e.outerHTML.slice(0, 160))"
    )
    return found


def unlit(browser: Browser) -> list[str]:
    """What had the focus on the way of `missed_by_tab` without showing it."""
    found: list[str] = browser.js("return [...new Set(unlit)]")
    return found

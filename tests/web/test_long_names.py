"""Variants with names of eighty letters on the page: short in tables and beside bars, whole in reach."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from simsa.web.run_page import RunPage
from simsa.web.security import RequestContext
from simsa.web.views import Pages
from tests.support.long_names import LONG
from tests.support.report_runs import BASE, BETTER, make_run

HOSTILE = '<b>"&quot;' + "x" * 70


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    folder = tmp_path_factory.mktemp("long")
    names = ("base", *LONG, HOSTILE)
    run = make_run(folder / "run", dict(zip(names, (BASE, BETTER, BASE, BETTER, BASE), strict=True)))
    found = [RunPage(run, "ko")]
    assert found[0].summary.get(60) is not None
    yield Pages(found)


def shortened(page: str) -> dict[str, str]:
    return dict(re.findall(r'<abbr title="([^"]*)">([^<]*)</abbr>', page))


def test_the_overview_shows_short_names_and_their_whole(pages: Pages) -> None:
    page = pages.overview(0, RequestContext("", ""))
    named = shortened(page)
    assert set(LONG) < set(named)
    assert len(set(named.values())) == len(named) == len(LONG) + 1
    for name in LONG:
        assert page.count(f">{named[name]}</abbr>") > 5
        assert f'<p class="quiet">{named[name]} = {name}</p>' in page
    assert "<b>&#34;" not in page and HOSTILE not in page


def test_runs_over_time_too(pages: Pages) -> None:
    page = pages.over_time(0, RequestContext("", ""))
    head = page[page.index("<thead>") : page.index("</thead>")]
    assert set(LONG) < set(shortened(head))
    assert "base</th>" in head, "what is short stays as it is"


def test_the_list_of_questions_too(pages: Pages) -> None:
    page = pages.questions(0, RequestContext("", ""), {"a": LONG[0], "b": LONG[1]})
    head = page[page.index("<thead") : page.index("</thead>")]
    named = shortened(head)
    assert set(LONG) <= set(named)
    assert f"{named[LONG[0]]} − {named[LONG[1]]}" in head
    assert not any(f">{name}" in head for name in LONG)
    for name in LONG:
        assert f'<p class="quiet">{named[name]} = {name}</p>' in page
        assert f'<option value="{name}"' in page, "a choice names it whole"

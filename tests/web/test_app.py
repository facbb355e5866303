"""The server over HTTP: its pages, untrusted text in them, and who may ask."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from simsa.records import Claim, Passage
from simsa.web.run_page import RunPage
from simsa.web.security import AccessControl, RequestContext
from simsa.web.views import Pages
from tests.support.claimed_runs import NO, YES, with_claims
from tests.support.report_runs import make_run, question

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> {{7*7}} \u202eabc\u200b =HYPERLINK(1) [[ref1]]"
)
N = 120
BASE = [(1 + i % 5, 2, 3, 4) if i % 9 else "refused" for i in range(N)]
LORA = [(5, 1 + i % 3, 3, 4) if i % 7 else None for i in range(N)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = [question(i) for i in range(N)]
    asked[3] = question(
        3, question=HOSTILE, contexts=(Passage(HOSTILE, title=HOSTILE),), reference=(HOSTILE,)
    )
    asked[4] = question(4, reference=("x" * 1_000_000,))
    said = {"base": [HOSTILE] * N, "lora": [f"하늘빛 {i}" for i in range(N)]}
    path = tmp_path_factory.mktemp("run")
    return make_run(
        path,
        {"base": BASE, "lora": LORA},
        questions=asked,
        predictions=said,
        analysis=HOSTILE,
        measured=False,
    )


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "simsa", "view", str(folder), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0


def get(url: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), dict(error.headers)


def test_the_pages_answer(address: str) -> None:
    status, page, headers = get(address)
    assert status == 200
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    status, page, _ = get(f"{address}0/questions?search={quote('하늘빛 11')}")
    assert (status, page.count('class="row"')) == (200, 11)  # 11 and 110 to 119


@pytest.mark.parametrize("path", ["0/questions", "0/question?id=q3", "0/question?id=q4"])
def test_hostile_text_stays_text(address: str, path: str) -> None:
    status, page, headers = get(address + path)
    assert status == 200
    nonce = re.search("'nonce-([^']+)'", headers["Content-Security-Policy"])
    assert nonce is not None
    assert re.findall(r"<script[^>]*>", page) == [f'<script src="/static/page.js" nonce="{nonce[1]}" defer>']
    assert "<img" not in page
    assert "{{7*7}}" in page
    assert not re.search("[\u202e\u200b]", page)
    assert len(page) < 200_000


@pytest.mark.parametrize(
    "path",
    [
        "9/",
        "0/question?id=none",
        "static/..%2fserver.py",
        "static/%2fetc%2fpasswd",
        "..%2f..%2frun.sqlite",
        "x",
    ],
)
def test_what_is_not_there_is_not_found(address: str, path: str) -> None:
    assert get(address + path)[0] == 404


@pytest.mark.parametrize(
    "query", ["page=-1", "page=99999999", "low=x&high=9e9", "sort=;drop", "a=no&b=%00", "page=%D9%A3&id=q1"]
)
def test_a_senseless_address_is_still_a_page(address: str, query: str) -> None:
    assert get(f"{address}0/questions?{query}")[0] == 200


def test_other_names_and_other_sites_are_refused(address: str) -> None:
    assert get(address, Host="evil.example")[0] == 421
    request = urllib.request.Request(address + "0/", data=b"", headers={"Origin": "http://evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code == 403
    refused.value.close()


def test_only_another_host_has_a_token() -> None:
    assert AccessControl("127.0.0.1", 1).token is None
    first, second = AccessControl("0.0.0.0", 1).token, AccessControl("0.0.0.0", 1).token
    assert first and second and first != second


@pytest.mark.parametrize(
    ("query", "chips", "differences"),
    [
        ("search=q8", ["13", "15"], ["+2"]),
        ("search=q8&criterion=answer_correctness", ["4", "5"], ["+1"]),
        ("search=q8&criterion=context_relevance&a=base&b=lora", ["2", "3"], ["−1"]),
        ("search=q8&criterion=context_recall&a=lora&b=base", ["4", "4"], ["0"]),
        ("search=q9&criterion=context_recall", ["4"], []),  # the base's answer was refused
    ],
)
def test_the_list_is_about_the_score_that_is_chosen(
    address: str, query: str, chips: list[str], differences: list[str]
) -> None:
    _, page, _ = get(f"{address}0/questions?{query}")
    [row] = [one for one in page.split('<tr role="row">') if re.search(r"\bid=q[89]\b", one)]
    assert re.findall(r'class="chip l\d">(\d+)<', row) == chips
    assert re.findall(r'<span class="(?:good|bad|quiet)">([^<]*)</span></td></tr>', row) == differences


def test_a_token_opens_another_host(folder: Path) -> None:
    command = [sys.executable, "-m", "simsa", "view", str(folder), "--no-open", "--host", "0.0.0.0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"LANG": "C"}
    ) as server:
        assert server.stdout is not None
        given_address = server.stdout.readline().strip().replace("0.0.0.0", "127.0.0.1")
        bare = given_address.partition("?")[0]
        cookies = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        assert get(bare)[0] == 403
        assert get(bare + "?token=wrong")[0] == 403
        with cookies.open(given_address, timeout=30) as answer:
            assert answer.status == 200
            assert "token" not in answer.url
        server.send_signal(signal.SIGINT)


def test_a_question_shows_the_claims_of_its_answers(tmp_path: Path) -> None:
    nasty = Claim(HOSTILE, 1, HOSTILE, supported=False)
    lists: dict[str, list[list[Claim] | str | None]] = {
        "base": [[nasty, YES], [], "refused"],
        "lora": [[YES], None, [NO]],
    }
    folder = with_claims(
        make_run(tmp_path / "run", {"base": [(1, 2, 3, 4)] * 3, "lora": [(1, 2, 3, 4)] * 3}), lists
    )
    pages = Pages([RunPage(folder, "en")])
    found = [pages.question(0, RequestContext("n", "t"), {"id": f"q{n}"}) or "" for n in range(3)]
    assert "✓ 별빛마을이다" in found[0]
    assert "[1] «별빛마을»" in found[0]
    assert "<script>alert" not in found[0]
    assert "\u202e" not in found[0]
    assert found[0].count('<ul class="claims">') == 2
    assert "The answer makes no claim." in found[1]
    assert found[1].count('<ul class="claims">') == 1
    assert "no list of claims: judge refused" in found[2]
    assert "✗ 바다 옆이다" in found[2]
    assert "claims-ko@1" in found[2], "what the judge replied is there too"
    assert "{원문}" in (
        pages.text(0, RequestContext("n", "t"), {"id": "q2", "part": "raw", "name": "base"}) or ""
    )

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
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from simsa.records import CRITERIA, Claim, Passage
from simsa.store import Store
from simsa.web.query import DIFFERENCES, SORTS, QuestionFilter, filter_from, folded
from simsa.web.question_list import PAGE, QuestionIndex, build, search_terms
from simsa.web.runs import RunPage
from simsa.web.security import AccessControl, RequestContext
from simsa.web.views import Pages
from tests.report.runs import make_run, question
from tests.report.test_claim_summary import NO, YES, with_claims

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


@pytest.fixture(scope="module")
def index(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> QuestionIndex:
    with Store.read(folder) as store:
        path = tmp_path_factory.mktemp("index") / "i.sqlite"
        build(path, store)
    return QuestionIndex(path)


def score(ask: QuestionFilter, variant: int, place: int) -> int | None:
    """The score that `ask` is about."""
    found = (BASE, LORA)[variant][place]
    if not isinstance(found, tuple):
        return None
    return sum(found) if ask.criterion == "total" else found[CRITERIA.index(ask.criterion)]


asks = st.builds(
    QuestionFilter,
    type=st.sampled_from([None, "mrc_question", "no_answer", "other"]),
    variant=st.sampled_from([None, 0, 1]),
    criterion=st.sampled_from(["total", *CRITERIA]),
    low=st.none() | st.integers(0, 20),
    high=st.none() | st.integers(0, 20),
    a=st.integers(0, 1),
    b=st.integers(0, 1),
    diff=st.sampled_from([None, *DIFFERENCES]),
    sort=st.sampled_from(SORTS),
    of=st.integers(0, 1),
    alow=st.none() | st.integers(0, 20),
    ahigh=st.none() | st.integers(0, 20),
    blow=st.none() | st.integers(0, 20),
    bhigh=st.none() | st.integers(0, 20),
    down=st.booleans(),
)


@given(asks)
def test_filters_and_order_are_those_of_plain_python(index: QuestionIndex, ask: QuestionFilter) -> None:
    def fits(place: int) -> bool:
        of = (0, 1) if ask.variant is None else (ask.variant,)
        if ask.type is not None and ask.type != ("no_answer", "mrc_question")[place % 2]:
            return False
        if ask.low is not None or ask.high is not None:
            low, high = ask.low or 0, 20 if ask.high is None else ask.high
            if not any((t := score(ask, v, place)) is not None and low <= t <= high for v in of):
                return False
        a, b = score(ask, ask.a, place), score(ask, ask.b, place)
        for found, low, high in ((a, ask.alow, ask.ahigh), (b, ask.blow, ask.bhigh)):
            if (low, high) != (None, None) and (
                found is None or not (low or 0) <= found <= (20 if high is None else high)
            ):
                return False
        if ask.diff is None:
            return True
        if a is None or b is None:
            return False
        return {"higher": a > b, "lower": a < b, "differs": a != b, "same": a == b}[ask.diff]

    def key(place: int) -> int | str | None:
        a, b = score(ask, ask.a, place), score(ask, ask.b, place)
        kind = ("no_answer", "mrc_question")[place % 2]
        diff = None if a is None or b is None else a - b
        return {"place": place, "type": kind, "total": score(ask, ask.of, place), "diff": diff}[ask.sort]

    places = [place for place in range(N) if fits(place)]
    there = sorted((p for p in places if key(p) is not None), key=key, reverse=ask.down)  # type: ignore[arg-type]
    expected = [f"q{p}" for p in (*there, *(p for p in places if key(p) is None))]
    found: list[str] = []
    for page in range(1, 2 + len(expected) // PAGE):
        got = index.find(ask.changed(page=page))
        assert got.n_fitting == len(expected)
        found += [row.id for row in got.rows]
    assert found == expected


@given(
    asks,
    st.sampled_from(
        [
            "",
            "하늘빛",
            "하늘빛 1",
            "마을의 이름",
            '"빛 11"',
            "lora",
            "없음",
            "q3",
            "-하늘빛",
            '마을 -"빛 11" -3',
        ]
    ),
)
def test_a_search_narrows_what_is_asked_for(index: QuestionIndex, ask: QuestionFilter, search: str) -> None:
    def all_of(ask: QuestionFilter) -> list[str]:
        pages = [index.find(ask.changed(page=page)) for page in (1, 2, 3)]
        rows = [row for page in pages for row in page.rows]
        assert [page.n_fitting for page in pages] == [len(rows)] * 3
        assert [row.n for row in rows] == list(range(len(rows)))
        return [row.id for row in rows]

    def holds(question_id: str) -> bool:
        n = int(question_id[1:])
        asked = HOSTILE if n == 3 else f"{n}번 마을의 이름은 무엇인가요?"
        known = (question_id, asked, HOSTILE if n == 3 else f"별빛마을 {n}호", HOSTILE, f"하늘빛 {n}")
        # The row that has a megabyte for its reference holds none of the words there.
        texts = tuple(text for text in known if n != 4 or "별빛마을" not in text)
        wanted, unwanted = search_terms(search)
        has = {word: any(word in folded(text) for text in texts) for word in (*wanted, *unwanted)}
        return all(has[word] for word in wanted) and not any(has[word] for word in unwanted)

    assert all_of(ask.changed(search=search)) == [one for one in all_of(ask) if holds(one)]


further = st.builds(
    lambda ask, more: ask.changed(**more),
    asks,
    st.fixed_dictionaries(
        {},
        optional={
            "said": st.sampled_from(["same", "differs"]),
            "metric": st.sampled_from(["chrf", "a b&c"]),
            "mlow": st.integers(-(10**6), 10**6).map(lambda n: n / 1000),
            "finish": st.sampled_from(["length", "<b>"]),
            "refused": st.sampled_from(["yes", "no"]),
            "labelled": st.sampled_from(["yes", "no"]),
            "cluster": st.sampled_from(["문서 1", "a=b&c"]),
            "ids": st.sampled_from(["q1, q2", "q1*"]),
            "show": st.sampled_from([(0,), (1,), (0, 1)]),
        },
    ),
)


@given(further)
def test_an_address_says_what_was_asked(ask: QuestionFilter) -> None:
    variants = ("base", "lora")
    assert filter_from(MultiDict(parse_qsl(ask.query(variants))), variants) == ask


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (1, 0)),
        ("sort=total", (1, 0)),
        ("a=early&b=lora", (2, 1)),
        ("a=none&b=lora", (0, 1)),
        # As links were written that left out the first variant of all and the second.
        ("diff=lower", (0, 1)),
        ("sort=diff&down=1", (0, 1)),
        ("diff=lower&b=early", (0, 2)),
        ("a=early", (2, 1)),
    ],
)
def test_what_is_compared_is_a_variant_with_the_baseline_and_old_links_keep_their_meaning(
    query: str, expected: tuple[int, int]
) -> None:
    ask = filter_from(dict(parse_qsl(query)), ("base", "lora", "early"))
    assert (ask.a, ask.b) == expected
    assert filter_from({}, ("early", "base", "lora"), baseline=1).a == 0


@pytest.mark.parametrize("value", ["1e5", "nan", "inf", "--1", "٣", "1" * 400, ""])
def test_a_bound_that_is_no_number_bounds_nothing(value: str) -> None:
    ask = filter_from({"metric": "chrf", "mlow": value}, ("base",))
    assert ask.mlow is None
    assert ask.is_plain


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
    lists = {"base": [[nasty, YES], [], "refused"], "lora": [[YES], None, [NO]]}
    folder = with_claims(
        make_run(tmp_path / "run", {"base": [(1, 2, 3, 4)] * 3, "lora": [(1, 2, 3, 4)] * 3}), lists
    )
    pages = Pages([RunPage(folder, tmp_path, "en")])
    found = [
        pages.question(0, f"q{n}", QuestionFilter(), None, RequestContext("n", "t")) or "" for n in range(3)
    ]
    assert "✓ 별빛마을이다" in found[0]
    assert "[1] «별빛마을»" in found[0]
    assert "<script>alert" not in found[0]
    assert "\u202e" not in found[0]
    assert found[0].count('<ul class="claims">') == 2
    assert "It claims nothing." in found[1]
    assert found[1].count('<ul class="claims">') == 1
    assert "no list of claims: judge refused" in found[2]
    assert "✗ 바다 옆이다" in found[2]
    assert "claims-ko@1" in found[2], "what the judge replied is there too"
    assert "{원문}" in (pages.text(0, "q2", "raw", "base") or "")

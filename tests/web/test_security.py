"""Attacks on the page: other sites, other names, paths, bodies and clients that mean no good."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.store.labels import read
from simsa.web.app import application
from simsa.web.run_page import RunPage
from simsa.web.security import HEADERS, AccessControl, policy
from tests.support.criteria import CRITERIA
from tests.support.report_runs import BASE, BETTER, make_run
from tests.support.view_server import Viewing, until
from tests.support.visitor import Visitor, field

SECRET = "the-secret-of-another-file"
QUICK = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("guarded") / "run"
    made = make_run(path, {"base": BASE, "better": BETTER}, measured=False)
    for place in (made, made.parent):
        (place / "secret.txt").write_text(SECRET)
    return made


@pytest.fixture(scope="module")
def view(folder: Path) -> Iterator[Viewing]:
    with Viewing(folder) as viewing:
        yield viewing


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def ask(view: Viewing, target: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
    """Sends `target` as it is, without a client in between that would tidy it up."""
    given = {"Host": f"127.0.0.1:{view.port}", "Connection": "close"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    if body:
        given.setdefault("Content-Length", str(len(body)))
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in given.items() if v)
    with socket.create_connection(("127.0.0.1", view.port), timeout=20) as line:
        line.sendall(head.encode("utf-8", "surrogateescape") + b"\r\n" + body)
        return answer_of(line)


def answer_of(line: socket.socket) -> Answer:
    found, headers = b"", dict[str, str]()
    try:
        while part := line.recv(65536):
            found += part
            head, _, body = found.partition(b"\r\n\r\n")
            _, *rest = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
            if len(body) >= int(headers.get("content-length", 10**9)):
                break
    except ConnectionResetError:  # it had heard enough
        pass
    first, _, rest_of_it = found.partition(b"\r\n")
    return Answer(int(first.split()[1]) if first else 0, headers, rest_of_it.partition(b"\r\n\r\n")[2])


# Paths ------------------------------------------------------------------------------------------

SEGMENTS = (
    ".. . %2e%2e ..%2f.. %2e%2e%2f ..%5c \\ static 0 1 label labels.csv secret.txt run.sqlite etc passwd %00 "
    "%0d%0aX:1 file: ~root text ０ -1 question questions calibration runs style.css server.py templates "
    "frame.html.jinja"
)
segments = st.sampled_from(["", *SEGMENTS.split()])


@QUICK
@given(st.lists(segments, max_size=6))
def test_no_path_leads_to_a_file(view: Viewing, parts: list[str]) -> None:
    found = ask(view, "/" + quote("/".join(parts), safe="/%:~\\.-"))
    assert found.status in (200, 303, 400, 404, 405)
    assert SECRET.encode() not in found.body
    assert not found.body.startswith(b"SQLite")
    assert b"root:" not in found.body
    assert b"import " not in found.body


@pytest.mark.parametrize(
    "target",
    [
        "/static/../../secret.txt",
        "/static/..%2f..%2fsecret.txt",
        "/static/%2fetc%2fpasswd",
        "/0/label/..%2f..%2fsecret.txt",
        "/0/text?id=q1&part=../secret.txt&name=../secret.txt",
        "/0/text?id=q1&part=passage&name=-1",
        "/0/text?id=q1&part=passage&name=%D9%A1",
        "/0/text?id=../secret.txt&part=answer&name=base",
        "//127.0.0.1/secret.txt",
    ],
)
def test_what_names_a_file_is_not_found(view: Viewing, target: str) -> None:
    assert ask(view, target).status == 404


def test_a_whole_address_as_target_is_no_way_around_the_name(view: Viewing) -> None:
    found = ask(view, f"http://evil.example:{view.port}/0/questions", Host="evil.example")
    assert found.status in (400, 404, 421)
    assert b'class="row"' not in found.body


names = st.sampled_from(["search", "type", "status", "variant", "criterion", "low", "high", "a", "b", "diff"])
more = st.sampled_from(["sort", "of", "down", "page", "id", "n", "part", "name", "at", "token"])
texts = st.text(max_size=30) | st.sampled_from(
    ["9" * 40, "-1", "1e9", "NaN", "q1", "base", "total", "1' OR 1=1 --"]
)


@QUICK
@given(
    st.sampled_from(["0/questions", "0/question", "0/text", "0/label", "0/", "runs", "0/calibration"]),
    st.dictionaries(names | more, texts, max_size=6),
)
def test_no_address_breaks_a_page(view: Viewing, path: str, query: dict[str, str]) -> None:
    line = "&".join(
        f"{quote(name)}={quote(value.encode('utf-8', 'replace'))}" for name, value in query.items()
    )
    found = ask(view, f"/{path}?{line}")
    assert found.status in (200, 400, 404)
    if found.status == 200 and "/text" not in path:
        page = found.body.decode()
        assert page.count("<script") == page.count('<script src="/static/')


# Who asks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1",
        "127.0.0.1.evil.example:{port}",
        "localhost:{port}.evil.example",
        "127.0.0.1:{port}@evil.example",
        "127.0.0.1:1",
        "LOCALHOST.:{port}",
        "[::1]",
        "0.0.0.0:{port}",
        "127.1:{port}",
    ],
)
def test_only_the_loopback_names_are_answered(view: Viewing, host: str) -> None:
    found = ask(view, "/0/questions", Host=host.format(port=view.port))
    assert found.status in (400, 421)
    assert b"<table" not in found.body


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}"])
def test_each_loopback_name_is(view: Viewing, host: str) -> None:
    assert ask(view, "/0/questions", Host=host.format(port=view.port)).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "X"])
def test_other_methods_change_and_tell_nothing(view: Viewing, folder: Path, method: str) -> None:
    for target in ("/0/questions", "/0/label/score", "/0/calibration"):
        found = ask(view, target, method)
        assert found.status in (400, 403, 404, 405)
        assert b"<table" not in found.body
    assert not (folder / "labels.sqlite").exists()


ORIGINS = (
    "http://evil.example",
    "https://127.0.0.1:{port}",
    "http://127.0.0.1",
    "http://127.0.0.1:{port}.evil.example",
    "http://localhost:{port}",  # another name than the one that was asked
    "null",
    "",
    "file://",
)


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("action", ["begin", "draw", "score", "comment", "undo", "leave"])
def test_a_form_of_another_page_changes_nothing(
    view: Viewing, folder: Path, origin: str, action: str
) -> None:
    visitor = Visitor(view.address)
    visitor.get("0/label")
    given = origin.format(port=view.port)
    sent = {
        "name": "x",
        "n": "3",
        "seed": "0",
        "set": f"{CRITERIA[0]}:3",
        "place": "0",
        "seen": "",
        "at": "1",
    }
    assert visitor.post(f"0/label/{action}", sent, origin=given or None).status == 403
    assert not (folder / "labels.sqlite").exists()


def test_a_form_that_is_no_form_changes_nothing(view: Viewing, folder: Path) -> None:
    visitor = Visitor(view.address)
    visitor.get("0/label")
    mine = {"Origin": visitor.origin, "Cookie": f"simsa-form={visitor.token}"}
    parts = '--x\r\nContent-Disposition: form-data; name="csrf"; filename="a"\r\n\r\n{}\r\n--x--\r\n'
    bodies = {
        "application/json": f'{{"csrf": "{visitor.token}", "name": "x", "n": "3"}}',
        "text/plain": f"csrf={visitor.token}&name=x&n=3",
        "multipart/form-data; boundary=x": parts.format(visitor.token),
        "application/x-www-form-urlencoded": "csrf=%ff%fe&name=x",
    }
    for kind, body in bodies.items():
        found = ask(view, "/0/label/begin", "POST", body.encode(), Content_Type=kind, **mine)
        assert found.status == 403, kind
    assert not (folder / "labels.sqlite").exists()


@QUICK
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=';,\\"'), max_size=80))
def test_no_cookie_breaks_a_page(view: Viewing, value: str) -> None:
    cookies = f"simsa-annotator={value}; simsa-form={value}; simsa-{view.port}={value}"
    found = ask(view, "/0/label", Cookie=cookies)
    assert found.status == 200
    assert b"<script>" not in found.body


def test_a_token_that_somebody_planted_is_not_taken_for_one_of_ours(view: Viewing) -> None:
    short = ask(view, "/0/label", Cookie="simsa-form=abc")
    assert "simsa-form=" in short.headers["set-cookie"]
    assert "simsa-form=abc" not in short.headers["set-cookie"]


# What a browser may do with it ------------------------------------------------------------------


@pytest.mark.parametrize(
    "target", ["/0/", "/0/questions", "/static/page.js", "/nowhere", "/0/question?id=none"]
)
def test_every_answer_has_the_headers(view: Viewing, target: str) -> None:
    found = ask(view, target)
    for name, value in HEADERS.items():
        assert found.headers[name.lower()] == value
    rules = found.headers["content-security-policy"]
    assert "default-src 'none'" in rules
    assert "unsafe" not in rules
    assert "*" not in rules
    assert "frame-ancestors 'none'" in rules


def test_a_nonce_is_never_used_again(view: Viewing) -> None:
    found = [ask(view, "/0/questions") for _ in range(20)]
    nonces = {re.findall("'nonce-([^']+)'", one.headers["content-security-policy"])[0] for one in found}
    assert len(nonces) == 20
    assert all(policy(nonce).count(nonce) == 1 and len(nonce) > 20 for nonce in nonces)


@pytest.mark.parametrize("target", ["/0/question?id=q1", "/0/label"])
def test_a_refused_stranger_gets_no_cookie_of_ours(view: Viewing, target: str) -> None:
    assert "set-cookie" not in ask(view, target, Host="evil.example").headers


# Bodies and clients -----------------------------------------------------------------------------


def test_an_oversized_body_is_refused_and_the_server_lives(view: Viewing, folder: Path) -> None:
    visitor = Visitor(view.address)
    visitor.get("0/label")
    mine = {"Origin": visitor.origin, "Cookie": f"simsa-form={visitor.token}"}
    kind = {"Content_Type": "application/x-www-form-urlencoded"}
    body = f"csrf={visitor.token}&name=".encode() + b"x" * 3_000_000
    found = ask(view, "/0/label/begin", "POST", body, **kind, **mine)
    assert found.status == 413
    claimed = ask(view, "/0/label/begin", "POST", b"csrf=", Content_Length="99999999999", **kind, **mine)
    assert claimed.status == 413
    assert ask(view, "/0/questions").status == 200
    assert not (folder / "labels.sqlite").exists()


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00" + b"\x00" * 200,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_and_the_server_lives(view: Viewing, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", view.port), timeout=20) as line:
        line.sendall(head)
        line.shutdown(socket.SHUT_WR)
        assert answer_of(line).status in (0, 400, 414, 421, 431, 505)
    assert ask(view, "/0/questions").status == 200


def test_slow_clients_hold_nobody_up(view: Viewing) -> None:
    slow = []
    for n in range(150):
        line = socket.create_connection(("127.0.0.1", view.port), timeout=20)
        half = f"GET /0/questions HTTP/1.1\r\nHost: 127.0.0.1:{view.port}\r\nX-{n}"
        line.sendall(half.encode())
        slow.append(line)
    began = time.monotonic()
    assert [ask(view, "/0/questions").status for _ in range(5)] == [200] * 5
    assert time.monotonic() - began < 10
    for line in slow:
        line.close()
    assert ask(view, "/0/questions").status == 200


def test_who_leaves_in_the_middle_breaks_nothing(view: Viewing) -> None:
    for target in ("/0/", "/0/questions", "/0/question?id=q1", "/0/label/labels.csv"):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", view.port), timeout=20) as line:
                line.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{view.port}\r\n\r\n".encode())
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    assert ask(view, "/0/questions").status == 200


def test_a_name_is_cut_and_a_comment_too(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"base": BASE, "better": BETTER}, measured=False)
    with Viewing(folder) as viewing:
        visitor = Visitor(viewing.address)
        page = visitor.sit_down("가" * 5_000, 4)
        fields = {name: field(page, name) for name in ("place", "seen", "at")}
        visitor.post("0/label/comment", fields | {"comment": "나" * 20_000})
    [label] = read(folder)
    assert len(label.annotator) <= 40
    assert len(label.comment) == 4_000


# Another host -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_to_all(folder: Path) -> Iterator[Viewing]:
    with Viewing(folder, options=("--host", "0.0.0.0")) as viewing:
        yield viewing


@pytest.mark.parametrize(
    "target", ["/", "/0/", "/0/questions", "/static/style.css", "/favicon.ico", "/0/text?id=q1", "/nowhere"]
)
def test_without_the_token_nothing_is_told(open_to_all: Viewing, target: str) -> None:
    for more in ("", "?token=", "?token=wrong", "?token=%00", f"?token={'a' * 40}"):
        found = ask(open_to_all, target.partition("?")[0] + more)
        assert found.status == 403
        assert len(found.body) < 200


def test_the_token_leaves_the_address_at_once(open_to_all: Viewing) -> None:
    token = open_to_all.address.partition("token=")[2]
    found = ask(open_to_all, f"/0/questions?token={token}")
    assert found.status == 303
    assert token not in found.headers["location"]
    kept = found.headers["set-cookie"]
    assert "HttpOnly" in kept
    assert "SameSite=Strict" in kept
    cookie = kept.partition(";")[0]
    assert ask(open_to_all, "/0/questions", Cookie=cookie).status == 200
    assert ask(open_to_all, "/0/questions", Cookie=cookie[:-1]).status == 403
    assert ask(open_to_all, "/0/label/begin", "POST", b"n=3", Cookie=cookie).status == 403


def test_tokens_cannot_be_guessed() -> None:
    tokens = {AccessControl("0.0.0.0", 1).token for _ in range(50)}
    assert len(tokens) == 50
    assert all(token and len(token) >= 32 for token in tokens)


# Forms that do not arrive ------------------------------------------------------------------------


async def sent(port: int, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    return reader, writer


@pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")
@pytest.mark.parametrize("drops", [False, True], ids=["nothing", "a byte now and then"])
def test_a_form_whose_body_does_not_arrive_ends_and_holds_nobody_up(
    folder: Path, tmp_path: Path, drops: bool
) -> None:
    async def attack() -> tuple[bytes, bytes]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            host = f"127.0.0.1:{port}"
            guard = AccessControl("127.0.0.1", port, patience_s=0.3)
            runner = web.AppRunner(application([RunPage(folder, "en")], guard), shutdown_timeout=0.1)
            await runner.setup()
            await web.SockSite(runner, listening).start()
            head = f"POST /0/label/begin HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
            head += "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\n"
            slow, to_slow = await sent(port, head.encode())

            async def dripping() -> None:
                while drops:
                    to_slow.write(b"a")
                    await asyncio.sleep(0.05)

            drip = asyncio.create_task(dripping())
            other, to_other = await sent(
                port, f"GET /static/style.css HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            )
            first = await other.readline()
            answer = await slow.readuntil(b"did not arrive")
            drip.cancel()
            for writer in (to_slow, to_other):
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()
            await runner.cleanup()
            return first, answer

    first, answer = asyncio.run(asyncio.wait_for(attack(), 20))
    assert first.startswith(b"HTTP/1.1 200 "), "others are answered meanwhile"
    assert answer.startswith(b"HTTP/1.1 408 ")
    for name in HEADERS:
        assert f"{name}: ".encode() in answer, "also this page is one that nobody can frame"


# A run that goes wrong under the page ------------------------------------------------------------


def test_a_run_that_is_damaged_or_gone_is_said_to_be(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"base": BASE, "better": BETTER}, measured=False)
    with Viewing(folder) as viewing:
        assert ask(viewing, "/0/questions").status == 200
        (folder / "run.sqlite").rename(folder / "kept.sqlite")
        for name in ("run.sqlite-wal", "run.sqlite-shm"):
            (folder / name).unlink(missing_ok=True)
        gone = ask(viewing, "/0/questions")
        assert gone.status == 500
        assert b"is not the folder of a run" in gone.body
        assert b"Traceback" not in gone.body
        assert gone.headers["x-content-type-options"] == "nosniff"
        (folder / "run.sqlite").write_bytes(b"no database " * 1000)
        assert b"not a database" in ask(viewing, "/0/question?id=q1").body
        (folder / "kept.sqlite").replace(folder / "run.sqlite")
        until(lambda: ask(viewing, "/0/questions").status == 200)

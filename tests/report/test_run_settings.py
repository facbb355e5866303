"""The settings that a report shows are a simsa.toml that makes the run again."""

from __future__ import annotations

import json
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from simsa import config
from simsa.cli.main import run
from simsa.report.run_settings import shareable, toml
from simsa.text import quoted, visible
from tests.servers.chat import ChatServer
from tests.support.judged_runs import write_config, write_data, write_rows
from tests.support.whole_config import WHOLE

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALAR = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), TEXT
)  # what TOML 1.0 promises of whole numbers
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)
SECTION = st.dictionaries(TEXT.filter(lambda key: key != "env"), VALUE, max_size=4)
DOCUMENT = st.dictionaries(TEXT, SECTION | st.lists(SECTION, min_size=1, max_size=3), max_size=3)


@given(DOCUMENT)
def test_what_is_written_is_read_back(document: dict[str, Any]) -> None:
    assert tomllib.loads(toml(document, "ko")) == without_empty(document)


def without_empty(document: dict[str, Any]) -> dict[str, Any]:
    """An empty list or table is what leaving it out means."""

    def said(section: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in section.items() if value not in ({}, [])}

    return {
        name: [said(one) for one in found] if isinstance(found, list) else said(found)
        for name, found in document.items()
    }


@given(st.text())
def test_a_quoted_text_hides_nothing_and_is_the_same_when_read(text: str) -> None:
    line = quoted(text)
    assert visible(line) == line and "\n" not in line
    assert tomllib.loads(f"x = {line}")["x"] == re.sub("[\ud800-\udfff]", "�", text)


PANEL = """
[data]
path = "문제 \\"모음\\".jsonl"
[[variants]]
name = "기본"
predictions = 'C:\\답\\base.jsonl'
[generation]
stop = ["\\n\\n", "###", "\\u200b"]
extra_body = { top_k = 5, "키 이름" = [1, 2.5, { a = true }] }
[judge]
panel = [
  { model = "gpt-4o", price = { input = 2.5, output = 10 } },
  { model = "small", name = "작은", base_url = "http://127.0.0.1:8000/v1", seed = 3, extra_body = { x = 1e-7 } },
]
repeats = 3
temperature = 0.7
via = "batch"
batch = { max_mb = 12.5 }
note = '''두 줄
짜리 "말"'''
[report]
language = "en"
"""


@pytest.mark.parametrize("text", [WHOLE, PANEL, '[data]\npath = "a"\n[serving]\nmodel = "m"\n'])
def test_a_config_comes_back_with_the_same_hash(text: str, tmp_path: Path) -> None:
    made = config.build(tomllib.loads(text))
    file = tmp_path / "simsa.toml"
    file.write_text(toml(made.model_dump(mode="json"), "en"), encoding="utf-8")
    again = config.load(file)
    assert again.model_dump() == made.model_dump() and again.hash == made.hash


def test_secrets_of_the_environment_are_not_there_and_that_is_said() -> None:
    section = {"model": "m", "env": {"HF_TOKEN": "…"}}
    for language, words in (("ko", "값은 저장하지 않습니다"), ("en", "values are not saved")):
        text = toml({"serving": section}, language)  # type: ignore[arg-type]
        assert f'# env = {{ HF_TOKEN = "…" }}   # {words}' in text
        assert tomllib.loads(text) == {"serving": {"model": "m"}}


def test_what_toml_has_no_word_for_is_a_remark() -> None:
    given = {"data": {"path": "a"}, "judge": {"model": "o9", "temperature": None, "seed": None}}
    made = config.build({**given, "variants": [{"name": "x", "predictions": "p"}]})
    text = toml(made.model_dump(mode="json"), "en")
    assert "# temperature: (none)" in text and "# seed: (none)" in text
    assert "api_key_env" not in text, "what is none by default needs no remark"


def sections() -> list[type[BaseModel]]:
    found = [kind for kind in vars(config).values() if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return [kind for kind in found if kind not in (BaseModel, config.Config)]


def test_no_key_means_something_else_when_it_is_left_out() -> None:
    """A none or an empty list is not written: leaving it out has to come to the same, or be a remark."""
    from simsa.report.run_settings import _NUMBERED

    assert len(sections()) > 8
    for section in sections():
        for name, field in section.model_fields.items():
            if type(None) in get_args(field.annotation) and not field.is_required():
                assert field.default is None or name in _NUMBERED, f"{section.__name__}.{name}"
            if isinstance(field.default, list | tuple | dict):
                assert not field.default, f"{section.__name__}.{name}"


class Box(HTMLParser):
    """The text of the element of the class `settings`."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.inside, self.text = False, ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = ("class", "settings") in attrs

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        self.text += data if self.inside else ""


def test_the_box_of_a_report_makes_the_same_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path)
    first = tmp_path / "first.toml"
    first.write_text(
        '[data]\npath = "test.jsonl"\nlimit = 9\n'
        '[[variants]]\nname = "base"\npredictions = "base.jsonl"\n'
        '[[variants]]\nname = "lora"\npredictions = "lora.jsonl"\n'
        '[judge]\nmodel = "lexical"\n[report]\nbaseline = "lora"\n',
        encoding="utf-8",
    )
    page = tmp_path / "report.html"
    assert run(["run", str(first), "-q"]) == 0
    assert run(["report", str(first), "--format", "html", "--out", str(page)]) == 0
    again = tmp_path / "again.toml"
    again.write_text(Box(page.read_text(encoding="utf-8")).text, encoding="utf-8")

    assert config.load(again).hash == config.load(first).hash
    capsys.readouterr()
    assert run(["check", str(again), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
    assert run(["run", str(again), "-q", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert run(["report", str(first), "--json"]) == 0
    asked = json.loads(capsys.readouterr().out)
    assert made["run"]["config_hash"] == asked["run"]["config_hash"]
    assert made["judge"] == asked["judge"] and made["variants"] == asked["variants"]
    assert made["comparisons"] == asked["comparisons"]


def test_a_run_continued_with_the_box_asks_the_judge_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.servers.chat import ChatServer

    monkeypatch.setenv("JUDGE_KEY", "k")
    write_data(tmp_path, n=3)
    with ChatServer() as judge:
        made = write_config(tmp_path, judge.url, more='extra_body = { user = "심사" }\n')
        assert run(["run", str(made), "-q"]) == 0
        asked = len(judge.requests)
        page = tmp_path / "report.html"
        assert run(["report", str(made), "--format", "html", "--out", str(page)]) == 0
        copy = tmp_path / "copy.toml"
        copy.write_text(Box(page.read_text(encoding="utf-8")).text, encoding="utf-8")
        capsys.readouterr()
        assert run(["judge", str(copy), "--out", str(tmp_path / "simsa.simsa"), "-q", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["rows"] == {"scored": 6}
        assert len(judge.requests) == asked == 6
    assert "JUDGE_KEY" in copy.read_text(encoding="utf-8")


def test_many_variants_are_all_there(tmp_path: Path) -> None:
    """Other texts of a report are cut at some length. This one would be broken."""
    from tests.support.report_runs import make_run

    names = [f"variant-{n}" for n in range(400)]
    data = {"variants": [{"name": name, "predictions": "p" * 80} for name in names]}
    page = tmp_path / "report.html"
    made = make_run(tmp_path / "run", {"base": [(3, 3, 3, 3)]}, config=data)
    assert run(["report", str(made), "--format", "html", "--out", str(page)]) == 0
    found = tomllib.loads(Box(page.read_text(encoding="utf-8")).text)
    assert [variant["name"] for variant in found["variants"]] == names


def test_the_demo_quotes_its_paths_alike(tmp_path: Path) -> None:
    write_rows(tmp_path / "x.jsonl", [])
    odd = f'{tmp_path}/새 "폴더"\\x'
    assert tomllib.loads(f"path = {quoted(Path(odd))}") == {"path": odd}


def test_a_key_in_an_address_stays_out_of_every_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")
    write_data(tmp_path, 2)
    with ChatServer() as server:
        config = write_config(tmp_path, f"{server.url}?api-version=2026-01&sig=never-to-be-seen")
        assert run(["judge", str(config), "-q"]) == 0
        for form in ("html", "json", "md", "text"):
            capsys.readouterr()
            assert run(["report", str(config), "--format", form]) == 0
            shown = capsys.readouterr().out
            assert "never-to-be-seen" not in shown
            assert form != "html" or "api-version=2026-01&amp;sig=…" in shown
        assert run(["judge", str(config), "-q"]) == 0, "what is asked is what was written"


def test_only_values_in_the_queries_of_addresses_are_left_out() -> None:
    given = {
        "judge": {
            "base_url": "https://a/v1?key=1&api-version=2&b=3#c",
            "panel": [{"base_url": "http://b/v1"}],
        },
        "data": {"path": "x?key=1"},
    }
    assert shareable(given) == {
        "judge": {
            "base_url": "https://a/v1?key=…&api-version=2&b=…#c",
            "panel": [{"base_url": "http://b/v1"}],
        },
        "data": {"path": "x?key=1"},
    }

"""Names of eighty letters: short in tables, whole in reach, and never two that look the same."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from simsa.report import summary
from simsa.report.format import short_names, shortened
from simsa.report.renderers import html, terminal
from simsa.store import Store
from tests.support.long_names import LONG
from tests.support.report_runs import BASE, BETTER, make_run
from tests.support.terminals import Shown


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scores = dict(zip(("base", *LONG), (BASE, BETTER, BASE, BETTER), strict=True))
    return make_run(tmp_path_factory.mktemp("long") / "run", scores, language="ko")


def test_what_has_room_is_whole() -> None:
    assert short_names(["base", "rag-lora-final-v2", "가나다"], 24) == {
        name: name for name in ("base", "rag-lora-final-v2", "가나다")
    }
    assert shortened(short_names(["base"], 24)) == {}


def test_the_beginning_and_the_end_stay() -> None:
    name = "rag-lora-" + "x" * 60 + "-step500"
    (short,) = short_names([name], 24).values()
    assert short == "rag-lora-xxx…xxx-step500"
    assert cell_len(short) == 24


def test_where_only_the_middle_tells_names_apart_it_is_kept() -> None:
    first, second = short_names(LONG[:2], 24).values()
    assert "갑" in first and "을" in second
    assert first.startswith("한국") and first.endswith(LONG[0][-2:])


def test_what_cannot_be_told_apart_is_numbered() -> None:
    assert list(short_names(["e\u0301", "\u00e9", "a\u200bb", "a\u200eb"], 24).values()) == [
        "é",
        "é #2",
        "a�b",
        "a�b #2",
    ]
    lengths = short_names(["가" * n for n in range(30, 60)], 24).values()
    assert len(set(lengths)) == 30


letters = st.sampled_from(list("ab가나 -_e\u0301\u00e9\u200b…#2"))
names = st.lists(st.text(letters, min_size=1, max_size=60), max_size=8, unique=True)


@given(names, st.integers(12, 48))
def test_no_two_look_the_same_and_all_fit(found: list[str], cells: int) -> None:
    shown = short_names(found, cells)
    assert (list(shown) and set(shown) == set(found)) or not found
    looks = [unicodedata.normalize("NFC", one) for one in shown.values()]
    assert len(set(looks)) == len(found)
    assert all(cell_len(one) <= cells for one in looks)


@pytest.mark.parametrize("width", [60, 80, 160])
def test_the_tables_of_a_report_stay_tables(folder: Path, width: int) -> None:
    with Store.read(folder) as store:
        printed = terminal.render(summary(store), width)
    assert Shown(printed.replace("\n", "\r\n").encode(), width).broken == []
    tables, _, _ = printed.partition("참고 사항")
    assert len(re.findall("답변 정확성", tables)) <= {60: 8, 80: 5, 160: 3}[width], "few parts side by side"
    legend = dict(line.split(" = ", 1) for line in _unfolded(tables).split("\n") if " = " in line)
    assert set(legend.values()) == set(LONG)
    for short in legend:
        assert tables.count(f"{short}") > 2, "it stands over columns"


def _unfolded(printed: str) -> str:
    """Lines of a legend in one piece: what goes on begins without a sign of its own."""
    return re.sub(
        r"(?<=\S)\n +(?=[^\s=]+$)| =\n +", lambda m: " = " if "=" in m[0] else "", printed, flags=re.M
    )


def test_examples_name_variants_in_little_room(folder: Path) -> None:
    from simsa.cli.main import run

    with Store.read(folder) as store:
        from simsa.report import example_answers, score_matrix

        found = example_answers.show(
            store, "worst", example_answers.pick(score_matrix.load(store), "worst", 1, (), None)
        )
    printed = terminal.render_examples(found, "ko", 80)
    assert LONG[2] in printed.replace("\n  ", ""), "whole at the end"
    first = printed[: printed.index(" = ")]
    assert LONG[0][:20] not in first
    assert run(["examples", str(folder), "-n", "1"]) == 0


def test_a_page_has_the_whole_name_where_the_short_one_stands(folder: Path) -> None:
    with Store.read(folder) as store:
        page = html.render(summary(store, n_examples=1))
    named = dict(re.findall(r'<abbr title="([^"]*)">(.*?)</abbr>', page))
    assert set(named) == set(LONG)
    assert len(set(named.values())) == len(LONG)
    for short in named.values():
        assert f'<p class="quiet">{short} = ' in page, "and on paper, where titles are not"
        assert page.count(f">{short}<") > 8

"""The comment for a pull request: what decided comes first, and no text of a run becomes Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from simsa.cli.main import run as simsa
from simsa.errors import ConfigError
from simsa.report import comment, comparing
from simsa.report.gates import parse
from simsa.store import Store
from tests.report.runs import BASE, BETTER, make_run


def rendered(run: Path, gates: Sequence[str] = (), link: str | None = None) -> str:
    with Store.read(run) as store:
        found = comparing.comparing([store], None, [parse(gate) for gate in gates], "en")
    return comment.render(found, link)


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", {"base": BASE, "lora": BETTER})


def test_gates_come_first_then_the_verdict_then_the_differences(pair: Path) -> None:
    text = rendered(pair, ["total > baseline", "total >= 19"])
    assert text.startswith("### simsa: ❌ 1 of 2 gates failed\n")
    assert text.index("lora is better than base") < text.index("✅ total") < text.index("+3.75")
    assert "❌ total &gt;= 19" in text and "✅ total &gt; baseline" in text
    assert rendered(pair, ["total > baseline"]).startswith("### simsa: ✅ All 1 gates passed\n")
    assert rendered(pair).startswith("### simsa: Evaluation report\n")


def test_metrics_are_behind_a_fold_that_closes(pair: Path) -> None:
    text = rendered(pair)
    assert text.count("<details>") == text.count("</details>") == 1
    assert text.index("<details>") < text.index("KorQuAD F1") < text.index("</details>")


def test_names_of_variants_stay_text(tmp_path: Path) -> None:
    hostile = "a|b <img src=x> @team GH-12 #3 [x](https://y) \n# z"
    text = rendered(make_run(tmp_path / "run", {"base": BASE, hostile: BETTER}), ["total > baseline"])
    assert "<img" not in text and "@team" not in text and "GH-12" not in text and "https://y" not in text
    assert not re.search(r"^# z", text, re.MULTILINE) and not re.search(r"(?<!\\)#3", text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3, 4}, "no table is broken"


def test_a_comment_is_never_longer_than_what_is_taken(tmp_path: Path) -> None:
    scores = {"base": BASE} | {f"{'가' * 2000}-{n}": BETTER for n in range(9)}
    run = make_run(tmp_path / "run", scores, figures={"chrf": 1.0})
    text = rendered(run, ["total > baseline"])
    assert len(text.encode()) <= comment.LIMIT and "too long for a comment" in text
    assert text.count("<details>") == text.count("</details>")


def test_the_report_is_linked_and_only_an_address_is_one(pair: Path) -> None:
    assert '<a href="https://x.y/z?a=1&amp;b=2">Full report</a>' in rendered(
        pair, link="https://x.y/z?a=1&b=2"
    )
    for wrong in ("javascript:alert(1)", 'https://x" onclick="y', "https://x\ny", "x.y", ""):
        with pytest.raises(ConfigError, match="--link"):
            rendered(pair, link=wrong)


def test_the_command_writes_it_and_still_fails_on_a_gate(pair: Path, tmp_path: Path) -> None:
    out = tmp_path / "comment.md"
    arguments = ["compare", str(pair), "--gate", "total >= 19", "--format", "md", "--out", str(out)]
    assert simsa(arguments) == 3
    assert out.read_text(encoding="utf-8").startswith("### simsa: ❌ 1 of 1 gates failed")
    assert simsa([*arguments, "--link", "nowhere"]) == 2


def test_a_run_that_compares_nothing_says_so(tmp_path: Path) -> None:
    assert "There is no variant besides base." in rendered(make_run(tmp_path / "one", {"base": BASE}))
    assert "No answer has been scored yet." in rendered(
        make_run(tmp_path / "two", {"a": [None], "b": [None]})
    )

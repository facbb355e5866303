"""The comment for a pull request: what decided comes first, and no text of a run becomes Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from simsa.cli.main import run as simsa
from simsa.errors import ConfigError
from simsa.report import comparisons
from simsa.report.gates import parse
from simsa.report.renderers import comment
from simsa.store import Store
from tests.support.report_runs import BASE, BETTER, JUDGE, make_run, question


def rendered(run: Path, gates: Sequence[str] = (), link: str | None = None) -> str:
    with Store.read(run) as store:
        found = comparisons.comparison_report([store], None, [parse(gate) for gate in gates], "en")
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


def test_what_a_reader_has_to_know_is_in_the_comment_too(tmp_path: Path) -> None:
    """Few documents, pairs that are missing, a judge below the bar: as in the text for a terminal."""
    weak = {"n_labels": 40, "quadratic_kappa": 0.31, "ci95": [0.1, 0.5], "standing": "weak"}
    asked = [question(n, cluster=f"c{n // 4}") for n in range(16)]
    run = make_run(
        tmp_path / "run",
        {"base": BASE, "lora": [*BETTER[:-2], "refused", None]},
        questions=asked,
        figures={"chrf": 1.0},
        calibration={"judge": JUDGE, "annotators": 2, "criteria": {"answer_correctness": weak}},
    )
    text = rendered(run)
    notes = text[text.index("**Notes**") : text.index("<details>")]
    assert [line[:2] for line in notes.strip().splitlines()[2:]] == ["- "] * 3
    for said in ("below the bar", "filled with the worst", "documents"):
        assert said in notes
    assert "Notes" not in rendered(make_run(tmp_path / "sound", {"base": BASE, "lora": BETTER}))


def test_a_comparison_of_two_runs_says_what_it_is_over(tmp_path: Path) -> None:
    old = make_run(tmp_path / "old", {"v": [*BASE, *BASE[:4]]}, figures={"chrf": 1.0})
    again = {"id": "n", "data_hash": "other"}
    new = make_run(tmp_path / "new.simsa", {"v": BETTER}, figures={"chrf": 2.0}, run=again)
    with Store.read(old) as first, Store.read(new) as second:
        found = comparisons.comparison_report(
            [first, second], "v", [parse("total > baseline")], "en", only_common=True
        )
    text = comment.render(found)
    assert text.index("✅ All 1 gates") < text.index(
        "Only the 16 questions that both have are compared (of 20 and 16)"
    )
    assert "**v@<!-- -->new.simsa is better than v: total +3.8" in text
    assert "run abc123, n · judge gpt-4o" in text


def test_two_judges_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was measured, how far the judges differ, and what is left: the sentences and tables of the terminal."""
    from tests.servers.chat import ChatServer
    from tests.support.two_runs import judging, two_runs

    with pytest.MonkeyPatch.context() as patch, ChatServer(judging(kindness=1, gain=0)) as server:
        patch.setenv("JUDGE_KEY", "k")
        old, new = two_runs(tmp_path, server)
        argv = ["compare", str(old), str(new), "--bridge", "40", "-q", "--language", "en"]
        assert simsa(argv) == 0, "the first pays"
        capsys.readouterr()
        assert simsa([*argv, "--format", "md"]) == 0
        text = capsys.readouterr().out
        assert simsa(argv) == 0
        terminal = " ".join(capsys.readouterr().out.split())
    bold = [line.strip("*") for line in text.splitlines() if line.startswith("**") and line.endswith(".**")]
    assert len(bold) == 3 and any("judge-1" in line and "judge-2" in line for line in bold)
    for line in bold:
        plain = re.sub(r"\\(.)", r"\1", line).replace("<!-- -->", "")
        assert plain in terminal, "the same sentences"
    tables = re.findall(r"^\*\*(.+)\*\*\n\n\| \|", text, re.MULTILINE)
    assert len(tables) == 3 and "as measured" in tables[2], "the shift, what is left, and what was measured"
    assert "is better" not in text, "no verdict on scores of two judges"

"""What a report says of claims: the share beside the score, where the two contradict, and each claim, in every format."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from simsa import report
from simsa.cli.main import run
from simsa.exporters.tracker_run import variants as tracked
from simsa.i18n.messages import words
from simsa.records import Claim, Passage, Question
from simsa.report.claim_tables import claim_grid, claim_lines
from simsa.report.example_answers import pick
from simsa.report.format import format_fixed, interval
from simsa.report.renderers import html, markdown, terminal
from simsa.report.score_checks import Disputed
from simsa.report.score_matrix import load
from simsa.store import Claimed, Store, claim_judgements
from tests.support.claimed_runs import MADE_UP, NO, YES, Lists, faithful, with_claims
from tests.support.report_runs import BASE, JUDGE, Scored, make_run, question


def summary_of(folder: Path, language: Any = "en") -> report.Summary:
    with Store.read(folder) as store:
        return report.summary(store, language)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    scores = {"base": faithful(5, 5, 2, 4, 1, 3), "lora": faithful(5, 4, 1, 2, 3, 3)}
    lists: dict[str, Lists] = {
        "base": [[YES, NO], [YES], [YES, YES], [NO, MADE_UP], [], "unreadable"],
        "lora": [[YES], [YES, YES], [NO], [YES], [], None],
    }
    return with_claims(make_run(tmp_path / "run", scores), lists)


def test_the_share_is_over_answers_that_claim_something(folder: Path) -> None:
    base, lora = (v.claims for v in summary_of(folder).variants)
    assert base and lora and base.share and lora.share
    assert base.share.n == 4
    assert base.share.mean == pytest.approx((0.5 + 1 + 1 + 0) / 4)
    assert (base.listed, base.silent, dict(base.unlisted)) == (5, 1, {"unreadable": 1})
    assert (base.total, base.supported, base.not_found) == (7, 4, 1)
    assert (lora.share.n, lora.share.mean, lora.listed, lora.silent) == (4, 0.75, 5, 1)
    assert base.share.ci95 and base.share.ci95[0] < base.share.mean < base.share.ci95[1]
    assert base.share.n_missing == 0, "an answer that claims nothing is not missing"


def test_it_is_paired_with_the_baseline(folder: Path) -> None:
    base, lora = (v.claims for v in summary_of(folder).variants)
    assert base and lora and base.difference is None and lora.difference
    assert lora.difference.n_pairs == 4
    assert lora.difference.mean_diff == pytest.approx((0.5 + 0 - 1 + 1) / 4)


def test_the_score_of_faithfulness_stands_beside_the_share_with_its_own_interval(folder: Path) -> None:
    summary = summary_of(folder)
    rows = {row.label: [cell.text for cell in row.cells] for row in claim_grid(summary).rows}
    scores = [v.whole.criteria["context_faithfulness"] for v in summary.variants]
    shares = [v.claims.share for v in summary.variants if v.claims]
    assert rows["context faithfulness"] == [f"{format_fixed(s.mean)} {interval(s.ci95)}" for s in scores]
    assert rows["claims supported, share"] == [
        f"{format_fixed(s.mean)} {interval(s.ci95)}" for s in shares if s
    ]
    assert rows["supported claims"] == ["4/7", "4/5"]


def test_answers_on_which_score_and_claims_contradict_each_other_are_named(folder: Path) -> None:
    base, lora = (v.claims for v in summary_of(folder).variants)
    assert base and lora
    assert base.too_kind == (Disputed("q0", 5, 1, 2),)
    assert base.too_harsh == (Disputed("q2", 2, 2, 2),)
    assert (lora.too_kind, lora.too_harsh) == ((), (Disputed("q3", 2, 1, 1),))
    notes = {note.kind: note.text for note in summary_of(folder).notes}
    assert "no passage supports: 1 (q0)" in notes["claims_kind"]
    assert "q3" in notes["claims_harsh"]
    assert "judge's reply unreadable 1" in notes["claims_unlisted"]


def test_many_disputes_are_counted_and_five_are_named(tmp_path: Path) -> None:
    folder = with_claims(make_run(tmp_path / "r", {"base": faithful(*[5] * 8)}), {"base": [[NO]] * 8})
    (note,) = [note for note in summary_of(folder, "ko").notes if note.kind == "claims_kind"]
    assert "8개: q0, q1, q2, q3, q4, …" in note.text


def test_the_json_has_the_figures(folder: Path) -> None:
    base, lora = summary_of(folder).to_dict()["variants"]
    assert base["claims"] | {"ci95": 0, "sd": 0, "n_clusters": 0} == {
        **{"n": 4, "mean": 0.625, "sd": 0, "median": 0.75, "ci95": 0, "n_missing": 0, "n_clusters": 0},
        **{"listed": 5, "silent": 1, "unlisted": {"unreadable": 1}},
        **{"claims": 7, "supported": 4, "not_found": 1},
        "too_kind": [{"question_id": "q0", "faithfulness": 5, "supported": 1, "total": 2, "sample": 0}],
        "too_harsh": [{"question_id": "q2", "faithfulness": 2, "supported": 2, "total": 2, "sample": 0}],
        "difference": None,
    }
    assert lora["claims"]["difference"]["metric"] == "claim_support"
    assert "claim_support" not in lora["metrics"], "it is no deterministic metric"
    json.dumps(base)


def test_without_lists_nothing_is_said(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"base": BASE, "lora": BASE})
    found = summary_of(folder)
    assert [v["claims"] for v in found.to_dict()["variants"]] == [None, None]
    for rendered in (terminal.render(found, 120), markdown.render(found), html.render(found)):
        assert "claim" not in rendered.lower().replace(".claim", "").replace("claims =", "")


@pytest.mark.parametrize("lists", [[[], [], []], ["empty", "failed", "refused"], [[], "too_long", None]])
def test_no_figure_is_made_of_no_claims(tmp_path: Path, lists: Lists) -> None:
    folder = with_claims(make_run(tmp_path / "r", {"base": faithful(5, 3, 1)}), {"base": lists})
    found = summary_of(folder)
    (claims,) = [v.claims for v in found.variants]
    assert claims and claims.share is None and claims.difference is None
    assert claims.to_dict()["mean"] is None
    assert (claims.total, claims.too_kind, claims.too_harsh) == (0, (), ())
    assert "NaN" not in json.dumps(found.to_dict())
    for rendered in (terminal.render(found), markdown.render(found), html.render(found)):
        assert not re.search(r"\bnan\b", rendered, re.IGNORECASE)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_format_shows_the_table_and_the_claims(folder: Path, language: Any) -> None:
    found, say = summary_of(folder, language), words(language)
    for rendered in (terminal.render(found, 160), markdown.render(found), html.render(found)):
        plain = unescape(rendered.replace("\\", ""))
        assert say("head.claims") in plain
        assert say("claim_support") in plain
        assert "✓ 별빛마을이다" in plain
        assert "[1] «별빛마을»" in plain
        assert say("claims.too_kind") in plain
    wide = terminal.render(found, 160)
    assert "0.62 [" in wide or "0.63 [" in wide
    assert "4/7" in wide
    assert "5/6" in wide


def test_the_report_of_one_variant_and_of_strange_claims_is_whole(tmp_path: Path) -> None:
    nasty = Claim("<script>alert(1)</script> | `x` \u202e\x1b[31m", 1, '"</p>', supported=False)
    folder = with_claims(make_run(tmp_path / "r", {"base": faithful(5, 2)}), {"base": [[nasty], [YES]]})
    with Store.read(folder) as store:
        found = report.summary(store, "en", 2)
    page, page_md, plain = html.render(found), markdown.render(found), terminal.render(found)
    assert "<script>alert" not in page + page_md
    assert "\x1b[31m" not in page + page_md + plain
    assert "\u202e" not in page + page_md + plain
    assert "does not contain" in " ".join(plain.split())


def test_lines_say_what_bears_a_claim_out() -> None:
    say = words("en")
    found = Claimed("q", "v", "scored", (YES, NO, MADE_UP, Claim("a", 9, "b", supported=False)))
    assert [line.text for line in claim_lines(found, say)] == [
        "✓ 별빛마을이다 [1] «별빛마을»",
        "✗ 바다 옆이다 (not supported)",
        "✗ 산 옆이다 (not supported: [1] does not contain «산 옆»)",
        "✗ a (not supported: [9] does not contain «b»)",
    ]
    assert [line.tone for line in claim_lines(found, say)] == ["good", "bad", "bad", "bad"]
    (nothing,) = claim_lines(Claimed("q", "v", "scored", ()), say)
    assert (nothing.text, nothing.tone) == ("– The answer makes no claim.", "plain")
    (failed,) = claim_lines(Claimed("q", "v", "refused", None), say)
    assert (failed.text, failed.tone) == ("– no list of claims: judge refused", "plain")
    assert claim_lines(None, say) == []


def test_examples_have_the_claims(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["examples", str(folder), "--worst", "-n", "6", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    examples = {e["question_id"]: e for e in (found if isinstance(found, list) else found["examples"])}
    base, _ = examples["q0"]["answers"]
    assert base["claims"] == [YES._asdict(), NO._asdict()]
    assert [a["claims"] for a in examples["q5"]["answers"]] == [None, None]


def test_examples_show_where_score_and_claims_contradict(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown(*more: str) -> list[str]:
        assert run(["examples", str(folder), "--disputed", "-n", "9", "--json", *more]) == 0
        return [e["question_id"] for e in json.loads(capsys.readouterr().out)["examples"]]

    assert shown() == ["q2", "q3", "q0"], "the farthest apart first"
    assert shown("--variant", "lora") == ["q3"]
    assert shown("--type", "no_answer") == ["q2", "q0"]
    assert run(["examples", str(folder), "--disputed", "-n", "1", "--language", "en"]) == 0
    assert "Claims contradict the score · q2" in capsys.readouterr().out
    assert run(["examples", str(folder), "--disputed", "--differs", "base", "lora"]) == 2


def test_how_far_score_and_claims_are_apart_goes_by_the_same_five_levels(tmp_path: Path) -> None:
    """All of one claim in vain is level 1, all borne out level 5: both answers are four points off."""
    folder = with_claims(
        make_run(tmp_path / "r", {"base": faithful(2, 5, 1)}), {"base": [[YES], [NO], [YES]]}
    )
    with Store.read(folder) as store:
        assert pick(load(store), "disputed", 9) == ["q1", "q2", "q0"], (
            "equals stay in the order of the test set"
        )


def test_without_lists_nothing_is_disputed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path / "run", {"base": BASE})
    assert run(["examples", str(folder), "--disputed", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["examples"] == []


def test_compare_and_gates_know_the_share(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", str(folder), "--baseline", "base", "--json"]) == 0
    found = {d["metric"]: d for d in json.loads(capsys.readouterr().out)["metrics"]}
    assert (found["claim_support"]["n_pairs"], found["claim_support"]["mean_diff"]) == (4, 0.125)
    for gate, code in (
        ("claim_support >= -0.1", 0),
        ("claim_support > 0.9", 3),
        ("claim_support >= baseline - 2", 0),
    ):
        assert run(["compare", str(folder), "--baseline", "base", "--gate", gate]) == code
    capsys.readouterr()
    assert run(["compare", str(folder), "--baseline", "base", "--language", "en"]) == 0
    assert "claims supported, share" in capsys.readouterr().out


def test_a_gate_on_the_share_of_a_run_without_lists_fails_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path / "run", {"base": BASE, "lora": BASE})
    assert run(["compare", str(folder), "--gate", "lora: claim_support >= 0.5"]) == 3
    assert "cannot be computed: there are no values" in capsys.readouterr().out


def test_trackers_get_the_figures(folder: Path) -> None:
    base, lora = tracked(summary_of(folder))
    assert base.figures["claims"] == 0.625
    assert base.figures["claims.supported"] == 4
    assert "claims.ci95_low" in lora.figures
    assert lora.figures["claims.difference"] == 0.125
    assert not [name for name in base.figures if "too_" in name], "who they are is no figure"


def test_an_answer_that_changed_has_no_claims_of_before(folder: Path) -> None:
    from simsa.store import Planned, claimed

    with Store.create(folder) as store:
        rows = [(q, v, f"{v}/{q}") for q in store.question_ids() for v in ("base", "lora")]
        store.set_plan(Planned(q, v, "new" if (q, v) == ("q0", "base") else h) for q, v, h in rows)
    with Store.read(folder) as store:
        assert ("q0", "base") not in {(row.question_id, row.variant) for row in claimed(store)}
        assert ("q0", "lora") in {(row.question_id, row.variant) for row in claimed(store)}
        assert [row.variant for row in claimed(store, "q0")] == ["lora"]


def test_what_the_judge_said_is_kept(folder: Path) -> None:
    with Store.read(folder) as store:
        (found,) = claim_judgements(store, "q5", "base")
        assert (found.status, found.raw, found.claims) == ("unreadable", "{원문}", None)
        assert claim_judgements(store, "q5", "lora") == []


def test_the_share_goes_by_type_of_question_too_little_to_be_a_metric(folder: Path) -> None:
    for variant in summary_of(folder).variants:
        assert "claim_support" not in variant.whole.metrics
        for of_type in variant.types.values():
            assert not any(name.startswith("claim") for name in of_type.metrics)


def test_questions_that_share_a_document_widen_the_interval(tmp_path: Path) -> None:
    same = (Passage("같은 글"),)
    asked = [Question(f"q{n}", "무엇?", same if n < 6 else (Passage(f"{n}"),), ("답",)) for n in range(8)]
    lists: Lists = [[YES]] * 3 + [[NO]] * 3 + [[YES], [NO]]
    apart = [question(n) for n in range(8)]
    widths, clusters = [], []
    for n, questions in enumerate((asked, apart)):
        run_of = make_run(tmp_path / str(n), {"base": faithful(*[3] * 8)}, questions=questions)
        claims = summary_of(with_claims(run_of, {"base": lists})).variants[0].claims
        assert claims and claims.share and claims.share.ci95
        widths.append(claims.share.ci95[1] - claims.share.ci95[0])
        clusters.append(claims.share.n_clusters)
    assert clusters == [3, 8]
    assert widths[0] != widths[1]


DECLINES, ANSWERS = "주어진 문맥에서는 답을 찾을 수 없습니다.", "별빛마을입니다."


def make(
    folder: Path, rows: list[tuple[bool, str, int | None]], judge: dict[str, Any] | None = JUDGE, **more: Any
) -> Path:
    """A run of one variant: for each question whether it has an answer, what was said, and its correctness."""
    questions = [
        question(n, answerable=can, reference=("별빛마을",) if can else ())
        for n, (can, _, _) in enumerate(rows)
    ]
    verdicts: list[Scored] = [None if c is None else (c, 3, 5, 3) for _, _, c in rows]
    said = [text for _, text, _ in rows]
    return make_run(
        folder, {"base": verdicts}, questions=questions, predictions={"base": said}, judge=judge, **more
    )


def reported(capsys: pytest.CaptureFixture[str], folder: Path) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["report", str(folder), "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_where_there_is_no_answer_the_judge_has_decided(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[tuple[bool, str, int | None]] = [
        (False, DECLINES, 5), (False, DECLINES, 5), (False, ANSWERS, 1), (False, ANSWERS, 3),
        (False, ANSWERS, None), (True, ANSWERS, 5), (True, ANSWERS, 1), (True, DECLINES, 1),
    ]  # fmt: skip
    found = reported(capsys, make(tmp_path / "run", rows))
    judged = found["variants"][0]["abstention_by_judge"]
    assert judged == {
        "unanswerable_abstained": 2, "unanswerable_answered": 1, "undecided": 1, "unscored": 1,
        "disputed": [], "recall": pytest.approx(2 / 3),
    }  # fmt: skip
    assert found["variants"][0]["abstention"]["unanswerable_abstained"] == 2
    assert not [note for note in found["notes"] if note["kind"] == "abstention_disputed"]


@pytest.mark.parametrize(
    ("can", "said", "correctness", "disputed"),
    [
        (False, DECLINES, 1, True),  # the judge saw an answer in it
        (False, DECLINES, 3, False),
        (False, ANSWERS, 5, True),  # a refusal that the rule doesn't know
        (False, ANSWERS, 4, False),
        (True, DECLINES, 4, True),  # no refusal can be a right answer
        (True, DECLINES, 2, False),
        (True, ANSWERS, 1, False),  # wrong or declined: correctness cannot tell
        (True, ANSWERS, 5, False),
    ],
)
def test_contradictions_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], can: bool, said: str, correctness: int, disputed: bool
) -> None:
    folder = make(tmp_path / "run", [(can, said, correctness), (False, DECLINES, 5)])
    found = reported(capsys, folder)
    assert found["variants"][0]["abstention_by_judge"]["disputed"] == (["q0"] if disputed else [])
    notes = [note["text"] for note in found["notes"] if note["kind"] == "abstention_disputed"]
    assert len(notes) == disputed
    assert not disputed or "q0" in notes[0]


def test_the_lexical_judge_goes_by_the_rule_and_adds_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[tuple[bool, str, int | None]] = [(False, DECLINES, 1), (True, ANSWERS, 5)]
    lexical = JUDGE | {"model": "lexical", "rubric": "lexical@1"}
    for judge in (lexical, None):
        found = reported(capsys, make(tmp_path / str(judge and "lexical"), rows, judge))
        assert found["variants"][0]["abstention_by_judge"] is None


def test_nothing_unanswerable_and_nothing_declined_has_no_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = reported(capsys, make(tmp_path / "run", [(True, ANSWERS, 5), (True, ANSWERS, 1)]))
    assert found["variants"][0]["abstention_by_judge"] is None


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("declined, unanswerable, by the judge", "rule and judge disagree", "Read these answers.")),
        ("ko", ("심사 모델 기준", "규칙과 심사 모델이 불일치", "직접 확인하십시오.")),
    ],
)
def test_the_tables_say_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str, words: tuple[str, ...]
) -> None:
    rows: list[tuple[bool, str, int | None]] = [*[(False, ANSWERS, 5)] * 7, (False, DECLINES, 5)]
    folder = make(tmp_path / "run", rows)
    for format in ("text", "md", "html"):
        capsys.readouterr()
        assert run(["report", str(folder), "--format", format, "--language", language]) == 0
        out = capsys.readouterr().out
        for word in words if format != "html" else words[2:]:
            assert word in " ".join(out.split()), (format, word)
    capsys.readouterr()
    run(["report", str(folder), "--language", language])
    out = capsys.readouterr().out
    assert "8/8" in out
    assert "1/8" in out
    assert "q4 …" in out
    assert "q5 …" not in out

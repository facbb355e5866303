"""What other programs rely on, walked key by key over a small real run.

Each table below says what the published interface promises: a key and what stands under it. A key that goes
missing, or changes its type, fails with its path.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest

from simsa.cli.main import COMMANDS, cli
from simsa.cli.main import run as simsa
from simsa.records import STATUSES, Prediction, Verdict
from tests.servers.chat import ChatServer
from tests.support.criteria import CRITERIA
from tests.support.judged_runs import by_variant, write_config, write_rows
from tests.support.report_runs import make_run

N = 20

# How shapes are written ------------------------------------------------------------------
# A type; a literal; a tuple of alternatives; a list of one shape (each element); a dict (these keys, others
# may follow); Each (any key, one shape).


class Each(NamedTuple):
    shape: Any


NUMBER = (int, float)
MAYBE = (int, float, None)
CI95 = ([NUMBER], None)
COUNTS = Each(int)


def problems(found: Any, shape: Any, path: str = "$") -> Iterator[str]:
    """Where `found` is not of `shape`."""
    if isinstance(shape, tuple) and not isinstance(shape, Each):
        each = [list(problems(found, one, path)) for one in shape]
        if all(each):
            yield min(each, key=len)[0]
    elif isinstance(shape, Each):
        if not isinstance(found, dict):
            yield f"{path} is no table: {found!r}"
            return
        for key, value in found.items():
            yield from problems(value, shape.shape, f"{path}.{key}")
    elif isinstance(shape, dict):
        if not isinstance(found, dict):
            yield f"{path} is no table: {found!r}"
            return
        for key, inner in shape.items():
            if key not in found:
                yield f"{path}.{key} is missing"
            else:
                yield from problems(found[key], inner, f"{path}.{key}")
    elif isinstance(shape, list):
        if not isinstance(found, list):
            yield f"{path} is no list: {found!r}"
            return
        for place, value in enumerate(found):
            yield from problems(value, shape[0], f"{path}[{place}]")
    elif isinstance(shape, type):
        if not isinstance(found, shape) or (isinstance(found, bool) and shape is not bool):
            yield f"{path} is {found!r}, not {shape.__name__}"
    elif found != shape or (found is None) != (shape is None):
        yield f"{path} is {found!r}, not {shape!r}"


# The published shapes --------------------------------------------------------------------

DISTRIBUTION = {"n": int, "mean": NUMBER, "sd": MAYBE, "median": NUMBER, "ci95": CI95}
CRITERION = DISTRIBUTION | {"counts": {"1": int, "2": int, "3": int, "4": int, "5": int}}
TOTAL = DISTRIBUTION | {"max": 20}
ABSTENTION = dict.fromkeys(
    ("answerable_answered", "answerable_abstained", "unanswerable_answered", "unanswerable_abstained"), int
)
VARIANT = {
    "name": str,
    "n": int,
    "n_scored": int,
    "unscored": COUNTS,
    "criteria": dict.fromkeys(CRITERIA, CRITERION),
    "total": TOTAL,
}
COMPARISON = {
    "baseline": str,
    "variant": str,
    "criterion": str,
    "n_pairs": int,
    "n_clusters": int,
    "mean_diff": MAYBE,
    "ci95": CI95,
    "p_value": MAYBE,
    "p_adjusted": MAYBE,
    "wilcoxon_p": MAYBE,
    "rank_biserial": MAYBE,
    "wins": int,
    "ties": int,
    "losses": int,
    "mde80": MAYBE,
    "verdict": ("better", "worse", "no difference shown", "equivalent", "too few"),
}
REPORT = {
    "schema": "simsa.report/1",
    "run": {"id": str, "created": str, "config_hash": str, "n_questions": N},
    "judge": {
        "model": "judge-1",
        "rubric": str,
        "mode": "joint",
        "calls": int,
        "reused": int,
        "prompt_tokens": int,
        "completion_tokens": int,
        "cost_usd": float,
    },
    "variants": [
        VARIANT
        | {
            "n_predicted": int,
            "metrics": dict.fromkeys(("korquad_em", "korquad_f1", "chrf", "rouge_l"), float),
            "abstention": ABSTENTION,
            "slices": {"type": Each({"n": int, "total": {"mean": NUMBER}})},
        }
    ],
    "comparisons": [COMPARISON],
}
STATS = {"schema": "simsa.stats/1", "variants": [VARIANT], "comparisons": [COMPARISON], "notes": [str]}
METRICS = ("korquad_em", "korquad_f1", "klue_em", "klue_rouge_w", "chrf", "rouge_l")
MEANS = {"schema": "simsa.metrics/1", "n": int, "means": dict.fromkeys(METRICS, MAYBE)}
CALIBRATION = {
    "schema": "simsa.calibration/1",
    "criteria": Each(
        {
            "n_labels": int,
            **dict.fromkeys(
                ("quadratic_kappa", "krippendorff_alpha", "spearman", "kendall_tau_b", "exact", "within_one"),
                MAYBE,
            ),
            "mae": MAYBE,
            "bias": MAYBE,
            "confusion": [[int]],
            "corrected": Each({"mean": MAYBE, "ci95": CI95, "lambda": MAYBE}),
            "notes": [str],
        }
    ),
}
QUESTION = {
    "id": str,
    "question": str,
    "contexts": [(str, {"text": str})],
    "reference": (str, [str]),
    "answerable": bool,
    "type": (str, None),
    "cluster": str,
    "citations": [int],
    "metadata": dict,
}
SCORE = (1, 2, 3, 4, 5, None)
ROW = {
    "question_id": str,
    "variant": ("base", "lora"),
    "prediction": (str, None),
    "finish_reason": (str, None),
    "prompt_tokens": (int, None),
    "completion_tokens": (int, None),
    "latency_s": MAYBE,
    "judge": "judge-1",
    "rubric": str,
    **dict.fromkeys(CRITERIA, SCORE),
    "total": (int, None),
    "analysis": str,
    "status": STATUSES,
    "raw": (str, None),
    "judge_prompt_tokens": (int, None),
    "judge_completion_tokens": (int, None),
    "cost_usd": MAYBE,
    "request_hash": (str, None),
}


# A small real run ------------------------------------------------------------------------


class Made(NamedTuple):
    config: Path
    code: int
    out: str
    err: str


def call(*argv: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command line."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = simsa([str(one) for one in argv])
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return code, *texts  # type: ignore[return-value]


def document(*argv: object, code: int = 0) -> Any:
    """The one JSON document that a command prints."""
    found, out, err = call(*argv)
    assert found == code, err
    return json.loads(out)


@pytest.fixture(scope="module")
def judge() -> Iterator[ChatServer]:
    reply = by_variant(base={"answer_correctness": 2, "context_recall": 3}, lora={"answer_correctness": 4})
    with ChatServer(reply, key="k") as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUDGE_KEY", "k")
        yield server


@pytest.fixture(scope="module")
def made(judge: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Twenty questions of ten documents, two variants, one answer missing."""
    folder = tmp_path_factory.mktemp("contract")
    rows = [
        {
            "id": f"q{n}",
            "question": f"{n}번 도서관은 언제 열었나요?",
            "contexts": [
                f"{n}번 도서관은 {1900 + n}년에 열었다.",
                {"id": "d", "title": "둘", "text": "다른 문서."},
            ],
            "reference": f"{1900 + n}년입니다." if n % 4 else "문서에서 찾을 수 없습니다.",
            "type": "mrc_question" if n % 4 else "no_answer",
            "answerable": bool(n % 4),
            "cluster": f"d{n // 2}",
        }
        for n in range(N)
    ]
    write_rows(folder / "test.jsonl", rows)
    for name in ("base", "lora"):
        answers = [{"question_id": f"q{n}", "prediction": f"{name}: {1900 + n}년"} for n in range(N)]
        write_rows(folder / f"{name}.jsonl", answers[name == "lora" :])
    config = write_config(folder, judge.url, more="price = { input = 1.0, output = 2.0 }\n")
    return Made(config, *call("run", config, "--json"))


def check(found: Any, shape: Any) -> None:
    assert list(problems(found, shape)) == []


# The walk --------------------------------------------------------------------------------


def test_a_missing_key_and_a_wrong_type_are_told_by_their_path() -> None:
    """The walk itself can fail."""
    shape = {"a": [{"b": Each((int, None))}]}
    assert list(problems({"a": [{"b": {"x": 1, "y": None}}]}, shape)) == []
    assert list(problems({"a": [{"b": {"x": "1"}}]}, shape)) == ["$.a[0].b.x is '1', not int"]
    assert list(problems({"a": [{}]}, shape)) == ["$.a[0].b is missing"]
    assert list(problems({"n": True}, {"n": int})) == ["$.n is True, not int"]


def test_report(made: Made) -> None:
    found = document("report", made.config, "--format", "json")
    check(found, REPORT)
    assert found == document("report", made.config.with_suffix(".simsa"), "--json"), (
        "the folder, or its config"
    )
    base, lora = found["variants"]
    assert (base["n"], base["n_predicted"], base["n_scored"], base["unscored"]) == (N, N, N, {})
    assert (lora["n"], lora["n_predicted"], lora["unscored"]) == (N, N - 1, {"no_prediction": 1})
    assert lora["total"]["n"] == lora["criteria"]["context_recall"]["n"] == N - 1, "never a number"
    assert sum(base["abstention"][key] for key in ABSTENTION) == N
    assert base["slices"]["type"]["no_answer"]["n"] == 5
    assert [c["criterion"] for c in found["comparisons"]] == [*CRITERIA, "total"]
    total = found["comparisons"][-1]
    assert (total["baseline"], total["variant"], total["n_pairs"], total["n_clusters"]) == (
        "base",
        "lora",
        19,
        10,
    )
    assert (total["wins"], total["ties"], total["losses"], total["verdict"]) == (19, 0, 0, "better")


def unexplained(found: Any, path: str = "$", notes: object = None) -> Iterator[str]:
    """Figures that are null without a note beside them or above."""
    if isinstance(found, dict):
        notes = found.get("notes", notes)
        for key, value in found.items():
            yield from unexplained(value, f"{path}.{key}", notes)
    elif isinstance(found, list):
        for place, value in enumerate(found):
            yield from unexplained(value, f"{path}[{place}]", notes)
    elif found is None and not notes:
        yield path


@pytest.mark.parametrize(
    "scores", [[None, None], ["refused", None], [(3, 3, 3, 3), None], [(3, 3, 3, 3), (3, 3, 3, 3)]]
)
def test_a_figure_that_cannot_be_computed_is_null_with_its_reason(tmp_path: Path, scores: list[Any]) -> None:
    folder = make_run(tmp_path / "run", {"base": scores, "lora": scores}, predictions={"lora": [None, None]})
    found = document("report", folder, "--json")
    figures = ("criteria", "total", "abstention", "slices", "notes")
    variants = [{key: one[key] for key in figures} for one in found["variants"]]
    assert list(unexplained(variants)) == []
    compared = [{key: c[key] for key in (*COMPARISON, "notes")} for c in found["comparisons"]]
    assert list(unexplained(compared)) == []
    missing = variants[1]
    assert missing["total"] is None and missing["abstention"] is None and len(missing["notes"]) == 6
    assert variants[0]["abstention"] is not None


def test_run_prints_the_same_report_and_counts_what_is_missing(made: Made) -> None:
    assert made.code == 4, "finished, but a row has no prediction"
    check(json.loads(made.out), REPORT)
    judge = json.loads(made.out)["judge"]
    assert (judge["calls"], judge["reused"]) == (2 * N - 1, 0)
    usage = judge["prompt_tokens"] * 1.0 + judge["completion_tokens"] * 2.0
    assert judge["cost_usd"] == pytest.approx(usage / 1e6)


@pytest.mark.parametrize("format", ["text", "md", "html", "json", "csv", "parquet", "junit"])
def test_report_has_every_format(made: Made, tmp_path: Path, format: str) -> None:
    out = tmp_path / "out"
    assert call("report", made.config, "--format", format, "--out", out) == (0, "", "")
    beginning = {
        "text": b"lora", "md": b"# ", "html": b"<!doctype html>", "json": b"{",
        "csv": b"question_id,variant,", "parquet": b"PAR1", "junit": b"<?xml",
    }  # fmt: skip
    assert beginning[format] in out.read_bytes()[:200]


def test_rows_of_files(made: Made, tmp_path: Path) -> None:
    code, out, _ = call("export", made.config, "--to", "jsonl")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and len(rows) == 2 * N
    check(rows, [ROW])
    for row in rows:
        scores = [row[name] for name in CRITERIA]
        assert row["total"] == (sum(scores) if None not in scores else None)
        assert (row["status"] == "scored") == (row["total"] is not None)
    call("report", made.config, "--format", "csv", "--out", tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    assert list(cells[0]) == list(rows[0])
    assert [row["total"] for row in cells] == ["" if r["total"] is None else str(r["total"]) for r in rows]


def test_records_have_the_fields_that_are_told() -> None:
    named = {field.name for field in fields(Prediction)}
    assert {"question_id", "variant", "prediction", "finish_reason", "prompt_tokens"} <= named
    assert {"completion_tokens", "latency_s", "request_hash", "served_model"} <= named
    named = {field.name for field in fields(Verdict)}
    assert {"question_id", "variant", "judge", "rubric", "analysis", "status", "raw", "request_hash"} <= named
    assert CRITERIA == ("answer_correctness", "context_relevance", "context_faithfulness", "context_recall")


def test_convert(made: Made) -> None:
    code, out, _ = call("convert", made.config.with_name("test.jsonl"))
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and len(rows) == N
    check(rows, [QUESTION])
    assert rows[0]["contexts"][1] == {"id": "d", "title": "둘", "text": "다른 문서."}


def test_compare(made: Made) -> None:
    argv = ("compare", made.config, "--baseline", "base", "--gate", "total >= baseline - 0.5", "--json")
    found = document(*argv)
    check(found, {"schema": "simsa.compare/1", "comparisons": [COMPARISON], "passed": True, "gates": [dict]})
    assert document(*argv, "--gate", "total >= 20", code=3)["passed"] is False


def test_stats(made: Made, tmp_path: Path) -> None:
    _, out, _ = call("export", made.config, "--to", "jsonl")
    rows = [json.loads(line) for line in out.splitlines()]
    lines = ["question_id,variant,criterion,score,cluster"]
    lines += [
        f"{r['question_id']},{r['variant']},{name},{'' if r[name] is None else r[name]},{r['cluster']}"
        for r in rows
        for name in CRITERIA
    ]
    scores = tmp_path / "scores.csv"
    scores.write_text("\n".join(lines), encoding="utf-8")
    found = document("stats", scores, "--baseline", "base", "--format", "json")
    check(found, STATS)
    report = document("report", made.config, "--json")
    for mine, theirs in zip(found["comparisons"], report["comparisons"], strict=True):
        assert mine == theirs, "the same statistics, whoever's scores they are"


def test_metrics(made: Made, tmp_path: Path) -> None:
    rows = [
        {"id": f"q{n}", "question": "?", "prediction": f"{n}년", "reference": f"{n + n % 2}년입니다"}
        for n in range(4)
    ]
    write_rows(tmp_path / "rows.jsonl", rows)
    out = tmp_path / "scored.jsonl"
    found = document("metrics", tmp_path / "rows.jsonl", "--format", "json", "--out", out)
    check(found, MEANS)
    scored = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    check(scored, [{"id": str, **dict.fromkeys(METRICS, NUMBER)}])
    for name in METRICS:
        values = [row[name] for row in scored]
        assert all(0 <= value <= (100 if name == "chrf" else 1) for value in values), name
        assert found["means"][name] == pytest.approx(math.fsum(values) / 4), name


def test_calibrate(made: Made, tmp_path: Path) -> None:
    labels = ["question_id,variant," + ",".join(CRITERIA)]
    labels += [f"q{n},{v},{2 + n % 3},3,5,{3 + n % 2}" for v in ("base", "lora") for n in range(1, N)]
    file = tmp_path / "labels.csv"
    file.write_text("\n".join(labels), encoding="utf-8")
    found = document("calibrate", made.config, "--labels", file, "--format", "json")
    check(found, CALIBRATION)
    assert set(found["criteria"]) == set(CRITERIA)
    for name, one in found["criteria"].items():
        assert one["n_labels"] == 2 * (N - 1) and set(one["corrected"]) == {"base", "lora"}, name
        assert sum(map(sum, one["confusion"])) == one["n_labels"]
    constant = found["criteria"]["context_relevance"]
    assert constant["quadratic_kappa"] is None and constant["spearman"] is None
    assert constant["notes"], "a figure that cannot be computed is null, and the reason is there"


def test_examples(made: Made) -> None:
    for flags, n in (
        (("--worst",), 3),
        (("--best", "-n", "1"), 1),
        (("--differs", "base", "lora", "-n", "2"), 2),
    ):
        found = document("examples", made.config, *flags, "--json")
        assert len(found["examples"]) == n
        check(found["examples"], [{"question": str, "reference": [str], "contexts": list, "answers": [dict]}])


def test_stages_count_their_rows(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "stages"
    generated = document("generate", made.config, "--out", out, "--limit", "3", "--json", code=4)
    assert generated["rows"] == {"predicted": 5, "no_prediction": 1}
    judged = document("judge", made.config, "--out", out, "--limit", "3", "--json", code=4)
    assert judged["rows"] == {"scored": 5, "no_prediction": 1}
    check(document("check", made.config, "--json"), {"schema": "simsa.check/1"})


# Commands, flags, exit codes -------------------------------------------------------------

FLAGS = {
    "demo": "--replay",
    "init": "",
    "check": "",
    "run": "--data --model --adapter --judge --limit --out -q --json",
    "generate": "--limit --out -q --json",
    "judge": "--limit --out -q --json",
    "report": "--format --out --json",
    "examples": "--worst --best --differs -n --json",
    "compare": "--baseline --gate --json",
    "stats": "--baseline --format --json",
    "metrics": "--format --out --json",
    "calibrate": "--labels --scores --format --json",
    "convert": "",
    "serve": "",
    "view": "",
    "export": "--to",
}


@pytest.mark.parametrize("name", FLAGS)
def test_every_command_has_its_flags_and_a_help(name: str) -> None:
    assert name in COMMANDS
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    known = {flag for one in command.params if isinstance(one, click.Option) for flag in one.opts}
    assert set(FLAGS[name].split()) <= known
    code, out, _ = call(name, "--help")
    assert code == 0 and f"simsa {name} " in out


def test_exports_are_the_ones_told() -> None:
    command = cli.get_command(click.Context(cli), "export")
    assert command is not None
    (to,) = (one for one in command.params if one.name == "to")
    assert set(to.type.choices) >= {"ragas", "inspect", "jsonl", "mlflow", "wandb"}  # type: ignore[attr-defined]


def wrong_config(made: Made, folder: Path) -> tuple[object, ...]:
    (folder / "simsa.toml").write_text('[data]\npath = "x"\nlimits = 3\n', encoding="utf-8")
    return ("run", folder)


def refused_key(made: Made, folder: Path) -> tuple[object, ...]:
    text = made.config.read_text(encoding="utf-8").replace("JUDGE_KEY", "OTHER_KEY")
    other = made.config.with_name("refused.toml")
    other.write_text(text, encoding="utf-8")
    return ("run", other, "--out", folder / "run", "-q")


def unreachable(made: Made, folder: Path) -> tuple[object, ...]:
    return ("run", made.config, "--judge-url", "http://127.0.0.1:9/v1", "--out", folder / "run", "-q")


@pytest.mark.parametrize(
    ("code", "asked", "said"),
    [
        (2, wrong_config, "limit"),
        (2, lambda made, folder: ("report", folder / "none"), "none"),
        (2, lambda made, folder: ("report", made.config, "--format", "pdf"), "pdf"),
        (2, lambda made, folder: ("run", made.config, "--nope"), "--nope"),
        (3, lambda made, folder: ("compare", made.config, "--gate", "total > 19.5"), "1 of 1 gates"),
        (4, lambda made, folder: ("run", made.config, "-q"), ""),
        (5, refused_key, "401"),
        (5, unreachable, "127.0.0.1:9"),
    ],
)
def test_exit_codes(
    made: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    asked: Callable[[Made, Path], tuple[object, ...]],
    said: str,
) -> None:
    monkeypatch.setenv("OTHER_KEY", "wrong")
    found, _, err = call(*asked(made, tmp_path))
    assert (found, said in err, "Traceback" in err) == (code, True, False), err


def test_quiet_is_quiet_and_progress_is_on_stderr(made: Made, tmp_path: Path) -> None:
    loud = call("run", made.config, "--out", tmp_path / "loud", "--json")
    assert loud[0] == 4 and json.loads(loud[1]) and loud[2].strip(), "stdout is one document"
    quiet = call("run", made.config, "--out", tmp_path / "quiet", "--json", "-q")
    assert json.loads(quiet[1]) and len(quiet[2]) < len(loud[2])


PLAIN = {"question": "언제?", "contexts": ["1998년에."], "reference": "1998년", "type": "mrc"}


def test_the_library_is_the_one_told(made: Made, tmp_path: Path) -> None:
    import simsa as library

    rows = [PLAIN | {"id": str(n), "prediction": "1998년"} for n in range(3)]
    run = library.judge(rows, judge=library.Judge("lexical"), out=tmp_path / "run")
    assert run.report().to_dict()["schema"] == "simsa.report/1"
    assert {"evaluate", "aevaluate", "judge", "Judge"} <= set(vars(library)) | set(library.__all__)
    assert sys.modules["simsa"] is library

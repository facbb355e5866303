"""Requests as files, run anywhere, and their results read back."""

from __future__ import annotations

import json
import random
import shlex
from pathlib import Path
from typing import Any

import pytest

from simsa.cli.main import run
from simsa.store import Store
from tests.servers.chat import Body, text_of, verdict
from tests.servers.runner import results, write
from tests.support.batch_runs import statuses_of, write_rows, write_run
from tests.support.model_folders import make_adapter, make_model

NOWHERE = "http://127.0.0.1:9/v1"


def written(config: Path, folder: Path) -> list[Path]:
    """The request files of what is pending."""
    assert run(["judge", str(config), "-q", "--write-batch", str(folder)]) == 0
    return sorted(folder.iterdir()) if folder.exists() else []


def read(config: Path, *files: Path) -> int:
    return run(["judge", str(config), *(arg for file in files for arg in ("--read-batch", str(file)))])


def test_files_out_and_results_in_without_key_or_network(tmp_path: Path) -> None:
    config = write_run(tmp_path, NOWHERE)
    (requests,) = written(config, tmp_path / "out")
    assert requests.name == "simsa-001.jsonl"
    lines = [json.loads(line) for line in requests.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == len({line["custom_id"] for line in lines}) == 12
    for line in lines:
        assert line.keys() == {"custom_id", "method", "url", "body"}
        assert line["body"].keys() >= {"model", "messages", "max_tokens", "temperature", "response_format"}
    found = results(requests)
    random.Random(0).shuffle(found)
    assert read(config, write(tmp_path / "results.jsonl", found)) == 0
    assert statuses_of(config) == {"scored": 12}
    assert written(config, tmp_path / "again") == [], "nothing is left to ask"


def test_writing_does_not_depend_on_via_and_changes_nothing(tmp_path: Path) -> None:
    config = write_run(tmp_path, NOWHERE)
    config.write_text(config.read_text().replace('via = "batch"', 'via = "direct"'))
    (first,) = written(config, tmp_path / "one")
    (second,) = written(config, tmp_path / "two")
    ids = [
        {json.loads(line)["custom_id"] for line in file.read_text().splitlines()} for file in (first, second)
    ]
    assert ids[0] == ids[1]
    assert statuses_of(config) == {"pending": 12}


def test_results_may_come_in_parts_twice_and_among_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_run(tmp_path, NOWHERE, batch="max_requests = 5")
    files = written(config, tmp_path / "out")
    assert [file.name for file in files] == ["simsa-001.jsonl", "simsa-002.jsonl", "simsa-003.jsonl"]
    found = [line for file in files for line in results(file)]
    foreign = [found[0] | {"custom_id": "request-1"}, found[0] | {"custom_id": "f" * 32 + "-0"}]
    first = write(tmp_path / "first.jsonl", [*found[:4], *found[2:6], *foreign])
    assert read(config, first) == 4
    said = capsys.readouterr().err
    assert "읽음 6, 중복 2, 다른 데서 온 것 2" in said
    assert "(다시) 물을 요청이 6개" in said
    assert statuses_of(config) == {"scored": 6, "pending": 6}
    second = write(tmp_path / "second.jsonl", found[8:])
    third = write(tmp_path / "third.jsonl", found[4:8])
    assert read(config, third, second) == 0
    assert "읽음 6, 이미 끝났거나 묻지 않는 것 2" in capsys.readouterr().err
    assert statuses_of(config) == {"scored": 12}


def test_an_answer_counts_before_an_error_wherever_it_stands(tmp_path: Path) -> None:
    config = write_run(tmp_path, NOWHERE, n=1, variants=("base",))
    (requests,) = written(config, tmp_path / "out")
    (good,) = results(requests)
    (bad,) = results(requests, refuse=lambda body: "no")
    for n, order in enumerate(([bad, good], [good, bad])):
        here = write_run(tmp_path / str(n), NOWHERE, n=1, variants=("base",))
        assert read(here, write(tmp_path / f"{n}.jsonl", order)) == 0


def test_of_two_answers_the_first_counts(tmp_path: Path) -> None:
    config = write_run(tmp_path, NOWHERE, n=1, variants=("base",))
    (requests,) = written(config, tmp_path / "out")
    (one,) = results(requests, lambda body: verdict(answer_correctness=1))
    (other,) = results(requests, lambda body: verdict(answer_correctness=5))
    assert read(config, write(tmp_path / "both.jsonl", [one, other])) == 0
    with Store.read(tmp_path / "simsa.simsa") as store:
        assert store.db.execute(
            "SELECT score FROM scores WHERE criterion = 'answer_correctness'"
        ).fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"custom_id": "x", "resp', "is not JSON"),
        (b"[1, 2]", "has no custom_id"),
        (b'{"custom_id": 7, "response": null}', "has no custom_id"),
        (b'{"custom_id": "x"}', "has neither a response nor an error"),
        (b'{"custom_id": "x", "method": "POST", "url": "/v1/chat/completions", "body": {}}', "is a request"),
        (b'{"custom_id": "x", "response": {"body": {}}}', "has a response without a status_code"),
        (b'{"custom_id": "x", "response": "200"}', "has a response without a status_code"),
    ],
)
def test_a_line_that_is_no_result_stops_before_anything_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: bytes, why: str
) -> None:
    config = write_run(tmp_path, NOWHERE, n=2, variants=("base",))
    (requests,) = written(config, tmp_path / "out")
    whole = write(tmp_path / "whole.jsonl", results(requests)[:1])
    broken = write(tmp_path / "broken.jsonl", results(requests)[1:])
    broken.write_bytes(b"\n" + broken.read_bytes() + line + b"\n")
    assert read(config, whole, broken) == 2
    said = capsys.readouterr().err
    assert f"{broken}:3: {why}" in said
    assert "Traceback" not in said
    assert statuses_of(config) == {"pending": 2}
    with Store.read(tmp_path / "simsa.simsa") as store:
        assert store.count("batch_requests") == store.count("judgements") == 0


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    config = write_run(tmp_path, NOWHERE, n=2, variants=("base",))
    (requests,) = written(config, tmp_path / "out")
    found = write(tmp_path / "results.jsonl", results(requests))
    found.write_bytes(b"\xef\xbb\xbf" + found.read_bytes().replace(b"\n", b"\r\n"))
    assert read(config, found) == 0


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_run(tmp_path, NOWHERE)
    assert read(config, tmp_path / "nothing.jsonl") == 2
    assert "nothing.jsonl" in capsys.readouterr().err


def test_what_was_no_verdict_is_in_the_next_files_with_the_reason(tmp_path: Path) -> None:
    config = write_run(tmp_path, NOWHERE, n=3, variants=("base",))

    def reply(body: Body) -> str:
        return "잘 모르겠다" if "1번 도서관은 언제" in text_of(body) else verdict()

    (requests,) = written(config, tmp_path / "out")
    found = write(tmp_path / "results.jsonl", results(requests, reply))
    assert read(config, found) == 4
    assert statuses_of(config) == {"scored": 2, "pending": 1}
    (again,) = written(config, tmp_path / "again")
    (line,) = [json.loads(line) for line in again.read_text(encoding="utf-8").splitlines()]
    assert line["body"]["messages"][-2]["content"] == "잘 모르겠다"
    assert read(config, found) == 4, "old results are no answer to what is asked now"
    assert statuses_of(config) == {"scored": 2, "pending": 1}
    assert read(config, write(tmp_path / "more.jsonl", results(again))) == 0
    assert statuses_of(config) == {"scored": 3}


def test_a_refused_field_is_left_out_of_the_next_files(tmp_path: Path) -> None:
    config = write_run(tmp_path, NOWHERE, n=3, variants=("base",))
    (requests,) = written(config, tmp_path / "out")
    found = results(
        requests, refuse=lambda body: "response_format json_schema is not supported by this model"
    )
    assert read(config, write(tmp_path / "refused.jsonl", found)) == 4
    (again,) = written(config, tmp_path / "again")
    for line in again.read_text(encoding="utf-8").splitlines():
        assert "response_format" not in json.loads(line)["body"]
    assert read(config, write(tmp_path / "results.jsonl", results(again))) == 0


def test_errors_of_the_runner_are_statuses(tmp_path: Path) -> None:
    config = write_run(tmp_path, NOWHERE, n=3, variants=("base",))
    (requests,) = written(config, tmp_path / "out")

    def refuse(body: Body) -> str | None:
        long = "1번 도서관은 언제" in text_of(body)
        return (
            "This model's maximum context length is 512 tokens. Please reduce the length." if long else None
        )

    assert read(config, write(tmp_path / "results.jsonl", results(requests, refuse=refuse))) == 4
    assert statuses_of(config) == {"scored": 2, "too_long": 1}


def test_changed_answers_are_asked_anew_and_old_results_are_not_theirs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_run(tmp_path, NOWHERE, n=3, variants=("base",))
    (requests,) = written(config, tmp_path / "out")
    found = write(tmp_path / "results.jsonl", results(requests))
    write_rows(tmp_path / "base.jsonl", [{"question_id": f"q{i}", "prediction": "새 답"} for i in range(3)])
    assert read(config, found) == 4
    assert "다른 데서 온 것 3" in capsys.readouterr().err
    assert statuses_of(config) == {"pending": 3}


@pytest.mark.parametrize("what", ["file", "full"])
def test_requests_are_written_into_an_empty_folder_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    config = write_run(tmp_path, NOWHERE)
    out = tmp_path / "out"
    if what == "file":
        out.write_text("")
    else:
        out.mkdir()
        (out / "simsa-001.jsonl").write_text("old")
    assert run(["judge", str(config), "-q", "--write-batch", str(out)]) == 2
    assert "빈 폴더가 아닙니다" in capsys.readouterr().err
    if what == "full":
        assert (out / "simsa-001.jsonl").read_text() == "old"


def test_a_panel_s_requests_are_a_file_for_each_model(tmp_path: Path) -> None:
    config = write_run(
        tmp_path,
        NOWHERE,
        n=2,
        judge='panel = [{ model = "org/a" }, { model = "b", name = "둘째" }, { model = "c" }]',
    )
    config.write_text(config.read_text().replace('model = "gpt-4o"\n', ""))
    files = written(config, tmp_path / "out")
    assert len(files) == 3
    found: list[dict[str, Any]] = []
    for file in files:
        models = {json.loads(line)["body"]["model"] for line in file.read_text(encoding="utf-8").splitlines()}
        assert len(models) == 1
        found += results(file)
    assert read(config, write(tmp_path / "results.jsonl", found)) == 0
    assert statuses_of(config) == {"scored": 4}


def test_two_things_at_once_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_run(tmp_path, NOWHERE)
    assert run(["judge", str(config), "--collect", "--write-batch", str(tmp_path / "out")]) == 2
    assert "--collect and --write-batch" in capsys.readouterr().err


def test_the_answers_price_is_the_batch_price(tmp_path: Path) -> None:
    price = "price = { input = 10.0, output = 10.0 }"
    config = write_run(tmp_path, NOWHERE, n=1, variants=("base",), judge=price, batch="discount = 0.25")
    (requests,) = written(config, tmp_path / "out")
    (line,) = results(requests)
    assert read(config, write(tmp_path / "results.jsonl", [line])) == 0
    used = line["response"]["body"]["usage"]
    with Store.read(tmp_path / "simsa.simsa") as store:
        tokens = used["prompt_tokens"] + used["completion_tokens"]
        assert store.spent_usd() == pytest.approx(tokens * 10 / 1e6 * 0.75)


def test_the_command_that_runs_a_file_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, out = write_run(tmp_path, NOWHERE), tmp_path / "가 나"
    assert run(["judge", str(config), "--write-batch", str(out)]) == 0
    said = next(line for line in capsys.readouterr().err.splitlines() if "run-batch" in line)
    words = shlex.split(said)[1:]
    assert words == [
        *("vllm", "run-batch", "-i", str(out / "simsa-001.jsonl")),
        *("-o", "results-001.jsonl", "--model", "gpt-4o"),
    ]


def test_a_judge_of_ours_is_not_served_for_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its requests are run by whoever has its adapter; nothing is started for them."""
    config = write_run(tmp_path, NOWHERE, n=2, variants=("base",))
    make_model(tmp_path / "model")
    make_adapter(tmp_path / "judge")
    text = config.read_text()
    for line in (
        'model = "gpt-4o"\n',
        'via = "batch"\n',
        f'base_url = "{NOWHERE}"\n',
        'api_key_env = "JUDGE_KEY"\n',
    ):
        assert line in text
        text = text.replace(line, "")
    ours = '[serving]\nmodel = "model"\n\n[judge]\nmodel = "own-judge"\nadapter = "judge"\n'
    config.write_text(text.replace("[judge]\n", ours))
    assert run(["judge", str(config), "--write-batch", str(tmp_path / "out")]) == 0
    assert "--model BASE --enable-lora --lora-modules own-judge=judge" in capsys.readouterr().err
    (requests,) = (tmp_path / "out").iterdir()
    assert {json.loads(line)["body"]["model"] for line in requests.read_text().splitlines()} == {"own-judge"}
    assert read(config, write(tmp_path / "results.jsonl", results(requests))) == 0
    assert statuses_of(config) == {"scored": 2}
    assert not (tmp_path / "simsa.simsa" / "logs").exists(), "no vLLM was started"

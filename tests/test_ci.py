"""The workflow that people copy: it is safe, simsa knows all it calls, and its steps do what the guide says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest
import yaml

from simsa.cli.main import COMMANDS, cli
from simsa.report.gates import parse
from tests.support.judged_runs import write_data

ROOT = Path(__file__).parent.parent
WORKFLOW = ROOT / "docs" / "examples" / "simsa.yml"
GUIDE = ROOT / "docs" / "ci.md"
# What the actions take and give, read from their action.yml at the pinned commits.
INPUTS = {
    "actions/checkout": {"persist-credentials"},
    "actions/setup-python": {"python-version"},
    "actions/cache/restore": {"path", "key", "restore-keys"},
    "actions/cache/save": {"path", "key"},
    "actions/upload-artifact": {"name", "path", "if-no-files-found", "archive"},
    "actions/download-artifact": {"name", "path"},
}
NEEDS_BASH = pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("jq")), reason="no bash and jq here"
)


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return found


def steps(workflow: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def step(workflow: Mapping[Any, Any], name: str) -> dict[str, Any]:
    return next(one for one in steps(workflow) if one.get("name") == name)


# Safety ------------------------------------------------------------------------------


def test_nothing_may_more_than_it_must(workflow: dict[Any, Any]) -> None:
    assert workflow["permissions"] == {}
    granted = {name: job["permissions"] for name, job in workflow["jobs"].items()}
    assert granted == {"evaluate": {"contents": "read"}, "comment": {"pull-requests": "write"}}


def test_code_of_a_fork_gets_no_secret_and_nothing_that_writes(workflow: dict[Any, Any]) -> None:
    # YAML 1.1 takes the key `on` for true.
    assert set(workflow[True]) == {"pull_request", "push"}, "pull_request_target would hand secrets out"
    writing = workflow["jobs"]["comment"]
    assert "head.repo.full_name == github.repository" in writing["if"]
    assert not any("checkout" in one.get("uses", "") for one in writing["steps"])
    first = workflow["jobs"]["evaluate"]["steps"][0]
    assert first["if"] == "env.FROM_FORK == 'true'" and "exit 1" in first["run"]


def test_secrets_are_in_the_environment_of_one_step_each(workflow: dict[Any, Any]) -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    assert re.findall(r"secrets\.\w+|github\.token", text) == ["secrets.OPENAI_API_KEY", "github.token"]
    holders = [
        one["name"] for one in steps(workflow) for value in one.get("env", {}).values() if "secrets." in value
    ]
    assert holders == ["Judge"] and "GH_TOKEN" in step(workflow, "Comment")["env"]
    assert not any("secrets" in str(value) for value in workflow["env"].values())
    checkout = next(one for one in steps(workflow) if "checkout" in one.get("uses", ""))
    assert checkout["with"]["persist-credentials"] is False


def test_nothing_of_an_event_is_pasted_into_a_script(workflow: dict[Any, Any]) -> None:
    assert [one["name"] for one in steps(workflow) if "${{" in one.get("run", "")] == []


def test_actions_are_pinned_to_commits_and_given_what_they_take(workflow: dict[Any, Any]) -> None:
    used = [one for one in steps(workflow) if "uses" in one]
    for one in used:
        action, _, commit = one["uses"].partition("@")
        assert re.fullmatch(r"[0-9a-f]{40}", commit), one["uses"]
        assert set(one.get("with", {})) <= INPUTS[action], action
    assert {one["uses"].partition("@")[0] for one in used} == set(INPUTS)
    lines = [line for line in WORKFLOW.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert all(re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line) for line in lines), "which version that is"


def test_what_was_paid_for_is_saved_whatever_happens(workflow: dict[Any, Any]) -> None:
    restored, saved = (
        next(one for one in steps(workflow) if f"cache/{kind}" in one.get("uses", ""))
        for kind in ("restore", "save")
    )
    assert (
        restored["with"]["key"] == saved["with"]["key"] and restored["with"]["path"] == saved["with"]["path"]
    )
    assert saved["with"]["key"].startswith(restored["with"]["restore-keys"])
    assert "always()" in saved["if"] and workflow["concurrency"]["cancel-in-progress"] is False
    assert Path(workflow["env"]["CONFIG"]).with_suffix(".simsa") == Path(saved["with"]["path"])


# What it calls -----------------------------------------------------------------------


def commands() -> list[str]:
    """Every line of the workflow and the guide that calls simsa, without what the shell does around it."""
    text = WORKFLOW.read_text(encoding="utf-8") + "".join(
        re.findall(r"```(?:yaml|groovy)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    )
    known = "|".join(COMMANDS)
    found = re.findall(rf"""(?:^|[-'"])\s*(simsa (?:{known}) [^|\n]*)""", text, re.MULTILINE)
    shown = (line.rstrip() for line in found)
    # In a Groovy string the closing quote is not the shell's.
    closed = (line if line.count('"') % 2 == 0 else line.removesuffix('"') for line in shown)
    return [line.replace('"${gates[@]}"', "--gate 'total > 1'") for line in closed]


def test_every_command_is_found() -> None:
    names = [line.split()[1] for line in commands()]
    on_github = ["check", "run", "report", "report", "compare", "compare"]
    assert names == [*on_github, "run", "report", "compare", "run", "compare"]


@pytest.mark.parametrize("line", commands())
def test_simsa_takes_every_command(line: str) -> None:
    _, name, *arguments = shlex.split(line)
    arguments = [arguments[0].replace("$CONFIG", "simsa.toml"), *arguments[1:]]
    above = click.Context(cli, info_name="simsa", help_option_names=["-h", "--help"])
    command = cli.get_command(above, name)
    assert command is not None
    with command.make_context(name, arguments, parent=above) as context:
        assert context.params["config" if name in ("run", "check") else "run"] is not None
        for gate in context.params.get("gates", ()):
            parse(gate)


def test_the_guide_names_the_exit_codes_that_there_are() -> None:
    from simsa import errors

    text = GUIDE.read_text(encoding="utf-8")
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    codes = {errors.EXIT_OK, errors.EXIT_INCOMPLETE} | {getattr(one, "exit_code", 0) for one in classes}
    told = set(map(int, re.findall(r"(?:^\| exit codes \||·) (\d) ", text, re.MULTILINE)))
    assert told <= codes and {0, 2, 3, 4, 5} <= told


def test_the_example_for_gitlab_is_yaml_and_keeps_what_github_s_keeps() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    job = yaml.safe_load(text)["simsa"]
    assert all(isinstance(line, str) for line in job["script"]), "no line is taken for a mapping"
    assert job["cache"]["when"] == job["artifacts"]["when"] == "always"
    run = next(line for line in job["script"] if line.startswith("simsa run"))
    assert str(Path(run.split()[2]).with_suffix(".simsa")) in job["cache"]["paths"]
    written = [line.rpartition("--out ")[2] for line in job["script"] if "--out" in line]
    assert written == [*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]]


# What its steps do -------------------------------------------------------------------

CONFIG = """
[data]
path = "test.jsonl"
[[variants]]
name = "base"
predictions = "base.jsonl"
[[variants]]
name = "lora"
predictions = "lora.jsonl"
[judge]
model = "lexical"
[report]
language = "en"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository as the workflow expects one, and its tools."""
    write_data(tmp_path / "evaluation", n=20)
    (tmp_path / "evaluation" / "simsa.toml").write_text(CONFIG, encoding="utf-8")
    tool(tmp_path, "simsa", f'#!/bin/sh\nexec "{sys.executable}" -m simsa "$@"\n')
    return tmp_path


def tool(folder: Path, name: str, text: str) -> None:
    file = folder / "tools" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)


def bash(
    workflow: Mapping[Any, Any], name: str, folder: Path, **more: str
) -> subprocess.CompletedProcess[str]:
    """A step's script, run as GitHub runs `shell: bash`."""
    script = folder / "step.sh"
    script.write_text(step(workflow, name)["run"], encoding="utf-8")
    environment = {
        "PATH": f"{folder / 'tools'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")])),
        "HOME": str(folder),
        "CONFIG": workflow["env"]["CONFIG"],
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        **more,
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


LINK = "https://github.com/o/r/actions/runs/1/artifacts/2"


@NEEDS_BASH
def test_the_steps_judge_report_and_fail_on_a_gate(workflow: dict[Any, Any], checkout: Path) -> None:
    """For real: no answer of `lora` is any good, and one is missing."""
    rows = [{"question_id": f"q{n}", "prediction": "바다가 파랗다"} for n in range(1, 20)]
    (checkout / "evaluation" / "lora.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    judged = bash(workflow, "Judge", checkout)
    assert judged.returncode == 0, judged.stderr
    assert (checkout / "evaluation" / "simsa.simsa").is_dir(), "where the cache looks for it"
    assert bash(workflow, "Report", checkout).returncode == 0
    failed = bash(workflow, "Gates", checkout, LINK=LINK)
    assert failed.returncode == 3, failed.stderr
    out = checkout / "out"
    assert {file.name for file in out.iterdir()} == {"report.html", "rows.xml", "gates.xml", "comment.md"}
    comment = (out / "comment.md").read_text(encoding="utf-8")
    assert comment.startswith("### simsa: ❌ 2 of 2 gates failed") and LINK in comment
    assert "❌ coverage" in comment and (checkout / "summary.md").read_text(encoding="utf-8") == comment
    suite = ElementTree.parse(out / "gates.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")


@NEEDS_BASH
@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 130])
def test_rows_without_a_score_are_for_the_gate_and_all_else_ends_it(
    workflow: dict[Any, Any], tmp_path: Path, code: int
) -> None:
    tool(tmp_path, "simsa", f'#!/bin/sh\necho "$@" >> calls\ntest "$1" != run || exit {code}\n')
    assert (bash(workflow, "Judge", tmp_path).returncode == 0) is (code in (0, 4))
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert calls == ["check evaluation/simsa.toml", "run evaluation/simsa.toml -q"]


@NEEDS_BASH
@pytest.mark.parametrize("code", [0, 2, 3])
def test_the_gates_step_ends_as_the_gates_do(workflow: dict[Any, Any], tmp_path: Path, code: int) -> None:
    tool(tmp_path, "simsa", f'#!/bin/sh\necho "$@" >> calls\necho said > out/comment.md\nexit {code}\n')
    (tmp_path / "out").mkdir()
    assert bash(workflow, "Gates", tmp_path, LINK=LINK).returncode == code
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == "said\n"
    junit, comment = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    gates = "compare evaluation/simsa.toml --gate total >= baseline - 0.5 --gate coverage >= 0.98"
    assert junit == f"{gates} --format junit --out out/gates.xml"
    assert comment == f"{gates} --format md --link {LINK} --out out/comment.md", "the same gates"


@NEEDS_BASH
def test_what_check_refuses_is_not_run(workflow: dict[Any, Any], tmp_path: Path) -> None:
    tool(tmp_path, "simsa", '#!/bin/sh\necho "$1" >> calls\nexit 2\n')
    assert bash(workflow, "Judge", tmp_path).returncode == 2
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "check\n"


@NEEDS_BASH
def test_a_fork_ends_with_a_reason(workflow: dict[Any, Any], tmp_path: Path) -> None:
    found = bash(workflow, "Forks", tmp_path)
    assert found.returncode == 1 and found.stdout.startswith("::error::") and "fork" in found.stdout


GITHUB = '''#!{python}
"""Comments of one pull request, in a file: as much of `gh api` as the workflow asks of it."""
import json, pathlib, re, sys
state = pathlib.Path(sys.argv[0]).with_name("comments.json")
comments = json.loads(state.read_text()) if state.exists() else []
arguments = sys.argv[1:]
assert arguments.pop(0) == "api"
method, body, paths = "GET", None, []
while arguments:
    one = arguments.pop(0)
    if one == "--method":
        method = arguments.pop(0)
    elif one == "-F":
        key, _, value = arguments.pop(0).partition("=@")
        assert key == "body"
        body = pathlib.Path(value).read_text()
    elif one not in ("--paginate", "--silent"):
        paths.append(one)
(path,) = paths
mine = {{"login": "github-actions[bot]"}}
if method == "GET":
    assert path == "repos/o/r/issues/7/comments"
    # A page at a time, as --paginate prints them.
    print("".join(json.dumps(comments[n : n + 2]) for n in range(0, len(comments), 2)) or "[]")
elif method == "POST":
    assert path == "repos/o/r/issues/7/comments"
    comments.append({{"id": len(comments) + 1, "user": mine, "body": body}})
else:
    found = re.fullmatch(r"repos/o/r/issues/comments/(\\d+)", path)
    next(c for c in comments if c["id"] == int(found[1]))["body"] = body
state.write_text(json.dumps(comments))
'''


@NEEDS_BASH
def test_there_is_one_comment_and_it_is_kept_up_to_date(workflow: dict[Any, Any], tmp_path: Path) -> None:
    tool(tmp_path, "gh", GITHUB.format(python=sys.executable))
    state = tmp_path / "tools" / "comments.json"
    others = [
        {"id": 1, "user": {"login": "somebody"}, "body": "<!-- simsa --> I am no bot"},
        {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "of another workflow"},
        {"id": 3, "user": {"login": "somebody"}, "body": "good"},
    ]
    state.write_text(json.dumps(others), encoding="utf-8")
    names = {"REPOSITORY": "repos/o/r", "NUMBER": "7", "GH_TOKEN": "t"}

    def comments() -> list[str]:
        return [one["body"] for one in json.loads(state.read_text(encoding="utf-8"))]

    assert bash(workflow, "Comment", tmp_path, **names).returncode == 0
    assert len(comments()) == 3, "no file, no comment"
    for text in ("### first\n\n'\"$(id)`@x\n\n<!-- simsa -->\n", "### second\n\n<!-- simsa -->\n"):
        (tmp_path / "comment.md").write_text(text, encoding="utf-8")
        posted = bash(workflow, "Comment", tmp_path, **names)
        assert posted.returncode == 0, posted.stderr
        assert comments()[3:] == [text]
    assert comments()[:3] == [one["body"] for one in others], "nobody else's is touched"


def test_the_comment_that_simsa_writes_ends_in_the_mark() -> None:
    from simsa.report.renderers import comment

    assert comment.MARK in GUIDE.read_text(encoding="utf-8")
    assert "tail -n 1" in WORKFLOW.read_text(encoding="utf-8")

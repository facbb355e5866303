"""JUnit XML, which continuous integration shows as tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from simsa.report.renderers import RenderOptions
from simsa.report.score_rows import rows
from simsa.store import Store, criteria_of, statuses
from simsa.text import visible

if TYPE_CHECKING:
    from simsa.report.gates import GateResult

# Code points that XML 1.0 does not allow, not even as references.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_DONE = ("pending", "budget")


class JunitCase(NamedTuple):
    """One test. `outcome` is None when it passed, else (failure, error or skipped; type; message)."""

    suite: str
    name: str
    outcome: tuple[str, str, str] | None = None
    output: str = ""
    seconds: float | None = None


def render_run(store: Store, options: RenderOptions) -> Iterator[bytes]:
    return render(store)


def render(store: Store) -> Iterator[bytes]:
    """One test per question, variant and answer (`ID #2` for the second): passed when it was scored, else an error with its status."""
    counted = statuses(store)
    skipped = sum(counted.get(status, 0) for status in _NOT_DONE)
    errors = sum(counted.values()) - skipped - counted.get("scored", 0)
    names = (*criteria_of(store).names, "total")
    return document((_row_case(row, names) for row in rows(store)), sum(counted.values()), 0, errors, skipped)


def render_gates(outcomes: Sequence[GateResult]) -> Iterator[bytes]:
    """One test per gate and variant."""
    failures = sum(not outcome.passed for outcome in outcomes)
    return document((_gate_case(outcome) for outcome in outcomes), len(outcomes), failures)


def document(
    cases: Iterable[JunitCase], tests: int, failures: int, errors: int = 0, skipped: int = 0
) -> Iterator[bytes]:
    """The XML document around `cases`, as UTF-8."""
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="simsa">\n'
    head = f'tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
    yield f'<testsuite name="simsa" {head}>\n'.encode()
    for case in cases:
        yield _element(case).encode()
    yield b"</testsuite>\n</testsuites>\n"


def _row_case(row: dict[str, Any], names: Sequence[str]) -> JunitCase:
    status = row["status"]
    outcome = None
    if status != "scored":
        outcome = ("skipped" if status in _NOT_DONE else "error", status, f"no score: {status}")
    scores = " ".join(f"{name}={row[name]}" for name in names if row[name] is not None)
    name = f"{row['question_id']} #{row['sample'] + 1}" if row["sample"] else row["question_id"]
    return JunitCase(row["variant"], name, outcome, scores, row["latency_s"])


def _gate_case(outcome: GateResult) -> JunitCase:
    shown = outcome.sentence("en")
    failure = None if outcome.passed else ("failure", "gate", shown)
    return JunitCase(outcome.variant, outcome.gate.text, failure, shown)


def _element(case: JunitCase) -> str:
    time = "" if case.seconds is None else f' time="{case.seconds:.3f}"'
    inside = ""
    if case.outcome:
        tag, kind, message = case.outcome
        reason = f" type={_attribute(kind)}" if tag != "skipped" else ""
        inside += f"<{tag}{reason} message={_attribute(message)}/>"
    if case.output:
        inside += f"<system-out>{escape(_xml_text(case.output))}</system-out>"
    return f"<testcase classname={_attribute(case.suite)} name={_attribute(case.name)}{time}>{inside}</testcase>\n"


def _attribute(text: str) -> str:
    return quoteattr(_xml_text(text))


def _xml_text(text: str) -> str:
    return _NOT_XML.sub("�", visible(text))

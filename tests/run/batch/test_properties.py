"""Whatever happens in whatever order: in the end every row has its score, and no answer was paid for twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simsa.cli.main import run
from tests.servers.batch import BatchServer, Line, Outcome, Step, fault
from tests.servers.chat import Body, text_of, verdict
from tests.servers.faults import error
from tests.servers.http import Response
from tests.support.batch_runs import KEY, statuses_of, write_run

STEPS: tuple[Step, ...] = ("upload", "uploaded", "create", "created", "status", "content")
FATES = ("answered", "expired", "cancelled", "missing", "overloaded", "unreadable")
GO = st.tuples(
    st.sampled_from([(), ("--submit",), ("--collect",), ("--cancel",)]),
    st.none() | st.tuples(st.sampled_from(STEPS), st.integers(1, 2)),
)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)


class Endpoint(BatchServer):
    """Deals each line one of `fates`, in turn, the first times it is asked; remembers what it was paid for."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.fates: list[str] = []
        self.paid: Counter[str] = Counter()
        self.outcome, self.reply = self._deal, self._say
        self._unreadable: set[str] = set()

    def _deal(self, line: Line, n: int) -> Outcome | Response:
        fate = self.fates.pop() if self.fates else "answered"
        if fate in ("expired", "cancelled", "missing"):
            return fate  # type: ignore[return-value]
        if fate == "overloaded":
            return error(503, "The engine is overloaded")
        self.paid[line["custom_id"]] += 1
        if fate == "unreadable":
            self._unreadable.add(text_of(line["body"]))
        return "answered"

    def _say(self, body: Body) -> Any:
        text = text_of(body)
        if text in self._unreadable:
            self._unreadable.discard(text)
            return "글쎄요."
        return verdict()


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    fates=st.lists(st.sampled_from(FATES), max_size=8),
    goes=st.lists(GO, max_size=4),
    per_batch=st.integers(1, 5),
    looks=st.integers(1, 2),
)
def test_every_row_is_scored_and_nothing_is_paid_twice(
    tmp_path_factory: pytest.TempPathFactory,
    fates: list[str],
    goes: list[tuple[tuple[str, ...], tuple[str, int] | None]],
    per_batch: int,
    looks: int,
) -> None:
    folder: Path = tmp_path_factory.mktemp("run")
    with Endpoint(looks=looks) as server:
        server.fates = list(fates)
        config = write_run(
            folder,
            server.url,
            n=4,
            variants=("base",),
            judge="max_attempts = 12",
            batch=f"max_requests = {per_batch}",
        )
        for flags, broken in goes:
            done = Counter(server.asked)
            if broken:
                step, nth = broken
                stop = done[step] + nth

                def trouble(at: str, n: int, step: str = step, stop: int = stop) -> Response | None:
                    return fault("unauthorised") if at == step and n == stop else None

                server.trouble = trouble
            assert run(["judge", str(config), "-q", *flags]) in (0, 4, 5)
        server.trouble = lambda step, n: None
        server.fates = []
        assert run(["judge", str(config), "-q"]) == 0
        assert statuses_of(config) == {"scored": 4}
        assert set(server.paid.values()) <= {1}
        read = Counter(custom_id.partition("-")[0] for custom_id in server.paid)
        assert sum(read.values()) <= 4 + fates.count("unreadable"), "only what was no verdict is asked again"
        assert run(["judge", str(config), "-q"]) == 0
        assert sum(server.paid.values()) == sum(read.values()), "and nothing is asked afterwards"

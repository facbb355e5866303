"""A run that an older simsa wrote is still that run: brought up to date once, by whoever opens it, or not at all."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from simsa.errors import RunError
from simsa.records import CRITERIA, Judgement
from simsa.store import (
    TRANSIENT,
    Store,
    SubJudgement,
    judge_usage,
    judgements,
    measures,
    results,
    statuses,
    sub_judgements,
)
from simsa.store.batches import BatchTable
from simsa.store.migrations import MIGRATIONS, migrate

VERSIONS = range(1, len(MIGRATIONS))
CURRENT = len(MIGRATIONS)

# As version one wrote it: two questions, two variants, three answers, one of them refused.
ROWS_OF_VERSION_ONE = """
INSERT INTO meta VALUES ('run', '{"id": "old"}'), ('language', '"ko"');
INSERT INTO questions VALUES
    ('q0', 0, 'h0', 't', 1, 'c', '{"id": "q0", "question": "첫째?", "contexts": ["가"], "reference": ["하나"]}'),
    ('q1', 1, 'h1', NULL, 0, 'd', '{"id": "q1", "question": "둘째?", "contexts": [], "reference": []}');
INSERT INTO variants VALUES ('base', 0, '{}'), ('lora', 1, '{"adapter": "a"}');
INSERT INTO plan VALUES ('q0', 'base', 'b0'), ('q0', 'lora', 'l0'), ('q1', 'base', 'b1'), ('q1', 'lora', 'l1');
INSERT INTO answers (request_hash, prediction, finish_reason, prompt_tokens, completion_tokens)
    VALUES ('b0', '하나', 'stop', 9, 2), ('l0', '둘', 'length', 9, 3), ('b1', '', NULL, NULL, NULL);
INSERT INTO judgements VALUES
    ('j0', 'gpt', 'r@1', 'scored', 5, 4, 3, 2, '좋음', '{}', 100, 20, 0, 0.5, 1.0, 1, ''),
    ('j1', 'gpt', 'r@1', 'refused', NULL, NULL, NULL, NULL, '', '{}', 100, 0, 0, NULL, 1.0, 2, '거절');
INSERT INTO judging VALUES ('q0', 'base', 'joint', 'k', 'b0', 'j0'), ('q0', 'lora', 'joint', 'k', 'l0', 'j1');
INSERT INTO measures VALUES ('b0', 'h0', '1', '{"chrf": 50.0}');
INSERT INTO failures (stage, question_id, variant, detail) VALUES ('answer', 'q1', 'lora', '503');
"""


def older(folder: Path, version: int) -> Path:
    """A run as version one wrote it, brought to `version`."""
    folder.mkdir(exist_ok=True)
    db = sqlite3.connect(folder / "run.sqlite", isolation_level=None)
    migrate(db, "here", upto=1)
    db.executescript(ROWS_OF_VERSION_ONE)
    migrate(db, "here", upto=version)
    assert db.execute("PRAGMA user_version").fetchone() == (version,)
    db.close()
    return folder


def version_of(folder: Path) -> int:
    db = sqlite3.connect(folder / "run.sqlite")
    found = db.execute("PRAGMA user_version").fetchone()[0]
    db.close()
    return int(found)


def schema(path: Path) -> set[tuple[str, str, str]]:
    db = sqlite3.connect(path)
    rows = db.execute(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    )
    found = {(kind, name, " ".join(sql.split())) for kind, name, sql in rows}
    db.close()
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("writing", [True, False])
def test_an_older_run_says_the_same(tmp_path: Path, version: int, writing: bool) -> None:
    folder = older(tmp_path, version)
    with Store.create(folder) if writing else Store.read(folder) as store:
        assert store.meta("run") == {"id": "old"}
        assert [(q.id, q.question, q.reference) for q in store.questions()] == [
            ("q0", "첫째?", ("하나",)),
            ("q1", "둘째?", ()),
        ]
        assert store.variants() == {"base": {}, "lora": {"adapter": "a"}}
        found = [(r.question_id, r.variant, r.prediction, r.status, r.total) for r in results(store)]
        assert found == [
            ("q0", "base", "하나", "scored", 14),
            ("q0", "lora", "둘", "refused", None),
            ("q1", "base", "", "pending", None),
            ("q1", "lora", None, "no_prediction", None),
        ]
        assert list(measures(store)) == [{"chrf": 50.0}, None, None, None]
        [said] = judgements(store, "q0", "base")
        assert said == Judgement(
            "j0",
            "gpt",
            "r@1",
            "scored",
            dict(zip(CRITERIA, (5, 4, 3, 2), strict=True)),
            "좋음",
            "{}",
            100,
            20,
            0,
            0.5,
            1.0,
            1,
            "",
        )
        usage = judge_usage(store)
        assert (usage.calls, usage.reused, usage.prompt_tokens, usage.cost_usd) == (3, 0, 200, None)
        assert sub_judgements(store, "j0") == []
        assert store.examination("k") is None
        assert BatchTable(store).open_jobs() == []
    assert version_of(folder) == CURRENT


@pytest.mark.parametrize("version", VERSIONS)
def test_an_older_run_goes_on_where_it_stopped(tmp_path: Path, version: int) -> None:
    with Store.create(older(tmp_path, version)) as store:
        assert [(p.question_id, p.variant) for p in store.pending_answers(["base", "lora"])] == [
            ("q1", "lora")
        ]
        assert store.judged(TRANSIENT) == {"j0", "j1"}
        block = store.unjudged("k", 0, 10, TRANSIENT)
        assert [(row.question.id, row.variant) for row in block] == [("q1", "base")]

        async def judge() -> None:
            scores = dict.fromkeys(CRITERIA, 1)
            async with store.writing():
                store.add_judgement(Judgement("half", "gpt", "r@1", "scored", scores))
                made = Judgement("j2", "panel", "r@1", "scored", scores)
                await store.add_judgement(made, [SubJudgement("member", "a", "half")], {"c": "half"})
                await store.add_verdict(block[0], "k", [("joint", "j2")])

        asyncio.run(judge())
        assert statuses(store) == {"scored": 2, "refused": 1, "no_prediction": 1}
        assert [one.name for one, _ in sub_judgements(store, "j2")] == ["a"]
        assert store.standing(["c"]) == {"c": "half"}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_way_leads_to_the_same_schema(tmp_path: Path, version: int) -> None:
    with Store.create(tmp_path / "new"):
        pass
    with Store.create(older(tmp_path / "old", version)):
        pass
    assert schema(tmp_path / "old" / "run.sqlite") == schema(tmp_path / "new" / "run.sqlite")


def test_a_step_taken_half_way_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = older(tmp_path, 1)
    before = schema(folder / "run.sqlite")
    broken = "CREATE TABLE voices (a);\nDROP VIEW results;\nSELECT no_such_column FROM meta;\n"
    monkeypatch.setattr("simsa.store.migrations.MIGRATIONS", (MIGRATIONS[0], broken, *MIGRATIONS[2:]))
    for opened in (Store.create, Store.read):
        with pytest.raises(RunError, match="no_such_column"):
            opened(folder)
        assert schema(folder / "run.sqlite") == before
        assert version_of(folder) == 1
    monkeypatch.undo()
    with Store.read(folder) as store:
        assert statuses(store) == {"scored": 1, "refused": 1, "pending": 1, "no_prediction": 1}


@pytest.mark.parametrize("n_readers", [2, 6])
def test_many_who_meet_an_older_file_at_once_bring_it_up_to_date_once(tmp_path: Path, n_readers: int) -> None:
    folder = older(tmp_path, 1)
    start = threading.Barrier(n_readers)
    found: list[dict[str, int] | BaseException] = []

    def look(n: int) -> None:
        start.wait()
        try:
            with Store.create(folder) if n == 0 else Store.read(folder) as store:
                found.append(statuses(store))
        except BaseException as error:
            found.append(error)

    threads = [threading.Thread(target=look, args=(n,)) for n in range(n_readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{"scored": 1, "refused": 1, "pending": 1, "no_prediction": 1}] * n_readers
    assert version_of(folder) == CURRENT


def test_a_file_of_a_newer_simsa_is_left_alone(tmp_path: Path) -> None:
    folder = older(tmp_path, CURRENT)
    with sqlite3.connect(folder / "run.sqlite") as db:
        db.execute(f"PRAGMA user_version = {CURRENT + 1}")
    db.close()
    before = (folder / "run.sqlite").read_bytes()
    for opened in (Store.create, Store.read):
        with pytest.raises(RunError, match="newer simsa"):
            opened(folder)
    assert (folder / "run.sqlite").read_bytes()[100:] == before[100:]


@pytest.mark.parametrize("number", range(CURRENT))
def test_every_step_is_whole_statements(number: int) -> None:
    """What stood behind the last semicolon would be passed over in silence."""
    rest = MIGRATIONS[number].rpartition(";")[2]
    assert not [line for line in rest.splitlines() if line.strip() and not line.strip().startswith("--")]

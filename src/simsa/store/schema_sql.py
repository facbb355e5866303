"""The schema of a run's database, and the upgrade of files that an earlier simsa wrote."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

from simsa.errors import RunError
from simsa.i18n.messages import msg

VERSION = 7
"""Schema version that this simsa writes, kept in `PRAGMA user_version`."""

_UPGRADABLE = 6

_RESULTS = """
    CREATE VIEW results AS
    SELECT p.question_id, p.variant, p.sample, p.request_hash AS answer_hash, a.prediction, a.finish_reason,
        a.prompt_tokens, a.completion_tokens, a.latency_s, a.served_model, a.system_fingerprint,
        count(j.request_hash) AS parts, min(j.judge) AS judge, min(j.rubric) AS rubric,
        max(CASE WHEN j.status <> 'scored' THEN j.status END) AS unscored
    FROM plan p
    LEFT JOIN answers a ON a.request_hash = p.request_hash
    LEFT JOIN judging g ON g.question_id = p.question_id AND g.variant = p.variant AND g.sample = p.sample
        AND g.answer_hash = p.request_hash AND g.part <> 'claims'
    LEFT JOIN judgements j ON j.request_hash = g.request_hash
    GROUP BY p.question_id, p.variant, p.sample;
"""

_SCORES = """
    -- One row per judgement and criterion. The criteria of a run are in `meta`, under `criteria`.
    CREATE TABLE scores (
        request_hash TEXT NOT NULL, criterion TEXT NOT NULL, score INTEGER NOT NULL,
        PRIMARY KEY (request_hash, criterion)
    ) WITHOUT ROWID;
"""

_SCHEMA = f"""
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

    CREATE TABLE questions (
        id TEXT PRIMARY KEY, position INTEGER NOT NULL, hash TEXT NOT NULL,
        type TEXT, answerable INTEGER NOT NULL, cluster TEXT NOT NULL, row TEXT NOT NULL
    );
    CREATE INDEX questions_position ON questions (position);

    CREATE TABLE variants (name TEXT PRIMARY KEY, position INTEGER NOT NULL, info TEXT NOT NULL) WITHOUT ROWID;

    -- The request that each variant gets for each question. `sample` counts several answers to one question.
    CREATE TABLE plan (
        question_id TEXT NOT NULL, variant TEXT NOT NULL, sample INTEGER NOT NULL DEFAULT 0,
        request_hash TEXT NOT NULL, PRIMARY KEY (question_id, variant, sample)
    ) WITHOUT ROWID;
    CREATE INDEX plan_request ON plan (request_hash);

    -- Answers in the order in which they were committed: `serial` only grows, and judging reads on from it.
    CREATE TABLE answers (
        serial INTEGER PRIMARY KEY AUTOINCREMENT, request_hash TEXT NOT NULL UNIQUE,
        prediction TEXT NOT NULL, finish_reason TEXT, prompt_tokens INTEGER,
        completion_tokens INTEGER, latency_s REAL, served_model TEXT, system_fingerprint TEXT
    );

    -- Replies of judges, by the content of the request. `expected` and `claims` are JSON. `estimated_usd`
    -- is the estimated cost where the endpoint reported no usage.
    CREATE TABLE judgements (
        request_hash TEXT PRIMARY KEY, judge TEXT NOT NULL, rubric TEXT NOT NULL, status TEXT NOT NULL,
        analysis TEXT NOT NULL, raw TEXT NOT NULL, prompt_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, cost_usd REAL,
        latency_s REAL NOT NULL, attempts INTEGER NOT NULL, detail TEXT NOT NULL,
        expected TEXT, claims TEXT, estimated_usd REAL
    );
    CREATE INDEX judgements_unscored ON judgements (status) WHERE status <> 'scored';
{_SCORES}
    -- The judgements that make up the verdict on an answer. `part` is "joint", a group of criteria, or "claims".
    CREATE TABLE judging (
        question_id TEXT NOT NULL, variant TEXT NOT NULL, sample INTEGER NOT NULL DEFAULT 0,
        part TEXT NOT NULL, judge_key TEXT NOT NULL, answer_hash TEXT NOT NULL, request_hash TEXT NOT NULL,
        PRIMARY KEY (question_id, variant, sample, part)
    ) WITHOUT ROWID;

    -- The judgements that another one was combined from: panel members, repeats, or calls for some criteria.
    CREATE TABLE sub_judgements (
        request_hash TEXT NOT NULL, position INTEGER NOT NULL, role TEXT NOT NULL,
        name TEXT NOT NULL, source TEXT NOT NULL, PRIMARY KEY (request_hash, position)
    ) WITHOUT ROWID;
    CREATE INDEX sub_judgements_source ON sub_judgements (source);

    -- The judgement that has the score of one criterion, by the content of what was asked for that criterion.
    CREATE TABLE criterion_cache (criterion_hash TEXT PRIMARY KEY, request_hash TEXT NOT NULL) WITHOUT ROWID;

    -- Deterministic metrics of an answer to a question, as a JSON object.
    CREATE TABLE measures (
        answer_hash TEXT NOT NULL, question_hash TEXT NOT NULL, version TEXT NOT NULL,
        figures TEXT NOT NULL, PRIMARY KEY (answer_hash, question_hash)
    ) WITHOUT ROWID;

    -- Failed attempts, for diagnosis. They are never results.
    CREATE TABLE failures (
        serial INTEGER PRIMARY KEY, at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
        stage TEXT NOT NULL, question_id TEXT NOT NULL, variant TEXT NOT NULL, detail TEXT NOT NULL
    );

    -- Jobs of a Batch API. A row is written before anything is sent; its key is in the file name and in the
    -- job's metadata, so that a job is found again after a crash. `form` is the request format of that time.
    CREATE TABLE batches (
        key TEXT PRIMARY KEY, base_url TEXT NOT NULL, judge_key TEXT NOT NULL, stage TEXT NOT NULL,
        created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')), form TEXT NOT NULL,
        requests INTEGER NOT NULL, bytes INTEGER NOT NULL, estimate_usd REAL,
        file_id TEXT, batch_id TEXT, status TEXT, answered INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0, expires_at INTEGER, output_file_id TEXT, error_file_id TEXT,
        heard_usd REAL NOT NULL DEFAULT 0, heard_estimate_usd REAL NOT NULL DEFAULT 0
    ) WITHOUT ROWID;

    -- Requests of batches until they are judged. With a batch and no reply: sent. With a reply: to be read.
    -- With neither: to be sent again, after `lost` losses in a row.
    CREATE TABLE batch_requests (
        request_hash TEXT PRIMARY KEY, batch TEXT, round INTEGER NOT NULL DEFAULT 0,
        lost INTEGER NOT NULL DEFAULT 0, estimate_usd REAL, so_far TEXT, reply TEXT
    ) WITHOUT ROWID;
    CREATE INDEX batch_requests_batch ON batch_requests (batch);

    -- Result of `simsa probe` by the judge's key (model, sampling, rubric, mode).
    CREATE TABLE probe_results (judge_key TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
{_RESULTS}"""

# Version 6 had one column for each of the four built-in criteria.
_COLUMNS = ("answer_correctness", "context_relevance", "context_faithfulness", "context_recall")
_ASPECTS = {"answer_correctness": "correctness", "context_faithfulness": "faithfulness"}
_BUILT_IN = json.dumps(
    [
        {"name": name, "sees_prediction": name in _ASPECTS, "aspect": _ASPECTS.get(name, "")}
        for name in _COLUMNS
    ]
)
_UPGRADE = (
    "DROP VIEW results;"
    + _SCORES
    + "".join(
        f"""
    INSERT INTO scores SELECT request_hash, '{name}', {name} FROM judgements WHERE {name} IS NOT NULL;
    ALTER TABLE judgements DROP COLUMN {name};"""
        for name in _COLUMNS
    )
    + f"""
    ALTER TABLE voices RENAME TO sub_judgements;
    DROP INDEX voices_source;
    CREATE INDEX sub_judgements_source ON sub_judgements (source);
    ALTER TABLE standing RENAME TO criterion_cache;
    ALTER TABLE examinations RENAME TO probe_results;
    INSERT INTO meta SELECT 'criteria', json_group_array(json(one.value)) FROM json_each('{_BUILT_IN}') AS one
        WHERE (SELECT json_extract(value, '$.criteria') FROM meta WHERE key = 'judge') IS NULL
        OR json_extract(one.value, '$.name')
            IN (SELECT c.value FROM meta, json_each(meta.value, '$.criteria') AS c WHERE meta.key = 'judge');
{_RESULTS}"""
)


def prepare(connection: sqlite3.Connection, where: str) -> None:
    """Creates the schema in a new file, or upgrades a file of the previous version.

    Runs in one transaction, also when several processes open the file at once. Raises RunError for a
    file that a newer simsa wrote, or one too old to upgrade.
    """
    if _version(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version not in (0, _UPGRADABLE, VERSION):
            raise _unusable(version, where)
        script = {0: _SCHEMA, _UPGRADABLE: _UPGRADE}.get(version, "")
        for statement in statements(script):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def is_current(connection: sqlite3.Connection) -> bool:
    """Whether the file has the schema that this simsa reads."""
    return _version(connection) == VERSION


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _unusable(version: int, where: str) -> RunError:
    if version > VERSION:
        problem = msg("error.store.was_written_newer_simsa_schema", version=version, VERSION=VERSION)
        return RunError(problem, where=where, hint="pip install --upgrade simsa")
    return RunError(
        msg("error.store.was_written_old_development_version", version=version),
        where=where,
        hint=msg("error.store.run_again_new_out_folder"),
    )


def statements(script: str) -> Iterator[str]:
    """Yields single statements: `executescript` would commit the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""

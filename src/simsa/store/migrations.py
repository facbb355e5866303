"""The schema as a list of numbered steps; a run's file remembers the last one it took.

Steps are only ever appended. Each is applied in a transaction of its own, so a crash
leaves the file at one version or the next, never between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from simsa.errors import RunError

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

    CREATE TABLE questions (
        id TEXT PRIMARY KEY, position INTEGER NOT NULL, hash TEXT NOT NULL,
        type TEXT, answerable INTEGER NOT NULL, cluster TEXT NOT NULL, row TEXT NOT NULL
    );
    CREATE INDEX questions_position ON questions (position);

    CREATE TABLE variants (
        name TEXT PRIMARY KEY, position INTEGER NOT NULL, info TEXT NOT NULL
    ) WITHOUT ROWID;

    -- What is to be answered: the request that each variant gets for each question.
    CREATE TABLE plan (
        question_id TEXT NOT NULL, variant TEXT NOT NULL, request_hash TEXT NOT NULL,
        PRIMARY KEY (question_id, variant)
    ) WITHOUT ROWID;
    CREATE INDEX plan_request ON plan (request_hash);

    -- What was answered. `serial` only grows: the judge reads on from the last one it saw.
    CREATE TABLE answers (
        serial INTEGER PRIMARY KEY AUTOINCREMENT, request_hash TEXT NOT NULL UNIQUE,
        prediction TEXT NOT NULL, finish_reason TEXT, prompt_tokens INTEGER,
        completion_tokens INTEGER, latency_s REAL, served_model TEXT, system_fingerprint TEXT
    );

    -- What a judge said, by the content of what it was asked.
    CREATE TABLE judgements (
        request_hash TEXT PRIMARY KEY, judge TEXT NOT NULL, rubric TEXT NOT NULL,
        status TEXT NOT NULL, answer_correctness INTEGER, context_relevance INTEGER,
        context_faithfulness INTEGER, context_recall INTEGER, analysis TEXT NOT NULL,
        raw TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL, cost_usd REAL, latency_s REAL NOT NULL,
        attempts INTEGER NOT NULL, detail TEXT NOT NULL
    );

    -- Which judgements make up the verdict on an answer; `part` is "joint" or a group of criteria.
    CREATE TABLE judging (
        question_id TEXT NOT NULL, variant TEXT NOT NULL, part TEXT NOT NULL,
        judge_key TEXT NOT NULL, answer_hash TEXT NOT NULL, request_hash TEXT NOT NULL,
        PRIMARY KEY (question_id, variant, part)
    ) WITHOUT ROWID;

    -- Deterministic metrics of an answer to a question, as a JSON object.
    CREATE TABLE measures (
        answer_hash TEXT NOT NULL, question_hash TEXT NOT NULL, version TEXT NOT NULL,
        figures TEXT NOT NULL, PRIMARY KEY (answer_hash, question_hash)
    ) WITHOUT ROWID;

    -- Attempts that led to nothing. Never a result; kept for the person who asks why.
    CREATE TABLE failures (
        serial INTEGER PRIMARY KEY, at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
        stage TEXT NOT NULL, question_id TEXT NOT NULL, variant TEXT NOT NULL, detail TEXT NOT NULL
    );

    CREATE VIEW results AS
    SELECT p.question_id, p.variant, p.request_hash AS answer_hash, a.prediction, a.finish_reason,
        a.prompt_tokens, a.completion_tokens, a.latency_s, a.served_model, a.system_fingerprint,
        count(j.request_hash) AS parts,
        min(j.judge) AS judge, min(j.rubric) AS rubric,
        max(CASE WHEN j.status <> 'scored' THEN j.status END) AS unscored,
        max(j.answer_correctness) AS answer_correctness,
        max(j.context_relevance) AS context_relevance,
        max(j.context_faithfulness) AS context_faithfulness,
        max(j.context_recall) AS context_recall
    FROM plan p
    LEFT JOIN answers a ON a.request_hash = p.request_hash
    LEFT JOIN judging g ON g.question_id = p.question_id AND g.variant = p.variant
        AND g.answer_hash = p.request_hash
    LEFT JOIN judgements j ON j.request_hash = g.request_hash
    GROUP BY p.question_id, p.variant;
    """,
    """
    -- What a judgement was made from that no single call gave: a panel's members, a judge's
    -- repeats, or the calls that its criteria come from. `name` says which, by `role`.
    CREATE TABLE voices (
        request_hash TEXT NOT NULL, position INTEGER NOT NULL, role TEXT NOT NULL,
        name TEXT NOT NULL, source TEXT NOT NULL, PRIMARY KEY (request_hash, position)
    ) WITHOUT ROWID;
    CREATE INDEX voices_source ON voices (source);

    -- Where the score of one criterion stands, by the content of what was asked for it.
    CREATE TABLE standing (
        criterion_hash TEXT PRIMARY KEY, request_hash TEXT NOT NULL
    ) WITHOUT ROWID;

    CREATE INDEX judgements_unscored ON judgements (status) WHERE status <> 'scored';

    -- Beside the integers, as JSON: what the token probabilities say, and an answer's claims.
    ALTER TABLE judgements ADD COLUMN expected TEXT;
    ALTER TABLE judgements ADD COLUMN claims TEXT;

    -- Claims are listed beside a verdict and are no part of it.
    DROP VIEW results;
    CREATE VIEW results AS
    SELECT p.question_id, p.variant, p.request_hash AS answer_hash, a.prediction, a.finish_reason,
        a.prompt_tokens, a.completion_tokens, a.latency_s, a.served_model, a.system_fingerprint,
        count(j.request_hash) AS parts,
        min(j.judge) AS judge, min(j.rubric) AS rubric,
        max(CASE WHEN j.status <> 'scored' THEN j.status END) AS unscored,
        max(j.answer_correctness) AS answer_correctness,
        max(j.context_relevance) AS context_relevance,
        max(j.context_faithfulness) AS context_faithfulness,
        max(j.context_recall) AS context_recall
    FROM plan p
    LEFT JOIN answers a ON a.request_hash = p.request_hash
    LEFT JOIN judging g ON g.question_id = p.question_id AND g.variant = p.variant
        AND g.answer_hash = p.request_hash AND g.part <> 'claims'
    LEFT JOIN judgements j ON j.request_hash = g.request_hash
    GROUP BY p.question_id, p.variant;
    """,
    """
    -- Jobs of a Batch API. A row is there before anything is sent: its key is in the file's name and in
    -- the job's metadata, so that what was sent is found there by it. `form` is what the endpoint took
    -- then; `heard` is what the answers read so far cost, and were estimated to cost.
    CREATE TABLE batches (
        key TEXT PRIMARY KEY, base_url TEXT NOT NULL, judge_key TEXT NOT NULL, stage TEXT NOT NULL,
        created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')), form TEXT NOT NULL,
        requests INTEGER NOT NULL, bytes INTEGER NOT NULL, estimate_usd REAL,
        file_id TEXT, batch_id TEXT, status TEXT, answered INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0, expires_at INTEGER, output_file_id TEXT, error_file_id TEXT,
        heard_usd REAL NOT NULL DEFAULT 0, heard_estimate_usd REAL NOT NULL DEFAULT 0
    ) WITHOUT ROWID;

    -- Requests that a batch has or had, until they are judged. In a batch and without a reply: on their
    -- way. With a reply: to be read. Neither: to be asked again, after `lost` losses in a row.
    CREATE TABLE batch_requests (
        request_hash TEXT PRIMARY KEY, batch TEXT, round INTEGER NOT NULL DEFAULT 0,
        lost INTEGER NOT NULL DEFAULT 0, estimate_usd REAL, so_far TEXT, reply TEXT
    ) WITHOUT ROWID;
    CREATE INDEX batch_requests_batch ON batch_requests (batch);
    """,
    """
    -- What `simsa probe` found of a judge: one document a judge's key (model, sampling, rubric, mode).
    -- The probes' judgements are among the others, by their content; no result is made of them.
    CREATE TABLE examinations (
        judge_key TEXT PRIMARY KEY, document TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    -- A variant may answer a question several times: `sample` counts its answers from 0. Each has a
    -- request, and a verdict, of its own.
    DROP VIEW results;
    CREATE TABLE planned (
        question_id TEXT NOT NULL, variant TEXT NOT NULL, sample INTEGER NOT NULL DEFAULT 0,
        request_hash TEXT NOT NULL, PRIMARY KEY (question_id, variant, sample)
    ) WITHOUT ROWID;
    INSERT INTO planned (question_id, variant, request_hash) SELECT question_id, variant, request_hash FROM plan;
    DROP TABLE plan;
    ALTER TABLE planned RENAME TO plan;
    CREATE INDEX plan_request ON plan (request_hash);

    CREATE TABLE linked (
        question_id TEXT NOT NULL, variant TEXT NOT NULL, sample INTEGER NOT NULL DEFAULT 0,
        part TEXT NOT NULL, judge_key TEXT NOT NULL, answer_hash TEXT NOT NULL, request_hash TEXT NOT NULL,
        PRIMARY KEY (question_id, variant, sample, part)
    ) WITHOUT ROWID;
    INSERT INTO linked (question_id, variant, part, judge_key, answer_hash, request_hash)
        SELECT question_id, variant, part, judge_key, answer_hash, request_hash FROM judging;
    DROP TABLE judging;
    ALTER TABLE linked RENAME TO judging;

    CREATE VIEW results AS
    SELECT p.question_id, p.variant, p.sample, p.request_hash AS answer_hash, a.prediction, a.finish_reason,
        a.prompt_tokens, a.completion_tokens, a.latency_s, a.served_model, a.system_fingerprint,
        count(j.request_hash) AS parts,
        min(j.judge) AS judge, min(j.rubric) AS rubric,
        max(CASE WHEN j.status <> 'scored' THEN j.status END) AS unscored,
        max(j.answer_correctness) AS answer_correctness,
        max(j.context_relevance) AS context_relevance,
        max(j.context_faithfulness) AS context_faithfulness,
        max(j.context_recall) AS context_recall
    FROM plan p
    LEFT JOIN answers a ON a.request_hash = p.request_hash
    LEFT JOIN judging g ON g.question_id = p.question_id AND g.variant = p.variant AND g.sample = p.sample
        AND g.answer_hash = p.request_hash AND g.part <> 'claims'
    LEFT JOIN judgements j ON j.request_hash = g.request_hash
    GROUP BY p.question_id, p.variant, p.sample;
    """,
    """
    -- What a judgement is thought to have cost whose endpoint reported no usage: money that is spent all the same.
    ALTER TABLE judgements ADD COLUMN estimated_usd REAL;
    """,
)


def migrate(connection: sqlite3.Connection, where: str, upto: int = len(MIGRATIONS)) -> None:
    """Brings the file to version `upto`. Raises RunError if a newer simsa wrote it."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise RunError(
            f"was written by a newer simsa (schema {version}, this one knows {len(MIGRATIONS)})",
            where=where,
            hint="pip install --upgrade simsa",
        )
    for number in range(version, upto):
        _step(connection, number)


def _step(connection: sqlite3.Connection, number: int) -> None:
    """Takes step `number`, unless another process has while this one waited for the file."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == number:
            for statement in _statements(MIGRATIONS[number]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """One by one: `executescript` would end the transaction that they belong in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""

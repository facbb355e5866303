"""The server of batches, held against the client that the API's own makers publish."""

from __future__ import annotations

import io
import json
from pathlib import Path

import openai
import pytest

from tests.servers.batch import BatchServer
from tests.servers.chat import verdict

LINES = b"".join(
    json.dumps(
        {
            "custom_id": f"r{n}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "gpt-4o", "messages": [{"role": "user", "content": f"{n}"}]},
        }
    ).encode()
    + b"\n"
    for n in range(3)
)


def client(server: BatchServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url, api_key="sk-test", max_retries=0)


def submit(api: openai.OpenAI) -> str:
    file = api.files.create(file=("requests.jsonl", io.BytesIO(LINES)), purpose="batch")
    assert file.bytes == len(LINES)
    batch = api.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"simsa": "key"},
    )
    return batch.id


def test_a_job_from_file_to_results(tmp_path: Path) -> None:
    with BatchServer(looks=2) as server, client(server) as api:
        batch_id = submit(api)
        assert api.batches.retrieve(batch_id).status == "in_progress"
        batch = api.batches.retrieve(batch_id)
        assert batch.status == "completed"
        assert batch.request_counts is not None
        assert (batch.request_counts.total, batch.request_counts.completed) == (3, 3)
        assert batch.output_file_id
        assert batch.error_file_id is None
        found = [json.loads(line) for line in api.files.content(batch.output_file_id).text.splitlines()]
        assert {line["custom_id"] for line in found} == {"r0", "r1", "r2"}
        for line in found:
            assert line["response"]["body"]["choices"][0]["message"]["content"] == verdict()
        assert [one.id for one in api.batches.list()] == [batch_id]
        assert api.batches.list().data[0].metadata == {"simsa": "key"}
        assert "requests.jsonl" in {file.filename for file in api.files.list(purpose="batch")}


def test_what_expires_is_in_the_error_file() -> None:
    with (
        BatchServer(
            outcome=lambda line, n: "expired" if line["custom_id"] == "r1" else "answered",
            final=lambda n: "expired",
        ) as server,
        client(server) as api,
    ):
        batch = api.batches.retrieve(submit(api))
        assert batch.status == "expired"
        assert batch.error_file_id
        (line,) = [json.loads(line) for line in api.files.content(batch.error_file_id).text.splitlines()]
        assert line["error"]["code"] == "batch_expired"
        assert line["response"] is None


def test_lists_come_in_pages() -> None:
    with BatchServer(page=2) as server, client(server) as api:
        ids = [submit(api) for _ in range(5)]
        assert [batch.id for batch in api.batches.list(limit=2)] == ids[::-1]


def test_what_is_not_there_is_a_404() -> None:
    with BatchServer() as server, client(server) as api:
        with pytest.raises(openai.NotFoundError):
            api.batches.retrieve("batch_none")
        with pytest.raises(openai.NotFoundError):
            api.files.content("file-none")
        with pytest.raises(openai.BadRequestError):
            api.batches.create(
                input_file_id="file-none", endpoint="/v1/chat/completions", completion_window="24h"
            )

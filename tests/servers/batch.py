"""OpenAI's files and batches in a thread, beside the chat server: slow, faulty and forgetful on request.

    with BatchServer(outcome=lambda line, n: "expired" if n == 0 else "answered") as server:
        ...
        assert server.times_submitted() == {custom_id: 1, ...}

`hold` stops the server at one place, for a client that is to be killed there:

    upload    the file has come, and is not taken      create    the job has come, and is not taken
    uploaded  the file is taken, and nobody is told    created   the job is taken, and nobody is told
    status    nobody is told how the job stands        content   nobody gets the results
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from tests.servers.chat import Body, ChatServer
from tests.servers.faults import FAULTS, error
from tests.servers.http import Connection, Request, Response

Outcome = Literal["answered", "expired", "cancelled", "missing"]
Line = dict[str, Any]
Step = Literal["upload", "uploaded", "create", "created", "status", "content"]
WINDOW_S = 86_400


@dataclass
class Batch:
    """One job and what becomes of it. `lines` are its requests."""

    id: str
    number: int
    body: Body
    lines: list[Line]
    created_at: float
    looks: int = 0
    status: str = "validating"
    errors: list[dict[str, Any]] = field(default_factory=list)
    output_file_id: str | None = None
    error_file_id: str | None = None
    completed: int = 0
    failed: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.body["endpoint"],
            "input_file_id": self.body["input_file_id"],
            "completion_window": self.body["completion_window"],
            "metadata": self.body.get("metadata"),
            "status": self.status,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "created_at": int(self.created_at),
            "expires_at": int(self.created_at) + WINDOW_S,
            "request_counts": {
                "total": len(self.lines),
                "completed": self.completed,
                "failed": self.failed,
            },
        }


@dataclass
class BatchServer(ChatServer):
    """`ChatServer` with `/v1/files` and `/v1/batches`.

    Each request of a job is answered as the chat endpoint would (`reply`, `refuses`, `context`),
    once its job has been looked at `looks` times; until then it is in progress. `outcome` says
    otherwise for a line of job number n. `final` is the status a job ends in, by its number:
    `cancels` is the `outcome` of lines in a job that is cancelled.
    `failed` begins none of its requests, and `errors` are its reasons.
    `trouble` gives (step, how often that step was asked for) a response in place of the right
    one, sent before anything is done (steps `upload`, `create`, `status`, `content`, `list`) or
    after (`uploaded`, `created`). `page` is how many a list shows at once; `lists_after` lists a
    job only so many listings after it was made.
    """

    outcome: Callable[[Line, int], Outcome | Response] = lambda line, n: "answered"
    final: Callable[[int], str] = lambda n: "completed"
    errors: Callable[[int], list[dict[str, Any]]] = lambda n: []
    cancels: Callable[[Line, int], Outcome | Response] = lambda line, n: "cancelled"
    looks: int = 1
    hold: Step | None = None
    trouble: Callable[[str, int], Response | None] = lambda step, n: None
    page: int = 100
    lists_after: int = 0

    files: dict[str, tuple[str, bytes]] = field(default_factory=dict, init=False)
    batches: dict[str, Batch] = field(default_factory=dict, init=False)
    asked: Counter[str] = field(default_factory=Counter, init=False)
    held: Step | None = field(default=None, init=False)
    seen_keys: list[str | None] = field(default_factory=list, init=False)

    # What a test asks ---------------------------------------------------------------------

    def times_submitted(self) -> Counter[str]:
        """How many jobs each request was in, by its hash (the custom id up to the dash)."""
        return Counter(
            line["custom_id"].rpartition("-")[0] for batch in self.batches.values() for line in batch.lines
        )

    def uploads(self) -> list[str]:
        """Names of the request files that were taken."""
        return [name for name, _ in self.files.values() if name.startswith("simsa-")]

    # Routes -------------------------------------------------------------------------------

    def _handle(self, request: Request, connection: Connection) -> None:
        match request.method, request.path.removeprefix("/v1/").split("/"):
            case "POST", ["files"]:
                self._step("upload", connection, lambda: self._upload(request), after="uploaded")
            case "GET", ["files"]:
                self._step("list", connection, lambda: self._page(request, self._file_cards()))
            case "GET", ["files", file_id, "content"]:
                self._step("content", connection, lambda: self._content(file_id))
            case "POST", ["batches"]:
                self._step("create", connection, lambda: self._create(request), after="created")
            case "GET", ["batches"]:
                self._step("list", connection, lambda: self._page(request, self._batch_cards()))
            case "POST", ["batches", batch_id, "cancel"]:
                self._step("cancel", connection, lambda: self._cancel(batch_id))
            case "GET", ["batches", batch_id]:
                self._step("status", connection, lambda: self._status(batch_id))
            case _:
                super()._handle(request, connection)

    def _step(
        self, step: str, connection: Connection, work: Callable[[], Response], after: str | None = None
    ) -> None:
        self.asked[step] += 1
        if self.hold == step:
            self.held = self.hold
            return None
        early = self.trouble(step, self.asked[step])
        if early is not None:
            return connection.send(early)
        response = work()
        if after:
            self.asked[after] += 1
            if self.hold == after:
                self.held = self.hold
                return None
            response = self.trouble(after, self.asked[after]) or response
        return connection.send(response)

    def _upload(self, request: Request) -> Response:
        self.seen_keys.append(request.headers.get("authorization"))
        boundary = re.search(r"boundary=\"?([^\";]+)", request.headers["content-type"])
        assert boundary, request.headers
        name, content = "", b""
        for part in request.body.split(f"--{boundary[1]}".encode()):
            head, _, body = part.partition(b"\r\n\r\n")
            if found := re.search(rb'filename="([^"]+)"', head):
                name, content = found[1].decode(), body.removesuffix(b"\r\n")
        assert b'name="purpose"' in request.body
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = name, content
        return Response(200, orjson.dumps(self._file_card(file_id)))

    def _create(self, request: Request) -> Response:
        body = orjson.loads(request.body)
        if body["input_file_id"] not in self.files:
            return error(400, "No such File object.", param="input_file_id")
        lines = [orjson.loads(line) for line in self.files[body["input_file_id"]][1].splitlines()]
        number = len(self.batches)
        batch = Batch(f"batch_{number}", number, body, lines, time.time())
        self.batches[batch.id] = batch
        return Response(200, orjson.dumps(batch.to_dict()))

    def _status(self, batch_id: str) -> Response:
        batch = self.batches.get(batch_id)
        if batch is None:
            return error(404, f"No batch found with id '{batch_id}'.")
        batch.looks += 1
        if batch.looks >= self.looks and batch.status in ("validating", "in_progress"):
            self._finish(batch)
        elif batch.status == "validating":
            batch.status = "in_progress"
        return Response(200, orjson.dumps(batch.to_dict()))

    def _cancel(self, batch_id: str) -> Response:
        batch = self.batches.get(batch_id)
        if batch is None:
            return error(404, f"No batch found with id '{batch_id}'.")
        if batch.status not in ("validating", "in_progress"):
            return error(400, f"Cannot cancel a batch with status '{batch.status}'.")
        done, self.outcome, self.final = self.outcome, self.cancels, lambda n: "cancelled"
        self._finish(batch)
        self.outcome, self.final = done, lambda n: "completed"
        return Response(200, orjson.dumps(batch.to_dict() | {"status": "cancelling"}))

    def _content(self, file_id: str) -> Response:
        if file_id not in self.files:
            return error(404, "No such File object.")
        return Response(200, self.files[file_id][1], content_type="application/octet-stream")

    # Work ---------------------------------------------------------------------------------

    def _finish(self, batch: Batch) -> None:
        batch.status = self.final(batch.number)
        batch.errors = self.errors(batch.number)
        if batch.status == "failed":
            return
        output: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for n, line in enumerate(batch.lines):
            outcome = self.outcome(line, batch.number)
            if outcome == "missing":
                continue
            if isinstance(outcome, Response) or outcome == "answered":
                result = self._answered(line, n, outcome if isinstance(outcome, Response) else None)
            else:
                result = unanswered(line, f"batch_{outcome}")
            good = result["response"] is not None and result["response"]["status_code"] == 200
            (output if good else errors).append(result)
        batch.completed, batch.failed = len(output), len(errors)
        batch.output_file_id = self._keep(f"{batch.id}_output.jsonl", output)
        batch.error_file_id = self._keep(f"{batch.id}_error.jsonl", errors)

    def _answered(self, line: Line, n: int, given: Response | None) -> dict[str, Any]:
        body = line["body"]
        self.count += 1
        response = given or self._refuse(body) or self._answer(n, body, None)
        return {
            "id": f"batch_req_{n}",
            "custom_id": line["custom_id"],
            "response": {
                "status_code": response.status,
                "request_id": f"req-{n}",
                "body": orjson.loads(response.body),
            },
            "error": None,
        }

    def _keep(self, name: str, results: list[dict[str, Any]]) -> str | None:
        if not results:
            return None
        file_id = f"file-{len(self.files)}"
        self._random.shuffle(results)
        self.files[file_id] = name, b"".join(orjson.dumps(result) + b"\n" for result in results)
        return file_id

    # Lists --------------------------------------------------------------------------------

    def _file_card(self, file_id: str) -> dict[str, Any]:
        name, content = self.files[file_id]
        return {
            "id": file_id,
            "object": "file",
            "filename": name,
            "bytes": len(content),
            "purpose": "batch",
        }

    def _file_cards(self) -> list[dict[str, Any]]:
        return [self._file_card(file_id) for file_id in reversed(self.files)]

    def _batch_cards(self) -> list[dict[str, Any]]:
        if self.asked["list"] <= self.lists_after:
            return []
        return [batch.to_dict() for batch in reversed(self.batches.values())]

    def _page(self, request: Request, cards: list[dict[str, Any]]) -> Response:
        query = dict(pair.split("=", 1) for pair in request.target.partition("?")[2].split("&") if pair)
        ids = [card["id"] for card in cards]
        start = ids.index(query["after"]) + 1 if "after" in query else 0
        end = start + min(self.page, int(query.get("limit", 20)))
        found = {"object": "list", "data": cards[start:end], "has_more": end < len(cards)}
        return Response(200, orjson.dumps(found))


def unanswered(line: Line, code: str) -> dict[str, Any]:
    """A line of the error file for a request that was never carried out."""
    reason = {"code": code, "message": "This request could not be executed."}
    return {"id": "batch_req_x", "custom_id": line["custom_id"], "response": None, "error": reason}


def fault(name: str) -> Response:
    """One of `tests.servers.faults`, for `trouble`."""
    completion: Mapping[str, Any] = {"choices": [{"message": {"content": "x" * 100}}]}
    return FAULTS[name](dict(completion))

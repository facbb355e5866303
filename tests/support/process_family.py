"""A stand-in for vLLM as a process: starts, listens and dies as told."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import time
from pathlib import Path

BEHAVE, PIDS = os.environ["BEHAVE"], Path(os.environ["PIDS"])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/die":
            print(
                "(EngineCore pid=1) ERROR 11-24 04:00:00 [a.py:1] torch.OutOfMemoryError: CUDA out of memory"
            )
            sys.stdout.flush()
            os._exit(1)
        allowed = self.headers["Authorization"] == f"Bearer {os.environ['VLLM_API_KEY']}"
        self.send_response(200 if allowed or self.path == "/health" else 401)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"data": [{"id": name} for name in ("base", "a")]}).encode())

    def log_message(self, *args: object) -> None:
        pass


def main() -> None:
    child = subprocess.Popen([sys.executable, "-I", "-c", "import time; time.sleep(300)"])
    with PIDS.open("a") as stream:
        stream.write(f"{os.getpid()} {child.pid}\n")
    print("INFO 11-24 04:00:00 [a.py:1] Starting to load model x", flush=True)
    first = len(PIDS.read_text().splitlines()) == 1
    if BEHAVE == "slow":
        time.sleep(300)
    if BEHAVE == "dies":
        raise ValueError("No available memory for the cache blocks")
    if BEHAVE == "argparse":
        print("family.py: error: unrecognized arguments: --max-num-seqz=4", file=sys.stderr)
        raise SystemExit(2)
    if BEHAVE == "taken" and first:
        raise OSError(98, "Address already in use")
    port = next(int(word.partition("=")[2]) for word in sys.argv if word.startswith("--port="))
    http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()

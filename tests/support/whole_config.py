"""A configuration that sets every key."""

from __future__ import annotations

WHOLE = """
[data]
path = "test.jsonl"
limit = 200
fields = { question = "q" }

[serving]
model = "google/gemma-3-270m"
dtype = "bfloat16"
max_model_len = 2048
args = { gpu_memory_utilization = 0.9 }

[[variants]]
name = "base"

[[variants]]
name = "rag-lora"
adapter = "adapters/rag-lora"

[[variants]]
name = "merged"
model = "merged/dir"

[[variants]]
name = "elsewhere"
endpoint = { base_url = "http://127.0.0.1:1/v1", model = "m", api_key_env = "K" }

[[variants]]
name = "file"
predictions = "file.jsonl"

[generation]
prompt = "rag-ko"
temperature = 0.0
max_tokens = 256

[judge]
model = "gpt-4o"
base_url = "https://api.openai.com/v1"
api_key_env = "OPENAI_API_KEY"
rubric = "rag-ko"
mode = "joint"
max_concurrency = 64
max_cost_usd = 5.0

[report]
language = "ko"
baseline = "base"
"""

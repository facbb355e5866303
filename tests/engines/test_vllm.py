"""Real vLLM: base and adapters side by side, their effect, templates, and its mistakes."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from simsa import config as configuration
from simsa.config import Config
from simsa.engines import VllmServer, check_adapters, load_adapter, plan_servers, prove_adapters
from simsa.engines.adapter_check import prove_effect
from simsa.engines.vllm_client import VllmClient
from simsa.errors import AdapterError, AdapterWithoutEffect, ConfigError, EndpointError, EngineError
from simsa.records import Message
from tests.support.running_vllm import Running, gemma_adapter

pytestmark = pytest.mark.vllm

PROMPTS = [
    (Message("user", "세종대왕은 1397년에 태어났다.\n질문: 세종대왕은 언제 태어났는가?"),),
    (Message("system", "짧게 답하라."), Message("user", "서울은 대한민국의 수도이다. 수도는 어디인가?")),
]


def _post(server: Running, path: str, body: dict[str, Any], key: str | None) -> Any:
    request = urllib.request.Request(server.base_url + path, json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=300) as response:
        return json.load(response)


def test_base_and_adapters_are_served_by_name(vllm_server: Running) -> None:
    async def listed() -> list[Any]:
        async with VllmClient(vllm_server.base_url, vllm_server.key) as calls:
            return list(await calls.models())

    models = {entry["id"]: entry.get("parent") for entry in asyncio.run(listed())}
    assert {name: models[name] for name in vllm_server.plan.models} == {
        "base": None,
        "real": "base",
        "zero": "base",
        "misnamed": "base",
    }


def test_it_answers_only_with_its_key(vllm_server: Running) -> None:
    body = {"model": "real", "messages": [{"role": "user", "content": "안녕?"}], "max_tokens": 2}
    assert _post(vllm_server, "/chat/completions", body, vllm_server.key)["usage"]["completion_tokens"] == 2
    for key in (None, "wrong"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            _post(vllm_server, "/chat/completions", body, key)


def test_the_key_is_nowhere_to_be_read(vllm_server: Running) -> None:
    assert vllm_server.key not in vllm_server.log.read_text()
    assert not any(vllm_server.key in line for line in vllm_server.said)
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert vllm_server.key.encode() not in cmdline.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue


def test_it_listens_on_loopback_only(vllm_server: Running) -> None:
    port = int(vllm_server.base_url.rsplit(":", 1)[1].removesuffix("/v1"))
    listening = [
        line.split()[1].partition(":")[0]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].rpartition(":")[2], 16) == port
    ]
    assert listening == ["0100007F"]


def test_progress_is_told(vllm_server: Running) -> None:
    assert "vLLM: loading the weights" in vllm_server.said
    assert "vLLM: loaded the adapter real" in vllm_server.said


def test_a_real_adapter_is_told_from_one_without_effect(vllm_server: Running) -> None:
    async def effects(*names: str) -> Any:
        async with VllmClient(vllm_server.base_url, vllm_server.key) as calls:
            return await prove_effect(calls, "base", names, PROMPTS)

    found = asyncio.run(effects("real"))["real"]
    assert found.exists and found.difference > 0.01
    # One request at a time, a cache of its own each: the base repeats itself to the last bit.
    assert found.noise == 0.0
    with pytest.raises(
        AdapterWithoutEffect, match="zero and misnamed: answers are exactly as the base"
    ) as caught:
        asyncio.run(effects("real", "zero", "misnamed"))
    assert caught.value.exit_code == 5 and "trained on another base model" in str(caught.value.hint)


def test_prompts_that_do_not_fit_are_no_evidence(vllm_server: Running) -> None:
    too_long = (Message("user", "가나다라 " * 3000),)

    async def effects(*prompts: tuple[Message, ...]) -> Any:
        async with VllmClient(vllm_server.base_url, vllm_server.key) as calls:
            return await prove_effect(calls, "base", ["real"], prompts)

    assert asyncio.run(effects(too_long, PROMPTS[0]))["real"].prompts == 1
    with pytest.raises(ConfigError, match="refuses the prompts"):
        asyncio.run(effects(too_long))


def _only(server: Running, name: str) -> Running:
    """The same server, planned with one of its adapters only."""
    from dataclasses import replace

    plan = replace(
        server.plan, adapters={name: server.plan.adapters[name]}, variants={"base": "base", name: name}
    )
    return server._replace(plan=plan)


def test_the_right_template_is_nothing_to_speak_of(vllm_server: Running, demo_model: Path) -> None:
    server = _only(vllm_server, "real")
    shutil.copy(demo_model / "chat_template.jinja", server.adapters / "real")
    try:
        assert asyncio.run(prove_adapters(server, PROMPTS)) == []
    finally:
        (server.adapters / "real" / "chat_template.jinja").unlink()


def test_another_template_than_in_training_is_shown(vllm_server: Running) -> None:
    server = _only(vllm_server, "real")
    file = server.adapters / "real" / "chat_template.jinja"
    file.write_text("{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}답변:")
    try:
        (finding,) = asyncio.run(prove_adapters(server, PROMPTS))
    finally:
        file.unlink()
    assert (finding.kind, finding.variants) == ("template", ("real",))
    assert finding.trained.startswith("<bos>user: ") and finding.served.startswith("<bos><start_of_turn>")
    assert "-답변:" in str(finding) and "+<start_of_turn>model" in str(finding)


def test_adapters_are_loaded_at_run_time(vllm_server: Running) -> None:
    async def load(name: str, folder: Path, key: str | None = vllm_server.key) -> None:
        await load_adapter(vllm_server.base_url, key, name, str(folder), PROMPTS)

    late = gemma_adapter(vllm_server.adapters / "late", scale=0.05)
    asyncio.run(load("late", late))
    asyncio.run(load("late", late))  # already there
    body = {"model": "late", "messages": [{"role": "user", "content": "안녕?"}], "max_tokens": 1}
    assert _post(vllm_server, "/chat/completions", body, vllm_server.key)["model"] == "late"
    with pytest.raises(AdapterWithoutEffect):
        asyncio.run(load("late-zero", gemma_adapter(vllm_server.adapters / "late-zero", scale=0)))
    with pytest.raises(AdapterError, match="did not load it"):
        asyncio.run(load("nowhere", vllm_server.adapters / "nowhere"))
    with pytest.raises(EndpointError, match="refused the key"):
        asyncio.run(load("late", late, "wrong"))


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match="cannot be reached"):
        asyncio.run(load_adapter("http://127.0.0.1:9/v1", None, "m", str(tmp_path), PROMPTS))


def test_it_streams(vllm_server: Running) -> None:
    body = {
        "model": "real",
        "messages": [{"role": "user", "content": "안녕?"}],
        "max_tokens": 4,
        "stream": True,
    }
    request = urllib.request.Request(vllm_server.base_url + "/chat/completions", json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", f"Bearer {vllm_server.key}")
    with urllib.request.urlopen(request, timeout=300) as response:
        lines = [line for line in response.read().decode().splitlines() if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]" and len(lines) >= 4


def test_long_prompts_answered_with_seeds_do_not_end_it(vllm_server: Running) -> None:
    """More tokens at once than a step takes: vLLM would read them in chunks, and end at the first on a CPU."""
    question = "서울은 대한민국의 수도이다. " * 110

    def ask(n: int) -> str:
        messages = [{"role": "user", "content": f"{n}. {question}수도는 어디인가?"}]
        body = {"model": "base", "messages": messages, "max_tokens": 6, "temperature": 0.8, "seed": 7}
        return str(_post(vllm_server, "/chat/completions", body, vllm_server.key)["choices"][0]["message"])

    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(ask, range(4)))) == 4
    assert ask(0) == ask(0), "a seed makes an answer again"


def test_json_comes_without_white_space_to_wander_in(vllm_server: Running) -> None:
    schema = {
        "type": "object",
        "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}},
        "required": ["score"],
        "additionalProperties": False,
    }
    body = {
        "model": "base",
        "messages": [{"role": "user", "content": "점수를 JSON으로 답하라."}],
        "max_tokens": 16,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "s", "schema": schema, "strict": True},
        },
    }
    text = _post(vllm_server, "/chat/completions", body, vllm_server.key)["choices"][0]["message"]["content"]
    assert 1 <= json.loads(text)["score"] <= 5
    assert not set(text) & set(" \n\t")


# What cannot start ---------------------------------------------------------------------


def _config(root: Path, model: Path, **serving: Any) -> Config:
    raw = {"data": {"path": "unused"}, "serving": {"model": str(model), **serving}}
    return configuration.build(raw, root=root)


def _start(config: Config, logs: Path) -> None:
    (plan,) = plan_servers(config)

    async def live() -> None:
        async with VllmServer(plan, logs):
            pytest.fail("it cannot have started")

    asyncio.run(live())


def test_an_unknown_architecture(tmp_path: Path, demo_model: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for file in demo_model.iterdir():
        (model / file.name).symlink_to(file)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").unlink()
    (model / "config.json").write_text(json.dumps(config | {"architectures": ["NoSuchModelForCausalLM"]}))
    check_adapters(_config(tmp_path, model))
    with pytest.raises(EngineError, match="NoSuchModelForCausalLM") as caught:
        _start(_config(tmp_path, model), tmp_path)
    assert caught.value.exit_code == 5 and "newer vLLM" in str(caught.value.hint)
    assert "NoSuchModelForCausalLM" in (tmp_path / "vllm-base.log").read_text()


def test_an_argument_that_vllm_does_not_know(tmp_path: Path, demo_model: Path) -> None:
    with pytest.raises(ConfigError, match="no-such-argument") as caught:
        _start(_config(tmp_path, demo_model, args={"no_such_argument": 3}), tmp_path)
    assert (caught.value.exit_code, caught.value.field) == (2, "serving.args")


def test_an_adapter_of_another_base_is_found_without_starting(tmp_path: Path, demo_model: Path) -> None:
    gemma_adapter(tmp_path / "deep", layers=26)
    config = configuration.build(
        {
            "data": {"path": "unused"},
            "serving": {"model": str(demo_model)},
            "variants": [{"name": "base"}, {"name": "deep", "adapter": "deep"}],
        },
        root=tmp_path,
    )
    with pytest.raises(AdapterError, match=r"needs layer 18, .* has 18 layers"):
        check_adapters(config)


def test_the_effect_of_a_tiny_adapter_is_found(vllm_server: Running) -> None:
    """A hundredth of what a short training does still shows."""

    async def effect() -> float:
        folder = gemma_adapter(vllm_server.adapters / "tiny", scale=0.0005)
        async with VllmClient(vllm_server.base_url, vllm_server.key) as calls:
            assert (await calls.load_adapter("tiny", str(folder))).ok
            return (await prove_effect(calls, "base", ["tiny"], PROMPTS))["tiny"].difference

    found = asyncio.run(effect())
    assert 0 < found < math.inf

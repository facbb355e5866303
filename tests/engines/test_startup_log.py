"""Lines of real vLLM logs: how far it is, and what went wrong."""

from __future__ import annotations

import pytest

from simsa.engines.startup_log import PORT_TAKEN, phase, startup_failure


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "(Worker pid=7) INFO 11-24 03:31:58 [cpu_model_runner.py:68] Starting to load model /m/base...",
            "loading the weights",
        ),
        (
            "(EngineCore pid=7) INFO 11-24 03:32:02 [kv_cache_utils.py:2327] CPU KV cache size: 110,733 tokens",
            "warming up",
        ),
        (
            "(APIServer pid=6) INFO 11-24 03:32:14 [serving.py:226] Loaded new LoRA adapter: name 'a1', path '/x'",
            "loaded the adapter a1",
        ),
        ("(APIServer pid=6) INFO 11-24 03:32:20 [launcher.py:195] Route: /ping, Methods: GET", None),
        ("", None),
    ],
)
def test_phases(line: str, says: str | None) -> None:
    assert phase(line) == says


_CORE = "(EngineCore pid=42) ERROR 11-24 04:00:00 [core.py:1] "
_API = "(APIServer pid=6) "


def test_the_cause_and_not_its_echo() -> None:
    log = "\n".join(
        [
            "INFO 11-24 04:00:00 [x.py:1] all is well",
            _CORE + "EngineCore failed to start.",
            _CORE + "Traceback (most recent call last):",
            _CORE + '  File "core.py", line 1, in f',
            _CORE + "ValueError: No available memory for the cache blocks.",
            _API + "Traceback (most recent call last):",
            _API
            + "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
            "nanobind: leaked 4 instances!",
        ]
    )
    found = startup_failure(log)
    assert found and found.line == "ValueError: No available memory for the cache blocks."
    assert found.hint and "make room" in found.hint


def test_pydantic_says_it_below() -> None:
    log = (
        _API + "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
        "  Value error, Model architectures ['FooForCausalLM'] are not supported for now. [type=value_error]\n"
        "    For further information visit https://errors.pydantic.dev\n"
    )
    found = startup_failure(log)
    assert found and "FooForCausalLM" in found.line and found.hint and "architecture" in found.hint


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "make room"),
        (
            "ValueError: Free memory on device cuda:0 (1/80 GiB) on startup is less than desired GPU memory utilization (0.9, 72 GiB)",
            "another process",
        ),
        (
            "ValueError: To serve at least one request with the models's max seq len (131072), 16.00 GiB KV cache is needed",
            "max_model_len",
        ),
        (
            "OSError: nobody/nothing is not a local folder and is not a valid model identifier listed on the hub",
            "check serving.model",
        ),
        (
            "ValueError: The repository x contains custom code which must be executed; pass trust_remote_code=True",
            "trust_remote_code",
        ),
        ("api_server.py: error: unrecognized arguments: --max-num-seqz=4", None),
        ("OSError: [Errno 98] Address already in use", None),
        ("safetensors_rust.SafetensorError: Error while deserializing header", None),
    ],
)
def test_errors_and_hints(line: str, hint: str | None) -> None:
    found = startup_failure(f"INFO 11-24 04:00:00 [a.py:1] x\n{_API}{line}\n")
    assert found and found.line == line
    assert (found.hint is None) == (hint is None)
    assert hint is None or hint in str(found.hint)


def test_nothing_wrong() -> None:
    assert startup_failure("INFO 11-24 04:00:00 [a.py:1] errors: none\nWARNING it may be an Error\n") is None
    assert startup_failure("") is None


def test_only_an_echo_is_better_than_nothing_made_up() -> None:
    assert startup_failure("RuntimeError: Engine core initialization failed. See root cause above.") is None


def test_a_taken_port() -> None:
    assert PORT_TAKEN.search("OSError: [Errno 98] Address already in use")
    assert PORT_TAKEN.search("[Errno 98] error while attempting to bind on address: address already in use")

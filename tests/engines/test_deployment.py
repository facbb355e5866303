"""From a config to vLLM's command line and environment."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa import config as configuration
from simsa.config import Config
from simsa.engines import ServerPlan, plan_servers
from simsa.engines.vllm_args import checked, to_argv
from simsa.errors import AdapterError, ConfigError, MissingExtra
from tests.support.model_folders import lora, make_adapter, make_model

pytestmark = pytest.mark.skipif(find_spec("vllm") is None, reason="plans are for an installed vLLM")


def _config(root: Path, variants: list[dict[str, Any]], **serving: Any) -> Config:
    raw = {"data": {"path": "x.jsonl"}, "serving": {"model": "base", **serving}, "variants": variants}
    return configuration.build(raw, root=root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_model(tmp_path / "base")
    make_adapter(tmp_path / "a")
    make_adapter(tmp_path / "b", lora(r=20), r=20)
    make_model(tmp_path / "merged")
    return tmp_path


def _value(plan: ServerPlan, flag: str) -> str | None:
    return next((word.partition("=")[2] for word in plan.argv if word.startswith(f"--{flag}=")), None)


def _list(plan: ServerPlan, flag: str) -> list[str]:
    start = plan.argv.index(f"--{flag}") + 1
    rest = plan.argv[start:]
    return list(rest[: next((n for n, word in enumerate(rest) if word.startswith("--")), len(rest))])


def test_one_server_for_base_and_adapters(root: Path) -> None:
    variants = [{"name": "base"}, {"name": "early", "adapter": "a"}, {"name": "최종", "adapter": "b"}]
    (plan,) = plan_servers(_config(root, variants, dtype="bfloat16", max_model_len=256))
    assert plan.models == ("base", "early", "최종")
    assert plan.variants == {"base": "base", "early": "early", "최종": "최종"}
    assert _value(plan, "model") == str((root / "base").resolve())
    assert _list(plan, "served-model-name") == ["base"]
    assert (_value(plan, "dtype"), _value(plan, "max-model-len")) == ("bfloat16", "256")
    assert "--enable-lora" in plan.argv
    assert (_value(plan, "max-loras"), _value(plan, "max-lora-rank")) == (str(2 + plan.vllm.cpu), "32")
    modules = [json.loads(text) for text in _list(plan, "lora-modules")]
    assert [(m["name"], m["path"], m["base_model_name"]) for m in modules] == [
        ("early", str((root / "a").resolve()), "base"),
        ("최종", str((root / "b").resolve()), "base"),
    ]


def test_without_adapters_no_lora(root: Path) -> None:
    (plan,) = plan_servers(_config(root, [{"name": "base"}]))
    assert not [word for word in plan.argv if "lora" in word.partition("=")[0]]


@pytest.mark.parametrize(
    ("sampling", "drawn"),
    [
        ({}, False),
        ({"generation": {"temperature": 0.7}}, True),
        ({"generation": {"temperature": 0.7, "seed": None}}, False),
        ({"judge": {"model": "j", "adapter": "b"}}, False),
        ({"judge": {"model": "j", "adapter": "b", "temperature": 0.7}}, True),
        ({"judge": {"model": "j", "adapter": "b", "temperature": None}}, True),
        ({"judge": {"model": "j", "temperature": 0.7}}, False),
    ],
    ids=str,
)
def test_on_a_cpu_prompts_of_requests_with_a_seed_are_read_whole(
    root: Path, sampling: dict[str, Any], drawn: bool
) -> None:
    raw = {"data": {"path": "d"}, "serving": {"model": "base"}, "variants": [{"name": "base"}], **sampling}
    (plan,) = plan_servers(configuration.build(raw, root=root))
    assert ("--no-enable-chunked-prefill" in plan.argv) == (drawn and plan.vllm.cpu)
    raw["serving"] = {"model": "base", "args": {"enable_chunked_prefill": True}}
    (plan,) = plan_servers(configuration.build(raw, root=root))
    assert "--no-enable-chunked-prefill" not in plan.argv, "what the user says counts"


def test_merged_checkpoints_follow_one_by_one(root: Path) -> None:
    make_model(root / "other")
    variants = [
        {"name": "m1", "model": "merged"},
        {"name": "base"},
        {"name": "m2", "model": "other"},
        {"name": "a", "adapter": "a"},
        {"name": "m1-again", "model": "merged"},
    ]
    plans = plan_servers(_config(root, variants))
    assert [plan.models for plan in plans] == [("base", "a"), ("m1", "m1-again"), ("m2",)]
    assert [list(plan.adapters) for plan in plans] == [["a"], [], []]
    assert [plan.name for plan in plans] == ["base", "m1", "m2"]


def test_the_base_needs_a_name_that_no_adapter_has(root: Path) -> None:
    (plan,) = plan_servers(_config(root, [{"name": "base", "adapter": "a"}]))
    assert plan.base not in plan.variants
    assert plan.models == (plan.base, "base")


def test_elsewhere_and_from_files_needs_no_server(root: Path) -> None:
    variants: list[dict[str, Any]] = [
        {"name": "file", "predictions": "p.jsonl"},
        {
            "name": "there",
            "endpoint": {"base_url": "http://localhost:1/v1", "model": "m", "adapter": "/nowhere"},
        },
    ]
    assert plan_servers(_config(root, variants)) == []


def test_a_hub_name_stays_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    (plan,) = plan_servers(_config(tmp_path, [{"name": "base"}], model="somebody/tiny"))
    assert _value(plan, "model") == "somebody/tiny"
    assert "HF_HUB_OFFLINE" not in plan.env
    assert _value(plan, "chat-template") is None


def test_the_environment_is_quiet_and_keeps_no_key(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MY_JUDGE_KEY", "MY_ENDPOINT_KEY", "VLLM_API_KEY"):
        monkeypatch.setenv(name, "sk-not-for-the-child")
    monkeypatch.setenv("HF_TOKEN", "for the hub")
    raw = {
        "data": {"path": "x"},
        "serving": {"model": "base", "env": {"VLLM_LOGGING_LEVEL": "DEBUG"}},
        "judge": {"model": "j", "api_key_env": "MY_JUDGE_KEY"},
        "variants": [
            {"name": "base"},
            {
                "name": "e",
                "endpoint": {"base_url": "http://x/v1", "model": "m", "api_key_env": "MY_ENDPOINT_KEY"},
            },
        ],
    }
    (plan,) = plan_servers(configuration.build(raw, root=root))
    assert "sk-not-for-the-child" not in plan.env.values()
    assert plan.env["HF_TOKEN"] == "for the hub"
    assert plan.env["VLLM_NO_USAGE_STATS"] == plan.env["DO_NOT_TRACK"] == plan.env["HF_HUB_OFFLINE"] == "1"
    assert plan.env["VLLM_LOGGING_LEVEL"] == "DEBUG"
    assert "for the hub" not in repr(plan)


def test_the_key_is_ours(root: Path) -> None:
    with pytest.raises(ConfigError, match="VLLM_API_KEY"):
        plan_servers(_config(root, [{"name": "base"}], env={"VLLM_API_KEY": "x"}))


def test_the_users_arguments_win(root: Path) -> None:
    args = {"max_loras": 4, "max-lora-rank": 64, "structured_outputs_config": {"backend": "auto"}}
    (plan,) = plan_servers(_config(root, [{"name": "a", "adapter": "a"}], args=args))
    assert (_value(plan, "max-loras"), _value(plan, "max-lora-rank")) == ("4", "64")
    assert json.loads(_value(plan, "structured-outputs-config") or "") == {"backend": "auto"}


def test_a_rank_below_an_adapters_is_refused(root: Path) -> None:
    with pytest.raises(ConfigError, match="rank of an adapter") as caught:
        plan_servers(_config(root, [{"name": "b", "adapter": "b"}], args={"max_lora_rank": 16}))
    assert caught.value.field == "serving.args.max_lora_rank"


@pytest.mark.parametrize("rank", [1, 2, 8, 9, 16, 64, 65, 257, 320, 321, 512])
def test_the_smallest_rank_that_vllm_takes(root: Path, rank: int) -> None:
    make_adapter(root / "r", lora(r=rank, layers=1), r=rank)
    (plan,) = plan_servers(_config(root, [{"name": "r", "adapter": "r"}]))
    given = int(_value(plan, "max-lora-rank") or 0)
    ranks = [1, 8, 16, 32, 64, 128, 256, 320, 512]
    assert given in ranks and given >= rank and all(r < rank for r in ranks if r < given)


def test_a_broken_adapter_is_found_in_planning(root: Path) -> None:
    (root / "a" / "adapter_config.json").unlink()
    with pytest.raises(AdapterError):
        plan_servers(_config(root, [{"name": "a", "adapter": "a"}]))


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("host", "serve --host"),
        ("port", "serve --port"),
        ("api_key", "key-env"),
        ("api-key", "key-env"),
        ("--dtype", "serving.dtype"),
        ("max-model-len", "serving.max_model_len"),
        ("chat_template", "serving.chat_template"),
        ("lora_modules", "adapter"),
        ("enable-lora", "adapter"),
        ("served_model_name", "names"),
        ("model", "serving.model"),
        ("uds", "leave it out"),
        ("config", "leave it out"),
    ],
)
def test_what_simsa_sets_itself(name: str, instead: str) -> None:
    with pytest.raises(ConfigError, match="set by simsa itself") as caught:
        checked({name: "x"})
    assert caught.value.field == f"serving.args.{name}"
    assert instead in str(caught.value.hint)


def test_one_argument_under_two_spellings() -> None:
    with pytest.raises(ConfigError, match="twice"):
        checked({"max_num_seqs": 1, "max-num-seqs": 2})


@pytest.mark.parametrize(
    ("args", "argv"),
    [
        ({"max_num_seqs": 8}, ["--max-num-seqs=8"]),
        ({"max-num-seqs": 8}, ["--max-num-seqs=8"]),
        ({"gpu_memory_utilization": 0.9}, ["--gpu-memory-utilization=0.9"]),
        ({"enforce_eager": True}, ["--enforce-eager"]),
        ({"enable_prefix_caching": False}, ["--no-enable-prefix-caching"]),
        ({"disable_log_stats": False}, []),
        ({"seed": None}, []),
        ({"load_format": "-x"}, ["--load-format=-x"]),
        ({"allowed_local_media_path": "a b"}, ["--allowed-local-media-path=a b"]),
        ({"logits_processors": ["a", "b"]}, ["--logits-processors", "a", "b"]),
        ({"middleware": ["a", "b"]}, ["--middleware=a", "--middleware=b"]),
        ({"allowed_origins": ["*"]}, ['--allowed-origins=["*"]']),
        ({"compilation_config": {"mode": 3}}, ['--compilation-config={"mode":3}']),
        ({"compilation_config.pass_config": 3}, ["--compilation-config.pass_config=3"]),
        ({"logits_processors": []}, []),
    ],
)
def test_values_become_words(args: dict[str, Any], argv: list[str]) -> None:
    assert to_argv(checked(args)) == argv


def test_dates_are_no_arguments() -> None:
    import datetime

    with pytest.raises(ConfigError, match=r"serving\.args\.seed"):
        to_argv({"seed": datetime.date(2026, 1, 1)})


_NAMES = st.from_regex(r"[a-z]+(_[a-z]+)*", fullmatch=True).map(lambda name: f"x_{name}")
_NUMBERS = st.integers(-(2**63), 2**63)
_VALUES = st.none() | st.booleans() | _NUMBERS | st.floats(allow_nan=False) | st.text()


@given(
    st.dictionaries(_NAMES, _VALUES | st.lists(_NUMBERS) | st.dictionaries(st.text(), _NUMBERS), max_size=4)
)
@settings(deadline=None)
def test_every_word_belongs_to_its_flag(args: dict[str, Any]) -> None:
    """Whatever a value holds, it cannot become a flag of its own."""
    argv = to_argv(checked(args))
    flags = [word for word in argv if word.startswith("--")]
    wanted = [name for name, value in args.items() if value is not None and value != []]
    assert len(flags) == len(wanted)
    for word, name in zip(flags, wanted, strict=True):
        assert word.partition("=")[0] in (f"--{name.replace('_', '-')}", f"--no-{name.replace('_', '-')}")


def test_vllm_reads_the_command_line_as_it_was_meant(root: Path) -> None:
    """vLLM's own parser is asked, in a process of its own because it takes ten seconds to import."""
    args = {
        "max_num_seqs": 7,
        "enforce_eager": True,
        "enable_prefix_caching": False,
        "compilation_config": {"mode": 0},
        "generation_config": "vllm",
        "disable_log_stats": False,
        "seed": None,
        "middleware": ["a.b", "c.d"],
        "allowed_origins": ["http://localhost"],
    }
    make_adapter(root / "comma,and=equals")
    variants = [{"name": "base"}, {"name": "twin"}, {"name": "a", "adapter": "comma,and=equals"}]
    (plan,) = plan_servers(_config(root, variants, max_model_len=128, dtype="float32", args=args))
    script = (
        "import json, sys\n"
        "from vllm.entrypoints.launchers.cli_args import make_arg_parser\n"
        "from vllm.utils.argparse_utils import FlexibleArgumentParser\n"
        "a = make_arg_parser(FlexibleArgumentParser()).parse_args(sys.argv[1:])\n"
        "print('RESULT', json.dumps([a.max_num_seqs, a.enforce_eager, a.enable_prefix_caching,\n"
        "  a.compilation_config.mode, a.generation_config, a.disable_log_stats, a.middleware, a.allowed_origins,\n"
        "  a.served_model_name, a.max_model_len, a.dtype, a.max_loras, a.max_lora_rank, a.enable_lora,\n"
        "  [[m.name, m.path, m.base_model_name] for m in a.lora_modules],\n"
        "  a.structured_outputs_config.disable_any_whitespace, a.disable_uvicorn_access_log, a.api_key]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *plan.argv],
        env=dict(plan.env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    assert json.loads(line.removeprefix("RESULT ")) == [
        7,
        True,
        False,
        0,
        "vllm",
        False,
        ["a.b", "c.d"],
        ["http://localhost"],
        ["base", "twin"],
        128,
        "float32",
        1 + plan.vllm.cpu,
        8,
        True,
        [["a", str((root / "comma,and=equals").resolve()), "base"]],
        True,
        True,
        None,
    ]


def test_without_vllm_the_error_says_what_to_install(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    def nothing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", nothing)
    with pytest.raises(MissingExtra, match=r"simsa\[vllm\]") as caught:
        plan_servers(_config(root, [{"name": "base"}]))
    assert caught.value.exit_code == 2

"""simsa.toml: everything the contract lists is read, and every mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsa import config
from simsa.errors import ConfigError
from tests.support.whole_config import WHOLE


def write(folder: Path, text: str) -> Path:
    file = folder / "simsa.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refused(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        config.load(write(folder, text))
    assert error.value.exit_code == 2
    assert "simsa.toml" in str(error.value)
    return str(error.value)


def test_the_whole_contract_is_read(tmp_path: Path) -> None:
    made = config.load(write(tmp_path, WHOLE))
    assert [variant.name for variant in made.variants] == ["base", "rag-lora", "merged", "elsewhere", "file"]
    assert made.judge is not None
    assert (made.judge.model, made.judge.max_cost_usd) == ("gpt-4o", 5.0)
    assert made.serving.args == {"gpu_memory_utilization": 0.9}
    assert made.run_dir == tmp_path / "simsa.simsa"
    assert made.path("a/b") == tmp_path / "a/b"
    assert made.baseline == "base"


def test_a_folder_stands_for_the_config_in_it(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    assert config.load(tmp_path).source == tmp_path / "simsa.toml"


def test_a_config_cannot_be_changed(tmp_path: Path) -> None:
    made = config.load(write(tmp_path, WHOLE))
    with pytest.raises(ValueError, match="frozen"):
        made.data.path = "other"


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    made = config.load(
        write(tmp_path, WHOLE), {"data.limit": 3, "judge.model": "lexical", "report.language": None}
    )
    assert made.data.limit == 3
    assert made.judge is not None
    assert made.judge.is_local
    assert made.report.language == "ko"


@pytest.mark.parametrize(
    ("line", "instead", "key", "near"),
    [
        ('rubric = "rag-ko"', 'rubrik = "rag-ko"', "judge.rubrik", "rubric"),
        ("max_model_len = 2048", "max_modellen = 2048", "serving.max_modellen", "max_model_len"),
        ("limit = 200", "limits = 200", "data.limits", "limit"),
        ("[report]", "[reports]", "reports", "report"),
        ('predictions = "file.jsonl"', 'prediction = "f"', "variants.4.prediction", "predictions"),
        ('model = "m", api', 'modell = "m", api', "variants.3.endpoint.modell", "model"),
    ],
)
def test_an_unknown_key_names_the_nearest(
    tmp_path: Path, line: str, instead: str, key: str, near: str
) -> None:
    said = refused(tmp_path, WHOLE.replace(line, instead, 1))
    assert f"{key}: unknown key" in said
    assert f"did you mean '{near}'" in said


def test_an_unknown_key_that_resembles_none_lists_the_known_ones(tmp_path: Path) -> None:
    said = refused(tmp_path, WHOLE.replace("limit = 200", "zzz = 1", 1))
    assert "data.zzz: unknown key\n  → known keys: fields, format, limit, path, split" in said


def test_all_problems_are_reported_unknown_and_missing_keys_first(tmp_path: Path) -> None:
    text = WHOLE.replace("limit = 200", "limit = 0").replace('path = "test.jsonl"', "zzz = 1")
    with pytest.raises(ConfigError) as caught:
        config.load(write(tmp_path, text.replace('model = "gpt-4o"', 'modle = "gpt-4o"')))
    english, korean = str(caught.value).splitlines(), caught.value.localized().ko.splitlines()
    assert english[0].endswith("simsa.toml: 4 problems:")
    assert [line.strip() for line in english[1:]] == [
        "data.zzz: unknown key",
        "→ known keys: fields, format, limit, path, split",
        "judge.modle: unknown key",
        "→ did you mean 'model'?",
        "data.path: is missing",
        "data.limit: must be at least 1 (found 0)",
    ]
    assert korean[-1].strip() == "data.limit: 1 이상이어야 합니다 (읽은 값: 0)"


def test_a_problem_between_keys_is_told_in_both_languages(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(write(tmp_path, WHOLE.replace("temperature = 0.0", "temperature = 0.0\nsamples = 2")))
    assert "generation.samples: 2 answers to a question are the same at temperature 0" in str(caught.value)
    assert "generation.samples: 온도가 0이면 답변 2개가 모두 같습니다" in caught.value.localized().ko


@pytest.mark.parametrize(
    ("line", "instead", "told"),
    [
        ("limit = 200", "limit = 0", "data.limit"),
        ("limit = 200", 'limit = "many"', "data.limit"),
        ('path = "test.jsonl"', "", "data.path: is missing"),
        ('model = "gpt-4o"', "", "a judge is always named"),
        ('mode = "joint"', 'mode = "both"', "judge.mode"),
        ('language = "ko"', 'language = "fr"', "report.language"),
        ('baseline = "base"', 'baseline = "bass"', "no variant is named 'bass'"),
        ('name = "merged"', 'name = "base"', "two are named 'base'"),
        ('name = "merged"', 'name = "a/b"', "variants.2.name"),
        ('name = "merged"', 'name = ""', "variants.2.name"),
        ('model = "merged/dir"', 'model = "m"\nadapter = "a"', "one of adapter, model"),
        ('model = "google/gemma-3-270m"', "", "names no model"),
        ("temperature = 0.0", "temperature = -1", "generation.temperature"),
        ("max_cost_usd = 5.0", "max_cost_usd = -1", "judge.max_cost_usd"),
        ("[data]", "[data", "not valid TOML"),
        ("limit = 200", "limit = some", "text goes in quotes"),
        ("limit = 200", "limit = some", ":4: is not valid TOML: "),
        ("limit = 200", "limit = some", "(found limit = some)"),
        ("limit = 200", "limit: 200", "a line reads key = value"),
        ("limit = 200", "limit = 200\nlimit = 3", "the key is set twice"),
        ('"test.jsonl"', '"C:\\data.jsonl"', "write a backslash twice"),
        ('"test.jsonl"', '"C:\\users.jsonl"', "write a backslash twice"),
        ('"test.jsonl"', '"test.jsonl', "a quote is opened and not closed"),
        ("[data]", "[data]\n[data]", "not valid TOML"),
    ],
)
def test_a_wrong_value_names_its_place(tmp_path: Path, line: str, instead: str, told: str) -> None:
    assert told in refused(tmp_path, WHOLE.replace(line, instead, 1))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        config.load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes("[data]\npath = 'é'".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8 at byte 15") as caught:
        config.load(tmp_path / "latin.toml")
    assert str(caught.value.hint).startswith("it looks like another encoding; save it again as UTF-8")
    (tmp_path / "wide.toml").write_bytes("[data]\npath = '가'".encode("utf-16"))
    with pytest.raises(ConfigError, match="not UTF-8 at byte 0") as caught:
        config.load(tmp_path / "wide.toml")
    assert "it looks like UTF-16; save it again as UTF-8: iconv -f UTF-16" in str(caught.value.hint)


def test_secrets_are_named_never_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " sk-secret ")
    made = config.load(write(tmp_path, WHOLE))
    assert made.judge is not None
    assert config.secret(made.judge.key_variable) == "sk-secret"
    assert "sk-secret" not in repr(made) + made.model_dump_json()
    assert config.secret("NOT_SET_ANYWHERE") is None
    assert config.secret(None) is None


def test_the_openai_key_goes_to_openai_only(tmp_path: Path) -> None:
    text = WHOLE.replace('api_key_env = "OPENAI_API_KEY"\n', "")
    made = config.load(write(tmp_path, text))
    assert made.judge is not None
    assert made.judge.key_variable == "OPENAI_API_KEY"
    other = config.load(
        write(tmp_path, text.replace("https://api.openai.com/v1", "https://api.openai.com.evil.example/v1"))
    )
    assert other.judge is not None
    assert other.judge.key_variable is None


def test_the_hash_tells_configs_apart_and_not_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    one = config.load(write(tmp_path, WHOLE))
    same = config.load(write(tmp_path / "b", WHOLE))
    other = config.load(write(tmp_path, WHOLE.replace("256", "128")))
    assert one.hash == same.hash != other.hash


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({}, "en"),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "KO"}, "ko"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": ""}, "ko"),
        ({"LANG": "C.UTF-8"}, "en"),
    ],
)
def test_the_locale_says_what_is_read_where_nothing_else_does(
    variables: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert config.locale_language() == language


def test_the_run_lies_beside_the_config_or_the_data(tmp_path: Path) -> None:
    (tmp_path / "eval.v2.toml").write_text(WHOLE, encoding="utf-8")
    assert config.load(tmp_path / "eval.v2.toml").run_dir == tmp_path / "eval.v2.simsa"
    made = config.build({"data": {"path": "d/한글.jsonl"}, "serving": {"model": "m"}}, root=tmp_path)
    assert made.run_dir == tmp_path / "한글.simsa"
    assert made.source is None


def test_paths_start_at_the_config_or_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    made = config.load(write(tmp_path, WHOLE))
    assert made.path("~/models") == tmp_path / "home" / "models"
    assert made.path("/abs") == Path("/abs")
    assert made.local("org/name") == "org/name", "a name on the hub is no path"
    (tmp_path / "org" / "name").mkdir(parents=True)
    assert made.local("org/name") == str(tmp_path / "org" / "name")


def test_where_converted_models_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMSA_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert config.cache_dir() == tmp_path / "xdg" / "simsa"
    monkeypatch.setenv("SIMSA_CACHE", str(tmp_path / "own"))
    assert config.cache_dir() == tmp_path / "own"


@pytest.mark.parametrize(
    ("value", "found"), [("sk-1", "sk-1"), (" sk-1\n", "sk-1"), ("", None), ("  ", None)]
)
def test_a_secret_is_what_the_variable_holds_without_the_space_around_it(
    value: str, found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", value)
    assert config.secret("SOME_KEY") == found
    assert config.secret(None) is None
    assert config.secret("NO_SUCH_VARIABLE") is None

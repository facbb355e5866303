"""Chat templates: rendered as transformers renders them, compared, and asked for their `<bos>`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simsa.engines.chat_template import ChatTemplate, TemplateFinding, compare, read_template, reasons_for_bos
from simsa.errors import ConfigError
from simsa.records import Message

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
PROMPT = (Message("system", "문서만 보고 답하라."), Message("user", "세종은 언제 태어났나?"))
WITH_BOS = "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}"
WITHOUT = WITH_BOS.removeprefix("{{ bos_token }}")

_LIKE_THOSE_ON_THE_HUB = [
    WITH_BOS,
    # whitespace control, namespaces, loop variables
    "{%- set ns = namespace(n=0) -%}\n{%- for m in messages %}\n  {% if loop.first %}\n  [{{ m['role'] }}]\n  {%- endif %}\n"
    "    {% set ns.n = ns.n + 1 %}\n{{ ns.n }}: {{ m['content'] | trim }}\n{% endfor %}{% if add_generation_prompt %}A:{% endif %}",
    # tojson keeps Hangul and does not escape HTML
    "{{ messages | tojson }}|{{ messages[0] | tojson(indent=2) }}|{{ '<&>' | tojson }}",
    # loop controls, and the mark of what to train on
    "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}{% generation %}{{ m.content }}{% endgeneration %}"
    "{% break %}{% endfor %}",
    # a date, as in Llama 3
    "{{ strftime_now('%Y') }}{{ messages[-1].content[:3] }}{{ tools is none }}{{ documents is defined }}",
    "{% macro say(x) %}({{ x }}){% endmacro %}{{ say(messages[1].content) }}{{ messages | length }}",
]


@pytest.mark.parametrize("text", _LIKE_THOSE_ON_THE_HUB)
def test_renders_as_transformers_does(text: str) -> None:
    utils = pytest.importorskip("transformers.utils.chat_template_utils")
    conversation = [message.to_json() for message in PROMPT]
    theirs, _ = utils.render_jinja_template(
        conversations=[conversation], chat_template=text, add_generation_prompt=True, **TOKENS
    )
    assert ChatTemplate(text, TOKENS).render(PROMPT) == theirs[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ raise_exception('no system role, please') }}", "no system role, please"),
        ("{% for %}", "Expected an expression"),
        ("{{ messages[9].content.x }}", "undefined|has no"),
        ("{{ ''.__class__.__mro__ }}", "unsafe|undefined"),
    ],
)
def test_a_template_that_refuses(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ChatTemplate(text, TOKENS).render(PROMPT)


def test_what_is_saved_in_a_folder(tmp_path: Path) -> None:
    assert read_template(tmp_path) == ChatTemplate(None, {})
    settings = {
        "bos_token": {"content": "<s>"},
        "eos_token": "</s>",
        "pad_token": None,
        "add_bos_token": True,
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": WITHOUT}))
    assert read_template(tmp_path) == ChatTemplate(WITHOUT, TOKENS, adds_bos=True)
    named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": WITH_BOS}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": named}))
    assert read_template(tmp_path).text == WITH_BOS
    file = tmp_path / "chat_template.jinja"
    file.write_text(WITHOUT)
    assert read_template(tmp_path) == ChatTemplate(WITHOUT, TOKENS, file, True)


def test_special_tokens_may_lie_in_a_file_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(TOKENS))
    (tmp_path / "tokenizer_config.json").write_text("not json")
    assert read_template(tmp_path).tokens == TOKENS


def test_a_template_file_of_the_users(tmp_path: Path) -> None:
    model = ChatTemplate("m", TOKENS)
    (tmp_path / "t.jinja").write_text(WITH_BOS)
    assert ChatTemplate.from_file(tmp_path / "t.jinja", model).render(PROMPT).startswith("<s><system>")
    with pytest.raises(ConfigError) as caught:
        ChatTemplate.from_file(tmp_path / "none.jinja", model)
    assert caught.value.field == "serving.chat_template"


def test_equal_templates_are_equal() -> None:
    assert compare(ChatTemplate(WITH_BOS, TOKENS), ChatTemplate(WITH_BOS, TOKENS), [PROMPT]) is None


def test_templates_that_write_the_same_are_equal() -> None:
    assert (
        compare(ChatTemplate(WITH_BOS, TOKENS), ChatTemplate(WITH_BOS + "{# v2 #}", TOKENS), [PROMPT]) is None
    )


def test_only_the_differing_prompt_shows_it() -> None:
    other = WITH_BOS.replace("{{ m.content }}", "{{ m.content | trim }}")
    spaced = (Message("user", " x "),)
    pair = compare(ChatTemplate(WITH_BOS, TOKENS), ChatTemplate(other, TOKENS), [PROMPT, spaced])
    assert pair == ("<s><user> x </s>", "<s><user>x</s>")


def test_the_template_alone_borrows_the_models_tokens() -> None:
    """PEFT folders often hold chat_template.jinja and no tokenizer."""
    assert compare(ChatTemplate(WITH_BOS, {}), ChatTemplate(WITH_BOS, TOKENS), [PROMPT]) is None


def test_other_special_tokens_are_a_difference() -> None:
    pair = compare(
        ChatTemplate(WITH_BOS, TOKENS | {"bos_token": "<b>"}), ChatTemplate(WITH_BOS, TOKENS), [PROMPT]
    )
    assert pair and pair[0].startswith("<b>") and pair[1].startswith("<s>")


def test_nothing_saved_is_no_difference() -> None:
    assert compare(ChatTemplate(None, {}), ChatTemplate(WITH_BOS, TOKENS), [PROMPT]) is None
    assert compare(ChatTemplate(WITH_BOS, TOKENS), ChatTemplate(None, TOKENS), [PROMPT]) is None


def test_a_saved_template_that_refuses_the_prompt_is_a_difference() -> None:
    strict = ChatTemplate("{{ raise_exception('no system role') }}", TOKENS)
    pair = compare(strict, ChatTemplate(WITH_BOS, TOKENS), [PROMPT])
    assert pair and "no system role" in pair[0]


def test_a_finding_shows_both() -> None:
    trained, served = "<s>\n같은 줄\n질문: 언제?\n답:", "같은 줄\n질문: 언제?\n답변:"
    text = str(TemplateFinding("template", "they differ", ("a",), trained, served))
    assert text.startswith("they differ\n")
    assert "-<s>" in text and "-답:" in text and "+답변:" in text
    assert " 같은 줄" in text and "질문: 언제" in text


def test_a_long_finding_is_cut() -> None:
    text = str(TemplateFinding("template", "m", (), "a\n" * 500, "b\n" * 500))
    assert len(text.splitlines()) < 40 and "more lines" in text


@pytest.mark.parametrize(
    ("saved", "model", "kind", "n"),
    [
        ({}, None, None, 0),
        ({"a": ChatTemplate(WITH_BOS, TOKENS)}, None, None, 1),
        ({"a": ChatTemplate(WITHOUT, TOKENS)}, None, None, 0),
        ({"a": ChatTemplate(WITHOUT, TOKENS, adds_bos=True)}, None, None, 1),
        ({"a": ChatTemplate(None, {})}, ChatTemplate(WITH_BOS, TOKENS), None, 1),
        ({}, ChatTemplate(WITHOUT, TOKENS), "llama", 0),
        ({}, ChatTemplate(WITHOUT, TOKENS), "gemma3_text", 1),
        ({"a": ChatTemplate("{{ raise_exception('no') }}", TOKENS)}, None, "qwen3", 0),
        ({"a": ChatTemplate(WITH_BOS, {})}, ChatTemplate(WITH_BOS, TOKENS), "gemma", 3),
    ],
)
def test_what_speaks_for_a_bos(
    saved: dict[str, ChatTemplate], model: ChatTemplate | None, kind: str | None, n: int
) -> None:
    assert len(reasons_for_bos("<s>", saved, model, kind, PROMPT)) == n

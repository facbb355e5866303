"""What the variants are asked: templates fill, stay in their sandbox, and rows with messages go as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa import prompts
from simsa.errors import ConfigError
from simsa.records import Message, Passage, Question

QUESTION = Question(
    "1", "언제 열었나요?", (Passage("1987년에 열었다.", title="도서관"), Passage("셋이 있다.")), ("1987년",)
)


def test_the_built_in_prompts_number_the_passages_as_answers_cite_them() -> None:
    for name in prompts.BUILT_IN:
        system, user = prompts.load(name).messages(QUESTION)
        assert (system.role, user.role) == ("system", "user")
        assert "[[ref1]] 도서관: 1987년에 열었다.\n[[ref2]] 셋이 있다." in system.content
        assert user.content == "언제 열었나요?"


def test_rows_with_messages_are_sent_as_they_are() -> None:
    own = (Message("system", "  지시  "), Message("user", "{{ question }}"))
    question = Question("1", "q", messages=own)
    assert prompts.load("rag-ko").messages(question) is own


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text(
        "### system\n짧게.\n### user\n{% for p in passages %}({{ p.n }}) {{ p.text }}\n{% endfor %}{{ question }}\n"
        "### assistant\n답:\n",
        encoding="utf-8",
    )
    prompt = prompts.load("mine.jinja", tmp_path)
    assert [tuple(message) for message in prompt.messages(QUESTION)] == [
        ("system", "짧게."),
        ("user", "(1) 1987년에 열었다.\n(2) 셋이 있다.\n언제 열었나요?"),
        ("assistant", "답:"),
    ]
    assert prompt.label.startswith("mine@")


def test_without_headings_it_is_one_user_message(tmp_path: Path) -> None:
    (tmp_path / "p.jinja").write_text("Q: {{ question }}")
    assert prompts.load("p.jinja", tmp_path).messages(QUESTION) == (Message("user", "Q: 언제 열었나요?"),)


def test_the_label_follows_the_content(tmp_path: Path) -> None:
    file = tmp_path / "p.jinja"
    file.write_text("a")
    first = prompts.load("p.jinja", tmp_path).label
    file.write_text("b")
    assert prompts.load("p.jinja", tmp_path).label != first


@pytest.mark.parametrize(
    "attack",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ question.__class__.__init__.__globals__ }}",
        "{{ passages.append(1) }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{% include '/etc/passwd' %}",
        "{{ missing }}",
        "{{ range(100000000) | list | length }}",
    ],
)
def test_a_template_sees_its_values_and_nothing_else(tmp_path: Path, attack: str) -> None:
    (tmp_path / "p.jinja").write_text(attack)
    with pytest.raises(ConfigError) as error:
        prompts.load("p.jinja", tmp_path).messages(QUESTION)
    assert error.value.exit_code == 2


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="built in are rag-ko, rag-en"):
        prompts.load("none.jinja", tmp_path)
    (tmp_path / "p.jinja").write_text("one\n{% if %}")
    with pytest.raises(ConfigError, match=r"p\.jinja:2"):
        prompts.load("p.jinja", tmp_path)
    (tmp_path / "latin.jinja").write_bytes(b"\xe9")
    with pytest.raises(ConfigError, match="not UTF-8"):
        prompts.load("latin.jinja", tmp_path)


@given(st.text(max_size=60), st.text(max_size=60))
def test_hostile_text_is_data_not_template(question: str, passage: str) -> None:
    system, user = prompts.load("rag-ko").messages(Question("1", question, (Passage(passage),)))
    assert user.content == question.strip()
    assert system.content.endswith(f"[[ref1]] {passage}".strip())


def test_a_prompt_in_another_encoding_says_how_to_save_it(tmp_path: Path) -> None:
    (tmp_path / "own.jinja").write_bytes("{{ question }}에 답하세요".encode("cp949"))
    with pytest.raises(ConfigError, match="the prompt is not UTF-8 at byte 14") as caught:
        prompts.load("own.jinja", tmp_path)
    assert "it looks like CP949" in str(caught.value.hint)

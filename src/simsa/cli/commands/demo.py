"""`simsa demo`: the main job on the embedded example."""

from __future__ import annotations

from pathlib import Path

import click

from simsa import config as configuration
from simsa.i18n.language import Language, join_text
from simsa.i18n.messages import msg
from simsa.text import quoted

KEY = "OPENAI_API_KEY"
MAX_TOKENS = 48
VARIANTS = ("base", "rag-early", "rag-final")
OWN_JUDGE = "demo-judge"
TOY = {
    "ko": "데모의 심사 모델은 시연용으로 파인튜닝한 270M짜리 장난감입니다. 실제 평가에는 GPT-4o 같은 강한 모델을 쓰세요",
    "en": "the demo's judge is a toy, a 270M model fine-tuned for this demo; for real work take a strong one such as GPT-4o",
}


@click.command(help="demo")
@click.option("--replay", is_flag=True, help="demo.replay")
@click.option(
    "--judge",
    help="demo.judge",
)
@click.option("--language", type=click.Choice(["ko", "en"]), default="ko", help="option.language")
@click.option("--limit", type=int, default=60, show_default=True, help="demo.limit")
@click.option("--out", type=click.Path(path_type=Path), default=Path("simsa-demo"), help="demo.out")
@click.option("--json", "as_json", is_flag=True, help="option.json_report")
@click.option("-q", "--quiet", is_flag=True, help="option.quiet")
def command(
    replay: bool, judge: str | None, language: Language, limit: int, out: Path, as_json: bool, quiet: bool
) -> int:
    """Runs `simsa demo`. Its help is in the message catalogue."""
    from simsa.cli import result
    from simsa.cli.execution import run_pipeline

    judge = judge or ("gpt-4o" if configuration.secret(KEY) else "lexical" if replay else OWN_JUDGE)
    serving = "" if replay and judge != OWN_JUDGE else _serving(language, quiet)
    text = _data(limit) + serving + (_recorded() if replay else _adapters())
    out.mkdir(parents=True, exist_ok=True)
    file = out / "simsa.toml"
    file.write_text(text + _rest(judge, language), encoding="utf-8")
    config = configuration.load(file)
    run_pipeline(config, config.run_dir, ("generate", "judge"), quiet=quiet)
    code = result.show_report(config.run_dir, as_json=as_json)
    if not as_json and not quiet:
        _say_next_steps(out, replay, judge, config.report.language)
    return code


def _data(limit: int) -> str:
    from simsa import demo

    return f"[data]\npath = {quoted(demo.demo_files().test)}\nlimit = {limit}\n"


def _serving(language: Language, quiet: bool) -> str:
    from simsa.cli import console
    from simsa.demo.model import ensure_model

    def say(text: str) -> None:
        if not quiet:
            console.tell(text, language)

    model = ensure_model(configuration.cache_dir(), say)
    return f'\n[serving]\nmodel = {quoted(model)}\ndtype = "bfloat16"\nmax_model_len = 2048\n'


def _adapters() -> str:
    from simsa import demo

    adapters = demo.demo_files().adapters
    return "".join(
        _variant(name, f"adapter = {quoted(adapters[name])}\n" if name in adapters else "")
        for name in VARIANTS
    )


def _recorded() -> str:
    from simsa import demo

    recorded = quoted(demo.demo_files().recorded)
    return "".join(_variant(name, f"predictions = {recorded}\n") for name in VARIANTS)


def _variant(name: str, source: str) -> str:
    return f"\n[[variants]]\nname = {quoted(name)}\n{source}"


def _rest(judge: str, language: str) -> str:
    return f"""
[generation]
prompt = "rag-ko"
max_tokens = {MAX_TOKENS}

[judge]
model = {quoted(judge)}
{_asked(judge, language)}
[report]
language = {quoted(language)}
baseline = "base"
"""


def _asked(judge: str, language: str) -> str:
    """Where and how the judge is asked. Its own was trained on one short Korean rubric, and knows no other."""
    from simsa import demo

    files = demo.demo_files()
    if judge == OWN_JUDGE:
        return f"adapter = {quoted(files.judge)}\nrubric = {quoted(files.rubric)}\nmax_tokens = 96\n" + (
            f"note = {quoted(TOY[language])}\n"
        )
    key = f"api_key_env = {quoted(KEY)}\n" if judge != "lexical" else ""
    return f'rubric = "rag-{language}"\n{key}'


def _say_next_steps(out: Path, replay: bool, judge: str, language: Language) -> None:
    from simsa.cli import console

    steps = [
        (f"simsa examples {out} --worst", "demo.worst"),
        (f"simsa report {out} --format html --out report.html", "demo.html"),
        (f"simsa compare {out} --baseline base --gate 'total > baseline'", "demo.gate"),
    ]
    if judge in ("lexical", OWN_JUDGE):
        steps.append((f"{KEY}=… simsa demo{' --replay' if replay else ''}", "demo.gpt"))
    steps.append(("simsa init my-evaluation", "demo.init"))
    for command, why in steps:
        console.tell(join_text("", ("\n", msg(why), ":")), language)
        click.echo(f"  {command}", err=True)

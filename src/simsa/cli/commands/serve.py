"""`simsa serve`: only vLLM, with base and adapters, until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING

import click

from simsa.cli import console
from simsa.i18n.language import Language, localize
from simsa.i18n.messages import msg
from simsa.text import list_choices

if TYPE_CHECKING:
    from simsa.engines import ServerPlan, VllmServer

_LOOPBACK = "127.0.0.1"


@click.command(help="serve")
@click.argument("config", type=click.Path())
@click.option("--variant", metavar="NAME", help="serve.variant")
@click.option("--host", default=_LOOPBACK, show_default=True, help="serve.host")
@click.option("--port", type=click.IntRange(1, 65535), help="serve.port")
@click.option("--key-env", metavar="NAME", help="serve.key_env")
@click.option("--json", "as_json", is_flag=True, help="serve.json")
@click.option("-q", "--quiet", is_flag=True, help="option.quiet")
def command(
    config: str,
    variant: str | None,
    host: str,
    port: int | None,
    key_env: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Runs `simsa serve`. Its help is in the message catalogue."""
    from simsa import config as configuration
    from simsa import engines
    from simsa.errors import ConfigError

    loaded = configuration.load(config)
    language = loaded.report.language

    def say(text: str) -> None:
        if not quiet:
            console.tell(text, language)

    key = configuration.secret(key_env)
    if key_env and not key:
        raise ConfigError(
            msg("error.cli.is_not_set_or_empty"),
            field=f"${key_env}",
            hint=msg("error.cli.should_hold_key_ask"),
        )
    for note in engines.check_adapters(loaded):
        say(note)
    plan = _chosen(engines.plan_servers(loaded), variant)
    if host not in (_LOOPBACK, "localhost", "::1"):
        say(msg("serve.open", host=host))
    server = engines.VllmServer(plan, loaded.run_dir / "logs", say, host=host, port=port, key=key)
    asyncio.run(_serve(server, key_env, None if as_json else language))


def _chosen(plans: list[ServerPlan], variant: str | None) -> ServerPlan:
    from simsa.errors import ConfigError

    if not plans:
        raise ConfigError(msg("error.cli.no_variant_is_served_vllm"), field="variants")
    if variant is None and len(plans) > 1:
        groups = "; ".join(", ".join(plan.variants) for plan in plans)
        raise ConfigError(
            msg("error.cli.these_variants_need_servers_one", n=len(plans), groups=groups),
            hint=msg("error.cli.variant", next=next(iter(plans[0].variants))),
        )
    for plan in plans:
        if variant is None or variant in plan.variants:
            return plan
    known = [name for plan in plans for name in plan.variants]
    raise ConfigError(
        msg("error.cli.no_variant_name_is_served"),
        field="--variant",
        found=variant,
        hint=list_choices(variant or "", known),
    )


async def _serve(server: VllmServer, key_env: str | None, language: Language | None) -> None:
    """`language`: that of the text; None prints JSON."""
    async with server:
        click.echo(_as_text(server, key_env, language) if language else _as_json(server, key_env))
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        died, waiting = asyncio.ensure_future(server.died()), asyncio.ensure_future(stopped.wait())
        try:
            await asyncio.wait((died, waiting), return_when=asyncio.FIRST_COMPLETED)
            if not stopped.is_set():
                await died
        finally:
            for task in (died, waiting):
                task.cancel()
            await asyncio.gather(died, waiting, return_exceptions=True)


def _as_json(server: VllmServer, key_env: str | None) -> str:
    document = {
        "schema": "simsa.serve/1",
        "base_url": server.base_url,
        "key": None if key_env else server.key,
        "key_env": key_env,
        "base": server.plan.base,
        "variants": dict(server.plan.variants),
        "vllm": server.version,
        "log": str(server.log),
    }
    return json.dumps(document, ensure_ascii=False)


def _as_text(server: VllmServer, key_env: str | None, language: Language) -> str:
    key = f"${key_env}" if key_env else server.key
    asked = {
        "model": server.models[-1],
        "messages": [{"role": "user", "content": "안녕하세요?"}],
        "max_tokens": 64,
        "stream": True,
    }
    facts = {"address": server.base_url, "key": key, "models": ", ".join(server.models), "log": server.log}
    labelled = [(localize(msg(f"serve.{name}"), language), str(fact)) for name, fact in facts.items()]
    return (
        f"{console.aligned(labelled)}\n\n"
        f"curl -N {server.base_url}/chat/completions \\\n"
        f'  -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\\n'
        f"  -d '{json.dumps(asked, ensure_ascii=False)}'\n\n"
        f"{localize(msg('serve.end'), language)}"
    )

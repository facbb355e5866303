"""`simsa probe`: the judge is judged, by answers whose scores are known beforehand."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simsa.cli import console
from simsa.errors import EXIT_INCOMPLETE, EXIT_OK, ConfigError, RunError
from simsa.i18n.messages import msg

if TYPE_CHECKING:
    from simsa.config import Config, JudgeConfig
    from simsa.i18n.language import Language
    from simsa.i18n.messages import Words
    from simsa.judge_eval.probe_run import Examination, ProbeEstimate
    from simsa.judges import Judge
    from simsa.records import Question
    from simsa.store import Store

_SHOWN = 8
_EXCERPT = 160


@click.command(help="probe")
@click.argument("run", metavar="RUN|CONFIG", type=click.Path(path_type=Path))
@click.option(
    "-n",
    "per_kind",
    type=click.IntRange(0),
    default=6,
    show_default=True,
    help="probe.number",
)
@click.option(
    "--retest",
    "n_again",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="probe.retest",
)
@click.option("--seed", type=int, default=0, show_default=True, help="option.seed")
@click.option("--judge", help="probe.judge")
@click.option("--max-cost-usd", type=float, help="probe.max_cost_usd")
@click.option("--estimate", "only_estimate", is_flag=True, help="probe.estimate")
@click.option("--language", type=click.Choice(["ko", "en"]), help="option.language_run")
@click.option("--json", "as_json", is_flag=True, help="probe.json")
@click.option("-q", "--quiet", is_flag=True, help="option.quiet")
@console.pager_option
def command(
    run: Path,
    per_kind: int,
    n_again: int,
    seed: int,
    judge: str | None,
    max_cost_usd: float | None,
    only_estimate: bool,
    language: Language | None,
    as_json: bool,
    quiet: bool,
    pager: bool,
) -> int:
    """Runs `simsa probe`. Its help is in the message catalogue."""
    from simsa.i18n.messages import words

    config, folder = _config(run, judge, max_cost_usd)
    say = words(language or config.report.language)
    prepared = _Prepared(config, folder, run, per_kind, n_again, seed)
    with prepared.opened() as store:
        estimate = prepared.plan(store)
        if only_estimate:
            _print_estimate(estimate, say, as_json=as_json)
            return EXIT_OK
        if not quiet:
            console.tell(_estimated(estimate, say))
        found = prepared.examine(store, language or config.report.language, quiet=quiet)
        judged_by = (store.meta("judge") or {}).get("key")
    if as_json:
        console.print_json(found.to_dict())
    else:
        console.page(_text(found, say, prepared), pager=pager)
        if judged_by not in (None, found.judge["key"]):
            console.tell(say("probe.other_judge"))
    return EXIT_INCOMPLETE if found.stopped or found.n_unscored else EXIT_OK


class _Prepared:
    """A judge and what it is going to be asked."""

    def __init__(
        self, config: Config, folder: Path, named: Path, per_kind: int, n_again: int, seed: int
    ) -> None:
        from simsa import judges
        from simsa.judge_eval.retest import reseeded
        from simsa.run.progress import Progress

        self.config, self.folder = config, folder
        self.judge_config = _judge_of(config, named)
        self.progress = Progress()
        self._per_kind, self._n_again, self._seed = per_kind, n_again, seed
        self.judge = judges.from_config(config, self.judge_config, say=self._say)
        self.second: Judge | None = None
        if not self.judge.is_local:
            self.second = judges.from_config(config, reseeded(self.judge_config), say=self._say)

    def _say(self, text: str) -> None:
        self.progress.say(text)  # the display sets it when it is opened

    @contextlib.contextmanager
    def opened(self) -> Iterator[Store]:
        from simsa.store import Store

        with Store.create(self.folder) as store:
            yield store

    def plan(self, store: Store) -> ProbeEstimate:
        from simsa.judge_eval.probe_run import estimate_probes, plan_probes
        from simsa.judge_eval.retest import draw_retest

        same = (store.meta("judge") or {}).get("key") == self.judge.key
        rows = draw_retest(store, self._n_again, self._seed) if same and self.second else []
        self.planned = plan_probes(
            self.judge,
            self._questions(store),
            self._per_kind,
            second=self.second,
            rows=rows,
            seed=self._seed,
        )
        estimate = estimate_probes(self.planned, self.judge, self.second, store)
        self.nothing_to_ask = not estimate.calls
        return estimate

    def examine(self, store: Store, language: Language, *, quiet: bool) -> Examination:
        from simsa.cli.execution import run_with_display
        from simsa.judge_eval.probe_run import run_probes
        from simsa.run.judge_server import with_judge_server

        work = run_probes(
            self.planned, self.judge, self.second, self.judge_config, store, progress=self.progress
        )
        if self.nothing_to_ask:
            return run_with_display(work, self.progress, language, quiet=quiet)
        judges = (self.judge, self.second)
        served = with_judge_server(self.config, judges, self.folder, self._say, work)
        return run_with_display(served, self.progress, language, quiet=quiet)

    def _questions(self, store: Store) -> list[Question]:
        from simsa.run import plan

        return list(store.questions()) or list(plan.read_questions(self.config))


def _config(path: Path, judge: str | None, max_cost_usd: float | None) -> tuple[Config, Path]:
    """The config that `path` is, or that the run there was made from; and the run's folder."""
    from simsa import config as configuration
    from simsa.store import Store
    from simsa.store.store import DATABASE

    overrides = {"judge.model": judge, "judge.max_cost_usd": max_cost_usd}
    if (path / DATABASE).is_file() or path.name == DATABASE:
        folder = console.find_run(path)
        with Store.read(folder) as store:
            kept, root = store.meta("config"), store.meta("root")
        if not kept:
            raise RunError(
                msg("error.cli.does_not_say_what_was"),
                where=str(folder),
                hint=msg("error.cli.give_config_instead"),
            )
        return configuration.rebuild(kept, overrides, root=Path(root or folder.parent)), folder
    if not path.exists():
        console.find_run(path)  # says what may be given
    config = configuration.load(path, overrides)
    return config, config.run_dir


def _judge_of(config: Config, named: Path) -> JudgeConfig:
    if config.judge is None:
        raise ConfigError(
            msg("error.cli.names_no_judge_so_there"),
            where=str(named),
            field="judge",
            hint=msg("error.cli.add_judge_or_name_one"),
        )
    return config.judge.model_copy(update={"via": "direct"})  # a few calls, wanted now


def _print_estimate(estimate: ProbeEstimate, say: Words, *, as_json: bool) -> None:
    if as_json:
        figures = {name: getattr(estimate, name) for name in estimate.__slots__}
        console.print_json({"schema": "simsa.probe-estimate/1", **figures})
    else:
        console.prose([_estimated(estimate, say)])


def _estimated(estimate: ProbeEstimate, say: Words) -> str:
    from simsa.text import count, usd

    cost = say("cost.unknown") if estimate.cost_usd is None else usd(estimate.cost_usd)
    return say(
        "probe.estimate",
        calls=count(estimate.calls),
        reused=count(estimate.reused),
        prompt=count(estimate.prompt_tokens),
        completion=count(estimate.completion_tokens),
        cost=cost,
    )


def _text(found: Examination, say: Words, prepared: _Prepared) -> str:
    from simsa.report.judge_tables import examination_grids
    from simsa.report.notes import probe_verdict
    from simsa.report.renderers.terminal import render_grids

    document = found.to_dict()
    lines = [probe_verdict(say, document) or say("probe.none"), ""]
    text = console.as_prose(lines) + render_grids(examination_grids(document, say), *console.terminal())
    failed = [case for case in document["probes"]["cases"] if case["outcome"] == "failed"]
    if failed:
        text += console.as_prose([say("probe.failed"), *_failures(failed[:_SHOWN], say)])
    remarks = []
    untested = found.probes.untested
    not_built = [kind for kind in found.probes.not_built if found.probes.cases and kind not in untested]
    for message, kinds in (("probe.not_built", not_built), ("probe.untested", untested)):
        if kinds:
            remarks.append(say(message, list=", ".join(say(f"probe.{kind}") for kind in kinds)))
    if found.retest is None:
        remarks.append(say("probe.no_rows" if prepared.second else "probe.deterministic"))
    if found.stopped:
        remarks.append(say("probe.stopped"))
    return text + console.as_prose(remarks, bullet="· ")


def _failures(cases: list[dict[str, Any]], say: Words) -> Iterator[str]:
    from simsa.text import one_line

    for case in cases:
        form = f" ({case['form']})" if case["form"] else ""
        said = say("probe.said", scores=_scores(case["scores"], say), wanted=_wanted(case["wanted"], say))
        if case["against"]:
            said += f" · {say('probe.against', scores=_scores(case['against'], say))}"
        yield f"  {say('probe.' + case['kind'])}{form} · {case['question_id']}: {said}"
        yield f"    {one_line(case['prediction'], _EXCERPT) or say('none')}"


def _scores(scores: Mapping[str, int | None], say: Words) -> str:
    return ", ".join(f"{_short(name, say)} {score}" for name, score in scores.items())


def _wanted(wanted: str, say: Words) -> str:
    """The expectation of a case in the reader's language: "answer_correctness ≤ 2, …"."""
    parts = []
    for part in wanted.split(", "):
        name = re.match(r"[^\s:]+", part)
        shown = part.replace(name[0], _short(name[0], say), 1) if name else part
        shown = shown.replace(": no gain", say("probe.no_gain"))
        parts.append(re.sub(r": mean within ([\d.]+)", lambda m: say("probe.same_mean", limit=m[1]), shown))
    return ", ".join(parts)


def _short(criterion: str, say: Words) -> str:
    try:
        return say(f"short.{criterion}")
    except KeyError:
        return criterion

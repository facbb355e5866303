"""The report as one HTML file: no network, no script, everything escaped, readable on paper and dark screens."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.i18n.messages import Words, words
from simsa.report import charts, contingency, tables
from simsa.report.claim_tables import claim_grid, claim_lines
from simsa.report.format import Tone, count, format_fixed, labels, short_names, shortened, tone_of
from simsa.report.headline import headline, judge_lines, unscored_reasons
from simsa.report.judge_tables import judge_findings, usage
from simsa.report.renderers import RenderOptions
from simsa.report.run_settings import toml
from simsa.report.summary import summary as summary_of
from simsa.store import Store
from simsa.text import visible

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from simsa.records import Criteria
    from simsa.report.summary_model import ExampleAnswer, Summary

_N_EXAMPLES = 5
# Longer texts are cut; `simsa examples --json` has them whole. Fifteen examples of four variants stay below a megabyte.
_LIMITS = {"passage": 800, "shown": 2_000, "analysis": 1_200, "whole": 20_000}
_MOST_PASSAGES = 6
# More columns than these do not fit on paper: the table goes on below.
_MOST_COLUMNS = 6
# With more variants than these only one contingency table of each is drawn.
_CONTINGENCY_VARIANTS = 3
_NAME = 32  # cells of a variant's name in a table's head and beside a bar
_EXAMPLE_KINDS = ("worst", "best", "differs", "unsteady")
_TEXTS = ("prompt", "rubric", "chat_template")
# Spaces in "0.7 ~ 1.1", "0.7 to 1.1" and "95 %", at which no line may break.
_WITHIN_FIGURE = re.compile(r"(?<=\d) (?=%|~|to [+−]?\d)|(?<=\d ~) |(?<=\d to) (?=[+−]?\d)")
# The place between a bracket and a Korean particle, where `word-break: keep-all` would allow a break.
_BEFORE_PARTICLE = re.compile(r"(?<=\))(?=[가-힣])")
_NAME_BREAKS = re.compile(r"(?<=[_/.:])(?=\w)")
_ESTIMATE = re.compile(r"^(.*\S) (\[[^\]]*\])$")


class HtmlSentence(NamedTuple):
    """The result of one variant; `tone` colours it."""

    text: str
    tone: Tone


class HtmlFact(NamedTuple):
    name: str
    text: str


class HtmlChip(NamedTuple):
    """A score with its colour."""

    name: str
    score: int
    band: charts.Band


def render_run(store: Store, options: RenderOptions) -> str:
    return render(summary_of(store, options.language, n_examples=_N_EXAMPLES))


def render(summary: Summary) -> str:
    """The whole page in the summary's language."""
    say, criteria = words(summary.language), summary.criteria
    title = labels(summary.language, criteria)
    names = short_names((v.name for v in summary.variants), _NAME)
    distributions = [
        (title(criterion.name), charts.bands(criterion), found)
        for criterion in criteria
        if (found := charts.bars(summary, criterion))
    ]
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            named=partial(_named, names),
            names=shortened(names),
            summary=summary,
            say=say,
            title_of=title,
            sentences=_sentences(summary),
            judged=judge_lines(summary),
            unscored=[
                (v.name, unscored_reasons(v, summary.language)) for v in summary.variants if v.unscored
            ],
            scores=tables.scores(summary, intervals=True),
            claims=claim_grid(summary),
            claim_lines=claim_lines,
            forests=charts.forests(summary, say),
            forest_caption=_forest_caption(summary, say),
            contingencies=list(_contingencies(summary)),
            cells=contingency.cells,
            distributions=distributions,
            common_bands=_common_bands(criteria),
            heat=charts.heat(summary, say),
            types_left_out=charts.types_left_out(summary, say),
            answering=charts.answering(summary),
            findings=judge_findings(summary),
            metrics=tables.metrics(summary),
            speed=tables.speed(summary),
            usage=usage(summary),
            durations=list(_durations(summary, say)),
            kinds=[
                (kind, shown)
                for kind in _EXAMPLE_KINDS
                if (shown := [e for e in summary.examples if e.kind == kind])
            ],
            out_of=tables.out_of(criteria),
            facts=list(_facts(summary, say)),
            texts=[(say(f"made.{name}"), summary.made[name]) for name in _TEXTS if name in summary.made],
            settings=toml(summary.config, summary.language) if summary.config else "",
            chips=partial(_chips, summary),
            other_answers=tables.other_answers_line,
            portions=_portions,
            most_passages=_MOST_PASSAGES,
        )
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: partial(_cut, limit=limit) for name, limit in _LIMITS.items()}
    environment.filters |= {"figure": figure, "unbroken": _unbroken, "breaking": _breaking}
    return environment


def figure(text: str) -> Markup:
    """A figure and its interval as two pieces that are not broken over lines."""
    from markupsafe import Markup

    found = _ESTIMATE.match(visible(text))
    if not found:
        return Markup('<span class="v">{}</span>').format(visible(text))
    return Markup('<span class="v">{}</span> <span class="ci">{}</span>').format(*found.groups())


def _cut(text: str, limit: int) -> str:
    shown = visible(text)
    return shown if len(shown) <= limit else f"{shown[:limit]}…"


def _unbroken(text: str) -> str:
    """A sentence without line breaks within a figure or before a particle."""
    return _BEFORE_PARTICLE.sub("\u2060", _WITHIN_FIGURE.sub("\u00a0", text))


def _breaking(text: str) -> Markup:
    """A name that may break after an underscore, a slash, a full stop or a colon."""
    from markupsafe import Markup

    return Markup("<wbr>").join(_NAME_BREAKS.split(_cut(text, _LIMITS["shown"])))


def _named(names: Mapping[str, str], name: str) -> Markup:
    """A variant's name for narrow places; the whole of it is in its title."""
    from markupsafe import Markup

    short = names.get(name, name)
    if short == name:
        return _breaking(name)
    return Markup('<abbr title="{}">{}</abbr>').format(visible(name), _breaking(short))


def _portions(n: int) -> list[tuple[int, int]]:
    """Begin and end of the parts into which `n` columns are divided, as equal as possible."""
    parts = math.ceil(n / _MOST_COLUMNS) or 1
    return [(n * part // parts, n * (part + 1) // parts) for part in range(parts)]


def _sentences(summary: Summary) -> list[HtmlSentence]:
    texts = headline(summary)
    others = [v.name for v in summary.variants if v.name != summary.baseline]
    if len(texts) != len(others):
        return [HtmlSentence(text, "plain") for text in texts]
    return [HtmlSentence(text, _tone(summary, name)) for text, name in zip(texts, others, strict=True)]


def _tone(summary: Summary, variant: str) -> Tone:
    """The colour of a variant's sentence: by its total, or by the only criterion that was compared."""
    found = [c for c in summary.comparisons if c.variant == variant]
    decisive = summary.comparison(variant) or (found[0] if len(found) == 1 else None)
    return tone_of(decisive.verdict if decisive else None)


def _forest_caption(summary: Summary, say: Words) -> str:
    scale = charts.DifferenceScale.of(summary.criteria)
    caption = say("whiskers.caption", baseline=summary.baseline)
    if scale.is_share:
        return f"{caption} {say('whiskers.shares')}"
    parts = scale.total_parts
    return caption if parts in (None, 1) else f"{caption} {say('whiskers.total', n=f'{parts:g}')}"


def _contingencies(summary: Summary) -> Iterator[tuple[str, list[contingency.ScoreContingency]]]:
    """Every other variant against the baseline; with many variants only the first table each, the total's if any."""
    others = [v.name for v in summary.variants if v.name != summary.baseline]
    for name in others:
        found = contingency.pair(summary.heads, name, summary.baseline)
        if found:
            yield name, found if len(others) <= _CONTINGENCY_VARIANTS else found[:1]


def _common_bands(criteria: Criteria) -> tuple[charts.Band, ...]:
    """The bands of the legend where all criteria have the same; else each chart has its own."""
    found = {charts.bands(criterion) for criterion in criteria}
    return found.pop() if len(found) == 1 else ()


def _durations(summary: Summary, say: Words) -> Iterator[str]:
    """How long each stage took in all sessions together."""
    for name in ("generate", "judge"):
        found = summary.timing.get(name)
        if found and found["seconds"]:
            yield say(
                "stage.took",
                stage=say(f"stage.{name}"),
                rows=count(int(found["rows"])),
                seconds=format_fixed(found["seconds"], 1),
                rate=format_fixed(found["rows"] / found["seconds"], 1),
            )


def _chips(summary: Summary, answer: ExampleAnswer) -> list[HtmlChip]:
    """The scores of an answer with short names."""
    shown = tables.short_scores(answer, summary.language, summary.criteria)
    scored = [criterion for criterion in summary.criteria if criterion.name in answer.scores]
    return [
        HtmlChip(name, score, charts.band_of(criterion, score))
        for (name, score), criterion in zip(shown, scored, strict=True)
    ]


def _facts(summary: Summary, say: Words) -> Iterator[HtmlFact]:
    """What identifies the data, the models and the judge, so that the run can be repeated."""
    run, judge, made = summary.run, summary.judge, summary.made
    data = summary.config.get("data") or {}
    yield HtmlFact(say("made.run"), f"{run.id} · {run.created}")
    parts = (str(data.get("path") or ""), run.data_hash, f"n {run.n_questions}")
    yield HtmlFact(say("made.data"), " · ".join(filter(None, parts)))
    yield HtmlFact(say("made.config"), run.config_hash)
    versions = {"simsa": run.simsa_version, **made.get("versions", {})}
    yield HtmlFact(say("made.versions"), _pairs(versions))
    if judge:
        asked = {} if judge.is_lexical else summary.config.get("judge") or {}
        how = [f"{k} {asked[k]}" for k in ("temperature", "seed", "base_url") if asked.get(k) is not None]
        yield HtmlFact(say("made.judge"), " · ".join((judge.model, judge.rubric, judge.mode, *how)))
    yield HtmlFact(say("made.baseline"), summary.baseline)
    for variant in summary.variants:
        hashes = made.get("weights", {}).get(variant.name, {})
        yield HtmlFact(
            variant.name, _pairs({**variant.info, **{f"{k} hash": value for k, value in hashes.items()}})
        )


def _pairs(values: Mapping[str, Any]) -> str:
    return " · ".join(f"{key} {_as_text(value)}" for key, value in values.items())


def _as_text(value: Any) -> str:
    import orjson

    if isinstance(value, str):
        return value
    return visible(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())

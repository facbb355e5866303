"""The report as one HTML file: no network, no script, everything escaped, good on paper and in the dark."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.i18n.messages import Words, words
from simsa.records import CRITERIA
from simsa.report import charts, claim_tables, contingency, judge_tables, tables
from simsa.report.format import format_fixed, short_names, shortened
from simsa.report.headline import headline, judged, unscored
from simsa.report.judge_tables import examined
from simsa.report.run_settings import toml
from simsa.text import count, visible

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from simsa.report.summary_model import ExampleAnswer, Summary
    from simsa.stats import Comparison

# Beyond these a text is cut: the page is for looking, `simsa examples --json` has it whole. Fifteen
# examples of four variants stay below a megabyte.
_PASSAGE = 800
_LONGEST = 2_000
_ANALYSIS = 1_200
_TEXT = 20_000
_PASSAGES = 6
# More stand one below the other: a page cannot be scrolled.
_COLUMNS = 6
# Of more variants than these only one grid each is drawn.
_GRIDS_OF_ALL = 3
# Spaces in "0.7 ~ 1.1", "0.7 to 1.1" and "95 %": no line ends there.
_WITHIN_FIGURE = re.compile(r"(?<=\d) (?=%|~|to [+−]?\d)|(?<=\d ~) |(?<=\d to) (?=[+−]?\d)")
# A Korean particle behind a bracket, which keep-all alone lets begin a line.
_PARTICLE = re.compile(r"(?<=\))(?=[가-힣])")
_BREAKS = re.compile(r"(?<=[_/.:])(?=\w)")
# Cells of a variant's name in a table's head and beside a bar.
_NAME = 32
_INTERVAL = re.compile(r"^(.*\S) (\[[^\]]*\])$")


class HtmlSentence(NamedTuple):
    """What was shown of one variant; `tone` colours it."""

    text: str
    tone: str


class HtmlFact(NamedTuple):
    name: str
    text: str


def render(summary: Summary) -> str:
    """The whole page. Its language is the summary's."""
    say = words(summary.language)
    page = _environment().get_template("report.html.jinja")
    names = short_names((v.name for v in summary.variants), _NAME)
    return page.render(
        named=partial(_named, names),
        names=shortened(names),
        summary=summary,
        say=say,
        sentences=_sentences(summary),
        judged=judged(summary),
        unscored=[(v.name, unscored(v, summary.language)) for v in summary.variants if v.unscored],
        scores=tables.scores(summary, intervals=True),
        claims=claim_tables.claim_grid(summary),
        claimed=claim_tables.claim_lines,
        forests=charts.forests(summary, say),
        heads=list(_heads(summary)),
        cells=contingency.cells,
        distributions=[(say(name), found) for name in CRITERIA if (found := charts.bars(summary, name))],
        levels=charts.LEVELS,
        heat=charts.heat(summary, say),
        types_left_out=charts.left_out(summary, say),
        answering=charts.answering(summary),
        examined=examined(summary),
        metrics=tables.metrics(summary),
        speed=tables.speed(summary),
        spent=judge_tables.usage(summary),
        took=list(_took(summary, say)),
        kinds=[
            (kind, shown) for kind in _KINDS if (shown := [e for e in summary.examples if e.kind == kind])
        ],
        facts=list(_facts(summary, say)),
        texts=[(say(f"made.{name}"), summary.made[name]) for name in _TEXTS if name in summary.made],
        settings=toml(summary.config, summary.language) if summary.config else "",
        chips=_chips,
        which=tables.which_line,
        portions=_portions,
        most_passages=_PASSAGES,
    )


def _heads(summary: Summary) -> Iterator[tuple[str, list[contingency.ScoreContingency]]]:
    """Every other variant against the baseline; of many only the first grid each, which is the total where there is one."""
    others = [v.name for v in summary.variants if v.name != summary.baseline]
    for name in others:
        found = contingency.pair(summary.heads, name, summary.baseline)
        if found:
            yield name, found if len(others) <= _GRIDS_OF_ALL else found[:1]


_KINDS = ("worst", "best", "differs", "unsteady")
_TEXTS = ("prompt", "rubric", "chat_template")


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "passage": lambda text: _cut(text, _PASSAGE),
        "shown": lambda text: _cut(text, _LONGEST),
        "analysis": lambda text: _cut(text, _ANALYSIS),
        "whole": lambda text: _cut(text, _TEXT),
        "figure": figure,
        "unbroken": _unbroken,
        "breaking": _breaking,
    }
    return environment


def _cut(text: str, limit: int) -> str:
    shown = visible(text)
    return shown if len(shown) <= limit else f"{shown[:limit]}…"


def _pretty(value: Any) -> str:
    import orjson

    return visible(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _portions(n: int) -> list[tuple[int, int]]:
    """Begin and end of the parts of `n` columns, as equal as may be."""
    parts = math.ceil(n / _COLUMNS) or 1
    return [(n * part // parts, n * (part + 1) // parts) for part in range(parts)]


def _unbroken(text: str) -> str:
    """A sentence of ours that is broken neither within a figure nor before a particle."""
    return _PARTICLE.sub("\u2060", _WITHIN_FIGURE.sub("\u00a0", text))


def _breaking(text: str) -> Markup:
    """A name that may go on in the next line behind an underscore, a slash, a full stop or a colon."""
    from markupsafe import Markup

    return Markup("<wbr>").join(_BREAKS.split(_cut(text, _LONGEST)))


def _named(names: Mapping[str, str], name: str) -> Markup:
    """A variant's name where there is little room; the whole of it is in its title."""
    from markupsafe import Markup

    short = names.get(name, name)
    if short == name:
        return _breaking(name)
    return Markup('<abbr title="{}">{}</abbr>').format(visible(name), _breaking(short))


def figure(text: str) -> Markup:
    """A figure with its interval as two pieces, neither of which is broken over lines."""
    from markupsafe import Markup

    found = _INTERVAL.match(visible(text))
    if not found:
        return Markup('<span class="v">{}</span>').format(visible(text))
    return Markup('<span class="v">{}</span> <span class="ci">{}</span>').format(*found.groups())


def _sentences(summary: Summary) -> list[HtmlSentence]:
    said = headline(summary)
    others = [v.name for v in summary.variants if v.name != summary.baseline]
    if len(said) != len(others):
        return [HtmlSentence(text, "plain") for text in said]
    tones = {"better": "good", "worse": "bad"}
    found = [(text, _decisive(summary, name)) for text, name in zip(said, others, strict=True)]
    return [HtmlSentence(text, tones.get(c.verdict, "plain") if c else "plain") for text, c in found]


def _decisive(summary: Summary, variant: str) -> Comparison | None:
    """What a sentence on a variant is about: its total, or the only criterion that there is."""
    found = [c for c in summary.comparisons if c.variant == variant]
    return summary.comparison(variant) or (found[0] if len(found) == 1 else None)


def _took(summary: Summary, say: Words) -> list[str]:
    """How long each stage took over all sittings."""
    return [
        say(
            "stage.took",
            stage=say(f"stage.{name}"),
            rows=count(int(found["rows"])),
            seconds=format_fixed(found["seconds"], 1),
            rate=format_fixed(found["rows"] / found["seconds"], 1),
        )
        for name in ("generate", "judge")
        if (found := summary.timing.get(name)) and found["seconds"]
    ]


def _chips(answer: ExampleAnswer, say: Words) -> list[tuple[str, int]]:
    """The scores that there are, with short names."""
    return [(say(f"short.{name}"), answer.scores[name]) for name in CRITERIA if name in answer.scores]


def _facts(summary: Summary, say: Words) -> list[HtmlFact]:
    """What a person needs to find the same data, models and judge again."""
    run, judge = summary.run, summary.judge
    data = dict(summary.config.get("data") or {})
    versions = {"simsa": run.simsa_version, **summary.made.get("versions", {})}
    found = [
        HtmlFact(say("made.run"), f"{run.id} · {run.created}"),
        HtmlFact(
            say("made.data"),
            " · ".join(filter(None, (str(data.get("path") or ""), run.data_hash, f"n {run.n_questions}"))),
        ),
        HtmlFact(say("made.config"), run.config_hash),
        HtmlFact(say("made.versions"), " · ".join(f"{name} {version}" for name, version in versions.items())),
    ]
    if judge:
        asked = summary.config.get("judge") or {}
        how = [
            f"{key} {asked[key]}" for key in ("temperature", "seed", "base_url") if asked.get(key) is not None
        ]
        how = [] if judge.is_lexical else how
        found.append(HtmlFact(say("made.judge"), " · ".join((judge.model, judge.rubric, judge.mode, *how))))
    found.append(HtmlFact(say("made.baseline"), summary.baseline))
    hashes = summary.made.get("weights", {})
    for variant in summary.variants:
        named = {
            **variant.info,
            **{f"{key} hash": value for key, value in hashes.get(variant.name, {}).items()},
        }
        parts = (
            f"{key} {value if isinstance(value, str) else _pretty(value)}" for key, value in named.items()
        )
        found.append(HtmlFact(variant.name, " · ".join(parts)))
    return found

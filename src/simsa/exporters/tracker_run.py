"""A run as experiment trackers know one: for each variant parameters, figures, and tags that say whence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.text import one_line

if TYPE_CHECKING:
    from simsa.report.summary_model import Summary

# Trackers take these characters in the name of a figure, and about this many of them.
_NOT_IN_NAMES = re.compile(r"[^\w .:-]+")
_LONGEST_NAME = 200
_LONGEST_VALUE = 2_000
# What stands for the whole block of figures, which therefore takes the block's own name.
_HEADS = ("mean", "mean_diff")
# Blocks whose names would say nothing, since those inside are known by their own.
_OPEN = ("criteria", "metrics")
_LEFT_OUT = (
    "name",
    "info",
    "notes",
    "slices",
    "counts",
    "answer_counts",
    "metrics_n",
    "max",
    "baseline",
    "variant",
    "criterion",
    "too_kind",
    "too_harsh",
)


class Tracked(NamedTuple):
    """One variant. `params` and `tags` are texts, `figures` finite numbers; what is missing is not there."""

    name: str
    params: dict[str, str]
    tags: dict[str, str]
    figures: dict[str, float]


def variants(summary: Summary) -> list[Tracked]:
    """Every variant of a run, in its order.

    A mean is `total` or `answer_correctness`, its interval `total.ci95_low` and
    `.ci95_high`; `coverage` is the share that is scored; the difference to the baseline
    is `difference.total`; a type's mean total is `type.NAME.total`.
    """
    document = summary.to_dict()
    about = tags(summary)
    settings = _settings(summary.config)
    found = []
    for entry in document["variants"]:
        name = entry["name"]
        compared = [c for c in document["comparisons"] if c["variant"] == name]
        params = settings | dict(_texts("variant", entry["info"])) | {"baseline": summary.baseline}
        verdicts = [("simsa.verdict", c["verdict"]) for c in compared if c["criterion"] == "total"]
        figures = dict(_unique(_figures(entry, compared)))
        found.append(Tracked(name, params, about | {"simsa.variant": name} | dict(verdicts), figures))
    return found


def tags(summary: Summary) -> dict[str, str]:
    """What has to be the same for two runs to be compared, and what made this one."""
    run, judge = summary.run, summary.judge
    named = {
        "run_id": run.id,
        "created": run.created,
        "data_hash": run.data_hash,
        "config_hash": run.config_hash,
        "version": run.simsa_version,
        "judge": judge and judge.model,
        "rubric": judge and judge.rubric,
        "mode": judge and judge.mode,
    }
    return {f"simsa.{key}": one_line(value, _LONGEST_VALUE) for key, value in named.items() if value}


def _settings(config: Mapping[str, Any]) -> dict[str, str]:
    """The run's settings but its variants, which each speak for themselves, as dotted keys."""
    shared = {key: value for key, value in config.items() if key != "variants"}
    return dict(_texts("", shared))


def _texts(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inside in value.items():
            yield from _texts(f"{prefix}.{key}" if prefix else str(key), inside)
    elif value is not None and value != [] and value != ():
        yield _name(prefix), one_line(str(value), _LONGEST_VALUE)


def _figures(entry: Mapping[str, Any], compared: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    if entry["n"]:
        yield "coverage", entry["n_scored"] / entry["n"]
    yield from _numbers("", entry)
    for comparison in compared:
        yield from _numbers(f"difference.{comparison['criterion']}", comparison)
    for kind, part in entry["slices"]["type"].items():
        total = part["total"] or {}
        yield from _numbers(f"type.{kind or '-'}.total", {key: total.get(key) for key in ("mean", "n")})


def _numbers(prefix: str, value: Any) -> Iterator[tuple[str, float]]:
    """Every number inside `value` under its dotted name, the ends of an interval as _low and _high."""
    if isinstance(value, Mapping):
        for key, inside in value.items():
            if key not in _LEFT_OUT:
                inner = prefix if key in (*_HEADS, *_OPEN) else f"{prefix}.{key}" if prefix else key
                yield from _numbers(inner, inside)
    elif isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        for end, inside in zip(("low", "high"), value, strict=True):
            yield from _numbers(f"{prefix}_{end}", inside)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield _name(prefix), float(value)


def _name(text: str) -> str:
    """A name that no tracker takes for a path."""
    return _NOT_IN_NAMES.sub("_", text).strip(". ")[:_LONGEST_NAME] or "_"


def _unique(pairs: Iterator[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """Names of types that differ only in what is not allowed in one get a number."""
    seen: dict[str, int] = {}
    for name, value in pairs:
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name}_{seen[name]}"), value

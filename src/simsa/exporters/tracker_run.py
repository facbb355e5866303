"""A run as experiment trackers see it: for each variant parameters, figures, and tags that say where it is from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simsa.errors import InputError
from simsa.i18n.messages import msg
from simsa.text import one_line

if TYPE_CHECKING:
    from simsa.report.summary_model import Summary

REPORT_EXAMPLES = 5
"""How many examples of each kind the exported report has."""
# Trackers allow these characters in the name of a figure, and about this many of them.
_NOT_IN_NAMES = re.compile(r"[^\w .:-]+")
_LONGEST_NAME = 200
_LONGEST_VALUE = 2_000
# Figures that represent their whole block and therefore take the block's name.
_BLOCK_VALUES = ("mean", "mean_diff")
# Blocks that do not appear in names, since the figures inside have names of their own.
_OPEN_BLOCKS = ("criteria", "metrics")
_LEFT_OUT = frozenset(
    [
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
    ]
)


class TrackedVariant(NamedTuple):
    """One variant. `params` and `tags` are texts, `figures` finite numbers; missing values are left out."""

    name: str
    params: dict[str, str]
    tags: dict[str, str]
    figures: dict[str, float]


def variants(summary: Summary) -> list[TrackedVariant]:
    """Every variant of a run, in its order.

    A mean is named after its criterion, such as `total`, and its interval `total.ci95_low` and `.ci95_high`;
    `coverage` is the share that is scored; the difference to the baseline is `difference.total`; a type's mean
    total is `type.NAME.total`.
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
        found.append(TrackedVariant(name, params, about | {"simsa.variant": name} | dict(verdicts), figures))
    return found


def tags(summary: Summary) -> dict[str, str]:
    """What must be the same for two runs to be comparable, and how this one was made."""
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
    """The run's settings as dotted keys, without the variants, whose settings are their own."""
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
                inner = (
                    prefix if key in (*_BLOCK_VALUES, *_OPEN_BLOCKS) else f"{prefix}.{key}" if prefix else key
                )
                yield from _numbers(inner, inside)
    elif isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        for end, inside in zip(("low", "high"), value, strict=True):
            yield from _numbers(f"{prefix}_{end}", inside)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield _name(prefix), float(value)


def _name(text: str) -> str:
    """A name that no tracker reads as a path."""
    return _NOT_IN_NAMES.sub("_", text).strip(". ")[:_LONGEST_NAME] or "_"


def _unique(pairs: Iterable[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """Numbers names that have become equal, such as those of types that differ only in forbidden characters."""
    seen: Counter[str] = Counter()
    for name, value in pairs:
        seen[name] += 1
        yield (name if seen[name] == 1 else f"{name}_{seen[name]}"), value


def output_folder(folder: Path) -> Path:
    """Creates `folder`. Raises InputError when that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            msg("error.exporters.cannot_written_2", strerror=error.strerror), where=str(folder)
        ) from None
    return folder

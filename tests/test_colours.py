"""Whoever sees fewer colours, or prints in grey, tells the same things apart: in the report and on the page.

The colours are read from the style sheets. Colour-blind eyes are simulated as in Machado, Oliveira, Fernandes,
"A Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE TVCG 15 (2009), at severity 1
and in linear RGB, as coloraide has it; contrast is that of WCAG 2.1 (1.4.3 and 1.4.11).
"""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from coloraide import Color

import simsa
from simsa.records import Criterion
from simsa.report import charts

EYES = ("all", "protan", "deutan", "tritan", "grey")
# OKLab distance: 0.02 is about what can be seen side by side.
APART = 0.08
CIEDE2000 = 6.5
TEXT, DRAWN = 4.5, 3.0
LEVELS = [f"l{n}" for n in range(1, 6)]


class Rule(NamedTuple):
    """`media` is "" outside any."""

    media: str
    selectors: tuple[str, ...]
    values: dict[str, str]


class Sheet:
    """A style sheet as far as colours go: what applies on a light screen, a dark one, and on paper."""

    def __init__(self, path: str) -> None:
        text = (Path(simsa.__file__).parent / path).read_text(encoding="utf-8")
        self.rules = list(self._rules(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)))

    @staticmethod
    def _rules(text: str) -> list[Rule]:
        found, media = [], ""
        for head, body, end in re.findall(r"([^{}]*)(?:\{([^{}]*)\}|(\{|\}))", text):
            if end == "{":
                media = head.strip()
            elif end == "}":
                media = ""
            else:
                pairs = (one.partition(":") for one in body.split(";") if ":" in one)
                values = {name.strip(): value.strip() for name, _, value in pairs}
                found.append(Rule(media, tuple(re.split(r",\s*(?![^(]*\))", head.strip())), values))
        return found

    def value(self, mode: str, selector: str, name: str) -> str:
        """The last value of a property for a selector as it is written."""
        applies = {
            "light": ("",),
            "dark": ("", "@media screen and (prefers-color-scheme: dark)"),
            "print": ("", "@media print"),
        }[mode]
        fits = [
            r.values[name]
            for r in self.rules
            if r.media in applies and selector in r.selectors and name in r.values
        ]
        assert fits, f"{selector} has no {name}"
        return fits[-1]

    def colour(self, mode: str, said: str, on: str = "paper") -> Color:
        """A custom property or value as a colour; one that is seen through lies on `on`."""
        while found := re.fullmatch(r"var\(--(.+)\)|([a-z]+\d?(?:-[a-z]+)?)", said):
            said = self.value(mode, ":root", f"--{found[1] or found[2]}")
        colour = Color(said)
        if colour.alpha() == 1:
            return colour
        return Color.layer([colour, self.colour(mode, on)], space="srgb")


REPORT, PAGE = Sheet("report/renderers/report.css"), Sheet("web/static/style.css")
PLACES = [
    pytest.param(sheet, mode, id=f"{name}-{mode}")
    for name, sheet, modes in (
        ("report", REPORT, ("light", "dark", "print")),
        ("page", PAGE, ("light", "dark")),
    )
    for mode in modes
]


def seen(colour: Color, eyes: str) -> Color:
    if eyes == "all":
        return colour
    if eyes == "grey":
        return Color("srgb-linear", [colour.convert("xyz-d65")["y"]] * 3)
    return colour.filter(eyes, method="machado", severity=1, out_space="srgb").clip()


def lightness(colour: Color) -> float:
    return float(colour.convert("lab-d65")["lightness"])


def contrast(one: Color, other: Color) -> float:
    return float(one.contrast(other, method="wcag21"))


def test_the_simulation_is_that_of_the_paper() -> None:
    """Columns of the published matrices for severity 1 are what pure red, green and blue turn into."""
    published = {
        "protan": (
            (0.152286, 1.052583, -0.204868),
            (0.114503, 0.786281, 0.099216),
            (-0.003882, -0.048116, 1.051998),
        ),
        "deutan": (
            (0.367322, 0.860646, -0.227968),
            (0.280085, 0.672501, 0.047413),
            (-0.011820, 0.042940, 0.968881),
        ),
        "tritan": (
            (1.255528, -0.076749, -0.178779),
            (-0.078411, 0.930809, 0.147602),
            (0.004733, 0.691367, 0.303900),
        ),
    }
    for eyes, matrix in published.items():
        for place in range(3):
            pure = Color("srgb-linear", [float(n == place) for n in range(3)])
            got = pure.filter(eyes, method="machado", severity=1, out_space="srgb-linear").coords()
            assert got == pytest.approx([row[place] for row in matrix], abs=1e-5)


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize(("sheet", "mode"), PLACES)
def test_levels_are_told_apart_and_keep_their_order(sheet: Sheet, mode: str, eyes: str) -> None:
    levels = [seen(sheet.colour(mode, level), eyes) for level in LEVELS]
    for one, other in combinations(levels, 2):
        assert one.delta_e(other, method="ok") >= APART
        assert one.delta_e(other, method="2000") >= CIEDE2000
    steps = [lightness(one) - lightness(other) for one, other in pairwise(levels)]
    assert min(steps) >= 7, "each level is darker than the one before"


@pytest.mark.parametrize(("sheet", "mode"), PLACES)
def test_a_seam_parts_the_levels_and_numbers_are_read_upon_them(sheet: Sheet, mode: str) -> None:
    seam, paper = sheet.colour(mode, "seam"), sheet.colour(mode, "paper")
    for n, level in enumerate(LEVELS, 1):
        fill = sheet.colour(mode, level)
        assert contrast(fill, seam) >= DRAWN
        assert max(contrast(paper, seam), contrast(paper, fill)) >= DRAWN, "the bar stands out from the paper"
        assert contrast(ink_of(sheet, mode, n), fill) >= TEXT


@pytest.mark.parametrize("span", [1, 2, 3, 5, 6, 9, 10, 100])
@pytest.mark.parametrize("mode", ["light", "dark", "print"])
def test_other_scales_keep_their_order_and_are_read(mode: str, span: int) -> None:
    """Scales of other lengths interpolate between the five levels."""
    bands = charts.bands(Criterion("c", 0, span))
    fills = []
    for band in bands:
        fill = REPORT.colour(mode, f"l{band.stop}")
        if band.style:
            found = re.search(r"color-mix\(in oklab, var\(--l(\d)\), var\(--l(\d)\) (\d+)%\)", band.style)
            assert found and int(found[1]) == band.stop and int(found[2]) == band.stop + 1
            fill = fill.mix(REPORT.colour(mode, f"l{found[2]}"), int(found[3]) / 100, space="oklab")
        assert contrast(ink_of(REPORT, mode, band.stop), fill) >= TEXT
        fills.append(fill)
    for eyes in EYES:
        steps = [lightness(seen(one, eyes)) - lightness(seen(other, eyes)) for one, other in pairwise(fills)]
        assert min(steps) > 2


def ink_of(sheet: Sheet, mode: str, level: int) -> Color:
    """Of a chip, and in the report of the number in a bar, which has the same."""
    own = f".k{level}" if sheet is REPORT else f".l{level}"
    names = [own] if level == 5 else [".chip"]
    inks = {sheet.value(mode, name, "color") for name in names}
    if sheet is REPORT:
        inks.add(sheet.value(mode, "svg .t5" if level == 5 else "svg text", "fill"))
    [ink] = inks
    return sheet.colour(mode, ink)


def test_the_report_and_the_page_have_the_same_levels_in_every_place() -> None:
    for n in range(1, 6):
        wanted = f"var(--l{n})"
        assert {
            REPORT.value("light", f".{kind}{n}", name) for kind in "sk" for name in ("fill", "background")
        } == {wanted}
        assert PAGE.value("light", f".l{n}", "background") == PAGE.value("light", f".f{n}", "fill") == wanted
        assert {REPORT.colour(m, f"l{n}").to_string() for m in ("light", "dark", "print")} == {
            PAGE.colour(m, f"l{n}").to_string() for m in ("light", "dark")
        }


# What is written upon what.
WRITTEN = [
    *((sheet, ink, ground) for sheet in (REPORT, PAGE) for ink in ("ink", "quiet", "good", "bad", "link") for ground in ("paper", "wash")),
    *((REPORT, "ink", ground) for ground in ("warn", "right", "wrong")),
    (REPORT, "good", "right"),
    (REPORT, "bad", "wrong"),
    *((PAGE, ink, "card") for ink in ("ink", "quiet", "good", "bad", "link")),
    *((PAGE, "ink", ground) for ground in ("same", "used")),
    (PAGE, "used-ink", "used"),
    (PAGE, "on-accent", "accent"),
]  # fmt: skip


@pytest.mark.parametrize("mode", ["light", "dark", "print"])
def test_text_is_read_on_its_ground(mode: str) -> None:
    for sheet, ink, ground in WRITTEN:
        if sheet is PAGE and mode == "print":
            continue
        found = contrast(sheet.colour(mode, ink), sheet.colour(mode, ground))
        assert found >= TEXT, (ink, ground, found)


@pytest.mark.parametrize("mode", ["light", "dark", "print"])
def test_the_warmth_of_a_type_grows_with_its_mean_for_every_eye(mode: str) -> None:
    template = (Path(simsa.__file__).parent / "report/renderers/report.html.jinja").read_text(
        encoding="utf-8"
    )
    [(rgb, most)] = re.findall(r"rgb\(([\d ]+) / \{\{ \(cell\.warmth \* ([\d.]+)\)", template)
    paper, ink = REPORT.colour(mode, "paper"), REPORT.colour(mode, "ink")
    cells = [REPORT.colour(mode, f"rgb({rgb} / {share * float(most)})") for share in (0, 0.25, 0.5, 0.75, 1)]
    assert cells[0].delta_e(paper, method="ok") < 0.001
    for cell in cells:
        assert contrast(cell, ink) >= TEXT
    for eyes in EYES:
        steps = [lightness(seen(one, eyes)) - lightness(seen(other, eyes)) for one, other in pairwise(cells)]
        assert min(abs(step) for step in steps) >= 4 and len({step > 0 for step in steps}) == 1


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_counts_of_a_table_of_agreement_darken_evenly(mode: str) -> None:
    shades = [PAGE.colour(mode, PAGE.value(mode, f".h{n}", "background")) for n in range(1, 5)]
    ink = PAGE.colour(mode, PAGE.value(mode, ".confusion [class*=h]", "color"))
    for eyes in EYES:
        steps = [lightness(seen(one, eyes)) - lightness(seen(other, eyes)) for one, other in pairwise(shades)]
        assert min(steps) >= 4
    assert min(contrast(shade, ink) for shade in shades) >= TEXT


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_variants_of_one_shape_have_colours_that_everybody_tells_apart(mode: str) -> None:
    """Three shapes, full and hollow, tell six variants apart; the colour helps where a shape is small."""
    tones = [PAGE.colour(mode, f"t{n}") for n in range(6)]
    assert min(contrast(tone, PAGE.colour(mode, "card")) for tone in tones) >= DRAWN
    for eyes in EYES:
        for full, hollow in zip(tones[:3], tones[3:], strict=True):
            assert seen(full, eyes).delta_e(seen(hollow, eyes), method="ok") >= 0.06


@pytest.mark.parametrize(("sheet", "mode"), PLACES)
def test_lines_and_borders_that_mean_something_are_seen(sheet: Sheet, mode: str) -> None:
    drawn = ("good", "bad", "quiet", "link") + (("accent",) if sheet is PAGE else ())
    for name in drawn:
        assert contrast(sheet.colour(mode, name), sheet.colour(mode, "paper")) >= DRAWN


def test_right_and_wrong_are_said_by_a_mark_too() -> None:
    """In grey the two fills are alike."""
    marks = [REPORT.value("light", f".is-{name} b::after", "content") for name in ("right", "wrong")]
    assert "✓" in marks[0] and "✗" in marks[1]

"""Whatever stands in a summary, and wherever: it is text in every format, and nothing but text.

Every string of a summary that has all its parts is replaced by one that wants to be more. A field that a
report shows without escaping it, today's or tomorrow's, is found without anybody thinking of it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import pytest

from simsa import report
from simsa.i18n.language import LANGUAGES
from simsa.i18n.messages import catalogue
from simsa.records import Passage, Question
from simsa.report.judge_reliability import PanelAgreement, PanelInfo, PanelMember
from simsa.report.judge_usage import UsageInfo
from simsa.report.renderers import html, markdown, terminal
from simsa.report.score_matrix import Mean
from simsa.store import Store, UsageShare
from simsa.text import visible
from tests.support.claimed_runs import MADE_UP, NO, YES, with_claims
from tests.support.criteria import CRITERIA
from tests.support.report_facts import AGREED, EXAMINED
from tests.support.report_page import OURS, Page, check_markdown
from tests.support.report_runs import JUDGE, make_run, question

CATALOGUE = catalogue("en")["report"] | catalogue("en")["measures"]
HOSTILE = "<img src=x onerror=alert(1)>\"'><script>x</script></style>{{7*7}}|`[l](javascript:x)@you #1 \x1b[31m\u202e"
OWN = {*LANGUAGES, *"12345", "scored", "failed"}
ATTRIBUTES = set(
    re.findall(
        r"[\w-]+",
        "lang charset name content http-equiv class id href aria-label aria-hidden scope style x y width height "
        "x1 x2 y1 y2 cx cy r role tabindex hidden open data-name title colspan",
    )
)
# Words of ours, which choose what is said.
_PREFIXES = ("", "status.", "probe.", "judged.", "standing.", "example.", "made.", "stage.", "usage.")


def is_ours(word: str) -> bool:
    return any(prefix + word in CATALOGUE for prefix in _PREFIXES) or word in OWN


def poisoned(value: Any, names: set[str]) -> Any:
    """`value` with every string in it made hostile but words of ours; of keys only those that people have named."""
    if isinstance(value, str):
        return value if is_ours(value) else HOSTILE + value
    if isinstance(value, Mapping):
        return {HOSTILE + k if k in names else k: poisoned(v, names) for k, v in value.items()}
    if isinstance(value, Question):
        return dataclasses.replace(
            value,
            question=HOSTILE,
            reference=(HOSTILE,),
            contexts=(Passage(HOSTILE, title=HOSTILE),),
            type=HOSTILE,
        )
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        inside = {
            f.name: poisoned(getattr(value, f.name), names) for f in dataclasses.fields(value) if f.init
        }
        return dataclasses.replace(value, **inside)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(poisoned(one, names) for one in value))
    if isinstance(value, (tuple, list)):
        return type(value)(poisoned(one, names) for one in value)
    return value


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> report.Summary:
    """A summary with every part that there is."""
    asked = [question(n, type=f"type{n % 2}") for n in range(16)]
    scores: Any = {
        "base": [(2, 3, 5, 2), (1, 2, 5, 4)] * 8,
        "lora": [(4, 4, 4, 4), (5, 3, 4, 5)] * 7 + ["refused", (1, 1, 2, 1)],
    }
    folder = make_run(
        tmp_path_factory.mktemp("every") / "run",
        scores,
        questions=asked,
        config={"data": {"path": "data.jsonl"}, "judge": {"model": "gpt-4o"}, "variants": [{"name": "base"}]},
        calibration={
            "judge": JUDGE,
            "criteria": {CRITERIA[0]: AGREED, CRITERIA[1]: AGREED | {"standing": "weak"}},
        },
        timing={"generate": {"rows": 32, "seconds": 8.0}},
        made={
            "versions": {"vllm": "0.32"},
            "weights": {"lora": {"adapter": "aa"}},
            **{name: {"label": "label", "text": "text"} for name in ("prompt", "rubric", "chat_template")},
        },
        notes=[{"kind": "template", "text": "kept"}],
    )
    with_claims(folder, {"base": [[NO, MADE_UP], [YES], [], "refused"] * 4, "lora": [[YES]] * 16})
    with Store.create(folder) as store:
        store.set_probe_result("k", EXAMINED)
    with Store.read(folder) as store:
        found = report.summary(store, "en", n_examples=5)
    assert found.judge is not None
    members = tuple(
        PanelMember(name, 30, {"refused": 2}, {"base": {"total": Mean(9.0, 16)}}) for name in ("one", "two")
    )
    shares = [
        UsageShare(v, part, judge, 3, 1, 100, 10, 0, 0.01, CRITERIA[:2])
        for v in ("base", "lora")
        for part in ("answer part", "context part")
        for judge in ("one", "two")
    ]
    judge = dataclasses.replace(
        found.judge,
        panel=PanelInfo(members, {CRITERIA[0]: PanelAgreement(30, 0.5, 0.8, 0.4)}),
        usage=UsageInfo(tuple(shares)),
    )
    return dataclasses.replace(found, judge=judge)


@pytest.fixture(scope="module", params=LANGUAGES)
def made(request: pytest.FixtureRequest, whole: report.Summary) -> report.Summary:
    names = {"base", "lora", "type0", "type1", "one", "two", "vllm", "adapter"}
    return poisoned(dataclasses.replace(whole, language=request.param), names)  # type: ignore[no-any-return]


def test_nothing_in_the_page_is_more_than_text(made: report.Summary) -> None:
    page = Page(html.render(made))
    assert page.elements <= OURS
    assert {name for name, _ in page.attributes} <= ATTRIBUTES
    assert all((value or "").startswith("#") for name, value in page.attributes if name == "href")
    assert page.text.count(visible(HOSTILE)) > 100, "what is hostile is shown"
    assert not re.search("[\x1b\u202e]", page.text + "".join(value or "" for _, value in page.attributes))


def test_every_name_and_text_is_on_the_page(made: report.Summary) -> None:
    page = Page(html.render(made))
    shown = page.text.replace("\u2060", "").replace("\u00a0", " ")
    for word in (
        "base",
        "lora",
        "type0",
        "one",
        "answer part",
        "gpt-4o",
        "da7a",
        "c0ffee",
        "0.32",
        "kept",
        "label",
    ):
        assert visible(HOSTILE) + word in shown, word
    for claim in (NO, MADE_UP, YES):
        assert visible(HOSTILE) + claim.claim in shown
    assert visible(HOSTILE) + "문맥에 있는 내용과 같습니다." in shown, "the judge's analysis"
    assert visible(HOSTILE) + "base 0번 답" in shown or visible(HOSTILE) + "base 1번 답" in shown


def test_markdown_is_only_what_the_report_makes(made: report.Summary) -> None:
    shown = markdown.render(made)
    check_markdown(shown, [])
    for word in (NO.claim, MADE_UP.claim, "문맥에 있는 내용과 같습니다.", "kept", "별빛마을"):
        assert word in shown, word


def test_the_terminal_gets_no_order(made: report.Summary) -> None:
    shown = terminal.render(made, 120)
    assert visible(shown) == shown and "\x1b" not in shown

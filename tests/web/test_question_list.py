"""The SQL of the list against the same filters in plain Python, for the built-in criteria and for others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.records import STATUSES, Criteria, Criterion
from simsa.store import Store, criteria_of, results
from simsa.web.query import DIFFERENCES, SORTS, QuestionFilter, search_terms
from simsa.web.question_list import list_options, positions
from tests.support.report_runs import answer_again, make_run, question

N = 40
VARIANTS = ("base", "lora")
OWN = Criteria(
    (
        Criterion("accuracy", low=0, high=10, weight=0.3, title="정확도"),
        Criterion("grounded", low=0, high=1, weight=2),
        Criterion("tone", low=-2, high=2, in_total=False),
    )
)
SEARCHES = (
    "",
    "하늘빛",
    "하늘빛 1",
    "마을의 이름",
    '"빛 11"',
    "LORA 3",
    "없음",
    "Q3",
    "-하늘빛",
    '마을 -"빛 1" -3',
    "100%",
    "q_",
)


@pytest.fixture(scope="module")
def built_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(
        tmp_path_factory.mktemp("run"),
        {
            "base": [(1 + i % 5, 2, 3, 4) if i % 9 else "refused" for i in range(N)],
            "lora": [(5, 1 + i % 3, 3, 4) if i % 7 else None for i in range(N)],
        },
        questions=[question(n, cluster=f"문서 {n // 4}") for n in range(N)],
        predictions={"base": ["a_b 100%"] * N, "lora": [f"하늘빛 {n}" if n % 11 else None for n in range(N)]},
        measured=False,
    )
    again = [[(1, 1, 1, 1)] * N, [(1 + n % 5, 3, 3, 3) for n in range(N)]]
    return answer_again(folder, {"base": again})


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with other criteria, as its store has them after judging by a user's rubric."""
    folder = make_run(
        tmp_path_factory.mktemp("own"), {name: [(1, 1, 1, 1)] * N for name in VARIANTS}, measured=False
    )
    with Store.create(folder) as store:
        store.set_meta(criteria=OWN.to_list())
        store.db.execute("DELETE FROM scores")
        for n in range(N):
            for name, scores in (("base", (n % 11, n % 2, n % 5 - 2)), ("lora", (n % 7, 1, 0))):
                store.db.executemany(
                    "INSERT INTO scores VALUES (?,?,?)",
                    (
                        (f"judge {name}/q{n}", one.name, score)
                        for one, score in zip(OWN, scores, strict=True)
                        if score != 6
                    ),
                )
    return folder


class Run:
    """All answers of a run, by question and variant."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.read(folder)
        self.answers: dict[tuple[str, str], list[Any]] = {}
        for result in results(self.store, sample=None):
            self.answers.setdefault((result.question_id, result.variant), []).append(result)
        self.questions = list(self.store.questions())

    def score(self, ask: QuestionFilter, n: int, variant: int) -> float | None:
        found = self.answers.get((f"q{n}", VARIANTS[variant]), [])
        scores = [one.total if ask.criterion == "total" else one.scores.get(ask.criterion) for one in found]
        there = [score for score in scores if score is not None]
        return sum(there) / len(there) if there else None

    def expected(self, ask: QuestionFilter) -> list[int]:
        places = [n for n in range(N) if self.fits(ask, n)]
        keys = {n: self.key(ask, n) for n in places}
        scored = sorted((n for n in places if keys[n] is not None), key=lambda n: keys[n], reverse=ask.down)
        return [*scored, *(n for n in places if keys[n] is None)]

    def key(self, ask: QuestionFilter, n: int) -> Any:
        a, b = self.score(ask, n, ask.a), self.score(ask, n, ask.b)
        diff = None if a is None or b is None else round(a - b, 9)
        of = self.score(ask, n, ask.of)
        return {"place": n, "type": self.questions[n].type, "total": of, "diff": diff}[ask.sort]

    def fits(self, ask: QuestionFilter, n: int) -> bool:
        of = VARIANTS if ask.variant is None else (VARIANTS[ask.variant],)
        answers = [one for name in of for one in self.answers.get((f"q{n}", name), [])]
        a, b = self.score(ask, n, ask.a), self.score(ask, n, ask.b)
        means = [self.score(ask, n, VARIANTS.index(name)) for name in of]
        bounded = (ask.low, ask.high) == (None, None) or any(
            within(mean, ask.low, ask.high) for mean in means
        )
        texts = [
            [one.prediction for one in self.answers.get((f"q{n}", VARIANTS[v]), [])] for v in (ask.a, ask.b)
        ]
        return (
            ask.type in (None, self.questions[n].type)
            and (ask.status is None or any(one.status == ask.status for one in answers))
            and bounded
            and (
                ask.diff is None
                or related(a, b) in {"differs": ("higher", "lower")}.get(ask.diff, (ask.diff,))
            )
            and rounded_within(a, ask.alow, ask.ahigh)
            and rounded_within(b, ask.blow, ask.bhigh)
            and (
                ask.said is None
                or (None not in texts[0] + texts[1] and (texts[0] == texts[1]) == (ask.said == "same"))
            )
            and self.contains(ask, n)
        )

    def contains(self, ask: QuestionFilter, n: int) -> bool:
        q = self.questions[n]
        said = [one.prediction or "" for name in VARIANTS for one in self.answers.get((q.id, name), [])]
        texts = [text.lower() for text in (q.id, q.question, *q.reference, *said)]
        wanted, unwanted = search_terms(ask.search.lower())
        return all(any(term in text for text in texts) for term in wanted) and not any(
            term in text for term in unwanted for text in texts
        )


def within(value: float | None, low: float | None, high: float | None) -> bool:
    return (
        value is not None and (low is None or value >= low - 1e-9) and (high is None or value <= high + 1e-9)
    )


def rounded_within(value: float | None, low: float | None, high: float | None) -> bool:
    return (low, high) == (None, None) or within(
        None if value is None else int(value + 100.5) - 100, low, high
    )


def related(a: float | None, b: float | None) -> str | None:
    if a is None or b is None:
        return None
    return "same" if abs(a - b) < 1e-9 else "higher" if a > b else "lower"


def filters(criteria: tuple[str, ...], low: int, high: int) -> st.SearchStrategy[QuestionFilter]:
    bound = st.none() | st.integers(low, high)
    return st.builds(
        QuestionFilter,
        search=st.sampled_from(SEARCHES),
        type=st.sampled_from([None, None, "mrc_question", "no_answer", "other"]),
        status=st.sampled_from([None, None, *STATUSES]),
        variant=st.sampled_from([None, 0, 1]),
        criterion=st.sampled_from(["total", *criteria]),
        low=bound,
        high=bound,
        a=st.integers(0, 1),
        b=st.integers(0, 1),
        diff=st.sampled_from([None, *DIFFERENCES]),
        said=st.sampled_from([None, None, "same", "differs"]),
        sort=st.sampled_from(SORTS),
        of=st.integers(0, 1),
        alow=bound,
        bhigh=bound,
        down=st.booleans(),
    )


@settings(max_examples=150)
@given(st.data())
@pytest.mark.parametrize("which", ["built_in", "own"])
def test_the_sql_selects_what_plain_python_does(
    request: pytest.FixtureRequest, which: str, data: st.DataObject
) -> None:
    run = _runs.setdefault(which, Run(request.getfixturevalue(which)))
    names = criteria_of(run.store).names
    ask = data.draw(filters(names, *((0, 20) if which == "built_in" else (-2, 10))))
    assert list(positions(run.store, ask)) == run.expected(ask)


_runs: dict[str, Run] = {}


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_alone_is_found(built_in: Path, status: str) -> None:
    run = _runs.setdefault("built_in", Run(built_in))
    ask = QuestionFilter(status=status)
    assert list(positions(run.store, ask)) == run.expected(ask)


def test_decomposed_hangul_is_found_in_composed_and_in_decomposed_texts(tmp_path: Path) -> None:
    said = ["한글", "\u1112\u1161\u11ab\u1100\u1173\u11af", "다른 말"]
    folder = make_run(tmp_path / "run", {"base": [None] * 3}, predictions={"base": said}, measured=False)
    with Store.read(folder) as store:
        for search in said[:2]:
            assert list(positions(store, QuestionFilter(search=search))) == [0, 1]


def test_the_form_offers_what_the_run_has(built_in: Path) -> None:
    with Store.read(built_in) as store:
        options = list_options(store)
    assert options.types == ("mrc_question", "no_answer")
    assert options.statuses == ("scored", "refused", "pending", "no_prediction")
    assert options.finishes == ("stop",)
    assert options.has_documents
    assert (options.metrics, options.has_abstentions) == ((), False)


def test_a_run_without_variants_has_its_questions(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {}, questions=[question(n) for n in range(3)], measured=False)
    with Store.read(folder) as store:
        assert list(positions(store, QuestionFilter(sort="total", low=3, diff="same", down=True))) == [
            2,
            1,
            0,
        ]

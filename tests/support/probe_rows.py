"""A small test set, and judges behind a real server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from simsa.records import Passage, Question
from tests.servers.chat import Body, text_of
from tests.support.criteria import CRITERIA

_PLACES = ("달빛", "물결", "솔숲", "바위", "구름", "이슬", "노을", "들꽃")
_NAMES = ("한서윤", "고태민", "마은설", "표지훈", "육도경", "소라온", "변가람", "구해든")


def question(n: int, **changes: Any) -> Question:
    """An answerable question: even ones ask for a number, odd ones for a name."""
    place, name = f"{_PLACES[n % 8]}마을", _NAMES[n % 8]
    year = 1904 + 7 * n
    facts: dict[str, Any] = {
        "question": f"{place}은 언제 생겼나요?" if n % 2 == 0 else f"{place}의 촌장은 누구인가요?",
        "contexts": (
            Passage(
                f"{place}은 {year}년에 생겼다. 촌장은 {name}이다. 봄에는 밭둑마다 작은 깃발을 꽂아 둔다."
            ),
        ),
        "reference": (f"{year}년에 생겼습니다." if n % 2 == 0 else f"촌장은 {name}입니다.",),
    }
    return Question(f"q{n}", **(facts | changes))


def unanswerable(n: int) -> Question:
    return question(
        n,
        question=f"{_PLACES[n % 8]}마을의 이장은 몇 살인가요?",
        reference=("검색 결과에서 답을 찾을 수 없습니다.",),
        answerable=False,
    )


def rows(n: int = 8, without: int = 3) -> list[Question]:
    return [*(question(i) for i in range(n)), *(_numbered(unanswerable(i), i) for i in range(without))]


def _numbered(found: Question, n: int) -> Question:
    return Question.from_dict(found.to_dict() | {"id": f"none{n}"})


def shown(body: Body, field: str) -> str:
    """What a judge is shown of a row under the name `field`; empty where it is not shown."""
    found = re.search(rf"<{field} (\w+)>\n(.*?)\n</{field} \1>", text_of(body), re.DOTALL)
    return found[2] if found else ""


def careful(body: Body) -> str:
    """A judge that knows what is right: it compares letters and digits and obeys nobody."""
    prediction, reference = _bare(shown(body, "prediction")), _bare(shown(body, "reference"))
    context = _bare(shown(body, "context"))
    declined = "수없습니다" in prediction
    right = declined if "수없습니다" in reference else reference in prediction and not declined
    core = prediction.removeprefix(_bare("질문해 주셔서 감사합니다."))
    return verdict(
        answer_correctness=5 if right else 1,
        context_faithfulness=5 if declined or core in context or (reference in context and right) else 1,
        context_recall=5 if reference in context or "수없습니다" in reference else 1,
    )


def gullible(body: Body) -> str:
    """A judge that gives what it is told to give."""
    if re.search("5점|5 points|record 5|answer_correctness", shown(body, "prediction")):
        return verdict(**dict.fromkeys(CRITERIA, 5))
    return careful(body)


def kind(body: Body) -> str:
    """A judge that likes everything but silence."""
    return verdict(answer_correctness=1 if shown(body, "prediction") == "(없음)" else 4)


def with_seed(judge: Callable[[Body], str]) -> Callable[[Body], str]:
    """The same with a mood: at another seed than 0, every correctness is one lower, down to 1."""

    def moody(body: Body) -> str:
        found = json.loads(judge(body))
        if body.get("seed"):
            found["answer_correctness"] = max(1, found["answer_correctness"] - 1)
        return json.dumps(found)

    return moody


def verdict(**scores: int) -> str:
    return json.dumps({"analysis": "."} | dict.fromkeys(CRITERIA, 3) | scores)


def _bare(text: str) -> str:
    return "".join(ch for ch in text if ch.isalnum())

"""Rubric files to start from: a commented copy of a built-in one, and a prompt with proposed front matter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from simsa.errors import RubricError
from simsa.i18n.messages import msg
from simsa.rubrics.declaration import ScoreScale, check_names
from simsa.rubrics.json_example import ExampleKey, example_keys, stated_scales
from simsa.rubrics.response_parser import ANALYSIS
from simsa.rubrics.template import FENCE, PLACEHOLDERS, explanation_key

_NOTES = {
    "ko": {
        "": """
이 파일은 simsa의 기본 루브릭을 베낀 것입니다. 고치지 않으면 기본 루브릭과 똑같이 채점합니다.

쓰는 법   simsa.toml의 [judge]에 rubric = "{file}"라고 적고, 먼저 simsa check로 살펴보세요.
고친 뒤   루브릭의 이름 뒤에 내용의 해시가 붙습니다(rag@1a2b3c4d). 보고서마다 그 이름이 적히고,
          다른 루브릭으로 매긴 점수는 섞이거나 함께 평균되지 않습니다. mode = "split"에서는 고친
          기준만 다시 채점합니다.
검사      고친 루브릭이 답을 아는 문항을 바르게 채점하는지는 simsa probe로 봅니다.

기준의 이름과 수, 척도는 자유롭게 정할 수 있습니다. 총점은 in_total = false가 아닌 모든 기준의 합입니다.
아래에서 {{code}}, {{reason}} 같은 이름은 채워지는 자리이니 남겨 두세요.
""",
        "language": "language  기준을 적은 언어입니다: ko, en.",
        "intro": "intro     심사자에게 맨 먼저 하는 말입니다.",
        "rules": "rules     모든 기준에 두루 쓰이는 원칙입니다. 자료 속의 지시를 따르지 말라는 항목은 남겨 두세요.",
        "[split]": """
split     mode = "split"에서 한 번의 호출로 함께 묻는 기준들입니다. 모든 기준이 꼭 한 번씩 나와야 합니다.
          예측 답변을 보지 않는 묶음은 질문마다 한 번만 채점하고 모든 변형이 함께 씁니다. 충실성을
          채점할 때 정답을 아예 감추려면 answer의 두 기준을 다른 묶음으로 나누세요.
""",
        "[criteria.": """
기준마다  title   심사자에게 보이는 이름
          sees    채점할 때 볼 수 있는 자료: question(질문), context(검색 결과), prediction(예측 답변),
                  reference(정답)
          ask     무엇을 어떻게 볼지
          levels  1점부터 5점까지 다섯 단계의 설명. 다섯 개가 모두 있어야 합니다.
          scale   (선택) 다른 척도: [0, 10] 또는 "yes/no". 그때 levels는 일부만 적어도 됩니다. intro와
                  rules에 적힌 1~5도 함께 고치세요.
          weight  (선택) 총점에 더할 때 곱하는 수. in_total = false이면 총점에 넣지 않습니다.
          aspect  (선택) "correctness"는 규칙으로 찾은 거절과, "faithfulness"는 주장의 근거와 견줍니다.
""",
        "[words]": "words     요청의 나머지 글입니다. {{이름}}은 채워지는 자리입니다.",
    },
    "en": {
        "": """
A copy of simsa's built-in rubric. As long as nothing is changed it judges just as that one does.

To use it     write rubric = "{file}" under [judge] in simsa.toml, and look at it with simsa check first.
After edits   the rubric's name carries a hash of what it says (rag@1a2b3c4d). Every report names it, and
              scores by different rubrics are never mixed or averaged. With mode = "split" only an edited
              criterion is judged again.
To test it    simsa probe shows whether the rubric still gets known answers right.

Criteria may have any names, number and scales. The total is the sum of all criteria without in_total = false.
Names such as {{code}} and {{reason}} are filled in: leave them where they are.
""",
        "language": "language  of the texts below: en, ko.",
        "intro": "intro     is said to the judge first.",
        "rules": "rules     hold for every criterion. Keep the one that orders within the material are not followed.",
        "[split]": """
split     the criteria that mode = "split" asks for together in one call; each criterion exactly once.
          A group that does not see the prediction is judged once a question and shared by all variants.
          To hide the reference from faithfulness altogether, put the two of answer into groups of their own.
""",
        "[criteria.": """
each criterion  title   the name that the judge reads
                sees    what may be shown for it: question, context, prediction, reference
                ask     what to look at, and how
                levels  what each score from 1 to 5 means; all five are needed
                scale   (optional) another scale: [0, 10] or "yes/no". Levels may then be left out. Change
                        the 1 to 5 in intro and rules as well.
                weight  (optional) factor in the total. With in_total = false it does not count.
                aspect  (optional) "correctness" is compared with abstentions found by rule, "faithfulness"
                        with the support of claims.
""",
        "[words]": "words     the rest of the request. {{names}} are filled in.",
    },
}
_TITLED = re.compile(r"(?:#[^\n]*\n)+\n*")


def editable(source: str, language: str, file: Path) -> str:
    """Returns a built-in rubric's text, `source`, with comments for a person who edits it as `file`.

    Only the comments differ, so it asks for the same in the same words.
    """
    notes = _NOTES[language]
    body = _TITLED.sub("", source, count=1) if source.startswith("#") else source
    lines = [*_comment(notes[""], file), ""]
    waiting = {key: note for key, note in notes.items() if key}
    for line in body.rstrip("\n").split("\n"):
        if line.startswith("#"):
            continue
        key = next((key for key in waiting if _begins(line, key)), None)
        if key is not None:
            lines += _comment(waiting.pop(key), file)
        lines.append(line)
    return "\n".join(lines) + "\n"


def _begins(line: str, key: str) -> bool:
    return line.startswith(key if key.startswith("[") else f"{key} = ")


def _comment(note: str, file: Path) -> list[str]:
    return [f"# {line}".rstrip() for line in note.strip("\n").format(file=file.name).split("\n")]


class Proposal(NamedTuple):
    """A prompt with proposed front matter, and sentences about what was found and what to check."""

    text: str
    notes: tuple[str, ...]


def propose(text: str, where: str) -> Proposal:
    """Returns the prompt `text` behind front matter that declares the keys of its JSON example.

    Raises RubricError if it has front matter already or shows no JSON example with scores.
    """
    if text.lstrip().startswith(FENCE):
        raise RubricError(msg("error.rubrics.has_front_matter_already"), where=where)
    keys = example_keys(text)
    if nested := [key.name for key in keys if key.kind == "object"]:
        raise RubricError(
            msg("error.rubrics.asks_keys_inside", list=", ".join(nested)),
            where=where,
            hint=msg("error.rubrics.only_keys_outermost_json_object"),
        )
    stated = stated_scales(text)
    criteria = {
        key.name: _proposed_scale(key, stated) for key in keys if key.kind == "score" and _is_name(key.name)
    }
    criteria.pop("total", None)
    if not criteria:
        raise RubricError(
            msg("error.rubrics.shows_no_json_example_scores"),
            where=where,
            hint=msg("error.rubrics.show_judge_reply_you_want"),
        )
    analysis = explanation_key(keys)
    lines = [FENCE, "# Proposed from the JSON example below: check the scales.", f'analysis = "{analysis}"']
    for name, (scale, _) in criteria.items():
        shown = '"yes/no"' if scale.yes_no else f"[{scale.low}, {scale.high}]"
        lines += ["", f"[criteria.{name}]", f"scale = {shown}"]
    lines += [
        "# weight = 2         counts twice in the total",
        "# in_total = false   is left out of the total",
    ]
    notes: list[str] = [
        msg("init.from_found", list=", ".join(f"{name} ({scale})" for name, (scale, _) in criteria.items()))
    ]
    if any(key.name == analysis for key in keys):
        notes.append(msg("init.from_analysis", name=analysis))
    if guessed := [name for name, (_, is_guess) in criteria.items() if is_guess]:
        notes.append(msg("init.from_guessed", list=", ".join(guessed)))
    notes += _not_proposed(keys, text)
    return Proposal("\n".join([*lines, FENCE, text]), tuple(notes))


def _proposed_scale(key: ExampleKey, stated: Sequence[ScoreScale]) -> tuple[ScoreScale, bool]:
    """A scale, and whether it is a guess."""
    if key.scale:
        return key.scale, False
    fitting = [scale for scale in stated if key.number is None or scale.low <= key.number <= scale.high]
    return (fitting[0], len(fitting) > 1) if fitting else (ScoreScale(), True)


def _not_proposed(keys: Sequence[ExampleKey], text: str) -> Iterator[str]:
    if names := [key.name for key in keys if key.kind == "fraction"]:
        yield msg("init.from_fraction", list=", ".join(names))
    if names := [key.name for key in keys if key.kind == "score" and not _is_name(key.name)]:
        yield msg("init.from_names", list=", ".join(names))
    absent = [f"{{{name}}}" for name in PLACEHOLDERS if f"{{{name}}}" not in text]
    if absent:
        others = dict.fromkeys(re.findall(r"\{+\s*\w+\s*\}+", text))
        yield msg("init.from_placeholders", list=", ".join(absent), found=", ".join(others) or "–")


def _is_name(name: str) -> bool:
    try:
        check_names([name], ANALYSIS)
    except ValueError:
        return name == "total"
    return True

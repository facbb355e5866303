"""A built-in rubric as a file to edit: the same text, with a word on every part of it."""

from __future__ import annotations

import re
from pathlib import Path

_NOTES = {
    "ko": {
        "": """
이 파일은 simsa의 기본 루브릭을 베낀 것입니다. 고치지 않으면 기본 루브릭과 똑같이 채점합니다.

쓰는 법   simsa.toml의 [judge]에 rubric = "{file}"라고 적고, 먼저 simsa check로 살펴보세요.
고친 뒤   루브릭의 이름 뒤에 내용의 해시가 붙습니다(rag@1a2b3c4d). 보고서마다 그 이름이 적히고,
          다른 루브릭으로 매긴 점수는 섞이거나 함께 평균되지 않습니다. mode = "split"에서는 고친
          기준만 다시 채점합니다.
검사      고친 루브릭이 답을 아는 문항을 바르게 채점하는지는 simsa probe로 봅니다.

점수의 이름 네 가지(answer_correctness, context_relevance, context_faithfulness, context_recall)는
바꿀 수 없습니다. 어떤 기준을 지우면 그 기준 없이 채점하고 총점은 내지 않습니다.
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

The four names of the scores (answer_correctness, context_relevance, context_faithfulness, context_recall)
are fixed. Without one of them it is not asked for, and there is no total.
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
""",
        "[words]": "words     the rest of the request. {{names}} are filled in.",
    },
}
_TITLED = re.compile(r"(?:#[^\n]*\n)+\n*")


def editable(source: str, language: str, file: Path) -> str:
    """`source`, a built-in rubric's text, with comments that explain it to who edits it as `file`.

    The comments are all that differs, so it asks for the same in the same words.
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

"""Texts of rubrics with criteria of their own."""

from __future__ import annotations

from simsa.rubrics import built_in_criteria

PLACES = "{question} {context} {prediction} {label} " + ", ".join(built_in_criteria().names)
"""A rubric text that asks for the built-in criteria."""

OWN_TOML = """
language = "en"
intro = "Grade it."
rules = "- Be strict."

[criteria.quality]
title = "Quality"
sees = ["question", "prediction"]
ask = "How good is it?"
scale = [0, 10]
weight = 2
[criteria.quality.levels]
10 = "perfect"
0 = "useless"

[criteria.fluency]
title = "Fluency"
sees = ["prediction"]
ask = "Does it read well?"
scale = [1, 4]

[criteria.is_correct]
title = "Correct"
sees = ["question", "prediction", "reference"]
ask = "Is it correct?"
scale = "yes/no"
weight = 0.5
[criteria.is_correct.levels]
yes = "right"
no = "wrong"

[criteria.politeness]
title = "Politeness"
sees = ["prediction"]
ask = "Is it polite?"
in_total = false
[criteria.politeness.levels]
1 = "rude"
2 = "curt"
3 = "neutral"
4 = "friendly"
5 = "polite"

[words]
rules = "Rules"
criteria = "Criteria"
output = "Output"
level = "{n}: {text}"
format = "Output one JSON object."
analysis = "grounds"
score = "integer from 1 to 5"
code = "The code is {code}."
question = "Question"
context = "Search results"
prediction = "Predicted answer"
reference = "Reference answer"
only = "For {criteria} only."
none = "(none)"
unanswerable = "(cannot be found)"
closing = "Grade the material."
again = "Not readable: {reason}. Give {keys}; scores are 1, 2, 3, 4, 5."
"""
"""Four criteria on four scales; `politeness` is on the default scale and does not count into the total."""


def own_toml(**criteria: str) -> str:
    """`OWN_TOML` with these criteria in place of its own; each value has further lines of the criterion's table."""
    start, end = OWN_TOML.index("[criteria.quality]"), OWN_TOML.index("[words]")
    tables = [
        f'[criteria.{name}]\ntitle = "{name}"\nsees = ["question", "prediction"]\nask = "Grade {name}."\n{lines}\n'
        for name, lines in criteria.items()
    ]
    return OWN_TOML[:start] + "\n".join(tables) + "\n" + OWN_TOML[end:]


def front_matter(lines: str = "", **criteria: str) -> str:
    """Front matter with `lines` and these criteria; each value has the lines of the criterion's table."""
    tables = [f"[criteria.{name}]\n{rest}" for name, rest in criteria.items()]
    return "\n".join(["+++", lines, *tables, "+++", ""])

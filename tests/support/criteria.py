"""The built-in criteria, as the tests of runs with a built-in rubric use them."""

from __future__ import annotations

from simsa.rubrics import built_in_criteria

CRITERIA = built_in_criteria().names
MAX_SCORE = max(criterion.high for criterion in built_in_criteria())
MAX_TOTAL = int(built_in_criteria().max_total or 0)

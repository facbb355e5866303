"""A published table of human ratings with known agreement figures."""

from __future__ import annotations

# Two annotators' overall preference on 280 pairs of answers, −2 to 2: the human labels
# published with RAGChecker (Ru et al. 2024).
PEOPLE = [[16, 7, 3, 0, 0], [8, 41, 8, 7, 0], [2, 30, 48, 17, 2], [0, 11, 10, 38, 12], [0, 0, 2, 6, 12]]

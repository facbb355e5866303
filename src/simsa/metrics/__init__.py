"""Deterministic metrics of answers: official Korean ones, overlaps, abstention, citations. Pure functions."""

"""Evaluation of the judge itself: probes with known answers, and agreement with people's labels."""

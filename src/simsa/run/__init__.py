"""The steps of a run: plan, generation, judging, checks, cost."""

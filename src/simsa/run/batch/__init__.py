"""Judging through an endpoint's Batch API, or through request files that are run elsewhere."""

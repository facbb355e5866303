"""Judging through an endpoint's Batch API, or through request files that anybody can run."""

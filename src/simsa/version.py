"""The one place that says which simsa this is."""

__version__ = "0.1.0"

"""Metrics of the `evaluate` library, from local folders."""

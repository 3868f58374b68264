"""Metrics of others: of the `evaluate` library, and values that came with a log."""

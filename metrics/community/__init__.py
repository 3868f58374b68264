"""Metrics of others: of the `evaluate` library, values that came with a log, people's votes."""

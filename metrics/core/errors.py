"""Errors of metrics alone; those that models share with them stand in `inference.errors`."""

from inference.errors import InputError, ReportedError


class UnknownMetric(InputError):
    """No metric has this name."""

    code = "unknown_metric"


class TooFewSamples(ReportedError):
    """A set-level metric has too little to say anything."""

    code = "too_few_samples"

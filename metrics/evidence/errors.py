"""What can go wrong, as types: the caller's input, or something the machine lacks."""


class MetricError(Exception):
    """Base of all errors this package raises on purpose; the message is meant for the user."""

    code = "metric_error"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InputError(MetricError):
    """The request cannot be right; `field` is at fault, as `params.k`."""

    code = "invalid_input"


class UnknownMetric(InputError):
    """No metric has this name."""

    code = "unknown_metric"


class UnknownModel(InputError):
    """The model cannot be found, or may not be loaded from where it is."""

    code = "unknown_model"


class TooFewSamples(MetricError):
    """A set-level metric has too little to say anything."""

    code = "too_few_samples"


class Unavailable(MetricError):
    """This machine lacks something the metric needs (a sandbox, an optional package)."""

    code = "unavailable"


class Cancelled(MetricError):
    """The caller asked to stop; raised between batches."""

    code = "cancelled"

"""What can go wrong, as types: the caller's input, or something the machine lacks."""


class ReportedError(Exception):
    """Base of all errors raised on purpose below the service; the message is meant for the user.

    `field` names the part of the request at fault, as `params.k`; None where no part is.
    """

    code = "metric_error"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InputError(ReportedError):
    """The request cannot be right; `field` is at fault, as `params.k`."""

    code = "invalid_input"


class UnknownModel(InputError):
    """The model cannot be found, or may not be loaded from where it is."""

    code = "unknown_model"


class Unavailable(ReportedError):
    """This machine lacks something that is needed (a sandbox, an optional package)."""

    code = "unavailable"


class Cancelled(ReportedError):
    """The caller asked to stop; raised between batches."""

    code = "cancelled"

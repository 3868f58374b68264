"""What can go wrong with a model behind a URL. What a server says is quoted short and plain."""

from __future__ import annotations

from inference.errors import InputError, ReportedError


class AddressRefused(InputError):
    """The address may not be called from here."""

    code = "address_refused"


class EndpointError(ReportedError):
    """Nothing can be had from this endpoint: every further request would fail too."""

    code = "endpoint_error"


class KeyRefused(EndpointError):
    """401 or 403."""

    code = "key_refused"


class ModelRefused(EndpointError):
    """404: no such model, or no such API at this address."""

    code = "endpoint_not_found"


class QuotaSpent(EndpointError):
    """The account behind the key has nothing left."""

    code = "quota_spent"


class Unreachable(EndpointError):
    """It does not answer, however often it is asked."""

    code = "endpoint_unreachable"


class RequestFailed(ReportedError):
    """This request has no answer; others may have one. `reason` is the server's own word for it."""

    code = "request_failed"

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class Stopped(RequestFailed):
    """Given up because another request ended the work."""

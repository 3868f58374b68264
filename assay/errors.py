"""What goes wrong between a program and the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class AssayError(Exception):
    """A request without a usable answer; `method` and `url` name it.

    Refused by the service: `status` is the HTTP status, `code` a word to branch on, `param` the
    offending field (`samples[17].references`), `errors` all that is wrong with it, each with
    `param`, `message` and `code`, `request_id` what finds the request in the logs.
    Without an answer, `status` is None.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        method: str,
        url: str,
        status: int | None = None,
        param: str | None = None,
        request_id: str | None = None,
        errors: Sequence[Mapping[str, object]] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.method = method
        self.url = url
        self.status = status
        self.param = param
        self.request_id = request_id
        self.errors = list(errors)

    def __str__(self) -> str:
        """The message, then what finds the request: method, URL, status, the request's id."""
        found_by = [f"{self.method} {self.url}"]
        found_by += [str(self.status)] if self.status is not None else []
        found_by += [self.request_id] if self.request_id is not None else []
        return f"{self.message} ({', '.join(found_by)})"

    def __reduce__(self) -> tuple[object, ...]:
        """Copies, as those between processes, are made without the arguments of `__init__`."""
        return type(self).__new__, (type(self), *self.args), vars(self)


class ConnectionFailed(AssayError):
    """No connection, or one that broke: is the service running at this URL?"""


class RequestTimedOut(AssayError, TimeoutError):
    """The service did not answer within `timeout` seconds."""

    def __init__(self, *, method: str, url: str, timeout: float) -> None:
        message = f"no answer within {timeout:g} s; give the client a larger timeout"
        super().__init__(message, code="timed_out", method=method, url=url)
        self.timeout = timeout


class WaitTimedOut(AssayError, TimeoutError):
    """What was waited for had not ended after `timeout` seconds; it goes on."""

    def __init__(self, *, name: str, state: str, url: str, timeout: float) -> None:
        message = f"{name} is still {state} after {timeout:g} s"
        super().__init__(message, code="still_running", method="GET", url=url)
        self.timeout = timeout

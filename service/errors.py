"""Errors as clients see them: `{"error": {"type", "code", "message", "param"}}`, always."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from inference.errors import ReportedError
from metrics.core.forms import written
from service import faults
from service.field_names import told

TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    410: "gone_error",
    413: "request_too_large_error",
    415: "unsupported_media_type_error",
    429: "rate_limit_error",
    500: "internal_error",
    503: "unavailable_error",
}

MOST_ERRORS = 20  # told of one request

HTTP_CODES = {  # of what the framework refuses by itself
    400: "invalid_json",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_too_slow",
    413: "body_too_large",
}


METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


class ErrorDetail(BaseModel):
    """One of several errors of a request."""

    param: str | None
    message: str
    code: str


class ApiError(Exception):
    """An answer that is an error. `param` names the offending field: `samples[17].references`;
    `errors` holds all that is wrong where that is known, the first first."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[ErrorDetail] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers = dict(headers or {})
        self.errors = tuple(errors)


class ErrorBody(BaseModel):
    """`param` names the offending field, where there is one.

    `errors` is there where a body, a query or a file was checked: all that is wrong with it, up to
    twenty; `param`, `message` and `code` are the first one's.
    """

    type: str
    code: str
    message: str
    param: str | None
    errors: list[ErrorDetail] = Field(default_factory=list, max_length=MOST_ERRORS)


class ErrorOut(BaseModel):
    """What every answer with a status from 400 on holds."""

    error: ErrorBody


def invalid(code: str, message: str, param: str | None = None) -> ApiError:
    """422: well-formed, and wrong."""
    return ApiError(422, code, message, param)


def not_found(kind: str, reference: str, hint: str = "", param: str | None = None) -> ApiError:
    """404: nothing of this `kind` has this name; `hint` says which are near, `param` what named it.

    The parameters of paths are called as the kinds are: evaluation, checkpoint, (training) job.
    """
    message = f"there is no {kind} {reference!r}" + (f"; {hint}" if hint else "")
    code = f"{kind.replace(' ', '_')}_not_found"
    return ApiError(404, code, message, param or kind.rsplit(maxsplit=1)[-1])


def of_metric(error: ReportedError, prefix: str) -> ApiError:
    """A metric's complaint about its input, its field placed in the request (`metrics[2]`)."""
    inside = error.field or ""
    if inside.startswith("samples"):
        param: str = inside
    else:
        param = f"{prefix}.{inside}" if inside else prefix
    return invalid(error.code, error.message, param)


@contextmanager
def within(prefix: str) -> Iterator[None]:
    """Errors raised inside name their field below `prefix`."""
    try:
        yield
    except ApiError as error:
        error.param = f"{prefix}.{error.param}" if error.param else prefix
        raise


def body(
    status: int,
    code: str,
    message: str,
    param: str | None = None,
    errors: Sequence[ErrorDetail] = (),
) -> dict[str, Any]:
    """The JSON of an error, as every client sees it."""
    error: dict[str, Any] = {
        "type": TYPES.get(status, "invalid_request_error"),
        "code": code,
        "message": message,
        "param": param,
    }
    if errors:
        error["errors"] = [one.model_dump() for one in errors[:MOST_ERRORS]]
    return {"error": _encodable(error)}


def _encodable(value: Any) -> Any:
    """What a client wrote may hold lone surrogates, and be quoted in an error about them."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, list):
        return [_encodable(one) for one in value]
    if isinstance(value, dict):
        return {name: _encodable(one) for name, one in value.items()}
    return value


def field(location: Sequence[int | str]) -> str | None:
    """("body", "samples", 17, "references") -> samples[17].references"""
    parts = list(location)
    if parts and parts[0] in {"body", "query", "path", "header"}:
        parts = parts[1:]
    return written(parts) or None


def _types(request: Request) -> Mapping[str, object]:
    """The types of what the route takes by name; every endpoint calls its body `body`."""
    endpoint = request.scope.get("endpoint")
    return get_type_hints(endpoint, include_extras=True) if endpoint else {}


def _meant(errors: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without complaints that a value is not of the type of one member of a union where it is of
    another's, whose own complaints say what is wrong."""
    said = [field(one["loc"]) or "" for one in errors if not one["type"].endswith("_type")]

    def fits_another(one: Mapping[str, Any]) -> bool:
        place = field(one["loc"])
        if place is None or not one["type"].endswith("_type"):
            return False
        return any(other == place or other.startswith((f"{place}.", f"{place}[")) for other in said)

    return [one for one in errors if not fits_another(one)]


def detail(location: Sequence[int | str], said: str, code: str) -> ErrorDetail:
    """One of several errors, its field named in front."""
    param = field(location)
    message = f"{param}: {said}" if param else said
    return ErrorDetail(param=_encodable(param), message=_encodable(message), code=code)


def _detail(error: Mapping[str, Any], types: Mapping[str, object]) -> ErrorDetail:
    """One of pydantic's errors; of an unknown field, with the nearest names."""
    location: Sequence[int | str] = error["loc"]
    said = str(error["msg"])
    if location[:1] == ("body",):
        said = told(error, types.get("body"), location[1:])
    elif location[:1] == ("query",) and error["type"] == "missing":
        values = _values(types.get(str(location[1])))
        said += f"; one of {', '.join(map(repr, values))}" if values else ""
    return detail(location, said, error["type"])


def _values(form: object) -> tuple[object, ...]:
    """Those that a parameter may have, where its type names them all."""
    inner = get_args(form)[0] if get_origin(form) is Annotated else form
    return get_args(inner) if get_origin(inner) is Literal else ()


def of_validation(request: Request, error: RequestValidationError) -> ApiError:
    """400 for a body that is no JSON; else 422 with all that is wrong."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "it cannot be parsed")
        return ApiError(400, "invalid_json", f"the body is not valid JSON: {reason}")
    types = _types(request)
    errors = [_detail(one, types) for one in _meant(error.errors()[:MOST_ERRORS])]
    shown = errors[0]
    return ApiError(422, shown.code, shown.message, shown.param, errors=errors)


def install(app: FastAPI) -> None:
    """Every error raised on purpose goes through here; the others, through the middleware."""

    @app.exception_handler(ApiError)
    async def api_error(_: Request, error: ApiError) -> JSONResponse:
        content = body(error.status, error.code, error.message, error.param, error.errors)
        return JSONResponse(content, error.status, error.headers)

    @app.exception_handler(RequestValidationError)
    async def validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
        found = of_validation(request, error)
        content = body(found.status, found.code, found.message, found.param, found.errors)
        return JSONResponse(content, found.status)

    @app.exception_handler(DBAPIError)
    async def database_error(_: Request, error: DBAPIError) -> JSONResponse:
        if faults.is_full(error):
            return _no_space("the database's disk is full; nothing was stored")
        if not faults.is_lost(error):
            raise error
        message = "the database does not answer; it is being started again, or cannot be reached"
        content = body(503, "database_unreachable", message)
        return JSONResponse(content, 503, {"Retry-After": "2"})

    @app.exception_handler(OSError)
    async def disk_error(_: Request, error: OSError) -> JSONResponse:
        if not faults.is_full(error):
            raise error
        return _no_space("the disk for temporary files (TMPDIR) is full; nothing was stored")

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        code = HTTP_CODES.get(error.status_code, "http_error")
        content = body(error.status_code, code, str(error.detail))
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed(request))
        return JSONResponse(content, error.status_code, headers)


def _no_space(message: str) -> JSONResponse:
    """503: it goes once somebody has made room."""
    return JSONResponse(body(503, "no_space", message), 503, {"Retry-After": "30"})


def _allowed(request: Request) -> list[str]:
    """The methods of a path: each is a route of its own, and the framework names the first's."""
    found = []
    for method in METHODS:
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            found.append(method)
    return found

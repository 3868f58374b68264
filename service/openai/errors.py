"""Errors on OpenAI's paths: their statuses and types, in the envelope that all of ours have."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from service.errors import ApiError, body, of_validation
from service.http.bodies import BodyRoute

NO_MODEL = {"unknown_model": "model_not_found"}


class OpenAIRoute(BodyRoute):
    """A route whose refusals are what OpenAI's clients know: 400 for what is wrong, 404 for an
    unknown model."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own handler, its errors turned into theirs."""
        handler = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                found = of_validation(request, error)
            except ApiError as error:
                found = error
            status = status_of(found)
            return JSONResponse(content(found), status, found.headers)

        return answered


def status_of(error: ApiError) -> int:
    """422 is 400 there, and an unknown model 404."""
    if error.code in NO_MODEL:
        return 404
    return 400 if error.status == 422 else error.status


def content(error: ApiError) -> dict[str, Any]:
    """The JSON of an error."""
    status = status_of(error)
    code = NO_MODEL.get(error.code, error.code)
    found = body(status, code, error.message, error.param)
    if status == 404:
        found["error"]["type"] = "invalid_request_error"
    elif status >= 500:
        found["error"]["type"] = "server_error"
    return found

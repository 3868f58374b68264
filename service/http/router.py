"""The routers of rooms."""

from __future__ import annotations

from enum import Enum

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute

from service.http.answers import ERRORS
from service.http.parameters import known_parameters


class Router(APIRouter):
    """Routes of a room: each refuses query parameters that it does not declare, and documents the
    errors that any route may answer with.

    The application takes the routes as they are. `include_router` would build each a second time,
    at the first request, and compare every path twice.
    """

    def __init__(
        self,
        prefix: str = "",
        *,
        tags: list[str | Enum] | None = None,
        route_class: type[APIRoute] = APIRoute,
        include_in_schema: bool = True,
    ) -> None:
        super().__init__(
            prefix=prefix,
            tags=tags,
            route_class=route_class,
            include_in_schema=include_in_schema,
            dependencies=[Depends(known_parameters)],
            responses=ERRORS,
            generate_unique_id_function=_operation,
        )


def _operation(route: APIRoute) -> str:
    """The operation's id in the OpenAPI document, after which generated clients name functions."""
    return route.name

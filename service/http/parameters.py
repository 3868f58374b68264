"""Query parameters that a route does not have are an error: `?sytem=x` would list everything."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from metrics.core.names import hint
from service.errors import invalid


async def known_parameters(request: Request) -> None:
    """Raises 422 for a query parameter that the route does not declare, with the nearest name."""
    route = request.scope["route"]
    if not request.query_params or not isinstance(route, APIRoute):
        return
    known = tuple(_query(route.dependant))
    for name in request.query_params:
        if name not in known:
            where = f"{request.method} {route.path}"
            nearest = hint(name, known) if known else "it has none"
            message = f"{where} has no query parameter {name!r}; {nearest}"
            raise invalid("unknown_parameter", message, name)


def _query(dependant: Dependant) -> Iterator[str]:
    """Names of the query parameters of an endpoint and of all that it depends on."""
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _query(inner)

"""Addresses in headers, which hold ASCII alone, while names are of any script."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import Request
from starlette.datastructures import URL


def address(*parts: str) -> str:
    """A path of names, as `/v1/gates/ship%20it`; what is special in a part is escaped, slashes
    included."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def own_url(request: Request) -> URL:
    """The request's own URL, escaped: the framework's has the path as it was decoded."""
    path: str = request.scope["path"]
    return request.url.replace(path=address(*path.removeprefix("/").split("/")))

"""/annotate and /arena: pages for people; what they ask is `/v1/annotate` and `/v1/arenas`."""

from __future__ import annotations

from fastapi import Request, Response

from service.errors import not_found
from service.http.router import Router
from service.pages.files import page_files

router = Router(include_in_schema=False)

ANNOTATE, ARENA, COMMON = "annotate", "arena", "common"


@router.get("/annotate")
async def annotate_page(request: Request) -> Response:
    """The token of a link stands behind the `#` of the address: no server and no log sees it."""
    return page_files(ANNOTATE)["page.html"].sent(request)


@router.get("/annotate/{name}")
async def annotate_file(name: str, request: Request) -> Response:
    """The page's style and scripts."""
    return _file(ANNOTATE, name, request)


@router.get("/arena/{name}")
async def arena_page(name: str, request: Request) -> Response:
    """The page of the arena with this id, which says itself where there is none; and its files."""
    return _file(ARENA, "page.html" if name.startswith("arena_") else name, request)


@router.get("/common/{name}")
async def common_file(name: str, request: Request) -> Response:
    """What all pages are made of."""
    return _file(COMMON, name, request)


def _file(page: str, name: str, request: Request) -> Response:
    file = page_files(page).get(name)
    if file is None:
        raise not_found("file", name)
    return file.sent(request)

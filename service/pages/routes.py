"""/annotate: the page on which people annotate; what it asks is `/v1/annotate`."""

from __future__ import annotations

from fastapi import Request, Response

from service.errors import not_found
from service.http.router import Router
from service.pages.files import page_files

router = Router(include_in_schema=False)

ANNOTATE = "annotate"


@router.get("/annotate")
async def annotate_page(request: Request) -> Response:
    """The token of a link stands behind the `#` of the address: no server and no log sees it."""
    return page_files(ANNOTATE)["page.html"].sent(request)


@router.get("/annotate/{name}")
async def annotate_file(name: str, request: Request) -> Response:
    """The page's style and scripts."""
    file = page_files(ANNOTATE).get(name)
    if file is None:
        raise not_found("file", name)
    return file.sent(request)

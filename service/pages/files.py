"""Files of pages, as browsers get them: small, asked for again only when they have changed."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from fastapi import Request, Response

TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

# Texts that the page shows are nobody's code: no script runs but its own files, and no text becomes
# HTML. What it asks goes here alone, and its address, with a token in it, goes nowhere.
PROTECTION = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
INDENT = re.compile(rb"^ +", re.MULTILINE)
GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of a page, also compressed; `tag` changes with its content."""

    content: bytes
    compressed: bytes
    tag: str
    media_type: str

    def sent(self, request: Request) -> Response:
        """The file; 304 without it where the browser has it already."""
        headers = {
            **PROTECTION,
            "Cache-Control": "no-cache",
            "ETag": self.tag,
            "Vary": "Accept-Encoding",
        }
        if self.tag in _tags(request.headers):
            return Response(status_code=304, headers=headers)
        if GZIP.search(request.headers.get("accept-encoding", "")):
            headers["Content-Encoding"] = "gzip"
            return Response(self.compressed, headers=headers, media_type=self.media_type)
        return Response(self.content, headers=headers, media_type=self.media_type)


@cache
def page_files(page: str) -> Mapping[str, PageFile]:
    """The files in the folder of a page, by name."""
    found = resources.files("service.pages") / page
    return {one.name: _file(one.name, one.read_bytes()) for one in found.iterdir()}


def _file(name: str, content: bytes) -> PageFile:
    content = INDENT.sub(b"", content)  # browsers have no use for it; no text spans lines
    suffix = name[name.rindex(".") :]
    tag = f'W/"{hashlib.sha256(content).hexdigest()[:16]}"'
    return PageFile(content, gzip.compress(content, mtime=0), tag, TYPES[suffix])


def _tags(headers: Mapping[str, str]) -> list[str]:
    return [tag.strip() for tag in headers.get("if-none-match", "").split(",")]

"""Answers in other forms than JSON: by `Accept`, or by `?format=` where none can be sent."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Annotated, Any, Generic, Literal, ParamSpec, TypeVar, cast
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel
from starlette.datastructures import URL
from starlette.types import Receive, Scope, Send

from service.errors import ApiError
from service.figures.formats import FORMATS, Format
from service.figures.table import Table
from service.http.addresses import own_url
from service.http.answers import Answers

ONE = CapacityLimiter(1)  # rendered at a time: several would only wait for each other

JSON = "application/json"
MEDIA = {JSON: "json"} | {one.media: one.name for one in FORMATS.values()}
LIST_MEDIA = {JSON: "json"} | {one.media: one.name for one in FORMATS.values() if not one.drawn}
VARY = {"Vary": "Accept"}
# of a figure that is opened by itself: it holds no script, and none would run
NO_SCRIPTS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}

RANGE = re.compile(r"\s*([\w.+*-]+/[\w.+*-]+)\s*((?:;[^,]*)?)")
QUALITY = re.compile(r";\s*q\s*=\s*([^;\s]+)", re.IGNORECASE)


def _tables(formats: Iterable[Format]) -> Answers:
    content = {
        one.media: {"schema": {"type": "string"} | ({} if one.text else {"format": "binary"})}
        for one in formats
    }
    return {200: {"content": content}}


TABLES = _tables(FORMATS.values())
LISTS = _tables(one for one in FORMATS.values() if not one.drawn)  # of rows without a picture

M = TypeVar("M", bound=BaseModel)
P = ParamSpec("P")
T = TypeVar("T")


class Written(Response, Generic[T]):
    """A model's JSON that is written already, as of a page that was stored as JSON; `read` makes
    the model where a table is wanted."""

    def __init__(self, body: bytes, read: Callable[[], T]) -> None:
        self.read = read
        super().__init__(body, headers=VARY, media_type=JSON)


class Rendered(Response):
    """A table in a format, rendered in a thread when endpoint and transaction have ended."""

    def __init__(self, format: Format, table: Table, links: Mapping[str, str]) -> None:
        self._format, self._table, self._links = format, table, links
        super().__init__()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Render it, and send it."""
        form, table = self._format, self._table
        body = await to_thread.run_sync(form.render, table, limiter=ONE)
        name = {"Content-Disposition": disposition(table.name, form)}
        headers = {**VARY, **name, **self._links}
        if form.name == "svg":
            headers |= NO_SCRIPTS
        kind = form.media + ("; charset=utf-8" if form.text else "")
        await Response(body, headers=headers, media_type=kind)(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Form:
    """The form in which a client wants its answer; None: JSON. `url`: what was asked."""

    format: Format | None = None
    url: URL | None = None

    def of(self, content: Any, table: Callable[[Any], Table]) -> Any:
        """The answer as it is, or its table; what is a response already stays one. Those who call
        the endpoint in Python get the model of what is written."""
        if isinstance(content, Written) and (self.format is not None or self.url is None):
            content = content.read()
        if self.format is None or isinstance(content, Response):
            return content
        more: str | None = getattr(content, "last_id", None)  # of a page
        links = {}
        if more is not None and getattr(content, "has_more", False) and self.url is not None:
            links = {"Link": f'<{self.url.include_query_params(after=more)}>; rel="next"'}
        return Rendered(self.format, table(content), links)

    def written(self, content: Any) -> Any:
        """A model as JSON, written by whoever calls this in a thread: FastAPI would check it again,
        and write it in the event loop, where every request waits for it."""
        if self.url is None or not isinstance(content, BaseModel):
            return content
        return Written(content.model_dump_json().encode(), lambda: content)


ASKED = Query(description="the form of the answer, for those who cannot send `Accept`")


def _form(
    request: Request,
    response: Response,
    format: Annotated[
        Literal["json", "csv", "jsonl", "md", "latex", "parquet", "svg"] | None, ASKED
    ] = None,
) -> Form:
    return _wanted(request, response, format, MEDIA)


def _list_form(
    request: Request,
    response: Response,
    format: Annotated[
        Literal["json", "csv", "jsonl", "md", "latex", "parquet"] | None, ASKED
    ] = None,
) -> Form:
    return _wanted(request, response, format, LIST_MEDIA)


def _wanted(
    request: Request, response: Response, name: str | None, media: Mapping[str, str]
) -> Form:
    response.headers.append("Vary", "Accept")
    if name is not None:
        return Form(FORMATS.get(name), own_url(request))
    given = ",".join(request.headers.getlist("accept"))
    name = preferred(given, media)
    if name is None:
        message = f"nothing here has the type {given!r}; there are {', '.join(media)}"
        raise ApiError(406, "not_acceptable", message, "Accept", VARY)
    return Form(FORMATS.get(name), own_url(request))


JSON_FORM = Form()
WantedForm = Annotated[Form, Depends(_form)]
WantedListForm = Annotated[Form, Depends(_list_form)]


def in_forms(
    table: Callable[[M], Table], *, drawn: bool = True
) -> Callable[[Callable[P, T | Written[T]]], Callable[P, T]]:
    """A decorator of endpoints that answer with one model: they answer with its table, too.

    The endpoint itself knows nothing of it, and stays what it is to those who call it in Python.

    drawn  whether the table has a picture; without one, nobody may ask for it
    """
    wanted = WantedForm if drawn else WantedListForm

    def decorated(endpoint: Callable[P, T | Written[T]]) -> Callable[P, T]:
        @functools.wraps(endpoint)
        def plain(*args: Any, wanted_form: Form = JSON_FORM, **given: Any) -> Any:
            return wanted_form.written(wanted_form.of(endpoint(*args, **given), table))

        @functools.wraps(endpoint)
        async def waiting(*args: Any, wanted_form: Form = JSON_FORM, **given: Any) -> Any:
            content: Any = endpoint(*args, **given)
            return wanted_form.of(await content, table)

        made: Any = waiting if inspect.iscoroutinefunction(endpoint) else plain
        signature = inspect.signature(endpoint, eval_str=True)
        asked = Parameter("wanted_form", Parameter.KEYWORD_ONLY, annotation=wanted)
        made.__signature__ = signature.replace(parameters=[*signature.parameters.values(), asked])
        return cast("Callable[P, T]", made)

    return decorated


def preferred(accept: str, media: Mapping[str, str] = MEDIA) -> str | None:
    """The form that an `Accept` likes best, JSON among equals; None where it takes none.

    A browser's address bar names HTML and then whatever it can show: it gets JSON.
    """
    ranges: dict[str, float] = {}
    for one in accept.split(","):
        found = RANGE.fullmatch(one)
        if found is not None:
            ranges[found[1].lower()] = _quality(found[2])
    if not accept.strip() or ("text/html" in ranges and "*/*" in ranges):
        return "json"
    liked = {one: _liked(one, ranges) for one in media}
    best = max(media, key=lambda one: liked[one])  # the first of equals
    return media[best] if liked[best][0] > 0 else None


def _quality(parameters: str) -> float:
    found = QUALITY.search(parameters)
    if found is None:
        return 1.0
    return float(found[1]) if re.fullmatch(r"[01](\.\d*)?", found[1]) else 0.0


def _liked(media: str, ranges: dict[str, float]) -> tuple[float, int]:
    """(quality, how exactly it was named) by the range that names it most exactly."""
    kind = media.partition("/")[0]
    for exactness, name in ((2, media), (1, f"{kind}/*"), (0, "*/*")):
        if name in ranges:
            return ranges[name], exactness
    return 0.0, 0


def disposition(name: str, format: Format) -> str:
    """A header that names the file, in letters that every client reads and in its own."""
    whole = re.sub(r"[^\w.-]+", "-", name).strip("-.")[:100] or "table"
    bare = re.sub(r"[^A-Za-z0-9._-]+", "-", whole).strip("-.") or "table"
    shown = "inline" if format.inline else "attachment"
    exact = quote(f"{whole}.{format.ending}")
    return f"{shown}; filename=\"{bare}.{format.ending}\"; filename*=UTF-8''{exact}"

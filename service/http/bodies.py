"""Bodies of requests, read in a thread and item by item, while other requests are answered.

An item of a list is checked as it is read: a wrong body ends with its first errors, and what it
holds is never in memory as a whole.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from anyio import CapacityLimiter, to_thread
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from service.errors import MOST_ERRORS
from service.http.json_reader import Reader

SMALL = 65_536  # bytes: read at once, whatever else is being read
ONE = CapacityLimiter(1)  # of the larger ones: several would only wait for the interpreter's lock

TWICE = {"type": "duplicate_key", "msg": "it is there twice"}
UNKNOWN = {"type": "extra_forbidden", "msg": "Extra inputs are not permitted"}

Error = dict[str, Any]


class BodyRoute(APIRoute):
    """A route whose body is a JSON object, read before the endpoint is called."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As FastAPI asks for it: its own handler, given a request whose body was read."""
        handler = super().get_route_handler()
        model = self.body_field.field_info.annotation if self.body_field else None
        if not isinstance(model, type) or not issubclass(model, BaseModel):
            return handler

        async def read(request: Request) -> Response:
            try:
                content = await request.body()
            except ClientDisconnect:
                raise HTTPException(400, "the body ended too early") from None
            if not content:
                return await handler(request)
            limiter = ONE if len(content) > SMALL else None
            value = await to_thread.run_sync(parse, content, model, limiter=limiter)
            return await handler(ReadRequest(request.scope, request.receive, content, value))

        return read


class ReadRequest(Request):
    """A request whose body has been read."""

    def __init__(self, scope: Scope, receive: Receive, content: bytes, value: object) -> None:
        super().__init__(scope, receive)
        self._content = content
        self._value = value

    async def body(self) -> bytes:
        """The bytes of the body."""
        return self._content

    async def json(self) -> Any:
        """The model made from them."""
        return self._value


def parse(content: bytes, model: type[BaseModel]) -> Any:
    """The model that `content` describes; a value that is no object, for the framework to refuse.
    Raises RequestValidationError, HTTPException."""
    try:
        reader = Reader(content.decode(json.detect_encoding(content), "surrogatepass"))
        with _uncollected():
            return _read(reader, model)
    except json.JSONDecodeError as error:
        wrong = {"type": "json_invalid", "loc": ("body", error.pos), "msg": "JSON decode error"}
        raise RequestValidationError([wrong | {"ctx": {"error": error.msg}}]) from None
    except RequestValidationError:
        raise
    except (ValueError, RecursionError):  # no text, a number of 5,000 digits, a thousand brackets
        raise HTTPException(400, "the body cannot be parsed") from None


def _read(reader: Reader, model: type[BaseModel]) -> Any:
    opening = reader.peek()
    if opening == "{":
        return _Object(reader, model).read()
    if opening == "[":
        reader.skip()
        reader.end()
        return []
    return reader.whole()


class _Object:
    """An object on its way from text to model."""

    def __init__(self, reader: Reader, model: type[BaseModel]) -> None:
        self.reader = reader
        self.model = model
        self.wrong: list[Error] = []

    def read(self) -> BaseModel:
        """The model. Raises RequestValidationError with the first errors."""
        collections = _collections(self.model)
        forbids = self.model.model_config.get("extra") == "forbid"
        values: dict[str, Any] = {}
        unknown: list[Error] = []
        for key in self.reader.names():
            if key in values:
                self.reader.skip()
                self.wrong.append(TWICE | {"loc": ("body", key)})
            elif key not in self.model.model_fields and forbids:
                self.reader.skip()
                unknown.append(UNKNOWN | {"loc": ("body", key)})
            elif key in collections:
                values[key] = self._checked(key, collections[key])
            else:
                values[key] = self.reader.read()
            if len(self.wrong) + len(unknown) >= MOST_ERRORS:
                raise RequestValidationError([*self.wrong, *unknown])
        self.reader.end()
        refused = {error["loc"][1] for error in self.wrong}
        try:
            made = self.model.model_validate(values)
        except ValidationError as found:
            wrong = [one for one in _errors(found) if not refused & {*one["loc"][1:2]}]
            if unknown:  # "give one of a and b" is no news where a was misspelt
                wrong = [one for one in wrong if len(one["loc"]) > 1]
            self.wrong += wrong
        if self.wrong or unknown:
            raise RequestValidationError([*self.wrong, *unknown])
        return made

    def _checked(self, key: str, form: TypeAdapter[Any]) -> Any:
        """A list or mapping whose items have been checked, up to the twentieth error."""
        opening = self.reader.peek()
        if opening == "[":
            items: list[Any] = []
            for index, _ in enumerate(self.reader.places()):
                items += self._item(form, [self.reader.read()], (key, index))
                if len(self.wrong) >= MOST_ERRORS:
                    break
            return items
        if opening == "{":
            entries: dict[str, Any] = {}
            for name in self.reader.names():
                item = self._item(form, {name: self.reader.read()}, (key, name))
                if not item.keys().isdisjoint(entries):  # perhaps but for the blanks around it
                    self.wrong.append(TWICE | {"loc": ("body", key, name)})
                entries |= item
                if len(self.wrong) >= MOST_ERRORS:
                    break
            return entries
        return self.reader.read()

    def _item(self, form: TypeAdapter[Any], item: Any, place: Sequence[str | int]) -> Any:
        try:
            return form.validate_python(item)
        except ValidationError as found:
            self.wrong += _errors(found, place)
            return item


@cache
def _collections(model: type[BaseModel]) -> dict[str, TypeAdapter[Any]]:
    """The fields of `model` that hold a list or a mapping, less limits on its length."""
    found = {name: _collection(field.annotation) for name, field in model.model_fields.items()}
    return {name: TypeAdapter(kind) for name, kind in found.items() if kind is not None}


def _collection(annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _collection(arguments[0])
    if origin in {Union, UnionType}:
        some = [each for each in arguments if each is not NoneType]
        return _collection(some[0]) if len(some) == 1 else None
    return annotation if origin in {list, dict} else None


def _errors(found: ValidationError, place: Sequence[str | int] | None = None) -> list[Error]:
    """As FastAPI has them; an item was checked as the only one of its list, and has its own `place`
    instead."""
    errors: list[Error] = []
    for error in found.errors(include_url=False):
        inside = error["loc"] if place is None else (*place, *error["loc"][1:])
        errors.append({**error, "loc": ("body", *inside)})
    return errors


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles: a body has none, and each look at millions of new objects
    stops every thread."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()

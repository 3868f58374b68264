"""JSON read in short steps, so that other threads of the process get their turn.

A parser in C holds Python's lock until it is done: seconds for a large body. Here it is only given
values that end within a window of text; larger ones are walked through item by item.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any

WINDOW = 65_536  # characters: a few milliseconds for the parser
CUT = 3  # characters at a window's end that a number may go on behind: `1` of `1e+5`
BLANK = re.compile(r"[ \t\n\r]*")
LARGE = object()  # a value that does not end within the window
SCAN = json.JSONDecoder().raw_decode


class Reader:
    """A text and a place in it. Every method moves past what it read; all of them raise
    JSONDecodeError, and RecursionError for what is nested too deep."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._at = 0
        self._start = 0
        self._window = text[:WINDOW]

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        found = BLANK.match(self.text, self._at)
        self._at = found.end() if found else self._at
        return self.text[self._at : self._at + 1]

    def end(self) -> None:
        """Nothing more may come."""
        if self.peek():
            raise self._wrong("Extra data")

    def read(self) -> Any:
        """The value that stands here."""
        opening = self.peek()
        value = self._small()
        if value is not LARGE:
            return value
        if opening == "[":
            return [self.read() for _ in self.places()]
        if opening == "{":
            return {key: self.read() for key in self.names()}
        value, self._at = SCAN(self.text, self._at)
        return value

    def skip(self) -> None:
        """Checks the value that stands here, and keeps nothing of it."""
        opening = self.peek()
        if self._small() is not LARGE:
            return
        if opening == "[":
            for _ in self.places():
                self.skip()
        elif opening == "{":
            for _ in self.names():
                self.skip()
        else:
            _, self._at = SCAN(self.text, self._at)

    def places(self) -> Iterator[None]:
        """Steps through a list; at each step, an item is to be read or skipped."""
        self._at += 1
        if self.peek() == "]":
            self._at += 1
            return
        more = True
        while more:
            yield
            more = self._more("]")

    def names(self) -> Iterator[str]:
        """Steps through an object; at each step, the key's value is to be read or skipped."""
        self._at += 1
        if self.peek() == "}":
            self._at += 1
            return
        more = True
        while more:
            if self.peek() != '"':
                raise self._wrong("Expecting property name enclosed in double quotes")
            key: str = self.read()
            if self.peek() != ":":
                raise self._wrong("Expecting ':' delimiter")
            self._at += 1
            yield key
            more = self._more("}")

    def _more(self, closing: str) -> bool:
        found = self.peek()
        if found not in {",", closing}:
            raise self._wrong("Expecting ',' delimiter")
        self._at += 1
        return found == ","

    def _small(self) -> Any:
        """The value here if it ends within a window: the one at hand, or one cut afresh."""
        value = self._in_window()
        if value is LARGE and self._start != self._at:
            self._start = self._at
            self._window = self.text[self._at : self._at + WINDOW]
            value = self._in_window()
        return value

    def _in_window(self) -> Any:
        here, size = self._at - self._start, len(self._window)
        if here >= size:
            return LARGE
        try:
            value, end = SCAN(self._window, here)
        except (ValueError, RecursionError):  # cut off, or wrong: the larger text will say
            return LARGE
        if end + CUT > size and self._start + size < len(self.text):
            return LARGE
        self._at = self._start + end
        return value

    def _wrong(self, message: str) -> JSONDecodeError:
        return JSONDecodeError(message, self.text, self._at)

"""What of a reply is the answer, and why there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import regex

from inference.chat import Reply
from inference.errors import InputError
from inference.protocols import solutions
from inference.protocols.declaration import Answer

PATTERN_SECONDS = 1.0  # that a pattern may take for one reply
LONGEST_SEARCHED = 200_000  # characters at a reply's end that are looked through

NUMBER = re.compile(r"(?:(?<![\d)])-)?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")
LOOK_ALIKE = str.maketrans("АВСЕНКМОРТХ", "ABCEHKMOPTX")  # Cyrillic letters, typed for Latin ones
STEP = re.compile(r"([^.\[\]]+)|\[(-?\d+)\]")


@dataclass(frozen=True, slots=True)
class Extracted:
    """An answer; or none, and why."""

    text: str | None
    failed: str | None = None


def check(answer: Answer) -> None:
    """Raises InputError, its field below `answer`, for a pattern or path that is none."""
    if answer.pattern is not None:
        try:
            regex.compile(answer.pattern)
        except (regex.error, OverflowError, RecursionError) as error:
            message = f"{answer.pattern!r} is no regular expression: {error}"
            raise InputError(message, "answer.pattern") from None
    if answer.path is not None:
        _steps(answer.path)


def extract(answer: Answer, reply: Reply) -> Extracted:
    """The answer of a reply, without thoughts."""
    if reply.error is not None or reply.refusal is not None:
        return Extracted(None, "no reply" if reply.error is not None else "refused")
    text = without_thoughts(reply.text)
    if text is None:
        return Extracted(None, "the thinking has no end")
    return taken(answer, text)


def taken(answer: Answer, text: str) -> Extracted:
    """The answer in a text."""
    text = text[-LONGEST_SEARCHED:]
    if answer.marker is not None:
        at = text.casefold().rfind(answer.marker.casefold())
        if at < 0 or len(text) != len(text.casefold()):  # a letter that is longer in lower case
            at = _last(text, answer.marker)
        if at < 0:
            return Extracted(None, f"nothing stands behind {answer.marker!r}")
        text = text[at + len(answer.marker) :]
    try:
        found = TAKERS[answer.take](answer, text)
    except TimeoutError:
        return Extracted(None, "the pattern takes too long")
    if found is None:
        return Extracted(None, f"no {WANTED[answer.take]} in it")
    return Extracted(found)


def without_thoughts(text: str) -> str | None:
    """The text behind its thoughts, without the spaces around it; None where they have no end."""
    text = re.sub(r"<think>.*?</think>", "", text, flags=re.DOTALL)
    if "</think>" in text:  # the template had opened it
        text = text.rpartition("</think>")[2]
    return None if "<think>" in text else text.strip()


def number(text: str) -> str:
    """A number as it is compared: `1,234.50` is 1234.50, `3,5` is 3.5."""
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", text):
        return text.replace(",", "")
    if re.fullmatch(r"-?\d+,\d+", text):
        return text.replace(",", ".")
    return text.replace(",", "")


def _last(text: str, marker: str) -> int:
    places = [found.start() for found in re.finditer(re.escape(marker), text, re.IGNORECASE)]
    return places[-1] if places else -1


def _whole(answer: Answer, text: str) -> str | None:
    text = text.strip()
    if answer.marker is None:
        return text
    line = next((line.strip(" *\t") for line in text.splitlines() if line.strip(" *\t")), "")
    return line or None


def _pattern(answer: Answer, text: str) -> str | None:
    last = None
    for last in regex.finditer(answer.pattern or "", text, timeout=PATTERN_SECONDS):  # noqa: B007
        pass
    if last is None:
        return None
    groups = [group for group in last.groups() if group is not None]
    return str(groups[0] if groups else last.group()).strip()


def _number(answer: Answer, text: str) -> str | None:
    found = NUMBER.findall(text)
    return number(found[-1].rstrip(",")) if found else None


def _choice(answer: Answer, text: str) -> str | None:
    """By how plainly it is said: `answer is (B)`, then `(B)`, then a line that begins with `B.`,
    then a letter by itself; of several alike the last."""
    text = text.translate(LOOK_ALIKE) if (answer.choices or "").isascii() else text
    letters = re.escape(answer.choices or "ABCD")
    ways = (
        rf"(?:answer|ответ|choice)\s*(?:is|:|—|-)*\s*[*(\[]*([{letters}])(?!\w)",
        rf"[(\[]([{letters}])[)\]]",
        rf"(?:^|\n)\s*\**([{letters}])(?:[.):*]|\s*$)",
    )
    for way in ways:
        found = re.findall(way, text, re.IGNORECASE)
        if found:
            return _as_written(found[-1], answer.choices or "ABCD")
    alone = re.findall(rf"(?<!\w)([{letters}])(?!\w)", text)
    return alone[-1] if alone else None


def _as_written(letter: str, choices: str) -> str:
    if letter in choices:
        return letter
    return next(one for one in choices if one.casefold() == letter.casefold())


def _json(answer: Answer, text: str) -> str | None:
    """The value at the path of the last JSON object or list that stands in the text by itself."""
    decoder, at, found, there = json.JSONDecoder(), 0, None, False
    while (opening := re.compile(r"[{\[]").search(text, at)) is not None:
        try:
            found, at = decoder.raw_decode(text, opening.start())
            there = True
        except (ValueError, RecursionError):
            at = opening.start() + 1
    return _at_path(found, answer.path or "") if there else None


def _at_path(value: Any, path: str) -> str | None:
    for step in _steps(path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    if value is None:
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _steps(path: str) -> list[str | int]:
    """`$.items[0].x` as ["items", 0, "x"]. Raises InputError for what is no path."""
    rest = path.removeprefix("$")
    steps: list[str | int] = []
    while rest:
        found = STEP.match(rest.removeprefix("."))
        if found is None:
            message = f"{path!r} is no path: write answer.value or items[0].value"
            raise InputError(message, "answer.path")
        steps.append(found[1] if found[1] is not None else int(found[2]))
        rest = rest.removeprefix(".")[found.end() :]
    return steps


def _solution(answer: Answer, text: str) -> str | None:
    return solutions.final(text)


TAKERS: Mapping[str, Callable[[Answer, str], str | None]] = {
    "whole": _whole,
    "regex": _pattern,
    "last_number": _number,
    "choice": _choice,
    "json": _json,
    "solution": _solution,
}
WANTED = {
    "whole": "text",
    "regex": "match",
    "last_number": "number",
    "choice": "choice",
    "json": "JSON with this path",
    "solution": "final answer",
}

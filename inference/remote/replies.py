"""Answers of a chat-completions API, read strictly: what a server says is nobody's word but its."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from inference.chat import Reply
from inference.remote.errors import RequestFailed
from inference.remote.registered import Registered

LONGEST_SHOWN = 300  # characters of what a server says, in our messages
LONGEST_NAME = 200
FILTERED = "content_filter"
OPENED, CLOSED = "<think>", "</think>"
TOO_LONG = re.compile(r"context.{0,20}(length|window|size)|maximum.{0,30}(tokens|length)|too long")
SURROGATES = re.compile("[\ud800-\udfff\x00]")


def decoded(data: bytes) -> Mapping[str, Any]:
    """The JSON object that the bytes are. Raises RequestFailed."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise RequestFailed(unreadable(data), "unreadable") from None
    if not isinstance(content, dict):
        raise RequestFailed("the answer is JSON, and no object", "unreadable")
    return content


def unreadable(data: bytes) -> str:
    """What bytes are that are no JSON, in words."""
    start = plain(data[:LONGEST_SHOWN].decode(errors="replace"))
    if not start:
        return "the answer is empty"
    if start[:1] == "<":
        return "the answer is an HTML page: is the URL that of an API?"
    return f"the answer is no JSON: it begins with {start[:60]!r}"


def plain(text: str) -> str:
    """Foreign text for a message of ours: one line, printable, short."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= LONGEST_SHOWN else line[:LONGEST_SHOWN] + "…"


def complaint(content: Mapping[str, Any]) -> tuple[str, str, str]:
    """(code, type, message) of an error body, in the shapes that servers have; "" where missing."""
    error = content.get("error", content.get("detail", content.get("message", "")))
    if isinstance(error, str):
        return "", "", plain(error)
    if isinstance(error, dict):
        parts = (error.get("code"), error.get("type"), error.get("message"))
        code, kind, said = (plain(str(one)) if isinstance(one, str | int) else "" for one in parts)
        return code, kind, said
    return "", "", plain(json.dumps(error)[:LONGEST_SHOWN]) if error else ""


def reason(code: str, kind: str, said: str) -> str | None:
    """Why a request was refused, in one word of ours, where that is known."""
    if FILTERED in {code, kind} or "content_policy" in f"{code} {kind}":
        return FILTERED
    if code == "context_length_exceeded" or TOO_LONG.search(said.lower()):
        return "context_too_long"
    return None


def read(content: Mapping[str, Any], model: Registered, latency_s: float) -> Reply:
    """The first of an answer's choices. Raises RequestFailed where it is none."""
    choices = content.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise RequestFailed("the answer has no choices", "unreadable")
    choice = choices[0]
    message = choice.get("message")
    if not isinstance(message, dict):
        raise RequestFailed("the answer's choice has no message", "unreadable")
    finish = _name(choice.get("finish_reason"))
    text, reasoning = _parts(message, finish)
    refusal = _text(message.get("refusal")) or None
    if finish == FILTERED:
        refusal = refusal or "a content filter ended the answer"
    usage = content.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    input_tokens = _count(usage.get("prompt_tokens"))
    output_tokens = _count(usage.get("completion_tokens"))
    return Reply(
        text="" if refusal else text,
        finish_reason=finish,
        refusal=refusal,
        reasoning=reasoning,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        latency_s=latency_s,
        cost=model.cost(input_tokens, output_tokens),
        model=_name(content.get("model")),
        fingerprint=_name(content.get("system_fingerprint")),
    )


def top_logprobs(content: Mapping[str, Any]) -> dict[str, float] | None:
    """The first token's likeliest alternatives with their log-probabilities; None: not told."""
    try:
        first = content["choices"][0]["logprobs"]["content"][0]
        found = {
            one["token"]: float(one["logprob"])
            for one in [*first["top_logprobs"], first]
            if isinstance(one["token"], str)
        }
    except (LookupError, TypeError, ValueError):
        return None
    return found or None


def label_logprobs(told: Mapping[str, float], labels: Sequence[str]) -> list[float]:
    """(n_labels,) log-probability of each label among the first token's alternatives; NaN: not
    among them."""
    sums = dict.fromkeys(labels, 0.0)
    for token, logprob in told.items():
        label = _begun(token.strip(), labels)
        if label is not None:
            sums[label] += math.exp(min(logprob, 0.0))
    return [math.log(sums[one]) if sums[one] > 0 else math.nan for one in labels]


def split_reasoning(text: str) -> tuple[str, str | None]:
    """(answer, what was thought before it). Templates may put the opening mark into the prompt."""
    begun = text.lstrip().startswith(OPENED)
    thought, closed, answer = text.partition(CLOSED)
    if not closed and not begun:
        return text, None
    if OPENED in thought and not begun:  # spoken of inside an answer
        return text, None
    thought = thought.lstrip().removeprefix(OPENED).strip()
    return answer.lstrip(), thought or None


def _begun(said: str, labels: Sequence[str]) -> str | None:
    """The label that a token is, perhaps with a mark behind it, or that it alone begins: a word of
    another language than the tokenizer's is several tokens."""
    whole = [one for one in labels if one and said.startswith(one)]
    label = max(whole, key=len, default=None)
    if label is not None:
        return None if any(one.isalnum() for one in said[len(label) :]) else label
    begun = [one for one in labels if said and one.startswith(said)]
    return begun[0] if len(begun) == 1 else None


def _parts(message: Mapping[str, Any], finish: str | None) -> tuple[str, str | None]:
    """(answer, reasoning) of a message."""
    content = message.get("content")
    if isinstance(content, list):  # parts, as some servers write them
        texts = [one.get("text") for one in content if isinstance(one, dict)]
        content = "".join(one for one in texts if isinstance(one, str))
    told = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
    silent = told or message.get("refusal") or message.get("tool_calls") or finish is not None
    if not isinstance(content, str) and not (content is None and silent):
        raise RequestFailed("the answer's message has no content", "unreadable")
    text, thought = split_reasoning(_text(content))
    return text, told or thought


def _text(value: Any) -> str:
    """Text that can be stored: neither NUL nor half of a surrogate pair."""
    return SURROGATES.sub("\ufffd", value) if isinstance(value, str) else ""


def _name(value: Any) -> str | None:
    return plain(_text(value))[:LONGEST_NAME] or None if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return value if whole else None

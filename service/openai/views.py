"""What a worker found, as OpenAI's clients read it: whole, or in chunks of a stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import orjson

from service.openai.answers import (
    ChatChoice,
    ChatLogprobs,
    ChatMessage,
    ChatOut,
    CompletionChoice,
    CompletionLogprobs,
    CompletionOut,
    Likelihood,
    TokenLikelihoods,
    Usage,
)

Kind = Literal["chat", "text"]
T = TypeVar("T")

DONE = b"data: [DONE]\n\n"
PARTIAL = "\ufffd"


def usage(found: Mapping[str, int]) -> Usage:
    """Tokens of the prompts and of what was written."""
    prompt, completion = found["prompt"], found["completion"]
    return Usage(
        prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion
    )


def chat(id: str, created: int, model: str, answer: Mapping[str, Any]) -> ChatOut:
    """The answers to a conversation."""
    choices = [
        ChatChoice(
            index=index,
            message=ChatMessage(content=one["text"]),
            logprobs=chat_logprobs(one["tokens"]),
            finish_reason=one["finish"],
        )
        for index, one in enumerate(answer["choices"])
    ]
    found = usage(answer["usage"])
    return ChatOut(id=id, created=created, model=model, choices=choices, usage=found)


def completion(id: str, created: int, model: str, answer: Mapping[str, Any]) -> CompletionOut:
    """Continuations of prompts."""
    choices = [
        CompletionChoice(
            index=index,
            text=one["text"],
            logprobs=completion_logprobs(one["tokens"], 0),
            finish_reason=one["finish"],
        )
        for index, one in enumerate(answer["choices"])
    ]
    found = usage(answer["usage"])
    return CompletionOut(id=id, created=created, model=model, choices=choices, usage=found)


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """How an API shows what was written: in pieces of a kind, or whole."""

    kind: Kind
    whole: Callable[[str, int, str, Mapping[str, Any]], T]


CHAT, TEXT = Form("chat", chat), Form("text", completion)


def chat_logprobs(tokens: Sequence[Sequence[Any]] | None) -> ChatLogprobs | None:
    """Of the tokens of an answer."""
    if tokens is None:
        return None
    return ChatLogprobs(
        content=[
            TokenLikelihoods(
                token=text,
                logprob=value,
                bytes=_bytes(text),
                top_logprobs=[
                    Likelihood(token=one, logprob=its, bytes=_bytes(one)) for one, its in top
                ],
            )
            for text, value, top in tokens
        ]
    )


def completion_logprobs(
    tokens: Sequence[Sequence[Any]] | None, offset: int
) -> CompletionLogprobs | None:
    """Of tokens from character `offset` on; the chosen one is among the top ones. Of tokens with
    equal texts (parts of characters) the likeliest is told."""
    if tokens is None:
        return None
    offsets, tops = [], []
    for text, value, top in tokens:
        offsets.append(offset)
        offset += len(text)
        likelier = {one: its for one, its in reversed(top)}  # noqa: C416 (lists of two)
        tops.append(None if value is None else {text: value} | likelier)
    return CompletionLogprobs(
        tokens=[text for text, _, _ in tokens],
        token_logprobs=[value for _, value, _ in tokens],
        top_logprobs=tops,
        text_offset=offsets,
    )


def _bytes(text: str) -> list[int] | None:
    return None if PARTIAL in text else list(text.encode())


class Chunks:
    """A streamed answer, chunk by chunk."""

    def __init__(self, kind: Kind, id: str, created: int, model: str, with_usage: bool) -> None:
        self.kind = kind
        self.with_usage = with_usage
        name = "chat.completion.chunk" if kind == "chat" else "text_completion"
        self.head = {"id": id, "object": name, "created": created, "model": model}
        self.begun: set[int] = set()
        self.offsets: dict[int, int] = {}

    def of(self, piece: Mapping[str, Any]) -> list[bytes]:
        """The chunks of one piece."""
        index = piece["index"]
        found = []
        if self.kind == "chat" and index not in self.begun:
            self.begun.add(index)
            found.append(self._chunk({"index": index} | _delta("", role="assistant")))
        if piece["text"] or piece["tokens"]:
            found.append(self._chunk({"index": index} | self._content(index, piece)))
        if piece["finish"] is not None:
            last = _delta() if self.kind == "chat" else {"text": "", "logprobs": None}
            found.append(self._chunk({"index": index} | last | {"finish_reason": piece["finish"]}))
        return found

    def last(self, answer: Mapping[str, Any]) -> list[bytes]:
        """The end of a stream, with its usage where that was asked for."""
        if not self.with_usage:
            return [DONE]
        found = usage(answer["usage"]).model_dump()
        return [_event(self.head | {"choices": [], "usage": found}), DONE]

    def _content(self, index: int, piece: Mapping[str, Any]) -> dict[str, Any]:
        tokens = piece["tokens"]
        if self.kind == "chat":
            told = chat_logprobs(tokens)
            return _delta(piece["text"]) | {"logprobs": told.model_dump() if told else None}
        offset = self.offsets.get(index, 0)
        self.offsets[index] = offset + sum(len(one[0]) for one in tokens or ())
        noted = completion_logprobs(tokens, offset)
        return {
            "text": piece["text"],
            "logprobs": noted.model_dump() if noted else None,
            "finish_reason": None,
        }

    def _chunk(self, choice: Mapping[str, Any]) -> bytes:
        more = {"usage": None} if self.with_usage else {}
        return _event(self.head | {"choices": [choice]} | more)


def _delta(content: str | None = None, role: str | None = None) -> dict[str, Any]:
    delta: dict[str, Any] = {"role": role} if role else {}
    if content is not None:
        delta["content"] = content
    return {"delta": delta, "logprobs": None, "finish_reason": None}


def _event(content: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\n\n"


def error_event(content: Mapping[str, Any]) -> bytes:
    """An error within a stream, after which nothing comes."""
    return _event(content)

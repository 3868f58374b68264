"""What a server offers, found by short calls: servers accept what they do not know in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from inference.chat import Message, Request
from inference.errors import ReportedError
from inference.protocol import Generation
from inference.remote import replies
from inference.remote.client import ONCE, Answer
from inference.remote.errors import KeyRefused, QuotaSpent
from inference.remote.registered import Registered
from inference.remote.remote_chat import RemoteChat
from inference.remote.remote_model import CHAT, COMPLETIONS

LONGEST_S = 60.0  # that one call of a check may take
ASKED = "Tell me a story about a number."
PROMPT = "The capital of France is"
DRAWN = 12  # tokens that two draws with one seed are compared by


@dataclass(frozen=True, slots=True)
class Offers:
    """What was seen. `problems` says by name why something is not offered."""

    chat: bool
    completions: bool
    logprobs: bool
    echo: bool
    n: bool
    seed: bool
    latency_s: float
    model: str | None
    fingerprint: str | None
    problems: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As stored and shown."""
        return asdict(self)


def look(model: Registered) -> Offers:
    """Ask for little in several ways. Raises ReportedError where neither API answers."""
    chat = RemoteChat(replace(model, timeout_s=min(model.timeout_s, LONGEST_S)), patience=ONCE)
    return asyncio.run(_look(chat))


async def _look(chat: RemoteChat) -> Offers:
    problems: dict[str, str] = {}
    try:
        first: Answer | None = None
        try:
            await _chat(chat, 1)  # a server may load the model first, which is nobody's latency
            first = await _chat(chat, 1)
        except (KeyRefused, QuotaSpent):
            raise
        except ReportedError as error:
            problems["chat"] = error.message
            if not await _seen("completions", _completions(chat), problems):
                raise
        calls: dict[str, Callable[[RemoteChat], Awaitable[str | None]]] = {
            "completions": _completions,
            "echo": _echo,
        }
        if first is not None:
            calls |= {"logprobs": _logprobs, "n": _several, "seed": _seed}
        seen = await asyncio.gather(
            *(_seen(name, call(chat), problems) for name, call in calls.items())
        )
    finally:
        await chat.client.close()
    found = dict.fromkeys(("completions", "logprobs", "echo", "n", "seed"), False)
    found |= dict(zip(calls, seen, strict=True))
    said = replies.read(first.content, chat.model, first.latency_s) if first else None
    return Offers(
        chat=first is not None,
        **found,
        latency_s=first.latency_s if first else 0.0,
        model=said.model if said else None,
        fingerprint=said.fingerprint if said else None,
        problems=problems,
    )


async def _seen(name: str, call: Awaitable[str | None], problems: dict[str, str]) -> bool:
    """Whether it is offered: the call returns what is wrong, or raises it."""
    try:
        problem = await call
    except ReportedError as error:
        problem = error.message
    if problem is not None:
        problems[name] = problem
    return problem is None


async def _chat(chat: RemoteChat, tokens: int, temperature: float = 0.0, **more: object) -> Answer:
    options = Generation(max_new_tokens=tokens, temperature=temperature)
    body = chat.body(Request((Message("user", ASKED),), options)) | more
    answer = await chat.client.post(CHAT, body)
    replies.read(answer.content, chat.model, answer.latency_s)  # raises where it is no answer
    return answer


async def _completion(chat: RemoteChat, **more: object) -> Mapping[str, Any]:
    """The first choice."""
    body = {"model": chat.model.model, "prompt": PROMPT, "max_tokens": 1, "temperature": 0}
    answer = await chat.client.post(COMPLETIONS, body | more)
    choices = answer.content.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


async def _completions(chat: RemoteChat) -> str | None:
    choice = await _completion(chat)
    return None if isinstance(choice.get("text"), str) else "the answer has no text"


async def _echo(chat: RemoteChat) -> str | None:
    choice = await _completion(chat, echo=True, logprobs=1)
    if not str(choice.get("text") or "").lstrip().startswith(PROMPT):
        return "the answer does not begin with the prompt"
    told = choice.get("logprobs")
    values = told.get("token_logprobs") if isinstance(told, dict) else None
    numbers = [one for one in values or () if isinstance(one, float | int)]
    return None if len(numbers) > 1 else "the prompt's tokens have no log-probabilities"


async def _logprobs(chat: RemoteChat) -> str | None:
    answer = await _chat(chat, 1, logprobs=True, top_logprobs=5)
    told = replies.top_logprobs(answer.content)
    return None if told else "the answer has no log-probabilities"


async def _several(chat: RemoteChat) -> str | None:
    answer = await _chat(chat, 1, 1.0, n=2)
    return None if len(answer.content["choices"]) == 2 else "n=2 gave one answer"


async def _seed(chat: RemoteChat) -> str | None:
    drawn = await asyncio.gather(*(_chat(chat, DRAWN, 1.0, seed=7) for _ in range(2)))
    texts = {replies.read(one.content, chat.model, one.latency_s).text for one in drawn}
    return None if len(texts) == 1 else "two answers with one seed differed"

"""A conversation from question to answer: a generator that yields what to ask next.

It yields a `Request`, is sent the replies to it, and returns its outcomes: one an output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from inference.chat import Message, Reply, Request
from inference.protocol import Generation
from inference.protocols import react
from inference.protocols.answers import extract, taken
from inference.protocols.declaration import Protocol

Tools = Mapping[str, Callable[[str], str]]  # an input -> what is observed


@dataclass(frozen=True, slots=True)
class Outcome:
    """One output: the answer that is scored ("" where `failed` says why there is none), and how it
    came about."""

    answer: str
    raw: str
    failed: str | None = None
    reasoning: str | None = None
    steps: tuple[Mapping[str, str], ...] = ()  # of react
    draws: tuple[Mapping[str, str | None], ...] = ()  # of self_consistency
    replies: tuple[Reply, ...] = field(default=())

    def trace(self) -> dict[str, Any]:
        """All but the answer and the replies, without what is not there."""
        parts = {
            "raw": self.raw,
            "failed": self.failed,
            "reasoning": self.reasoning,
            "steps": [dict(step) for step in self.steps],
            "draws": [dict(draw) for draw in self.draws],
        }
        return {name: part for name, part in parts.items() if part or name == "raw"}


Conversation = Generator[Request, list[Reply], list[Outcome]]


def converse(
    protocol: Protocol, messages: Sequence[Message], options: Generation, tools: Tools
) -> Conversation:
    """The conversation about one record, in the protocol's style."""
    if protocol.style.name == "react":
        return _react(protocol, messages, options, tools)
    if protocol.style.name == "self_consistency":
        return _self_consistent(protocol, messages, options)
    return _single(protocol, messages, options)


def _single(protocol: Protocol, messages: Sequence[Message], options: Generation) -> Conversation:
    replies = yield Request(tuple(messages), options)
    return [_outcome(protocol, reply) for reply in replies]


def _self_consistent(
    protocol: Protocol, messages: Sequence[Message], options: Generation
) -> Conversation:
    """The commonest of the answers; of equally common ones, that which came first."""
    many = replace(options, num_outputs=protocol.style.draws or 1)
    replies = yield Request(tuple(messages), many)
    found = [_outcome(protocol, reply) for reply in replies]
    votes = Counter(" ".join(one.answer.split()) for one in found if one.failed is None)
    draws = tuple(
        {"raw": one.raw, "answer": None if one.failed else one.answer, "failed": one.failed}
        for one in found
    )
    if not votes:
        first = found[0]
        return [replace(first, draws=draws, replies=tuple(replies))]
    most = max(votes.values())
    won = next(
        one for one in found if not one.failed and votes[" ".join(one.answer.split())] == most
    )
    return [replace(won, draws=draws, replies=tuple(replies))]


def _react(
    protocol: Protocol, messages: Sequence[Message], options: Generation, tools: Tools
) -> Conversation:
    """Thoughts, actions and observations in turns, until there is an answer."""
    stop = (*options.stop, react.OBSERVATION)
    turns = list(messages)
    steps: list[Mapping[str, str]] = []
    replies: list[Reply] = []

    def ended(answer: str | None, failed: str | None) -> list[Outcome]:
        raw, reasoning = replies[-1].text, replies[-1].reasoning
        shown = tuple(steps)
        return [Outcome(answer or "", raw, failed, reasoning, shown, (), tuple(replies))]

    for _ in range(protocol.style.max_steps or 1):
        got = (yield Request(tuple(turns), replace(options, stop=stop)))[0]
        replies.append(got)
        if got.error is not None or got.refusal is not None:
            return ended(None, extract(protocol.taken, got).failed)
        step = react.parsed(got.text)
        if step.final is not None:
            steps.append({"thought": step.thought})
            found = taken(protocol.taken, step.final)
            return ended(found.text, found.failed)
        observed = react.observed(step, tools)
        steps.append(react.told(step, observed))
        turns += [Message("assistant", step.text or "…"), Message("user", observed)]
    return ended(None, f"no final answer after {protocol.style.max_steps} steps")


def _outcome(protocol: Protocol, reply: Reply) -> Outcome:
    found = extract(protocol.taken, reply)
    return Outcome(
        found.text or "",
        reply.text,
        found.failed,
        reply.reasoning,
        replies=(reply,),
    )

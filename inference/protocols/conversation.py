"""What a record asks: turns of a conversation, and those turns as plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inference.chat import Message

Record = Mapping[str, Any]


def as_text(messages: Sequence[Mapping[str, str]]) -> str:
    """A conversation as metrics read it: of a single message of the user its text, else every
    message behind its role, as `system: …`, with an empty line between two."""
    if len(messages) == 1 and messages[0]["role"] == "user":
        return messages[0]["content"]
    return "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in messages)


def as_completion(messages: Sequence[Message]) -> str:
    """A conversation for a model that only goes on writing: without roles, an answer behind its
    question, an empty line before the next question; as lm-evaluation-harness shows examples."""
    text = ""
    for turn in messages:
        if turn.role == "assistant":
            text += ("" if text[-1:].isspace() else " ") + turn.content + "\n\n"
        else:
            text += turn.content + ("\n\n" if turn.role == "system" else "")
    return text


def prompt_of(record: Record) -> str | None:
    """What a record asks, as plain text; None where it asks nothing."""
    if record.get("messages"):
        return as_text(record["messages"])
    prompt = record.get("prompt")
    return None if prompt is None else str(prompt)


def asks(record: Record) -> bool:
    """Whether there is something to give to a model."""
    return bool(record.get("messages")) or record.get("prompt") is not None


def last_question(record: Record) -> str | None:
    """The text that a template stands for: of a conversation, its last message."""
    if record.get("messages"):
        return str(record["messages"][-1]["content"])
    prompt = record.get("prompt")
    return None if prompt is None else str(prompt)


def turns_of(record: Record, question: str | None = None) -> list[Message]:
    """The record's conversation; `question` stands in place of its last message's text."""
    if record.get("messages"):
        turns = [Message(turn["role"], turn["content"]) for turn in record["messages"]]
    else:
        turns = [Message("user", str(record.get("prompt") or ""))]
    return turns if question is None else [*turns[:-1], Message("user", question)]


def with_system(messages: Sequence[Message], *texts: str | None) -> tuple[Message, ...]:
    """The conversation with the texts before its own system message, in one message."""
    own = messages[0].content if messages and messages[0].role == "system" else None
    said = [text for text in (*texts, own) if text]
    rest = messages[1:] if own is not None else messages
    return (*([Message("system", "\n\n".join(said))] if said else []), *rest)

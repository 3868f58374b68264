"""Rows of a log of votes: two outputs of two systems, who won, and who said so.

Outputs may be conversations, as LMArena's logs have them: lists of turns, or lists of answers
beside a list of prompts. The turns that both have in common are the prompt, the rest of each is its
output.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import orjson
from pydantic import Field

from inference.protocols.conversation import as_text
from metrics.core.names import plain
from service.http.fields import Name, Text
from service.vote_exchange.foreign_votes import ForeignRow, ForeignVote, Place

WINS = {
    "a": ("a", "model a", "system a", "assistant a", "output a", "left", "first"),
    "b": ("b", "model b", "system b", "assistant b", "output b", "right", "second"),
    "tie": ("tie", "draw", "both", "both good", "both bad", "tie (bothbad)", "tie (both bad)"),
}
CHOICES = {plain(name): choice for choice, names in WINS.items() for name in names}
ONE_HOT = {"winner_a": "a", "winner_b": "b", "winner_tie": "tie"}
BOTH_BAD = frozenset(plain(one) for one in WINS["tie"][3:])


class Battle(ForeignRow):
    """A vote on two outputs; without texts it counts for strengths, and trains nothing."""

    model_a: Name
    model_b: Name
    output_a: Text = ""
    output_b: Text = ""
    winner: Literal["a", "b", "tie"] = Field(description="or model_a, left, the system's name, …")

    def vote(self, place: Place) -> ForeignVote:
        """The vote on the two."""
        outputs = (self.output_a, self.output_b)
        systems = (self.model_a, self.model_b)
        return self.said(place, {"choice": self.winner}, systems, outputs if any(outputs) else None)


def fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row by the names of a battle, as its fields."""
    found = {name: value for name, value in row.items() if value not in (None, "")}
    for name in ("prompt", "output_a", "output_b"):
        found[name] = _parsed(found.get(name))
    prompt, a, b = _texts(found["prompt"], found["output_a"], found["output_b"])
    found |= {
        "prompt": prompt,
        "output_a": "" if a is None else a,
        "output_b": "" if b is None else b,
    }
    hot = [choice for name, choice in ONE_HOT.items() if _is_set(found.pop(name, None))]
    if "winner" not in found and len(hot) == 1:
        found["winner"] = hot[0]
    said = found.get("winner")
    if isinstance(said, str):
        found["winner"] = _choice(said, found.get("model_a"), found.get("model_b"))
        if plain(said) in BOTH_BAD:
            found.setdefault("comment", said)
    return found


def _choice(said: str, a: object, b: object) -> str:
    """Which of the two won; what is not known stays as it is."""
    if a != b and said.strip() in (a, b):
        return "a" if said.strip() == a else "b"
    return CHOICES.get(plain(said), said)


def _is_set(value: object) -> bool:
    return value in (1, True) or (
        isinstance(value, str) and value.casefold() in {"1", "true", "1.0"}
    )


def _parsed(value: Any) -> Any:
    """The list in a text of a table's cell."""
    if isinstance(value, str) and value[:1] == "[":
        try:
            found = orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
        return found if isinstance(found, list) and (_turns(found) or _all_texts(found)) else value
    return value


def _texts(prompt: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """What was asked, and the two outputs, as texts."""
    turns_a, turns_b = _conversation(prompt, a), _conversation(prompt, b)
    if turns_a is None or turns_b is None:
        return _back(prompt), _back(a), _back(b)
    shared = 0
    while shared < min(len(turns_a), len(turns_b)) and turns_a[shared] == turns_b[shared]:
        shared += 1
    if shared and turns_a[shared - 1]["role"] == "assistant":  # the same answers: no part of what
        shared -= 1  # was asked
    asked = as_text(turns_a[:shared]) if shared else _back(prompt)
    return asked, _rest(turns_a[shared:]), _rest(turns_b[shared:])


def _conversation(prompt: Any, output: Any) -> list[dict[str, str]] | None:
    turns = _turns(output)
    if turns is not None:
        return turns
    if _all_texts(prompt) and _all_texts(output) and len(prompt) == len(output) > 0:
        return [
            {"role": role, "content": content}
            for asked, said in zip(prompt, output, strict=True)
            for role, content in (("user", asked), ("assistant", said))
        ]
    return None


def _turns(value: Any) -> list[dict[str, str]] | None:
    """A conversation; None where it is none."""
    if not isinstance(value, list) or not value:
        return None
    turns = []
    for turn in value:
        content = _content(turn.get("content")) if isinstance(turn, dict) else None
        if content is None or not isinstance(turn.get("role"), str):
            return None
        turns.append({"role": turn["role"], "content": content})
    return turns


def _content(value: Any) -> str | None:
    """A message's text, which may come in parts."""
    if isinstance(value, list):
        parts = [part.get("text") for part in value if isinstance(part, dict)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return value if isinstance(value, str) else None


def _all_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _rest(turns: Sequence[Mapping[str, str]]) -> str:
    if len(turns) == 1:
        return turns[0]["content"]
    return as_text(turns)


def _back(value: Any) -> Any:
    """A list that is no conversation, as the text that it was, or its only text."""
    if _all_texts(value):
        return value[0] if len(value) == 1 else json.dumps(value, ensure_ascii=False)
    return value

"""Layouts that datasets usually have, as records.

    Alpaca          instruction, input, output      prompt and completion; of eval and prompts the
                                                    output is a reference
    ShareGPT        conversations [{from, value}]   messages
    conversational  prompt, completion, chosen, rejected as lists of messages; chosen and rejected
                    may have the question in them; a prompt of several, of eval and prompts, is
                    their messages

A row that has a record's own fields stays as it is. What is left over goes into the metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from service.errors import ApiError, invalid

ROLES = {
    **dict.fromkeys(("human", "user", "prompter"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "assistant", "model", "bot"), "assistant"),
    "system": "system",
}
ALPACA = ("instruction", "input", "output")
LAYOUTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {  # columns that other layouts have, by kind
    "sft": {"Alpaca": ALPACA, "ShareGPT": ("conversations",)},
    "eval": {"Alpaca": ALPACA},
    "prompts": {"Alpaca": ALPACA},
}
ANSWERS = ("completion", "chosen", "rejected")
WITH_MESSAGES = ("sft", "eval", "prompts")

Row = dict[str, Any]


def columns_of(kind: str) -> list[str]:
    """Columns that a record of the kind may be made of, besides its own fields."""
    return [name for names in LAYOUTS.get(kind, {}).values() for name in names]


def described(kind: str) -> str:
    """The layouts of a kind in words, as `instruction, input, output (Alpaca)`."""
    layouts = LAYOUTS.get(kind, {}).items()
    return "; ".join(f"{', '.join(names)} ({name})" for name, names in layouts)


def record(row: Row, kind: str, index: int) -> Row:
    """The row as a record's fields. Raises 422 naming row (from 0) and column for a conversation
    that a record cannot hold, with what it may hold."""
    if kind in LAYOUTS and "prompt" not in row and {"instruction", "output"} <= row.keys():
        return _alpaca(row, kind)
    if kind == "sft" and "conversations" in row and not row.keys() & {"messages", "prompt", "text"}:
        talk = _turns(row["conversations"], f"rows[{index}].conversations")
        return _apart(row, ("conversations",)) | {"messages": talk}
    if kind in WITH_MESSAGES and "messages" in row:
        return row | {"messages": _messages(row["messages"], f"rows[{index}].messages")}
    if any(isinstance(row.get(name), list) for name in ("prompt", *ANSWERS)):
        return _conversational(row, kind, index)
    return row


def _alpaca(row: Row, kind: str) -> Row:
    parts = [part for part in (row["instruction"], row.get("input")) if part]
    answer = {"completion": row["output"]} if kind == "sft" else {"references": [row["output"]]}
    asked = {"prompt": "\n\n".join(map(str, parts))}
    return _apart(row, (*ALPACA, "text")) | asked | answer  # `text` is all of it once more


def _apart(row: Row, used: tuple[str, ...]) -> Row:
    """What is left of a row: its id, and in its metadata all that is not used."""
    kept = {name: row[name] for name in ("id", "rationale") if name in row}
    given = row.get("metadata")
    left = {k: v for k, v in row.items() if k not in {*used, *kept, "metadata"}}
    metadata = {**(given if isinstance(given, dict) else {}), **left}
    return kept | ({"metadata": metadata} if metadata else {})


def _messages(talk: Any, where: str) -> Any:
    """What is mapped to messages may be of ShareGPT; a table's may have empty cells."""
    turns = _json(talk) if isinstance(talk, str) else talk
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        return talk
    if any("from" in turn for turn in turns):
        return _turns(turns, where)
    return [{name: value for name, value in turn.items() if value is not None} for turn in turns]


def _json(text: str) -> Any:
    """What the text is as JSON; None where it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _turns(talk: Any, where: str) -> list[dict[str, Any]]:
    """Messages with roles and contents, whatever they are called; as JSON in tables of texts."""
    found = []
    if isinstance(talk, str):
        talk = _json(talk)
    if not isinstance(talk, list):
        raise _refused(where, "is neither a list of turns nor JSON of one")
    for at, turn in enumerate(talk):
        if not isinstance(turn, dict):
            raise _refused(f"{where}[{at}]", "is no turn: write {from, value} or {role, content}")
        said = turn.get("from", turn.get("role"))
        role = ROLES.get(str(said).casefold())
        if role is None:
            known = ", ".join(ROLES)
            raise _refused(f"{where}[{at}]", f"{said!r} is nobody who speaks here; known: {known}")
        found.append({"role": role, "content": turn.get("value", turn.get("content"))})
    return found


def _conversational(row: Row, kind: str, index: int) -> Row:
    where = f"rows[{index}]"
    lists = {name: row[name] for name in ("prompt", *ANSWERS) if isinstance(row.get(name), list)}
    talks = {name: _turns(talk, f"{where}.{name}") for name, talk in lists.items()}
    asked = talks.pop("prompt", [])
    if kind == "sft" and "completion" in talks:
        rest = {name: value for name, value in row.items() if name not in lists}
        return rest | {"messages": [*asked, *talks["completion"]]}
    answers = {}
    for name, talk in talks.items():
        if not talk or talk[-1]["role"] != "assistant":
            raise _refused(f"{where}.{name}", "has to end with a message of the assistant")
        answers[name] = talk[-1]["content"]
        if len(talk) > 1:
            asked = talk[:-1]
    question = row["prompt"] if isinstance(row.get("prompt"), str) else None
    if kind in ("eval", "prompts") and not answers and len(asked) > 1:
        rest = {name: value for name, value in row.items() if name != "prompt"}
        return rest | {"messages": asked}
    if asked:
        if [turn["role"] for turn in asked] != ["user"]:
            roles = ", ".join(turn["role"] for turn in asked)
            raise _refused(
                f"{where}.prompt",
                f"a record of kind {kind} asks with one message of the user, and there are {roles}",
            )
        question = asked[0]["content"]
    return row | answers | ({"prompt": question} if question is not None else {})


def _refused(where: str, why: str) -> ApiError:
    return invalid("invalid_rows", f"nothing was stored. {where}: {why}", where)

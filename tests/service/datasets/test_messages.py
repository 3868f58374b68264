"""Records may ask with the messages of a conversation."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest

from metrics.core.metric import Sample
from service.datasets.files import rows
from service.datasets.schemas import checked
from service.errors import ApiError

TALK = [
    {"role": "system", "content": "Short."},
    {"role": "user", "content": "Чему равно 2 + 2?"},
]


def stored(kind: str, *given: dict[str, Any]) -> list[dict[str, Any]]:
    return list(checked(given, kind))


@pytest.mark.parametrize("kind", ["eval", "prompts"])
def test_messages_are_stored_as_they_came(kind: str) -> None:
    (record,) = stored(kind, {"messages": TALK, "references": ["4"]})
    assert record == {"id": "1", "messages": TALK, "references": ["4"]}
    sample = Sample.of(record, ["4"])
    assert sample.prompt == "system: Short.\n\nuser: Чему равно 2 + 2?"


@pytest.mark.parametrize(
    ("record", "part"),
    [
        ({"messages": TALK, "prompt": "x"}, "not both"),
        ({"messages": []}, "at least 1"),
        ({"messages": [*TALK, {"role": "assistant", "content": "4"}]}, "has to be the user's"),
        ({"messages": [TALK[1], TALK[0], TALK[1]]}, "first or nowhere"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "role"),
        ({"messages": [{"role": "user", "content": "\x00"}]}, "NUL"),
    ],
)
def test_what_is_no_question_is_refused(record: dict[str, Any], part: str) -> None:
    with pytest.raises(ApiError, match=part):
        stored("eval", record)


def test_a_prompt_record_needs_a_question() -> None:
    with pytest.raises(ApiError, match="`prompt`, or `messages`"):
        stored("prompts", {"references": ["x"]})


def test_files_have_messages_as_lists_and_as_json() -> None:
    lines = b"\n".join(
        orjson.dumps(one) for one in ({"messages": TALK}, {"prompt": TALK}, {"prompt": TALK[1:]})
    )
    several, listed, single = rows(io.BytesIO(lines), "jsonl", "eval")
    assert several["messages"] == listed["messages"] == TALK
    assert single == {"prompt": TALK[1]["content"]}
    quoted = orjson.dumps(TALK).decode().replace('"', '""')
    table = f'messages,references\n"{quoted}",4\n'.encode()
    (row,) = rows(io.BytesIO(table), "csv", "eval")
    assert row["messages"] == TALK

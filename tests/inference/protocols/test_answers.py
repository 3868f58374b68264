"""What of a reply is its answer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from inference.chat import Reply
from inference.errors import InputError
from inference.protocols.answers import check, extract
from inference.protocols.declaration import Answer


@pytest.mark.parametrize(
    ("answer", "text", "expected"),
    [
        ({}, "  Paris \n", "Paris"),
        ({}, "<think>Lyon? <b>No.</b></think>\nParis", "Paris"),
        ({}, "it was opened by the template</think>Paris", "Paris"),
        ({}, "<think>and so on", None),
        ({"marker": "Answer:"}, "Answer: 1, no. ANSWER: **42**\nfine", "42"),
        ({"marker": "Ответ:"}, "думаю…\nОТВЕТ:\n 7", "7"),
        ({"marker": "Answer:"}, "İ it is. Answer: 42", "42"),
        ({"marker": "Answer:"}, "42", None),
        ({"take": "last_number"}, "from 3 to 1,234.50.", "1234.50"),
        ({"take": "last_number"}, "10-3 is 7, или 3,5", "3.5"),
        ({"take": "last_number"}, "-4", "-4"),
        ({"take": "last_number"}, "none", None),
        ({"take": "choice"}, "A or (B)? The answer is (C).", "C"),
        ({"take": "choice"}, "**d**", "D"),
        ({"take": "choice"}, "Правильный ответ: В", "B"),  # the Cyrillic letter
        ({"take": "choice", "choices": "АБВ"}, "Ответ: б", "Б"),
        ({"take": "choice"}, "A cat is an animal, so B", "B"),
        ({"take": "choice"}, "I do not know", None),
        (
            {"take": "solution"},
            "<think>\\boxed{1}</think>It is \\boxed{\\frac{1}{2}}.",
            "\\frac{1}{2}",
        ),
        ({"take": "solution"}, "3+4\n#### 7", "7"),
        ({"take": "solution"}, "hard\nto say", None),
        ({"take": "regex", "pattern": r"x=(\d+)|y=(\d+)"}, "x=1 y=2", "2"),
        ({"take": "regex", "pattern": r"\d+"}, "x", None),
        ({"take": "json", "path": "$.a[1].b"}, '{"a": 1} then ```{"a": [0, {"b": 3}]}```', "3"),
        ({"take": "json", "path": "a"}, "{not json} {'a': 1}", None),
        ({"take": "json", "path": "a"}, '{"a": "да"}', "да"),
    ],
)
def test_answers(answer: dict[str, Any], text: str, expected: str | None) -> None:
    found = extract(Answer.model_validate(answer).complete(), Reply(text))
    assert found.text == expected
    assert (found.failed is None) == (expected is not None)


def test_a_pattern_does_not_hold_the_service_up() -> None:
    answer = Answer(take="regex", pattern=r"(a|aa)+$")
    began = time.monotonic()
    assert extract(answer, Reply("a" * 5000 + "b")).failed == "the pattern takes too long"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        (Answer(take="regex", pattern="("), "answer.pattern"),
        (Answer(take="json", path="a..b"), "answer.path"),
        (Answer(take="json", path="a[x]"), "answer.path"),
    ],
)
def test_what_cannot_be_read_is_refused(answer: Answer, field: str) -> None:
    with pytest.raises(InputError) as caught:
        check(answer)
    assert caught.value.field == field


def test_refusals_and_errors_are_no_answers() -> None:
    assert extract(Answer(), Reply("", refusal="no")).failed == "refused"
    assert extract(Answer(), Reply("", error="HTTP 500")).failed == "no reply"

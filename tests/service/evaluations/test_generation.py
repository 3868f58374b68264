"""What an evaluation may ask of the model that generates."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from service.evaluations.schemas import GenerationIn

KEY = "chat_template_kwargs"


def test_variables_of_the_template_are_settings_only_where_they_are_set() -> None:
    """Evaluations without them are compared with those of before there were any."""
    assert KEY not in GenerationIn().model_dump(mode="json")
    given = {"thinking": False, "tone": "сухой", "budget": 3, "heat": 0.5, "tools_": None}
    assert GenerationIn.model_validate({KEY: given}).model_dump(mode="json")[KEY] == given


@pytest.mark.parametrize(
    ("generation", "part"),
    [
        ({KEY: {"messages": "x"}}, "no variable"),
        ({KEY: {"if": 1}}, "no variable"),
        ({KEY: {"a b": 1}}, "no variable"),
        ({KEY: {"a": [1]}}, "valid"),
        ({KEY: {"a": "\x00"}}, "NUL"),
        ({KEY: {"a": 10**30}}, "64 bits"),
        ({KEY: {"a": 1}, "chat": False}, "chat: false"),
    ],
)
def test_what_no_template_can_take_is_refused(generation: dict[str, Any], part: str) -> None:
    with pytest.raises(ValidationError, match=part):
        GenerationIn.model_validate(generation)

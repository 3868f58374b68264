"""Chat templates and the variables of their own, as Qwen3's `enable_thinking`."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from inference.errors import InputError

FIELD = "chat_template_kwargs"
RENDERED = ("messages", "tools", "documents", "add_generation_prompt")  # given with every rendering
CONSTANTS = ("true", "false", "none")

Value = bool | int | float | str | None


def _free(name: str) -> str:
    reserved = keyword.iskeyword(name) or name in {*RENDERED, *CONSTANTS}
    if reserved or not name.isidentifier():
        raise ValueError(f"{name!r} is no variable that can be set")
    return name


Variable = Annotated[str, AfterValidator(_free)]  # of a chat template


def with_values(template: str | Mapping[str, str] | None, values: Mapping[str, Value]) -> str:
    """The template with values of its variables, which hold unless a rendering gives others.

    template  as a tokenizer has it: one, several by name, or none

    Raises InputError, with FIELD or a name below it, where there is no template, and for a variable
    that it does not read.
    """
    if not template:
        raise InputError("the model has no chat template", FIELD)
    text = template if isinstance(template, str) else template["default"]
    for name, value in values.items():
        if not re.search(rf"\b{re.escape(name)}\b", text):
            raise InputError(f"the model's chat template reads no {name!r}", f"{FIELD}.{name}")
        given = f"{{%- if {name} is not defined %}}{{%- set {name} = {value!r} %}}{{%- endif %}}"
        text = given + text
    return text

"""What of an output is the answer: the parameters of a protocol's `answer`, for metrics."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from inference.errors import InputError
from inference.protocols.answers import check, taken, without_thoughts
from inference.protocols.declaration import Answer
from metrics.core.metric import Params


class Extraction(Answer, Params):
    """`take`, `marker`, `pattern`, `choices` and `path`: docs/protocols.md has what they mean."""

    @model_validator(mode="after")
    def _is_a_pattern(self) -> Self:
        try:
            check(self)
        except InputError as error:
            raise ValueError(error.message) from None
        return self

    def extract(self, output: str) -> str | None:
        """The answer of an output, without thoughts; None where there is none."""
        text = without_thoughts(output)
        return None if text is None else taken(self, text).text

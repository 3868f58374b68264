"""Multiple choice: the answers that a sample offers, and which of them is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Choices:
    """Two or more texts, and the place of the right one, from 0."""

    texts: tuple[str, ...]
    answer: int

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Choices | None:
        """Of `choices` (texts) and `answer` (a place from 0, a letter from A, or the text itself)
        of a sample's metadata; None where they are not there."""
        texts, answer = metadata.get("choices"), metadata.get("answer")
        if not isinstance(texts, list | tuple) or not all(isinstance(one, str) for one in texts):
            return None
        if answer in texts:
            place = list(texts).index(answer)
        elif isinstance(answer, int) and not isinstance(answer, bool):
            place = answer
        elif isinstance(answer, str) and len(answer) == 1:
            place = ord(answer.upper()) - ord("A")
        else:
            return None
        whole = len(texts) > 1 and all(texts) and 0 <= place < len(texts)
        return cls(tuple(texts), place) if whole else None

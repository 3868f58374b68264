"""Contexts: the texts that were retrieved for an answer, in a sample's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def contexts_of(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Of `contexts`: texts, best first, or one text; none where there are none or other things.

    Blank texts are left out. A lone surrogate, which is no text, becomes a question mark.
    """
    texts = metadata.get("contexts")
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list | tuple) or not all(isinstance(one, str) for one in texts):
        return ()
    return tuple(one.encode(errors="replace").decode() for one in texts if one.strip())

"""Texts that an output is to rest on: what was retrieved for it, or its prompt."""

from __future__ import annotations

from typing import Literal

from metrics.core.metric import Item, Reads

Grounding = Literal["auto", "contexts", "prompt"]
ABOUT = "auto: the metadata's `contexts` where a sample has them, else prompt"


def reads(which: Grounding) -> tuple[Reads, ...]:
    """What a sample needs; of `auto` nothing, since either will do: what has neither is missing."""
    return () if which == "auto" else (which,)


def texts(item: Item, which: Grounding) -> tuple[str, ...]:
    """The texts; none where the sample has no such."""
    prompt = (item.prompt,) if item.prompt else ()
    return {"auto": item.contexts or prompt, "contexts": item.contexts, "prompt": prompt}[which]

"""What the replies behind an output took, as it is stored with the output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from inference.chat import Reply
from inference.remote.hooks import OVER_BUDGET

SUMS = ("input_tokens", "output_tokens", "cost")
LONGEST_REASONING = 100_000  # characters that are kept of what a model thought


def details(replies: Sequence[Reply], together: bool = False) -> dict[str, Any]:
    """Of one output; what is not known is left out.

    replies   all that went into it: the last one's state is the output's
    together  they were draws, made at the same time, of which one answer does
    """
    answered = [one for one in replies if one.error is None and one.refusal is None]
    last = answered[-1] if together and answered else replies[-1]
    found = asdict(last) | {name: _total(getattr(one, name) for one in replies) for name in SUMS}
    taken = [one.latency_s for one in replies if one.latency_s is not None]
    found["latency_s"] = (max if together else sum)(taken) if taken else None
    found["cached"] = all(one.cached for one in replies) or None
    found["over_budget"] = last.error == OVER_BUDGET or None
    found["requests"] = len(replies) if len(replies) > 1 else None
    if last.reasoning is not None:
        found["reasoning"] = last.reasoning[:LONGEST_REASONING]
    del found["text"]
    return {name: value for name, value in found.items() if value is not None}


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None

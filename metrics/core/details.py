"""What an output took, and why it may be none: refused, filtered, failed, not paid for.

An output that is none is no text: metrics that read outputs never see it. Its evidence is a
placeholder whose flag says why, and it counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from metrics.core.evidence import FLAG, Column, Evidence

Failure = Literal["refused", "filtered", "failed", "over_budget"]

# codes of the evidence's flags, of no metric's own
CODES: Mapping[Failure, int] = {"refused": 252, "filtered": 253, "failed": 254, "over_budget": 255}
MESSAGES: Mapping[int, str] = {
    CODES["refused"]: "the model refused to answer",
    CODES["filtered"]: "a content filter kept the answer back",
    CODES["failed"]: "the model gave no answer (its details say why)",
    CODES["over_budget"]: "not asked for: the budget was spent",
}


@dataclass(frozen=True, slots=True)
class Details:
    """What making an output took; what is not known is None.

    latency_s  seconds until the whole answer was there
    cost       in the currency that the model's prices are in
    failure    why there is no output; the text is then none
    """

    latency_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    failure: Failure | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Details:
        """The details that a service stores with an output."""
        failure: Failure | None = None
        if stored.get("error") is not None:
            failure = "over_budget" if stored.get("over_budget") else "failed"
        elif stored.get("refusal") is not None:
            failure = "filtered" if stored.get("finish_reason") == "content_filter" else "refused"
        return cls(
            latency_s=stored.get("latency_s"),
            input_tokens=stored.get("input_tokens"),
            output_tokens=stored.get("output_tokens"),
            cost=stored.get("cost"),
            failure=failure,
        )


def failures(details: Sequence[Details | None]) -> NDArray[np.uint8]:
    """(n_items,) the code of why each output is none; 0 where it is one."""
    codes = [CODES[one.failure] if one and one.failure else 0 for one in details]
    return np.array(codes, np.uint8)


def with_failures(answered: Evidence, codes: NDArray[np.uint8]) -> Evidence:
    """Evidence of all items from that of those with code 0: the others have any item's, flagged."""
    if not len(answered):
        return Evidence({FLAG: Column(codes)}, len(codes))
    place = np.zeros(len(codes), np.int64)
    place[codes == 0] = np.arange(len(answered))
    whole = answered.take(place)
    own = whole[FLAG] if FLAG in whole else np.zeros(len(codes), np.uint8)
    return Evidence(whole.columns | {FLAG: Column(np.where(codes, codes, own).astype(np.uint8))})

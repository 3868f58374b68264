"""Results as bytes: everything that comparisons, listings and boards are computed from."""

from __future__ import annotations

import dataclasses

import numpy as np
from pydantic import BaseModel, Field

from inference.sentences import Sentence
from metrics.core import evidence as columns
from metrics.core.result import Result, ScoreValue
from metrics.core.rows import Floats, Settled
from metrics.core.settling import Mask


def pack(result: Result) -> bytes:
    """A result as compressed bytes; `unpack` gives it back exactly."""
    settled = result.settled
    arrays: dict[str, Floats | Mask | None] = {
        "rows": settled.rows,
        "loss": settled.loss,
        "variance": settled.variance,
        "shared": settled.shared,
        "per_sample": result.per_sample,
        "replicates": result.replicates,
        "missing": result.missing,
        "unvoted": result.unvoted,
    }
    meta = {
        "scores": [dataclasses.asdict(score) for score in result.scores],
        "signature": dict(settled.signature),
        "warnings": list(settled.warnings),
        "seed": result.seed,
        "cluster": result.cluster,
        "freedom": settled.freedom,
    }
    return columns.pack({name: one for name, one in arrays.items() if one is not None}, meta)


def unpack(data: bytes) -> Result:
    """The inverse of `pack`."""
    arrays, meta = columns.unpack(data)

    def floats(name: str) -> Floats | None:
        # row by row again, so that sums come out as they did before
        return np.ascontiguousarray(arrays[name], np.float64) if name in arrays else None

    rows = floats("rows")
    if rows is None:
        raise ValueError("not a packed result")
    about = _About.model_validate(meta)
    return Result(
        scores=tuple(about.scores),
        settled=Settled(
            rows,
            floats("loss"),
            floats("variance"),
            about.signature,
            tuple(map(Sentence.plain, about.warnings)),
            floats("shared"),
            about.freedom,
        ),
        per_sample=floats("per_sample"),
        replicates=floats("replicates"),
        missing=arrays["missing"].astype(np.bool_),
        seed=about.seed,
        cluster=about.cluster,
        unvoted=arrays["unvoted"].astype(np.bool_) if "unvoted" in arrays else None,
    )


class _About(BaseModel):
    """The part of a packed result that is not arrays."""

    scores: tuple[ScoreValue, ...]
    signature: dict[str, str]
    warnings: tuple[str, ...]
    seed: int
    cluster: str | None = None  # results of before have none
    freedom: float | None = Field(default=None, gt=0)  # nor this

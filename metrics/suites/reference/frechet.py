# needs: sentence-transformers==6.2.0
"""Frechet distance of sentence-transformers' embeddings, by pytorch-fid's formula. The trace of the
root is taken from singular values: SciPy's root is off where texts are fewer than dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.embedder import embedder
from metrics.suites.reference.frame import Sample, Scores, pairs

ONLY = {"dtype": "float32", "pooling": "mean"}


def frechet(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """The distance of all outputs and all references."""
    import numpy as np

    encoder = embedder(params["model"])
    outputs = [output for output, _ in pairs(samples)]
    references = [one for sample in samples for one in sample["references"]]
    first, second = (np.asarray(encoder.encode(x), np.float64) for x in (outputs, references))
    apart = first.mean(0) - second.mean(0)
    first, second = ((x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (first, second))
    root = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    spread = (first**2).sum() + (second**2).sum()
    return {"frechet": float(apart @ apart + spread - 2 * root)}

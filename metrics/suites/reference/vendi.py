# needs: vendi-score==0.0.3
# needs: nltk==3.10.4
# needs: regex
"""Vendi score by vendi-score, of sentence-transformers' embeddings or of counts of n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.embedder import embedder
from metrics.suites.reference.frame import Sample, Scores, pairs
from metrics.text.tokens import cutter

ONLY = {"dtype": "float32", "pooling": "mean"}


def vendi(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """The score of all outputs together; blank ones are left out."""
    import numpy as np
    from vendi_score.vendi import score_K

    outputs = [output for output, _ in pairs(samples)]
    if params["similarity"] == "encoder":
        vectors = embedder(params["model"]).encode([text for text in outputs if text.strip()])
        kernel = cosines(np.asarray(vectors, np.float64))
    else:
        cut = cutter(params["tokenizer"], params["lowercase"])
        texts = [text for text in (list(cut(output)) for output in outputs) if text]
        orders = range(1, params["max_order"] + 1)
        kernel = np.sum([cosines(ngram_counts(texts, order)) for order in orders], axis=0)
        own = np.sqrt(np.diag(kernel))  # below the number of orders in texts that are short
        kernel = kernel / own[:, None] / own
    return {"vendi": float(score_K(kernel, q=params["order"]))}


def cosines(rows: Any) -> Any:
    """(n, n) of (n, D); 0 where one is all zeros."""
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled = rows / np.where(lengths > 0, lengths, 1)
    return scaled @ scaled.T


def ngram_counts(texts: list[list[str]], order: int) -> Any:
    """(n, n-grams) how often each text has each."""
    import numpy as np
    from nltk.util import ngrams

    columns: dict[tuple[str, ...], int] = {}
    found = [[columns.setdefault(one, len(columns)) for one in ngrams(t, order)] for t in texts]
    counts = np.zeros((len(texts), max(len(columns), 1)))
    for row, places in enumerate(found):
        np.add.at(counts[row], places, 1)
    return counts

"""Likeness of every two texts by the n-grams that they share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.core.rows import Floats, Ints


def ngram_kernel(tokens: NDArray[np.generic], lengths: Ints, order: int) -> Floats:
    """(n, n) cosine of texts' counts of n-grams, the mean over the orders 1 to `order`; 1 on the
    diagonal.

    tokens   of all texts one after the other, equal numbers for equal tokens
    lengths  (n,) tokens of each text, at least one

    Texts shorter than an order have no n-gram of it, so the sum is scaled to a diagonal of ones:
    an order that one of two texts lacks is one in which they have nothing in common.
    """
    from scipy.sparse import csr_matrix

    text = np.repeat(np.arange(len(lengths)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(text))  # tokens to the text's end
    single = np.unique(tokens, return_inverse=True)[1].astype(np.int64)
    words = int(single.max(initial=0)) + 1
    starts, grams = np.arange(len(text)), single
    kernel = np.zeros((len(lengths), len(lengths)))
    for n in range(1, order + 1):
        shape = (len(lengths), int(grams.max(initial=0)) + 1)
        counts = csr_matrix((np.ones(len(starts)), (text[starts], grams)), shape)
        counts.sum_duplicates()
        sizes = np.sqrt(np.asarray(counts.multiply(counts).sum(1)).ravel())
        unit = csr_matrix(counts.multiply(1 / np.maximum(sizes, 1)[:, None]))
        kernel += (unit @ unit.T).toarray()
        longer = left[starts] > n  # an n-gram is named by that without its last token, and that
        starts = starts[longer]
        pairs = grams[longer] * words + single[starts + n]
        grams = np.unique(pairs, return_inverse=True)[1].astype(np.int64)
    own = np.sqrt(np.diag(kernel))
    return np.asarray(kernel / own[:, None] / own, np.float64)

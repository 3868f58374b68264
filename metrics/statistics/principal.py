"""Powers and entropies of a matrix's eigenvalues without some of its rows and columns, all at once.

A is n by n, symmetric, without negative eigenvalues λ, and of trace 1; without the rows and columns
of a block B its eigenvalues are ν. By the block of the resolvent (Schur's complement), for t > 0,

    L(t) = Σ log(1 + λ/t) - Σ log(1 + ν/t) = -log det(t [(A + t)⁻¹]_BB)

and for 0 < q < 2 powers are integrals of such logarithms, which no ν is computed for:

    ∫ t^(q-1) [log(1 + x/t) - x / (1 + t)] dt = π / sin(πq) (x^q / q - x);  x - x log x where q = 1

Along log t the integrand is analytic within ±π and falls off exponentially at either end, so the
trapezoidal rule is exact to rounding; where t is large its terms are a geometric series, summed so.
One eigendecomposition then does for all blocks, rather than one a block: of 1,000 single rows, a
second rather than two minutes.

Sources: Trefethen, Weideman (2014), "The exponentially convergent trapezoidal rule", SIAM Review.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.weights import Floats

Ints = NDArray[np.int64]

LEAST, MOST = 0.1, 1.8  # q: near 0 and 2 integrals fall off slowly, and rounding tells
STEP = 0.5  # of log t: an error of exp(-2 π² / STEP), 1e-17
TAIL = 34.0  # of the lower end: 1e-15
FAR = 11.0  # log of the t from which terms are taken for a geometric series; λ is at most 1
CELLS = 4_000_000  # numbers at a time
NOTHING = 1e-9  # of a row, outside the space of the axes: rounding


def removed(values: Floats, axes: Floats, blocks: Sequence[Ints], order: float) -> Floats:
    """(B,) Σ λ^order - Σ ν^order of every block; of order 1, Σ λ log λ - Σ ν log ν.

    values  (m,) eigenvalues above zero
    axes    (n, m) their eigenvectors, of unit length
    blocks  the places of each block's rows
    order   between LEAST and MOST
    """
    nodes = np.exp(np.arange(-TAIL / order, FAR, STEP))
    weights = STEP * nodes**order
    weights[-1] /= 1 - np.exp((order - 2) * STEP)  # it and all that would follow
    shares = nodes / (values[:, None] + nodes)  # (m, T)
    found = np.zeros(len(blocks))
    for chosen, rows in _of_one_size(blocks, axes.shape[1]):
        own = axes[rows]  # (b, k, m)
        trace = (own**2 @ values).sum(1)[:, None]
        whole = (_logarithms(own, shares) - trace / (1 + nodes)) @ weights
        if order == 1:
            found[chosen] = trace[:, 0] - whole
        else:
            found[chosen] = order * (trace[:, 0] + np.sin(np.pi * order) / np.pi * whole)
    return found


def _of_one_size(blocks: Sequence[Ints], width: int) -> Iterator[tuple[Ints, Ints]]:
    """Which blocks, and their rows (b, k), as many of a size at a time as fit."""
    sizes = np.array([len(one) for one in blocks])
    for size in np.unique(sizes).tolist():
        same = np.flatnonzero(sizes == size)
        step = max(1, CELLS // (size * width))
        for start in range(0, len(same), step):
            chosen = same[start : start + step]
            yield chosen, np.stack([blocks[at] for at in chosen.tolist()])


def _logarithms(own: Floats, shares: Floats) -> Floats:
    """(b, T) L at the nodes, of blocks (b, k, m)."""
    size = own.shape[1]
    outside, turn = np.linalg.eigh(np.eye(size) - own @ np.swapaxes(own, 1, 2))
    outside = np.where(outside < NOTHING, 0.0, outside)  # (b, k) what the axes do not hold
    if size == 1:
        squares = own[:, 0] ** 2
        kept = squares @ shares + outside
        gone = np.minimum(squares @ (1 - shares), 0.5)
        return np.asarray(-np.where(kept < 0.5, np.log(kept), np.log1p(-gone)), np.float64)
    # Copies in a block are outside to their half, beside which what is inside would be rounded off.
    own = np.swapaxes(turn, 1, 2) @ own
    across, rest, found = np.swapaxes(own, 1, 2), outside[:, :, None] * np.eye(size), []
    for share in shares.T:  # all nodes at once would be as many times the memory
        found.append(-np.linalg.slogdet((own * share) @ across + rest)[1])
    return np.stack(found, 1)

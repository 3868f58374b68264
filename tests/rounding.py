"""How far float32 results that are the same may lie apart: other kernels, batches, processes.

Processor, threads and the batch's shape choose the kernel, the kernel the order in which a sum is
added up, and that the last digits. The error is in proportion to what was added, not to what came
out, which near zero is a difference of large numbers. So bounds are roundings of the largest value
compared. Equal to the bit is asked only of one process that does the same work twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

EPSILON = 2.0**-23  # of float32: from 1 to the next number

# What one pass through a network comes to, over the largest of its values. A sum of n products is
# off by some √n roundings, 8 to 39 here (n is 64 to 1536), and layers add a little each: up to 9
# roundings were seen, with AVX-512, AVX2 and neither. A mistake is far away: bfloat16 in one place
# is 2 ** -8, and a wrong mask, position or layer more.
FORWARD = 128 * EPSILON  # 2 ** -16, 1.5e-5

# What a few steps of Adam come to: of losses, and of weights over the way that they can have gone,
# on the average. It divides a gradient by its size, so a rounding δ moves a weight by δ / |g| of a
# step: δ ln(1/δ) or 10 δ over all sizes of g, from those below δ to 1. Up to 20 roundings were
# seen. Another batch, weight of a sample, or state after a resumption is hundredths and more.
TRAINED = 1024 * EPSILON  # 2 ** -13, 1.2e-4


def assert_same(found: Any, want: Any, bound: float = FORWARD) -> None:
    """No two elements farther apart than `bound` times the largest of what is wanted."""
    found, want = np.asarray(found, np.float64), np.asarray(want, np.float64)
    assert found.shape == want.shape
    scale = float(np.abs(want).max(initial=0.0))
    np.testing.assert_allclose(found, want, rtol=0, atol=bound * scale)

"""Resampling weights from hashes: of (seed, replicate, unit id) and of nothing else.

    keys     (n,)    uint64   the unit ids, hashed
    rows     (n, C)  float64  what the units contribute
    sums     (R, C)  float64  a replicate each: the rows added up, weighted

No generator is stepped through, so a unit's weights depend neither on its place nor on its
neighbours. Sums of shards therefore add up to the sums of the whole set, and two systems over the
same units are resampled alike: paired without further ado. Sums of integers (below 2**53) are equal
to the bit whatever the order and the sharding; sums of other floats up to rounding.

The bootstrap here is the Poisson bootstrap: independent Poisson(1) counts stand for the multinomial
ones, which they approach as n grows; the number of units drawn varies, so statistics should be
ratios of sums. Source: Chamandy, Muralidharan, Najmi, Naidu (2012), "Estimating uncertainty for
massive data streams", Google; Hanley & MacGibbon (2006), "Creating non-parametric bootstrap samples
using Poisson frequencies". The hash's finaliser is the one of SplitMix64 (Steele, Lea, Flood 2014).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import xxhash
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]
Counts = NDArray[np.uint8]
Draw = Callable[[Keys, int, int], Counts]  # (keys, seed, words) -> (n, draws)
Table = Callable[[slice], Floats]  # rows of a table (n, C): those of the slice

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
BLOCK = 128  # units at a time: hashes, weights and their product stay within the processor's cache

# How many of the 65,536 values of a 16-bit hash give the weight 0, 1, … 8. Rounded from
# exp(-1)/k!, then moved by at most 1.3 so that mean and variance are exactly 1 (the third moment is
# 5.00003 for 5, the fourth 14.99994 for 15): no interval is biased by the table's coarseness.
SHARES = (24109, 24110, 12055, 4017, 1005, 201, 34, 4, 1)
POISSON = np.repeat(np.arange(len(SHARES), dtype=np.uint8), SHARES)  # (65536,) inverse CDF

DRAWS, SWAPS = 0, 1  # what a hash is for: one seed gives unrelated draws to each


def unit_keys(ids: Sequence[str]) -> Keys:
    """(n,) the ids' xxhash64, of their UTF-8: the same on every machine, in every run."""
    return np.fromiter((xxhash.xxh64_intdigest(one.encode()) for one in ids), np.uint64, len(ids))


def weighted_sums(rows: Floats, keys: Keys, seed: int, replicates: int) -> Floats:
    """(R, C) the rows added up with Poisson weights. Memory is bounded: a block of units at a time.

    A million units, 8 columns and 1,000 replicates take about 4 s on one core.
    """
    (sums,) = tables_summed([rows.__getitem__], len(rows), keys, seed, replicates)
    return sums


def tables_summed(
    tables: Sequence[Table], n: int, keys: Keys, seed: int, replicates: int
) -> list[Floats]:
    """The same of several tables of n rows, whose parts are made when their turn comes, from
    weights that are drawn once."""
    return _sums(_draw, 4, tables, n, keys, seed, replicates)


def swapped_sums(rows: Floats, keys: Keys, seed: int, replicates: int) -> Floats:
    """(R, C) the rows of the units that change places in each replicate, added up."""
    (sums,) = _sums(_flip, 64, [rows.__getitem__], len(rows), keys, seed, replicates)
    return sums


def totals(rows: Floats) -> Floats:
    """(C,) the columns added up, correctly rounded: to the bit the same in every order."""
    limit = 2.0**53
    plain = rows.sum(0)
    whole = (rows == np.rint(rows)).all(0) & (np.abs(rows).sum(0) < limit)  # no rounding occurred
    for column in np.flatnonzero(~whole & np.isfinite(plain)):
        plain[column] = math.fsum(rows[:, column].tolist())
    return np.asarray(plain, np.float64)


def mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser, in place: every bit of the input moves every bit of the output."""
    spare = np.empty_like(words)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        np.right_shift(words, np.uint64(shift), out=spare)
        words ^= spare
        if factor != 1:
            words *= np.uint64(factor)
    return words


def _words(keys: Keys, seed: int, purpose: int, count: int) -> NDArray[np.uint64]:
    """(n, count) one 64-bit hash for every unit and every word number."""
    start = mix(np.array([(seed * 2 + purpose) & MASK], np.uint64))
    numbers = np.arange(1, count + 1, dtype=np.uint64)
    salts = mix(start + numbers * np.uint64(GOLDEN))
    return mix(np.bitwise_xor(keys[:, None], salts[None, :], dtype="<u8"))


def _draw(keys: Keys, seed: int, count: int) -> Counts:
    """(n, 4 * count): each hash is four 16-bit numbers, each looked up in the table."""
    return POISSON.take(_words(keys, seed, DRAWS, count).view("<u2"))


def _flip(keys: Keys, seed: int, count: int) -> Counts:
    """(n, 64 * count): each hash is 64 coins."""
    words = _words(keys, seed, SWAPS, count)
    return np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")


def _sums(
    draw: Draw, each: int, tables: Sequence[Table], n: int, keys: Keys, seed: int, replicates: int
) -> list[Floats]:
    if n != len(keys):
        raise ValueError(f"{n} rows for {len(keys)} unit keys")
    words = -(-replicates // each)
    sums = [np.zeros((each * words, table(slice(0, 0)).shape[1]), np.float64) for table in tables]
    # The products are small: threads gain nothing on free cores, and beside a training job they
    # wait for each other in loops, which was seen to make this four times as slow.
    with _blas().limit(limits=1):
        for start in range(0, n, BLOCK):
            block = slice(start, start + BLOCK)
            drawn = draw(keys[block], seed, words).astype(np.float64).T
            for table, found in zip(tables, sums, strict=True):
                np.add(found, drawn @ table(block), out=found)
    return [found[:replicates] for found in sums]


@cache
def _blas() -> ThreadpoolController:
    """NumPy's; to find it among the loaded libraries takes milliseconds."""
    return ThreadpoolController().select(internal_api="openblas")

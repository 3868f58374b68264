"""64-bit hashes of all words of many texts, without making a Python string of each.

The texts' UTF-8 bytes stand in one array; words are found by a table of white space, and read eight
bytes at a time. Each step of the mixing is a bijection (a product with an odd number, a shifted
exclusive or: MurmurHash3's finaliser), so words of equal length up to eight bytes never share a
hash; longer ones do with probability 2^-64 a pair. Not meant to withstand someone who looks for
collisions on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh64_intdigest

from metrics.core.rows import Ints

_Words = NDArray[np.uint64]

_CHUNK = 1 << 22  # characters at a time: bounded memory, and arrays that stay in the cache
_LONG = 256  # bytes; longer words are hashed one by one
_OTHER_SPACE = re.compile(r"[^\S\x00-\x7f]")  # white space beyond ASCII, and all there is of it
_SPACES_OF_WIDTHS = "".join(map(chr, range(0x2000, 0x200B)))
_OTHER_SPACES = "\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + _SPACES_OF_WIDTHS
_LEADING = {space.encode()[0] for space in _OTHER_SPACES}  # bytes: sooner looked for
_SPACE_TABLE = bytes(byte < 128 and chr(byte).isspace() for byte in range(256))
_BETWEEN = "\x1e"  # white space that hardly any text has
_KEEP = np.array([(1 << 8 * kept) - 1 for kept in range(9)], np.uint64)  # the first bytes of eight
_A, _B = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)


def hash_words(texts: Sequence[str]) -> tuple[_Words, Ints]:
    """Hashes of `text.split()` for each text, one after the other, and how many each text has."""
    parts = [_hash_chunk(chunk) for chunk in _chunks(texts)]
    if not parts:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    return np.concatenate([hashes for hashes, _ in parts]), np.concatenate([n for _, n in parts])


def numbers(hashes: _Words) -> Ints:
    """(n,) numbers from 0, equal ones for equal hashes.

    What a hash begins with and its place are sorted as one number, several times as fast as places
    by hashes are; where two hashes begin alike, the slow way is gone.
    """
    bits = np.uint64(len(hashes).bit_length())
    packed = (hashes >> bits << bits) | np.arange(len(hashes), dtype=np.uint64)
    packed.sort()
    at = (packed & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
    ordered, begins = hashes[at], packed >> bits
    new = ordered[1:] != ordered[:-1]
    if np.any(new & (begins[1:] == begins[:-1])):
        return np.unique(hashes, return_inverse=True)[1].astype(np.int64)
    found = np.zeros(len(hashes), np.int64)
    found[at[1:]] = np.cumsum(new)
    return found


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    begin = size = 0
    for index, length in enumerate(map(len, texts)):
        size += length
        if size >= _CHUNK:
            yield texts[begin : index + 1]
            begin, size = index + 1, 0
    if begin < len(texts):
        yield texts[begin:]


def _hash_chunk(texts: Sequence[str]) -> tuple[_Words, Ints]:
    whole = _BETWEEN.join(texts)
    data = whole.encode("utf-8", "surrogatepass")
    if any(byte in data for byte in _LEADING) and any(space in whole for space in _OTHER_SPACES):
        data = _OTHER_SPACE.sub(" ", whole).encode("utf-8", "surrogatepass")
    borders = np.flatnonzero(np.frombuffer(data, np.uint8) == ord(_BETWEEN))
    if len(borders) >= len(texts):  # some text has it, too
        return _hash_chunk([text.replace(_BETWEEN, " ") for text in texts])
    joined = data + b" " * 8  # so that eight bytes can be read from any word
    space = np.frombuffer(joined.translate(_SPACE_TABLE), np.bool_)
    edge = np.flatnonzero(space[1:] != space[:-1]) + 1
    bounds = edge if space[0] else np.concatenate([np.zeros(1, np.int64), edge])
    starts = np.ascontiguousarray(bounds[::2])
    upto = np.searchsorted(starts, np.append(borders, len(data)))
    return _hash(joined, starts, bounds[1::2] - starts), np.diff(upto, prepend=0)


def _hash(joined: bytes, starts: Ints, sizes: Ints) -> _Words:
    eights: _Words = np.ndarray(len(joined) - 7, "<u8", joined, strides=(1,))
    hashes = _mix(_mix(sizes.astype(np.uint64)) ^ (eights[starts] & _KEEP[np.minimum(sizes, 8)]))
    chosen = np.flatnonzero(sizes > 8)
    if len(chosen) and sizes[chosen].max() > _LONG:
        for index in np.flatnonzero(sizes > _LONG):
            begin = int(starts[index])
            hashes[index] = xxh64_intdigest(joined[begin : begin + int(sizes[index])])
        chosen = chosen[sizes[chosen] <= _LONG]
    at, left = starts[chosen] + 8, sizes[chosen] - 8
    while len(chosen):
        word = eights[at] & _KEEP[np.minimum(left, 8)]
        hashes[chosen] = _mix(hashes[chosen] ^ word)
        more = left > 8
        at, left, chosen = at[more] + 8, left[more] - 8, chosen[more]
    return hashes


def _mix(values: _Words) -> _Words:
    values = (values ^ (values >> _SHIFT)) * _A
    values = (values ^ (values >> _SHIFT)) * _B
    return values ^ (values >> _SHIFT)

"""Arrays of numbers as bytes, in NumPy's own format and without pickles."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from metrics.core.stored_zip import UnreadableArchive

LARGEST_HEADER = 4096  # bytes
MOST_AXES = 8
KINDS = "biuf"  # truth values and numbers, never objects

Array = NDArray[np.generic]


def dumped(array: Array) -> bytes:
    """A .npy file of version 1.0, row by row."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(array), (1, 0), allow_pickle=False)
    return file.getvalue()


def loaded(data: bytes, name: str) -> Array:
    """The array. Nothing is made room for that the bytes do not hold. Raises UnreadableArchive."""
    file = io.BytesIO(data)
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("it is not of version 1.0")
        header = np.lib.format.read_array_header_1_0(file, LARGEST_HEADER)
        shape, fortran, dtype = header
        if dtype.kind not in KINDS or fortran or any(side < 0 for side in shape):
            raise ValueError(f"it holds {dtype}")
        left = len(data) - file.tell()
        cells = 1
        for side in shape:
            cells *= int(side)
        if cells * dtype.itemsize != left or len(shape) > MOST_AXES:
            raise ValueError(f"{left} bytes are not of the shape {shape}")
        return np.frombuffer(data, dtype, cells, file.tell()).reshape(shape)
    except (ValueError, TypeError, SyntaxError, EOFError, RecursionError, MemoryError) as error:
        raise UnreadableArchive(f"{name} is no array of numbers: {error}", name) from None

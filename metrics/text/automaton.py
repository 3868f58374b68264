"""A classifier's byte automaton, walked over many texts at once.

py3langid reads a text byte by byte in Python. Here texts are cut into pieces, and all pieces take
each step together. In which state a piece begins is guessed from the bytes before it, for features
are a few bytes long; a walk counts when every piece began where the one before it ended, so that
the states are those of one walk through the whole text.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PIECE, BEFORE = 64, 6  # bytes of a piece, and before it that its first state is guessed from

States = NDArray[np.intp]


class Automaton:
    """From state to state by bytes; states say which feature ends there.

    following  (rows × 256,) next states
    rows       (states,) each state's row of `following`; several states may share one
    features   (states,) the feature that ends there, -1 for none
    """

    def __init__(self, following: array[int], rows: array[int], features: Sequence[int]) -> None:
        self._following = np.frombuffer(following, following.typecode)  # no copy: 39 MB
        self._offsets = np.frombuffer(rows, rows.typecode).astype(np.intp) << 8
        self._features = np.array(features, np.int32)

    def features(self, texts: Sequence[bytes]) -> list[NDArray[np.int32]]:
        """Of each text, the features in it, in the order in which they end."""
        counts = [-(-len(text) // PIECE) for text in texts]
        if not any(counts):
            return [np.empty(0, np.int32) for _ in texts]
        filled = b"".join(text.ljust(n * PIECE) for text, n in zip(texts, counts, strict=True))
        pieces = np.frombuffer(filled, np.uint8).reshape(-1, PIECE)  # (P, PIECE)
        starts = np.cumsum([0, *counts])[:-1]
        states = self._states(pieces, starts[np.array(counts) > 0])
        found = self._features[states].ravel()
        each = []
        for start, text in zip((starts * PIECE).tolist(), texts, strict=True):
            own = found[start : start + len(text)]
            each.append(own[own >= 0])
        return each

    def _states(self, pieces: NDArray[np.uint8], first: States) -> States:
        """(P, PIECE) the state after each byte; the pieces in `first` begin a text, in state 0."""

        def shifted(ends: States) -> States:
            starts = np.concatenate([[0], ends[:-1]])
            starts[first] = 0
            return starts

        steps = np.ascontiguousarray(pieces.T)
        starts = shifted(self._walk(steps[-BEFORE:], np.zeros(len(pieces), np.intp))[-1])
        while True:
            states = self._walk(steps, starts)
            ends = shifted(states[-1])
            if np.array_equal(starts, ends):
                return states.T
            starts = ends

    def _walk(self, steps: NDArray[np.uint8], state: States) -> States:
        """(S, P) states after each of the steps (S, P) from `state`."""
        states = np.empty(steps.shape, np.intp)
        for at, bytes_ in enumerate(steps):
            state = states[at] = self._following[self._offsets[state] + bytes_]
        return states

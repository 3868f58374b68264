"""Translation edit rate: edits of words, where moving a run of words costs one edit.

The greedy search is Tercom's (Snover et al. 2006) as sacrebleu 2.6.0 has it: while a move brings
the output nearer to the reference, the best move is made. Equal moves are ranked alike, so the
numbers are sacrebleu's. What is faster:

    words are code points, and a move is tried with rapidfuzz's bit-parallel distance
    sacrebleu looks only at cells near the diagonal (Band). A path that leaves them costs at least
    2 * BEAM - |difference of lengths| edits, so whoever costs less has the same distance either
    way; others are computed cell by cell, from the row at which the move begins
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from rapidfuzz.distance import Levenshtein

BEAM = 25  # cells to each side of the diagonal
LONGEST = 10  # words that are moved together
FARTHEST = 50  # words between where a run stands and where the reference has it
TRIED = 1000  # moves for each pair of texts, after which the search ends
FAR = 10**9  # more than any distance


def edits(output: Sequence[str], reference: Sequence[str]) -> int:
    """Edits and moves that turn the output's words into the reference's."""
    if not reference:
        return len(output)
    codes: dict[str, str] = {}
    text, wanted = (
        "".join(codes.setdefault(word, chr(0x10000 + len(codes))) for word in words)
        for words in (output, reference)
    )
    moved = tried = 0
    table = Table(text, wanted)
    while True:
        gain, better, tried = _best_move(table, tried)
        if tried >= TRIED or gain <= 0:
            return moved + table.distance
        moved += 1
        table = Table(better, wanted)


class Table:
    """Distances of all beginnings of two texts, within the band around the diagonal.

    Of each row of the table its cells of the band are kept, from column `low`: (low, cells).
    """

    def __init__(self, output: str, reference: str) -> None:
        self.output, self.reference = output, reference
        self._rows: list[tuple[int, list[int]]] = [(0, list(range(len(reference) + 1)))]
        self._fill(output, self._rows)
        self.distance = self._rows[-1][1][-1]
        self._surely = 2 * BEAM - 4 - abs(len(output) - len(reference))

    def of(self, moved: str, since: int) -> int:
        """The distance of the output with words moved, none of them before `since`."""
        distance: int = Levenshtein.distance(moved, self.reference)
        if distance < self._surely:
            return distance
        rows = self._rows[: since + 1]
        self._fill(moved, rows)
        return rows[-1][1][-1]

    def _fill(self, output: str, rows: list[tuple[int, list[int]]]) -> None:
        """Appends the rows that are lacking, up to len(output) + 1."""
        reference, width = self.reference, len(self.reference) + 1
        slope = len(reference) / len(output) if output else 1.0
        beam = math.ceil(slope / 2 + BEAM) if slope / 2 > BEAM else BEAM
        for i in range(len(rows), len(output) + 1):
            middle = math.floor(i * slope)
            low = max(0, middle - beam)
            high = width if i == len(output) else min(width, middle + beam)
            since, above = rows[-1]
            over = above[max(low - 1 - since, 0) : high - since]  # of columns low - 1 … high - 1
            over = [FAR, *over] if low == since else over
            over += [FAR] * (high - low + 1 - len(over))
            words = reference[low - 1 : high - 1] if low else " " + reference[: high - 1]
            row, left, word = [], FAR, output[i - 1]
            for diagonal, up, other in zip(over, over[1:], words, strict=False):
                best = min(diagonal + (word != other), up + 1)
                left = best if best <= left else left + 1
                row.append(left)
            rows.append((low, row))

    def _cell(self, i: int, j: int) -> int:
        low, row = self._rows[i]
        return row[j - low] if low <= j < low + len(row) else FAR

    def alignment(self) -> tuple[list[int], list[int], list[int]]:
        """Where the reference's words stand in the output, and where either has an error.

        Returns (R,) the last position of the output up to each word of the reference; the number of
        errors before each word of the reference (R + 1,), and of the output (H + 1,).
        """
        i, j = len(self.output), len(self.reference)
        places, output_errors, reference_errors = [0] * j, [0] * i, [0] * j
        while i or j:
            here, differ = self._cell(i, j), 0
            if i and j:
                differ = int(self.output[i - 1] != self.reference[j - 1])
            if i and j and self._cell(i - 1, j - 1) + differ == here:
                i, j = i - 1, j - 1
                places[j], output_errors[i], reference_errors[j] = i, differ, differ
            elif i and self._cell(i - 1, j) + 1 == here:
                i -= 1
                output_errors[i] = 1
            else:
                j -= 1
                places[j], reference_errors[j] = i - 1, 1
        return places, [0, *accumulate(reference_errors)], [0, *accumulate(output_errors)]


def _best_move(table: Table, tried: int) -> tuple[int, str, int]:
    """Edits gained by the best move, the output after it, and how many moves were tried in all."""
    best: tuple[int, int, int, int, str] | None = None
    places, reference_errors, output_errors = table.alignment()
    for start, aim, length in _runs(table.output, table.reference):
        right = output_errors[start + length] == output_errors[start]
        if right or reference_errors[aim + length] == reference_errors[aim]:
            continue
        if start <= places[aim] < start + length:  # would stay where it is
            continue
        for target in _targets(places, aim, length):
            moved = _move(table.output, start, length, target)
            gain = table.distance - table.of(moved, min(start, target))
            tried += 1
            move = (gain, length, -start, -target, moved)
            best = move if best is None else max(best, move)
        if tried >= TRIED:
            break
    return (0, table.output, tried) if best is None else (best[0], best[4], tried)


def _runs(output: str, reference: str) -> Iterator[tuple[int, int, int]]:
    """Where runs of words of the output (start) stand in the reference (aim), and their length."""
    places: dict[str, list[int]] = {}
    for aim, word in enumerate(reference):
        places.setdefault(word, []).append(aim)
    for start, word in enumerate(output):
        aims = places.get(word, [])
        near = bisect_left(aims, start - FARTHEST), bisect_right(aims, start + FARTHEST)
        for aim in aims[slice(*near)]:
            longest = min(LONGEST, len(output) - start, len(reference) - aim)
            for length in range(1, longest + 1):
                if output[start + length - 1] != reference[aim + length - 1]:
                    break
                yield start, aim, length


def _targets(places: list[int], aim: int, length: int) -> Iterator[int]:
    """Positions of the output before which a run may go, each once in a row."""
    last = -1
    for beside in range(aim - 1, min(aim + length, len(places))):
        target = 0 if beside == -1 else places[beside] + 1
        if target != last:
            last = target
            yield target


def _move(words: str, start: int, length: int, target: int) -> str:
    """The words with `length` of them from `start` put before position `target`."""
    run, rest = words[start : start + length], words[:start] + words[start + length :]
    place = target - length if target > start + length else target
    return rest[:place] + run + rest[place:]

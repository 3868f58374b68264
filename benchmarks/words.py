"""SQuAD's scores against its own script, repetition against a loop over sets of tuples."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import Pairs, english, news
from metrics import find
from metrics.core.rows import Floats


def rows(scale: float) -> Iterator[Row]:
    squad = "SQuAD's script"
    yield _row("exact_match", max(2, int(4000 * scale)), squad, _exact, 5.0)
    yield _row("token_f1", max(2, int(4000 * scale)), squad, _f1, 5.0)
    yield _repetition(max(2, int(4000 * scale)))


def _row(
    name: str, count: int, package: str, value: Callable[[str, str], float], required: float
) -> Row:
    metric = find(name).bind({"normalization": "squad"})

    def ours(pairs: Pairs) -> Floats:
        found = rows_of(metric, pairs.samples)
        return found[:, 0] / found[:, -1]

    def theirs(pairs: Pairs) -> Floats:
        return np.array(list(map(value, pairs.outputs, pairs.references)))

    found = in_turns([english(count, seed) for seed in range(ROUNDS)], ours, theirs)
    difference = max(furthest(a, b) for a, b in found.results)
    agreement = f"every value, largest difference {difference:.1g}"
    what = f"{name}, {count} segments, against {package}"
    return ratio(what, found, required, agreement, agrees=difference < 1e-15)


def _exact(output: str, reference: str) -> float:
    return float(_normal(output) == _normal(reference))


def _f1(output: str, reference: str) -> float:
    one, other = _normal(output).split(), _normal(reference).split()
    shared = sum((Counter(one) & Counter(other)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(one), shared / len(other)
    return 2 * precision * recall / (precision + recall)


def _normal(text: str) -> str:
    kept = "".join(one for one in text.lower() if one not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def _repetition(count: int) -> Row:
    metric = find("repetition").bind({"tokenizer": "whitespace", "lowercase": False})

    def ours(pairs: Pairs) -> Floats:
        return rows_of(metric, pairs.samples)[:, 0]

    def theirs(pairs: Pairs) -> Floats:
        return np.array([_repeated(text.split()) for text in pairs.outputs])

    found = in_turns([news(count, seed) for seed in range(ROUNDS)], ours, theirs)
    difference = max(furthest(a, b) for a, b in found.results)
    agreement = f"every value, largest difference {difference:.1g}"
    what = f"repetition, {count} outputs, against a loop"
    # a loop of sets over words that are split in C: half of ours is making numbers of them
    return ratio(what, found, 1.3, agreement, agrees=difference == 0)


def _repeated(tokens: list[str], n: int = 4) -> float:
    """As it is written everywhere."""
    grams = [tuple(tokens[at : at + n]) for at in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0

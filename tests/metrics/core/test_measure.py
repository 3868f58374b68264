"""Measuring: each distinct item once, in planned batches, from the cache where it can be."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from inference.errors import Cancelled
from metrics.core.evidence import Evidence
from metrics.core.measure import items_of, measure
from metrics.core.metric import BoundMetric, Flag, Item, Sample
from tests.metrics.core.toy import MODELS, PAIRED_UP, WORDS, calls


class Memory:
    """A cache in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[bytes, Evidence] = {}

    def find(self, keys: Sequence[bytes]) -> Mapping[bytes, Evidence]:
        return {key: self.kept[key] for key in keys if key in self.kept}

    def keep(self, found: Mapping[bytes, Evidence]) -> None:
        for key, value in found.items():
            self.kept.setdefault(key, value)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    calls.clear()


def items(*texts: str) -> list[Item]:
    return [Item(text) for text in texts]


def words(evidence: Evidence) -> list[int]:
    return [int(count) for count in evidence["row"][:, 0]]


def planned(*plan: list[int]) -> BoundMetric:
    """The cached metric, its batches always these."""
    return replace(PAIRED_UP, plan=lambda given, params, models: list(plan)).bind()


def test_items_of_samples() -> None:
    samples = [Sample("a", ("x", "y"), ("r",), "p"), Sample("b", ()), Sample("c", ("z",))]
    found, unit = items_of(samples)
    assert [item.output for item in found] == ["x", "y", "z"]
    assert found[1] == Item("y", ("r",), "p")
    assert unit.tolist() == [0, 0, 2]
    found, unit = items_of([])
    assert (found, len(unit)) == ([], 0)


def test_equal_items_are_measured_once() -> None:
    done: list[int] = []
    texts = items("a b", "в", "a b", "", "a b")
    found = measure(WORDS.bind(), texts, MODELS, progress=done.append)
    assert words(found) == [2, 1, 2, 0, 2]
    assert found["flag"].tolist() == [0, 0, 0, 1, 0]
    assert calls == [3]
    assert done == [5]
    assert len(measure(WORDS.bind(), [], MODELS)) == 0


def test_what_is_cached_is_not_measured_again() -> None:
    cache = Memory()
    texts = items("a", "b b", "c c c", "d", "a")
    first = measure(PAIRED_UP.bind(), texts, MODELS, cache)
    assert calls == [2, 2]
    again = measure(PAIRED_UP.bind(), texts, MODELS, cache)
    assert calls == [2, 2]
    assert words(again) == words(first) == [1, 2, 3, 1, 1]
    measure(PAIRED_UP.bind({"shown": "bold"}), texts, MODELS, cache)  # settle's own parameter
    assert calls == [2, 2]
    measure(PAIRED_UP.bind({"lower": True}), texts, MODELS, cache)
    assert calls == [2, 2, 2, 2]
    measure(WORDS.bind(), texts, MODELS, cache)  # not declared as worth caching
    assert calls[-1] == 4


def test_a_batch_is_the_same_whatever_is_cached_and_the_first_stored_stands() -> None:
    cache = Memory()
    measure(PAIRED_UP.bind(), items("b b"), MODELS, cache)
    (key,) = cache.kept
    cache.kept[key] = Evidence.of_rows(cache.kept[key]["row"] + 40, [0])  # as if measured elsewhere
    calls.clear()
    found = measure(PAIRED_UP.bind(), items("a", "b b", "c c c", "b b"), MODELS, cache)
    assert calls == [2, 1]  # the whole batch, not just what was lacking
    assert words(found) == [1, 42, 3, 42]
    assert len(cache.kept) == 3
    assert cache.kept[key]["row"][0, 0] == 42


def test_what_does_not_last_is_measured_every_time() -> None:
    cache = Memory()
    passing = {**PAIRED_UP.flags, 2: Flag("shouting", missing=False, lasting=False)}
    metric = replace(PAIRED_UP, flags=passing).bind()
    for _ in range(2):
        assert words(measure(metric, items("a", "B B", "c c c"), MODELS, cache)) == [1, 2, 3]
    assert len(cache.kept) == 2
    assert calls == [2, 1, 2]  # the batch with the one that shouts


def test_of_independent_items_only_those_not_cached_are_measured() -> None:
    cache = Memory()
    metric = replace(PAIRED_UP, independent=True).bind()
    measure(metric, items("b b"), MODELS, cache)
    calls.clear()
    assert words(measure(metric, items("a", "b b", "c c c"), MODELS, cache)) == [1, 2, 3]
    assert calls == [1, 1]


def test_plans_are_checked_and_obeyed() -> None:
    found = measure(planned([2], [1, 0]), items("a", "b b", "c c c"), MODELS)
    assert words(found) == [1, 2, 3]
    assert calls == [1, 2]
    for wrong in (planned([0, 1]), planned([0, 1], [1, 2])):
        with pytest.raises(ValueError, match="every item exactly once"):
            measure(wrong, items("a", "b b", "c c c"), MODELS)


def test_progress_may_stop_it() -> None:
    done: list[int] = []

    def advance(count: int) -> None:
        done.append(count)
        if sum(done) >= 3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        measure(PAIRED_UP.bind(), items(*"abcdef", "a"), MODELS, Memory(), advance)
    assert done == [3]  # "a" twice, "b"
    assert calls == [2]


def test_evidence_must_match_its_items() -> None:
    one = Evidence.of_rows(np.ones((1, 2)))
    short = replace(WORDS, measure=lambda given, params, models: one)
    with pytest.raises(ValueError, match="items of evidence for 2"):
        measure(short.bind(), items("a", "b"), MODELS)

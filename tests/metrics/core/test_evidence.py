"""Ragged evidence: cutting, joining, and an exact way to bytes and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from metrics.core.evidence import FLAG, Column, Evidence, pack, unpack
from metrics.core.remeasure import compare

ITEMS = [np.array([1, 2, 3], np.uint64), np.zeros(0, np.uint64), np.array([2**63], np.uint64)]


def ragged() -> Evidence:
    return Evidence.of_ragged({"grams": ITEMS}, {"length": np.array([3, 0, 1], np.int32)})


def equal(a: Evidence, b: Evidence) -> bool:
    return a.columns.keys() == b.columns.keys() and all(
        np.array_equal(a[name], b[name])
        and a[name].dtype == b[name].dtype
        and np.array_equal(a.lengths(name), b.lengths(name))
        for name in a.columns
    )


def test_items_keep_their_lengths_and_types() -> None:
    found = ragged()
    assert len(found) == 3
    assert "grams" in found
    assert found.lengths("grams").tolist() == [3, 0, 1]
    assert found.lengths("length").tolist() == [1, 1, 1]
    assert found["grams"].dtype == np.uint64
    assert found["grams"].tolist() == [1, 2, 3, 2**63]
    assert found.columns["grams"].offsets.tolist() == [0, 3, 3, 4]
    assert found.columns["length"].offsets.tolist() == [0, 1, 2, 3]


def test_take_reorders_and_repeats() -> None:
    taken = ragged().take([2, 0, 1, 2])
    assert taken["grams"].tolist() == [2**63, 1, 2, 3, 2**63]
    assert taken.lengths("grams").tolist() == [1, 3, 0, 1]
    assert taken["length"].tolist() == [1, 3, 0, 1]
    nothing = ragged().take([])
    assert len(nothing) == 0
    assert nothing["grams"].shape == (0,)
    with pytest.raises(TypeError, match="not a mask"):
        ragged().take(np.array([True, False, True]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=12),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_cut_apart_and_joined_is_the_same(lengths: list[int], seed: int, wide: bool) -> None:
    rng = np.random.default_rng(seed)
    shape = (lambda n: (n, 3)) if wide else (lambda n: (n,))
    whole = Evidence.of_ragged(
        {"x": [rng.normal(size=shape(n)).astype(np.float32) for n in lengths]},
        {"y": rng.integers(0, 9, (len(lengths), 2))},
    )
    at = int(rng.integers(0, len(lengths) + 1))
    parts = [whole.take(range(at)), Evidence({}, 0), whole.take(range(at, len(lengths)))]
    assert equal(Evidence.concat(parts), whole)
    assert equal(Evidence.decode(whole.encode()), whole)
    order = rng.permutation(len(lengths))
    assert equal(whole.take(order).take(np.argsort(order)), whole)


def test_missing_flags_read_as_zero_and_nothing_else_may_be_missing() -> None:
    rows = np.ones((2, 2))
    joined = Evidence.concat([Evidence.of_rows(rows), Evidence.of_rows(rows, [0, 3])])
    assert joined[FLAG].tolist() == [0, 0, 0, 3]
    with pytest.raises(ValueError, match="lacks the column 'grams'"):
        Evidence.concat([ragged(), Evidence.of_rows(rows)])
    with pytest.raises(ValueError, match="disagree on the number of items"):
        Evidence({"a": Column(np.zeros(2)), "b": Column(np.zeros(3))})


def test_nothing_can_be_joined_and_stored() -> None:
    assert len(Evidence.concat([])) == 0
    assert len(Evidence.decode(Evidence({}, 4).encode())) == 4
    empty = Evidence.of_ragged({"x": []})
    assert len(Evidence.decode(empty.encode())) == 0


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.int64).reshape(4, 3),
        np.asfortranarray(np.arange(12.0).reshape(4, 3)),
        np.array([[np.nan, np.inf], [-0.0, 5e-324]]),
        np.zeros((0, 7)),
        np.zeros((3, 0), np.uint8),
        np.array([True, False]),
        np.arange(24, dtype=np.float16).reshape(2, 3, 4),
        np.array(3.5),
        np.arange(10)[::-2],
        np.array([1, 2], ">i4"),
    ],
    ids=str,
)
def test_arrays_come_back_to_the_bit(array: NDArray[np.generic]) -> None:
    odd = np.array([1], np.uint8)  # so that what follows it is not aligned
    arrays, meta = unpack(pack({"odd": odd, "имя": array}, {"ключ": [1, "я", None]}))
    back = arrays["имя"]
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    assert meta == {"ключ": [1, "я", None]}


def test_no_flag_is_a_flag_of_zero() -> None:
    rows = np.arange(3.0)[:, None]
    flagged, plain = Evidence.of_rows(rows, [0, 2, 0]), Evidence.of_rows(rows)
    unlike, largest = compare(flagged, plain, 0.0)
    assert unlike.tolist() == [False, True, False]
    assert largest == 2.0

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.batching import plan_by_length


@given(st.lists(st.integers(0, 300)), st.integers(1, 500), st.integers(1, 20))
def test_every_index_once_within_budget(lengths: list[int], max_tokens: int, max_rows: int) -> None:
    plan = plan_by_length(lengths, max_tokens, max_rows)
    assert sorted(index for batch in plan for index in batch) == list(range(len(lengths)))
    for batch in plan:
        assert len(batch) <= max_rows
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= max_tokens
    assert plan == plan_by_length(list(lengths), max_tokens, max_rows)


def test_longest_first_and_tightly_packed() -> None:
    assert plan_by_length([1, 9, 5, 5, 2], 10, 8) == [[1], [2, 3], [4, 0]]
    with pytest.raises(ValueError, match="at least 1"):
        plan_by_length([1], 0, 1)

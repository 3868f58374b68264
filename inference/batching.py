"""Which sequences share a forward pass."""

from __future__ import annotations

from collections.abc import Sequence


def plan_by_length(lengths: Sequence[int], max_tokens: int, max_rows: int) -> list[list[int]]:
    """Batches of indices such that rows × longest row stays within `max_tokens`.

    Longest first, so that what does not fit in memory shows at once; equal lengths keep their
    order, so the plan is a function of the lengths alone. Every index occurs once; a sequence
    longer than `max_tokens` gets a batch of its own.
    """
    if max_tokens < 1 or max_rows < 1:
        raise ValueError("max_tokens and max_rows are at least 1")
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    batches: list[list[int]] = []
    at = 0
    while at < len(order):
        longest = max(lengths[order[at]], 1)
        rows = min(max(max_tokens // longest, 1), max_rows)
        batches.append(order[at : at + rows])
        at += rows
    return batches


def plan_in_order(sizes: Sequence[int], max_size: int, max_items: int) -> list[list[int]]:
    """Consecutive runs of indices whose sizes add up to at most `max_size`.

    For items whose neighbours share texts (a sample's outputs, its references): they meet in one
    batch, which encodes each distinct text once. What is larger gets a batch of its own.
    """
    batches: list[list[int]] = []
    total = 0
    for index, size in enumerate(sizes):
        if not batches or total + size > max_size or len(batches[-1]) == max_items:
            batches.append([])
            total = 0
        batches[-1].append(index)
        total += size
    return batches

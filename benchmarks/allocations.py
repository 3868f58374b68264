"""The bytes that tensors of this thread have at once, on a CPU, whose allocator counts nothing."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Allocations(TorchDispatchMode):
    """While it is entered, every tensor that an operation takes or makes is counted until it goes;
    views and tied weights once. Not seen: what a kernel allocates for itself alone.

    now, peak  bytes
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._held: dict[int, int] = {}  # bytes by storage

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, result)):
            if isinstance(leaf, torch.Tensor) and leaf.device.type == "cpu":
                self._hold(leaf.untyped_storage())
        return result

    def _hold(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._held:
            weakref.finalize(storage, self._release, key)
        self.now += size - self._held.get(key, 0)  # it may have been resized
        self._held[key] = size
        self.peak = max(self.peak, self.now)

    def _release(self, key: int) -> None:
        self.now -= self._held.pop(key, 0)

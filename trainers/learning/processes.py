"""The processes of a job, where there are several: sums, one answer for all, a common wait.

Loads torch inside functions: trainers import this module at their top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def count() -> int:
    """How many train together."""
    import torch.distributed as dist

    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def total(values: Tensor) -> Tensor:
    """The sum over the processes, in all of them."""
    import torch.distributed as dist

    if count() == 1:
        return values
    values = values.clone()
    dist.all_reduce(values)
    return values


def of_first(number: int) -> int:
    """What the first process says, in all of them."""
    import torch
    import torch.distributed as dist

    if count() == 1:
        return number
    device = torch.accelerator.current_accelerator() if dist.get_backend() == "nccl" else "cpu"
    shared = torch.tensor([number], device=device)
    dist.broadcast(shared, src=0)
    return int(shared.item())


def wait_for_all() -> None:
    """Return once all processes have come here."""
    import torch.distributed as dist

    if count() > 1:
        dist.barrier()

"""What a method holds in memory: declared with its trainer, read by `trainers.job.memory`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from trainers.job.options import Options, RewardedOptions

CHUNK_LOGITS = 1 << 24  # logits that stand in memory at once where they are computed in chunks

O_contra = TypeVar("O_contra", bound=Options, contravariant=True)


@dataclass(frozen=True, slots=True)
class Batch:
    """One pass of a process: `rows` sequences of at most `tokens`, over a `vocabulary`."""

    rows: int
    tokens: int
    vocabulary: int


def no_reference(options: Options) -> bool:
    """No copy of the starting model is kept."""
    return False


def a_reference(options: Options) -> bool:
    """A copy of the starting model is kept."""
    return True


def nothing_written(options: Options) -> int:
    """Sequences are as the dataset has them: no tokens, and no completions."""
    return 0


def all_positions(options: Options, batch: Batch) -> int:
    """Logits of the whole batch: (B, S, V)."""
    return batch.rows * batch.tokens


def no_positions(options: Options, batch: Batch) -> int:
    """No logits over a vocabulary."""
    return 0


def chunked_positions(options: Options, batch: Batch) -> int:
    """At most CHUNK_LOGITS logits at once."""
    return min(batch.rows * batch.tokens, max(CHUNK_LOGITS // batch.vocabulary, 1))


def completion_tokens(options: RewardedOptions) -> int:
    """A completion behind every prompt."""
    return options.max_completion_length


def a_rollout(options: RewardedOptions) -> int:
    """All completions of a rollout are written at once."""
    return options.rollout_size


def a_rollout_in_parts(options: RewardedOptions) -> int:
    """As `trainers.learning.rollouts` writes them."""
    return options.rollout_size // options.gradient_accumulation_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint(Generic[O_contra]):
    """What is in memory besides the model that is trained, its gradients and its optimiser.

    reference  whether full fine-tuning keeps a frozen copy of the starting model
    learners   models of that size that are trained: 2 with a value model
    positions  where logits stand in memory at once
    written    tokens that the policy may write behind a record's own
    generated  completions that are written at once
    """

    reference: Callable[[O_contra], bool] = no_reference
    learners: int = 1
    positions: Callable[[O_contra, Batch], int] = all_positions
    written: Callable[[O_contra], int] = nothing_written
    generated: Callable[[O_contra], int] = nothing_written


ACTOR_CRITIC: Footprint[RewardedOptions] = Footprint(  # trainers.learning.actor_critic
    reference=a_reference,
    learners=2,
    positions=chunked_positions,
    written=completion_tokens,
    generated=a_rollout_in_parts,
)

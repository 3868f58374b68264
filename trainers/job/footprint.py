"""What a method holds in memory: declared with its trainer, read by `trainers.job.memory`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from trainers.job.options import Options, Reward, RewardedOptions

CHUNK_LOGITS = 1 << 24  # logits that stand in memory at once where they are computed in chunks
CHUNK_BYTES = 20  # of each: the logit, what it becomes on the way to its loss, the way back
FEW = 8192  # positions whose logits take less room whole, on a CPU, than in tiles
TILE = (4096, 32768)  # of TRL's fused head: positions, words

O_contra = TypeVar("O_contra", bound=Options, contravariant=True)
R_contra = TypeVar("R_contra", bound=RewardedOptions, contravariant=True)


@dataclass(frozen=True, slots=True)
class Batch:
    """One pass of a process: `rows` sequences of at most `tokens`, over a `vocabulary`, of a model
    of this `width`; `half`: in bfloat16."""

    rows: int
    tokens: int
    vocabulary: int
    width: int
    half: bool
    on_gpu: bool


def no_reference(options: Options) -> bool:
    """No copy of the starting model is kept."""
    return False


def a_reference(options: Options) -> bool:
    """A copy of the starting model is kept."""
    return True


def nothing_written(options: Options) -> int:
    """Sequences are as the dataset has them: no tokens, and no completions."""
    return 0


def as_the_policy(options: Options) -> Reward | None:
    """Where there is a value model, it begins as the policy."""
    return None


def whole_logits(options: Options, batch: Batch) -> int:
    """Logits of the whole batch (B, S, V), what becomes of them, and their gradient."""
    return 12 * batch.rows * batch.tokens * batch.vocabulary


def whole_if_few(options: Options, batch: Batch) -> int:
    """As `trainers.sft` has them."""
    few = not batch.on_gpu and batch.rows * batch.tokens <= FEW
    return whole_logits(options, batch) if few else labels_alone(options, batch)


def labels_alone(options: Options, batch: Batch) -> int:
    """The labels of all positions, as TRL's fused head finds them: in tiles of the vocabulary."""
    return _fused(options, batch, batch.rows * batch.tokens)


def completions_alone(options: RewardedOptions, batch: Batch) -> int:
    """As `labels_alone`, of what was written."""
    return _fused(options, batch, batch.rows * min(batch.tokens, options.max_completion_length))


def no_logits(options: Options, batch: Batch) -> int:
    """No logits over a vocabulary."""
    return 0


def chunked_logits(options: RewardedOptions, batch: Batch) -> int:
    """Those of completions, at most CHUNK_LOGITS at once, with their gradients."""
    positions = batch.rows * min(batch.tokens, options.max_completion_length)
    return CHUNK_BYTES * min(positions * batch.vocabulary, CHUNK_LOGITS)


def _fused(options: Options, batch: Batch, learned: int) -> int:
    """Without Triton each tile is computed in several steps, of every position."""
    positions = learned if batch.on_gpu else batch.rows * batch.tokens
    tokens = min(positions, TILE[0])
    steps = 0 if batch.on_gpu else 7 * 4 * min(batch.vocabulary, TILE[1])
    tile = tokens * ((2 if batch.half else 4) * TILE[1] + steps)
    return tile + 8 * positions * batch.width  # states and their gradient


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
    critic     the reward whose model the value model begins as, with a backbone of its own
    head       bytes of logits at once
    written    tokens that the policy may write behind a record's own
    generated  completions that are written at once
    """

    reference: Callable[[O_contra], bool] = no_reference
    learners: int = 1
    critic: Callable[[O_contra], Reward | None] = as_the_policy
    head: Callable[[O_contra, Batch], int] = whole_logits
    written: Callable[[O_contra], int] = nothing_written
    generated: Callable[[O_contra], int] = nothing_written


def actor_critic(critic: Callable[[R_contra], Reward | None]) -> Footprint[R_contra]:
    """As `trainers.learning.actor_critic` has it."""
    return Footprint(
        reference=a_reference,
        learners=2,
        critic=critic,
        head=chunked_logits,
        written=completion_tokens,
        generated=a_rollout_in_parts,
    )

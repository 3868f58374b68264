"""Completions that a policy writes: drawn in batches, packed, cut.

Packed sequences: `ids` (B, S) holds prompt and completion without a gap, padded on the right, so
that positions are what every model takes them to be; `prompts` (B,) are the prompts' lengths;
`mask` (B, T) is true for the completion's tokens, its stop token included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.load import padded
from trainers.job.options import RewardedOptions
from trainers.learning import processes

Completions = dict[str, Tensor]
Ints = NDArray[np.int64]
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """N completions: the records they answer, their texts, `ended` (N,) whether by a stop token,
    and all of it packed."""

    records: list[Record]
    texts: list[str]
    ended: Tensor
    packed: Completions

    @property
    def series(self) -> dict[str, float]:
        """Mean length in tokens, and the share that came to a stop token."""
        return {
            "completions/length": float(self.packed["mask"].sum(1).float().mean()),
            "completions/ended": float(self.ended.float().mean()),
        }


@dataclass(frozen=True, slots=True)
class Writer:
    """Draws rollouts of `options.rollout_size` completions a process."""

    prompts: Sequence[tuple[Record, list[int]]]  # records and their token ids
    tokenizer: Any
    stop_ids: Sequence[int]
    options: RewardedOptions
    rank: int = 0
    processes: int = 1

    def write(self, policy: Any, number: int) -> Written:
        """Rollout `number` of this process: the same prompts and draws whenever it is asked for."""
        options = self.options
        count = options.rollout_size // options.num_generations
        start = (number * self.processes + self.rank) * count
        answered = [
            self.prompts[index]
            for index in drawn(len(self.prompts), start, count, options.seed)
            for _ in range(options.num_generations)
        ]
        prompts = [ids for _, ids in answered]
        pad = self.tokenizer.pad_token_id
        completions = sample(
            policy,
            prompts,
            max_new_tokens=options.max_completion_length,
            temperature=options.temperature,
            stop_ids=self.stop_ids,
            pad_id=pad,
            batch_size=options.rollout_size // options.gradient_accumulation_steps,
            seed=(options.seed, number, self.rank),
        )
        packed = pack(prompts, completions, pad, str(causal(policy).device))
        ended = [ids[-1] in self.stop_ids for ids in completions]
        return Written(
            records=[record for record, _ in answered],
            texts=self.tokenizer.batch_decode(completions, skip_special_tokens=True),
            ended=torch.tensor(ended, device=packed["ids"].device),
            packed=packed,
        )


def drawn(size: int, start: int, count: int, seed: int) -> list[int]:
    """`count` indices from `start` on of an endless row of permutations of range(size)."""
    indices: list[int] = []
    while len(indices) < count:
        lap, at = divmod(start + len(indices), size)
        order = np.random.default_rng([seed, lap]).permutation(size)
        indices += order[at : at + count - len(indices)].tolist()
    return indices


@torch.no_grad()
def sample(
    policy: Any,
    prompts: Sequence[list[int]],
    *,
    max_new_tokens: int,
    temperature: float,
    stop_ids: Sequence[int],
    pad_id: int,
    batch_size: int,
    seed: Sequence[int],
) -> list[list[int]]:
    """The ids of one completion a prompt, with its stop token where it has come to one.

    Drawn from the whole distribution at `temperature`: a model's own top-k, top-p or penalties
    would sample from another policy than the one whose ratio is taken. The draws depend on the seed
    and the prompts alone, so nothing has to be saved to repeat them.
    """
    network = causal(policy)
    settings = _generation_config(
        **{"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0},
        **{"max_new_tokens": max_new_tokens, "eos_token_id": list(stop_ids) or None},
        pad_token_id=pad_id,
    )
    completions: list[list[int]] = []
    own, network.generation_config = network.generation_config, _generation_config()
    cuda = [network.device] if network.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=cuda):
            torch.manual_seed(int(np.random.SeedSequence(list(seed)).generate_state(1)[0]))
            for first in range(0, len(prompts), batch_size):
                batch = prompts[first : first + batch_size]
                ids, mask = padded(batch, pad_id, left=True, device=str(network.device))  # (B, S)
                tokens = network.generate(
                    input_ids=ids, attention_mask=mask, generation_config=settings
                )[:, ids.shape[1] :]
                completions += [_until_stop(row, stop_ids) for row in tokens.tolist()]
    finally:
        network.generation_config = own
    return completions


def pack(
    prompts: Sequence[list[int]], completions: Sequence[list[int]], pad_id: int, device: str
) -> Completions:
    """`ids`, `prompts` and `mask`, as the module's docstring has them."""
    rows = [[*prompt, *rest] for prompt, rest in zip(prompts, completions, strict=True)]
    ids, _ = padded(rows, pad_id, left=False, device=device)
    _, mask = padded(completions, pad_id, left=False, device=device)
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
    return {"ids": ids, "prompts": lengths, "mask": mask.bool()}


def take(completions: Completions, rows: Tensor) -> Completions:
    """The sequences at `rows` (B,), without padding that none of them needs."""
    batch = {name: values[rows] for name, values in completions.items()}
    lengths = batch["mask"].sum(1)  # (B,)
    ids, steps = int((batch["prompts"] + lengths).max()), int(lengths.max())
    return {
        name: values if values.ndim == 1 else values[:, : ids if name == "ids" else steps]
        for name, values in batch.items()
    }


def micro_batches(rollout: Completions, rows: Ints, count: int) -> list[Completions]:
    """The rows in `count` parts.

    `tokens` of each is what its loss is divided by, a sum over its tokens: the mean over parts and
    processes is then the mean over all tokens of the optimiser step.
    """
    device = rollout["mask"].device
    parts = np.array_split(rows, count)
    batches = [take(rollout, torch.as_tensor(part, device=device)) for part in parts]
    tokens = processes.total(torch.stack([batch["mask"].sum() for batch in batches]).sum())
    for batch in batches:
        batch["tokens"] = tokens / (count * processes.count())
    return batches


def causal(policy: Any) -> Any:
    """The language model itself, with the adapter's layers in it where there is one."""
    return policy.get_base_model() if hasattr(policy, "get_base_model") else policy


def stop_ids(policy: Any, tokenizer: Any) -> list[int]:
    """Tokens that end a completion: the model's own, or the tokenizer's."""
    own = causal(policy).generation_config.eos_token_id
    stops = tokenizer.eos_token_id if own is None else own
    if stops is None:
        return []
    return [stops] if isinstance(stops, int) else list(stops)


def _until_stop(row: list[int], stops: Sequence[int]) -> list[int]:
    end = next((at for at, token in enumerate(row) if token in stops), len(row) - 1)
    return row[: end + 1]


def _generation_config(**settings: Any) -> Any:
    import transformers

    config: Any = transformers.GenerationConfig
    return config(**settings)

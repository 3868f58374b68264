"""What a policy writes: drawn in batches, packed, cut.

Packed sequences: `ids` (B, L) holds prompt and completion without a gap, padded on the right, so
that positions are what every model takes them to be; `prompts` (B,) are the prompts' lengths;
`mask` (B, T) is true for the completion's tokens, its stop token included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inference.load import padded

Completions = dict[str, Tensor]
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """R completions: the records they answer, their texts, `ended` (R,) whether by a stop token,
    and all of it packed."""

    records: list[Record]
    texts: list[str]
    ended: Tensor
    packed: Completions


@dataclass(frozen=True, slots=True)
class Writer:
    """Draws rollouts: `size` completions a process, `group` of every prompt."""

    prompts: Sequence[tuple[Record, list[int]]]  # records and their token ids
    tokenizer: Any
    stop_ids: Sequence[int]
    size: int
    group: int
    max_new_tokens: int
    temperature: float
    batch_size: int  # completions drawn at once
    seed: int
    rank: int = 0
    processes: int = 1

    def write(self, policy: Any, number: int) -> Written:
        """Rollout `number` of this process: the same prompts and draws whenever it is asked for."""
        count = self.size // self.group
        start = (number * self.processes + self.rank) * count
        chosen = [
            self.prompts[index]
            for index in drawn(len(self.prompts), start, count, self.seed)
            for _ in range(self.group)
        ]
        prompts = [ids for _, ids in chosen]
        pad = self.tokenizer.pad_token_id
        completions = sample(
            policy,
            prompts,
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            stop_ids=self.stop_ids,
            pad_id=pad,
            batch_size=self.batch_size,
            seed=(self.seed, number, self.rank),
        )
        packed = pack(prompts, completions, pad, str(causal(policy).device))
        ended = [ids[-1] in self.stop_ids for ids in completions]
        return Written(
            records=[record for record, _ in chosen],
            texts=self.tokenizer.batch_decode(completions, skip_special_tokens=True),
            ended=torch.tensor(ended, device=packed["ids"].device),
            packed=packed,
        )


def drawn(size: int, start: int, count: int, seed: int) -> list[int]:
    """`count` indices from `start` on of an endless row of permutations of range(size)."""
    found: list[int] = []
    while len(found) < count:
        lap, at = divmod(start + len(found), size)
        order = np.random.default_rng([seed, lap]).permutation(size)
        found += order[at : at + count - len(found)].tolist()
    return found


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
    """A completion a prompt, with its stop token where it has come to one.

    Drawn from the whole distribution at `temperature`, by nothing else: a model's own top-k, top-p
    or penalties would sample from another policy than the one whose ratio is taken. The draws
    depend on the seed and the prompts alone, so nothing has to be saved to repeat them.
    """
    network = causal(policy)
    settings = _generation_config(
        do_sample=True,
        temperature=temperature,
        top_k=0,
        top_p=1.0,
        max_new_tokens=max_new_tokens,
        eos_token_id=list(stop_ids) or None,
        pad_token_id=pad_id,
    )
    found: list[list[int]] = []
    own, network.generation_config = network.generation_config, _generation_config()
    cuda = [network.device] if network.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=cuda):
            torch.manual_seed(int(np.random.SeedSequence(list(seed)).generate_state(1)[0]))
            for first in range(0, len(prompts), batch_size):
                some = prompts[first : first + batch_size]
                ids, mask = padded(some, pad_id, left=True, device=str(network.device))  # (B, P)
                tokens = network.generate(
                    input_ids=ids, attention_mask=mask, generation_config=settings
                )[:, ids.shape[1] :]
                found += [_until_stop(row, stop_ids) for row in tokens.tolist()]
    finally:
        network.generation_config = own
    return found


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
    """Some of the sequences, padding that none of them needs cut off."""
    found = {name: values[rows] for name, values in completions.items()}
    lengths = found["mask"].sum(1)  # (b,)
    ids, steps = int((found["prompts"] + lengths).max()), int(lengths.max())
    return {
        name: values if values.ndim == 1 else values[:, : ids if name == "ids" else steps]
        for name, values in found.items()
    }


def causal(policy: Any) -> Any:
    """The language model itself, with the adapter's layers in it where there is one."""
    return policy.get_base_model() if hasattr(policy, "get_base_model") else policy


def stop_ids(policy: Any, tokenizer: Any) -> list[int]:
    """Tokens that end a completion: the model's own, or the tokenizer's."""
    own = causal(policy).generation_config.eos_token_id
    found = tokenizer.eos_token_id if own is None else own
    if found is None:
        return []
    return [found] if isinstance(found, int) else list(found)


def _until_stop(row: list[int], stops: Sequence[int]) -> list[int]:
    end = next((at for at, token in enumerate(row) if token in stops), len(row) - 1)
    return row[: end + 1]


def _generation_config(**settings: Any) -> Any:
    import transformers

    config: Any = transformers.GenerationConfig
    return config(**settings)

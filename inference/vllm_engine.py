"""vLLM as an engine, where it is installed and ASSAY_ENGINE is `vllm`.

Its environment is not this project's own (docs/openai.md); `make others` has one and tests it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from inference.adapters import rank_of, shares
from inference.decoding import stops_of, take
from inference.engine import Row, Tell, TokenLogprob, Written, nobody
from inference.errors import InputError, Unavailable
from inference.load import load_tokenizer
from inference.memory import expected_bytes
from inference.protocol import DType, Identity

DEVICE_SHARE = 0.9  # of a GPU's memory
LEAST_CACHE = 2**28  # bytes of keys and values on a CPU
MOST_TOP = 20  # of the likeliest tokens
RANKS = (16, 32, 64, 128, 256, 512)  # of adapters, that vLLM makes room for


class Served:
    """A base model in processes of vLLM's own, with room for adapters up to a rank."""

    def __init__(self, model: Any, base: Identity, dtype: DType, rank: int) -> None:
        self.model = model
        self.base = base
        self.dtype = dtype
        self.rank = rank
        self._adapters: dict[Identity, int] = {}

    def serves(self, base: Identity, dtype: DType, rank: int) -> bool:
        """Whether a model on this base can be asked for here."""
        alive = not self.model.llm_engine.engine_core.resources.engine_dead
        return alive and (self.base, self.dtype) == (base, dtype) and rank <= self.rank

    def engine(self, identity: Identity, folders: Sequence[Path]) -> VllmEngine:
        """The base itself, or with the adapter in the second folder."""
        from vllm.lora.request import LoRARequest

        tokenizer = load_tokenizer(folders[-1])
        if len(folders) == 1:
            return VllmEngine(self.model, identity, tokenizer)
        number = self._adapters.setdefault(identity, len(self._adapters) + 1)
        adapter = LoRARequest(f"adapter-{number}", number, str(folders[1]))
        return VllmEngine(self.model, identity, tokenizer, adapter)

    def close(self) -> None:
        """End its processes, which gives the memory back."""
        self.model.llm_engine.engine_core.shutdown()


def room_for(folders: Sequence[Path], name: str) -> int:
    """The rank of adapters to serve the model in these folders with; 0: it is none.

    Raises InputError for what vLLM cannot put upon a base: it has to be merged first.
    """
    if len(folders) == 1:
        return 0
    rank = rank_of(folders[1]) if shares(folders) else RANKS[-1] + 1
    if rank > RANKS[-1]:
        message = f"{name!r} is an adapter that vLLM cannot apply: merge the checkpoint first"
        raise InputError(message, "model")
    return min(one for one in RANKS if one >= rank)


def serve(
    folder: Path, base: Identity, dtype: DType, device: str, budget: int | None, rank: int
) -> Served:
    """Start vLLM with the model in `folder`.

    budget  bytes that weights and the cache of keys may take on a CPU; of a GPU, bytes that are
            left to what `transformers` runs there

    Raises Unavailable where vllm is not installed, or does not start with this model.
    """
    if find_spec("vllm") is None:
        message = "ASSAY_ENGINE is vllm, and the package vllm is not installed in this environment"
        raise Unavailable(message, "model")
    os.environ |= {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    from vllm import LLM

    try:
        model = LLM(
            model=str(folder),
            dtype=dtype,
            max_model_len=-1,  # the model's own, or less where the memory has no room for it
            max_logprobs=MOST_TOP,
            logprobs_mode="raw_logprobs",
            enable_lora=rank > 0,
            max_lora_rank=rank or RANKS[0],
            disable_log_stats=True,
            **_on(device, folder, dtype, budget),
        )
    except (ValueError, RuntimeError, OSError) as error:
        raise Unavailable(f"vLLM does not start with {base.name!r}: {error}", "model") from error
    return Served(model, base, dtype, rank)


def _on(device: str, folder: Path, dtype: DType, budget: int | None) -> Mapping[str, Any]:
    """Of vLLM's options, those that the device decides."""
    if device.startswith("cuda"):
        _, _, index = device.partition(":")
        share = DEVICE_SHARE - (budget or 0) / _device_bytes(int(index or 0))
        return {"device_ids": [int(index or 0)], "gpu_memory_utilization": share}
    cache = (budget or 0) - expected_bytes(folder, dtype)
    # compiled, a model of 135M parameters took 210 s to start on two cores, and 5 s uncompiled
    return {"enforce_eager": True, "kv_cache_memory_bytes": max(cache, LEAST_CACHE)}


def _device_bytes(index: int) -> int:
    import torch

    return int(torch.cuda.get_device_properties(index).total_memory)


class VllmEngine:
    """See `inference.engine.Engine`. Draws are vLLM's own: of a seed, the same from run to run, and
    not those of `transformers`."""

    _numbers = count()  # of requests: a cancelled one's name is not used again

    def __init__(
        self, model: Any, identity: Identity, tokenizer: Any, adapter: Any | None = None
    ) -> None:
        import vllm

        self.model = model
        self.identity = identity
        self.tokenizer = tokenizer
        self.adapter = adapter
        self.fingerprint: str | None = f"vllm {vllm.__version__}"
        config = model.llm_engine.model_config
        stops = config.try_get_generation_config().get("eos_token_id")
        self.stops = stops_of(tokenizer.eos_token_id if stops is None else stops)
        self.max_length = int(config.max_model_len) - 1  # what is only read needs one more too
        self.vocabulary = int(config.get_vocab_size())

    def generate(self, rows: Sequence[Row], tell: Tell = nobody) -> list[Written]:
        """What is written after each row; vLLM adds rows to its batches as others end."""
        found = [Written() for _ in rows]
        asked: dict[str, int] = {}  # rows at work, by the names that vLLM has for them
        try:
            for index, row in enumerate(rows):
                self._ask(index, row, found[index], asked)
            while asked:
                for output in self.model.llm_engine.step():
                    if output.request_id in asked:
                        index = asked[output.request_id]
                        self._take(found[index], rows[index], output.outputs[0])
                unwanted = tell(found)
                over = [
                    name
                    for name, index in asked.items()
                    if found[index].finish is not None or index in unwanted
                ]
                self._drop(over, asked)
        finally:  # what `tell` raises ends the work of all
            self._drop([*asked], asked)
        return found

    def logprobs(self, rows: Sequence[Sequence[int]], top: int) -> list[list[TokenLogprob]]:
        """Likelihoods of a row's tokens from the second on."""
        from vllm import SamplingParams

        options = SamplingParams(max_tokens=1, temperature=0, prompt_logprobs=top)
        prompts = [{"prompt_token_ids": list(row)} for row in rows]
        outputs = self.model.generate(prompts, options, use_tqdm=False, lora_request=self.adapter)
        return [
            [_of(id, at, top) for id, at in zip(row[1:], output.prompt_logprobs[1:], strict=True)]
            for row, output in zip(rows, outputs, strict=True)
        ]

    def _ask(self, index: int, row: Row, found: Written, asked: dict[str, int]) -> None:
        """Have vLLM go on with a row, unless it ends with what an earlier try wrote of it."""
        from vllm import SamplingParams

        if not row.ids or len(row.ids) + row.max_new_tokens > self.max_length:
            raise ValueError(f"row {index} is empty, or leaves no room for its new tokens")
        for token in row.written:
            take(found, row, token, self.tokenizer, self.stops)
            if row.top is not None:
                found.logprobs.append(TokenLogprob(token, 0.0))  # they were told then
        if row.max_new_tokens == 0:
            found.finish = "length"
        if found.finish is not None:
            return
        options = SamplingParams(
            temperature=row.temperature,
            top_p=row.top_p,
            top_k=row.top_k,
            seed=row.seed,
            max_tokens=row.max_new_tokens - len(row.written),
            stop=list(row.stop),
            stop_token_ids=sorted(self.stops),
            ignore_eos=True,  # these stops are all
            logprobs=row.top,
        )
        name = f"row-{next(self._numbers)}"
        prompt = {"prompt_token_ids": [*row.ids, *row.written]}
        self.model.llm_engine.add_request(name, prompt, options, lora_request=self.adapter)
        asked[name] = index

    def _take(self, found: Written, row: Row, output: Any) -> None:
        """Take in what vLLM has written so far, after what an earlier try wrote."""
        before = len(row.written)
        fresh = [int(token) for token in output.token_ids][len(found.ids) - before :]
        if output.logprobs is not None:
            told = output.logprobs[len(found.logprobs) - before :]
            found.logprobs += [
                _of(id, at, row.top or 0) for id, at in zip(fresh, told, strict=True)
            ]
        if before:  # its text may hold a stop string that has begun there
            for token in fresh:
                if found.finish is None:
                    take(found, row, token, self.tokenizer, self.stops)
            return
        found.ids += fresh
        found.text = output.text
        if output.finish_reason is not None:
            found.finish = "stop" if output.finish_reason == "stop" else "length"

    def _drop(self, names: Sequence[str], asked: dict[str, int]) -> None:
        """Forget these, which vLLM may still have at work."""
        self.model.llm_engine.abort_request(list(names))
        for name in names:
            del asked[name]


def _of(id: int, at: Any, top: int) -> TokenLogprob:
    """From vLLM's mapping of ids to likelihoods, which holds the chosen one's too."""
    ranked = sorted(
        ((int(one), float(its.logprob)) for one, its in at.items()), key=lambda x: -x[1]
    )
    return TokenLogprob(int(id), float(at[id].logprob), tuple(ranked[:top]))

"""vLLM as an engine, where it is installed and ASSAY_ENGINE is `vllm`.

Its environment is not this project's (docs/openai.md): nothing here is run by the project's tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from inference.engine import Row, Tell, TokenLogprob, Written, nobody
from inference.errors import InputError, Unavailable
from inference.protocol import DType, Identity


def load_vllm(
    folders: Sequence[Path], identity: Identity, dtype: DType, memory_share: float = 0.9
) -> VllmEngine:
    """From the model's folder. Raises Unavailable where vllm is not installed, InputError for an
    adapter, which has to be merged into its model first."""
    if find_spec("vllm") is None:
        message = "ASSAY_ENGINE is vllm, and the package vllm is not installed in this environment"
        raise Unavailable(message, "model")
    if len(folders) > 1:
        message = f"{identity.name!r} is an adapter: merge the checkpoint first, for vLLM"
        raise InputError(message, "model")
    from vllm import LLM

    model = LLM(
        model=str(folders[0]),
        dtype=dtype,
        trust_remote_code=False,
        gpu_memory_utilization=memory_share,
        max_logprobs=20,
        logprobs_mode="raw_logprobs",
        disable_log_stats=True,
    )
    return VllmEngine(model, identity)


class VllmEngine:
    """See `inference.engine.Engine`. Draws are vLLM's own: of a seed, the same from run to run, and
    not those of `transformers`."""

    def __init__(self, model: Any, identity: Identity) -> None:
        self.model = model
        self.identity = identity
        self.tokenizer = model.get_tokenizer()
        config = model.llm_engine.model_config
        self.max_length = int(config.max_model_len)
        self.vocabulary = int(config.get_vocab_size())
        self._numbers = count()

    def generate(self, rows: Sequence[Row], tell: Tell = nobody) -> list[Written]:
        """What is written after each row; vLLM adds rows to its batches as others end."""
        from vllm import SamplingParams

        found = [Written() for _ in rows]
        before = [list(row.written) for row in rows]  # by an earlier try: read as a prompt
        open_: dict[str, int] = {}
        for index, row in enumerate(rows):
            left = row.max_new_tokens - len(row.written)
            if left < 1:
                found[index].finish = "length"
                continue
            options = SamplingParams(
                temperature=row.temperature,
                top_p=row.top_p,
                top_k=row.top_k,
                seed=row.seed,
                max_tokens=left,
                stop=list(row.stop),
                logprobs=row.top,
            )
            name = f"row-{next(self._numbers)}"
            prompt = {"prompt_token_ids": [*row.ids, *row.written]}
            self.model.llm_engine.add_request(name, prompt, options)
            open_[name] = index
        while open_:
            for output in self.model.llm_engine.step():
                index = open_.get(output.request_id, -1)
                if index >= 0:
                    self._take(found[index], rows[index], before[index], output.outputs[0])
                    if output.finished:
                        del open_[output.request_id]
            dropped = tell(found)
            gone = [name for name, index in open_.items() if index in dropped]
            if gone:
                self.model.llm_engine.abort_request(gone)
            for name in gone:
                del open_[name]
        return found

    def logprobs(self, rows: Sequence[Sequence[int]], top: int) -> list[list[TokenLogprob]]:
        """Likelihoods of a row's tokens from the second on."""
        from vllm import SamplingParams

        options = SamplingParams(max_tokens=1, temperature=0, prompt_logprobs=top)
        prompts = [{"prompt_token_ids": list(row)} for row in rows]
        outputs = self.model.generate(prompts, options, use_tqdm=False)
        return [
            [_of(id, at) for id, at in zip(row[1:], output.prompt_logprobs[1:], strict=True)]
            for row, output in zip(rows, outputs, strict=True)
        ]

    def _take(self, found: Written, row: Row, before: list[int], output: Any) -> None:
        ids = [int(token) for token in output.token_ids]
        found.ids = [*before, *ids]
        found.text = output.text if not before else self._text(found.ids, row.stop)
        if output.logprobs is not None:  # of what an earlier try wrote, they were told then
            told = [_of(id, at) for id, at in zip(ids, output.logprobs, strict=True)]
            found.logprobs = [*(TokenLogprob(id, 0.0) for id in before), *told]
        if output.finish_reason is not None:
            found.finish = "stop" if output.finish_reason == "stop" else "length"

    def _text(self, ids: Sequence[int], stop: Sequence[str]) -> str:
        text = str(self.tokenizer.decode(list(ids), skip_special_tokens=True))
        cuts = [at for at in (text.find(one) for one in stop if one) if at >= 0]
        return text[: min(cuts)] if cuts else text


def _of(id: int, at: Any) -> TokenLogprob:
    """From vLLM's mapping of ids to likelihoods, which holds the chosen one."""
    ranked = sorted(
        ((int(one), float(its.logprob)) for one, its in at.items()), key=lambda x: -x[1]
    )
    return TokenLogprob(int(id), float(at[id].logprob), tuple(ranked))

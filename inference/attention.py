"""One model's attention by several backends: what differs, how fast each is, what each takes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from inference.errors import InputError

if TYPE_CHECKING:
    from inference.language import TransformerLanguageModel

# sdpa: PyTorch's own choice of its kernels; sdpa_…: that kernel alone
Backend = Literal["eager", "sdpa", "sdpa_math", "sdpa_flash", "sdpa_efficient", "flash_attention_2"]

# of what PyTorch says where a kernel is not to be had, as opposed to memory
LACKING = ("No available kernel", "No viable backend", "FlashAttention")


@dataclass(frozen=True, slots=True)
class Pass:
    """Forward passes over one text. logs (T - 1,): log-probabilities of its tokens but the first;
    seconds and peak: of a pass up to the last states, without the vocabulary; peak: bytes that
    stood in memory at once beyond what stood before."""

    logs: NDArray[np.float64]
    seconds: float
    peak: int


@dataclass(frozen=True, slots=True)
class CacheSize:
    """Bytes of keys and values of one text: as the model keeps them, and what they would be with
    `grouped` and with all of its heads keeping both."""

    kept: int
    grouped: int
    multi_head: int


@contextmanager
def attending(language: TransformerLanguageModel, backend: Backend) -> Iterator[None]:
    """The model with that backend, and with its own again afterwards.

    Raises InputError where the backend is not to be had.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    model, own = language.model, language.model.config._attn_implementation
    kernels = {
        "sdpa_math": SDPBackend.MATH,
        "sdpa_flash": SDPBackend.FLASH_ATTENTION,
        "sdpa_efficient": SDPBackend.EFFICIENT_ATTENTION,
    }
    wanted = "sdpa" if backend in kernels else backend
    try:
        model.set_attn_implementation(wanted)
        if model.config._attn_implementation != wanted:
            raise ValueError("the model does not know it")
        if backend in kernels:
            with sdpa_kernel(kernels[backend]):
                yield
        else:
            yield
    except (ImportError, ValueError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not any(one in str(error) for one in LACKING):
            raise
        message = f"{language.identity.name!r} cannot attend by {backend}: {error}"
        raise InputError(message, "params.backend") from error
    finally:
        model.set_attn_implementation(own)


def passed(language: TransformerLanguageModel, ids: list[int], backend: Backend) -> Pass:
    """A pass that is timed, after one that is not, and one whose memory is watched."""
    with attending(language, backend):
        logs = _logs(language, ids)
        begun = time.perf_counter()
        _states(language, ids)
        seconds = time.perf_counter() - begun
        return Pass(logs, seconds, _peak(language, ids))


def cache_size(language: TransformerLanguageModel, ids: list[int], kv_heads: int) -> CacheSize:
    """What the keys and values of a text take.

    kv_heads  heads that would keep keys and values in grouped-query attention, no more than all
    """
    import torch

    given = torch.tensor([ids], device=language.device)
    with torch.inference_mode():
        cache = language.model(given, use_cache=True).get("past_key_values")
    layers = [layer for layer in getattr(cache, "layers", ()) if hasattr(layer, "keys")]
    if not layers:
        name = language.identity.name
        raise InputError(f"{name!r} keeps no keys and values", "params.model")
    kept = sum(one.nbytes for layer in layers for one in (layer.keys, layer.values))
    config = language.model.config.get_text_config()
    heads = int(config.num_attention_heads)
    own = getattr(config, "v_head_dim", None) or getattr(config, "head_dim", None)
    width = int(own or config.hidden_size // heads)
    head = 2 * width * len(layers) * len(ids) * layers[0].keys.element_size()
    return CacheSize(kept, head * min(kv_heads, heads), head * heads)


def _logs(language: TransformerLanguageModel, ids: list[int]) -> NDArray[np.float64]:
    """By `logits` of one text, with no padding and so no mask."""
    import torch

    given = torch.tensor([ids], device=language.device)
    with torch.inference_mode():
        logits = language.model(given, use_cache=False).logits[0, :-1].float()
        found = torch.log_softmax(logits, -1).gather(-1, given[0, 1:, None])[:, 0]
        return np.asarray(found.double().cpu().numpy(), np.float64)  # waits for the device


def _states(language: TransformerLanguageModel, ids: list[int]) -> None:
    import torch

    given = torch.tensor([ids], device=language.device)
    with torch.inference_mode():
        language.model.base_model(given, use_cache=False)
    if language.device.startswith("cuda"):
        torch.cuda.synchronize()


def _peak(language: TransformerLanguageModel, ids: list[int]) -> int:
    import torch

    if language.device.startswith("cuda"):
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        _states(language, ids)
        return int(torch.cuda.max_memory_allocated() - before)
    os.environ.setdefault("KINETO_LOG_LEVEL", "9")  # the profiler tells that it starts and stops
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        _states(language, ids)
    found: Any = watched.profiler
    sizes = [one for one in found.kineto_results.events() if one.name() == "[memory]"]
    changes = [one.nbytes() for one in sorted(sizes, key=lambda one: one.start_ns())]
    return int(np.cumsum(changes, dtype=np.int64).max(initial=0))

"""The memory that a training process will need, from the model's files and the options alone.

With P parameters, L layers of width D, F units in the feed-forward and H heads, a vocabulary of V,
sequences of S tokens, B of them in a pass (some records make two), and b bytes a frozen weight (2
with LoRA in bfloat16, else 4), in bytes:

    weights       P b
    adapters      4 A             A = r Σ (in + out) over the adapted matrices
    gradients     4 T             T: what is trained: A under LoRA, else P; and the value model
    optimizer     8 T             Adam's two moments
    reference     P b             a frozen copy, where the method keeps one; none with LoRA
    value_model   4 P or 4 A      where two models learn
    activations   a B S L (16 D + 5 F)    kept for the backward pass, of each that learns
                                  a: 4, in bfloat16 3, since norms and sums stay in float32
    scores        3 a B S² H L    of attention, where logits are capped (Gemma 2): elsewhere
                                  PyTorch's fused attention keeps none
    mask          5 B S²          of padding and order, as truth values and as numbers
    logits        12 N V          logits, their float32 copy or softmax, their gradient; N: the
                                  positions where they stand at once, at most B S
    cache         4 (2 G S L K)   keys and values of G completions written at once, K wide; what of
                                  it exceeds activations and logits, which come afterwards
    rewards       4 R             R parameters of the models that are rewards
    process       0.5 GB          Python, torch and its kernels

What differs by method is declared with it, as `trainers.job.footprint.Footprint`.

Under FSDP n processes share weights, adapters, gradients, optimizer and reference: each has 1/n of
them. With E = min(P, 2 V D) for the embeddings and the head, and g bytes a number that travels (2
in bfloat16, else 4), what is whole for a while comes to

    gathered      g U + 4 G       U: E + 2 (P − E) / L, two layers at a time; P where they stay
                                  G: E + 2 (P − E) / L, gradients; under LoRA 0
    reference     P b / n + g P   TRL gathers all of it at once
    activations   with activation_checkpointing: a B S (L D + 16 D + 5 F)
    scores        with activation_checkpointing: 3 a B S² H

S is max_length, or what the longest record can come to, at two bytes of text a token: an upper
bound, since English has about four. So this is a bound for the worst batch rather than a guess at
the usual one. Not counted: what an allocator wastes; and that every process reads all weights into
the machine's memory before they are sharded.

Accuracy, by the peak of real processes on a CPU (resident memory, the weights' file included), of
SmolLM2-135M, sequences filled to their limit, in GB measured : estimated

    SFT, LoRA       1 × 512  2.62 : 2.46    1 × 2048  7.08 : 6.50    4 × 256  4.06 : 3.80
    SFT, LoRA, bfloat16      1 × 512  1.90 : 1.93
    SFT, all weights         2 × 256  3.64 : 3.99
    DPO                LoRA  1 × 512  4.54 : 3.80    all weights  1 × 256  4.27 : 4.53

SFT and DPO of a tiny model are held between 0.75 and 1.5 of the peak by
`tests/trainers/job/test_memory.py`. Not held to a peak: GRPO, PPO, FSDP, GPUs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainers.job.declaration import AnyTrainer
from trainers.job.footprint import Batch
from trainers.job.fsdp import Fsdp
from trainers.job.options import Options

PROCESS = 500_000_000  # bytes
BYTES_A_TOKEN = 2
TEMPLATE = 64  # tokens that a chat template adds
NOT_ADAPTED = ("embed", "wte", "wpe", "lm_head", "score", "classifier")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model is made of; `matrices` are (name, rows + columns) of its two-dimensional weights
    below the head."""

    parameters: int
    matrices: tuple[tuple[str, int], ...]
    layers: int
    width: int
    feed_forward: int
    heads: int
    vocabulary: int
    context: int
    cached: int = 0  # numbers of a token that a layer caches: keys and values
    capped: bool = False  # attention's logits, which fused kernels do not do


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes of one process, and of what."""

    bytes: int
    parts: dict[str, int]
    tokens: int  # S


def shape_of(folder: Path) -> Shape:
    """From `config.json` and the headers of the safetensors. Raises OSError, ValueError."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    config = config.get("text_config") or config
    sizes: dict[str, list[int]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        sizes |= _header(path)
    width = _first(config, "hidden_size", "n_embd", "d_model")
    heads = _first(config, "num_attention_heads", "n_head", default=1)
    groups = _first(config, "num_key_value_heads", default=heads)
    return Shape(
        parameters=sum(_count(size) for size in sizes.values()),
        matrices=tuple(
            (name, sum(size))
            for name, size in sizes.items()
            if len(size) == 2 and not any(part in name for part in NOT_ADAPTED)
        ),
        layers=_first(config, "num_hidden_layers", "n_layer", "num_layers"),
        width=width,
        feed_forward=_first(config, "intermediate_size", "n_inner", "ffn_dim", default=4 * width),
        heads=heads,
        vocabulary=_first(config, "vocab_size"),
        context=_first(config, "max_position_embeddings", "n_positions", "n_ctx", default=1 << 30),
        cached=2 * groups * _first(config, "head_dim", default=width // heads),
        capped=bool(config.get("attn_logit_softcapping")),
    )


def estimate(
    trainer: AnyTrainer,
    options: Options,
    shape: Shape,
    longest: int | None = None,
    reward_parameters: int = 0,
    processes: int = 1,
    fsdp: Fsdp | None = None,
) -> Estimate:
    """Bytes of one process.

    longest            bytes of text in the longest record; None: not known
    reward_parameters  parameters of the models that are rewards
    """
    shares = processes if fsdp else 1
    lora, footprint = options.adapter, trainer.footprint
    half = options.dtype == "bfloat16"
    frozen = shape.parameters * (2 if lora and half else 4)
    adapters = _adapters(options, shape)
    trained = adapters if lora else shape.parameters
    learners = footprint.learners
    reference = not lora and footprint.reference(options)
    tokens = _tokens(options, shape, longest, footprint.written(options))
    passing = (2 if half else 4) if fsdp else 0
    parts = {
        "weights": frozen // shares,
        "adapters": 4 * adapters // shares,
        "gradients": 4 * trained * learners // shares,
        "optimizer": 8 * trained * learners // shares,
        "reference": frozen // shares + passing * shape.parameters if reference else 0,
        "value_model": 4 * trained * (learners - 1),
        "gathered": _gathered(shape, fsdp, passing, gradients=not lora) if fsdp else 0,
        **_passes(trainer, options, shape, tokens, fsdp),
        "rewards": 4 * reward_parameters,
        "process": PROCESS,
    }
    parts = {name: size for name, size in parts.items() if size}
    return Estimate(sum(parts.values()), parts, tokens)


def advice(estimate: Estimate, options: Options) -> str:
    """Options that would make the job smaller, those of the larger part first."""
    of_passes = ("activations", "scores", "mask", "logits", "cache")
    batch = sum(estimate.parts.get(name, 0) for name in of_passes)
    of_batch = "a smaller batch_size with more gradient_accumulation_steps, or a smaller max_length"
    of_model = [] if options.adapter else ["lora"]
    if options.dtype == "float32":
        of_model.append("dtype bfloat16")
    model = " and ".join(of_model) or "a smaller model"
    first, second = (of_batch, model) if batch > estimate.bytes - batch else (model, of_batch)
    return f"{first}; {second}"


def _passes(
    trainer: AnyTrainer, options: Options, shape: Shape, tokens: int, fsdp: Fsdp | None
) -> dict[str, int]:
    """What a batch takes, as it is passed forward and back, or written."""
    footprint = trainer.footprint
    rows = options.batch_size * max(len(trainer.sequences), 1)
    number = (3 if options.dtype == "bfloat16" else 4) * footprint.learners
    again = fsdp is not None and fsdp.activation_checkpointing
    squares = shape.heads * (1 if again else shape.layers) * shape.capped
    activations = number * rows * tokens * _kept(shape, again)
    positions = footprint.positions(options, Batch(rows, tokens, shape.vocabulary))
    logits = 12 * shape.vocabulary * positions
    cache = 4 * footprint.generated(options) * tokens * shape.layers * shape.cached
    return {
        "activations": activations,
        "scores": number * 3 * rows * tokens**2 * squares,
        "mask": 5 * rows * tokens**2,
        "logits": logits,
        "cache": max(cache - activations - logits, 0),
    }


def _kept(shape: Shape, again: bool) -> int:
    """Numbers that the forward pass keeps of a token for the backward pass; `again`: layers are
    computed again there."""
    layer = 16 * shape.width + 5 * shape.feed_forward
    if again:
        return layer + shape.layers * shape.width
    return layer * shape.layers


def _gathered(shape: Shape, fsdp: Fsdp, size: int, gradients: bool) -> int:
    """Bytes of whole weights, `size` each, and whole gradients that a process has at once."""
    ends = min(shape.parameters, 2 * shape.vocabulary * shape.width)
    passing = ends + 2 * (shape.parameters - ends) // shape.layers
    passing = min(passing, shape.parameters)
    whole = passing if fsdp.reshard_after_forward else shape.parameters
    return size * whole + 4 * passing * gradients


def _tokens(options: Options, shape: Shape, longest: int | None, written: int) -> int:
    """S: the most tokens a sequence may have."""
    limit = min(options.max_length, shape.context)
    if longest is None:
        return limit
    return min(limit, longest // BYTES_A_TOKEN + TEMPLATE + written)


def _adapters(options: Options, shape: Shape) -> int:
    lora = options.adapter
    if lora is None:
        return 0
    targets = lora.target_modules
    return lora.r * sum(
        sides
        for name, sides in shape.matrices
        if targets == "all-linear" or name.removesuffix(".weight").rpartition(".")[2] in targets
    )


def _header(path: Path) -> dict[str, list[int]]:
    """Shapes by name: eight bytes of length, then JSON."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def _count(size: Sequence[int]) -> int:
    count = 1
    for side in size:
        count *= side
    return count


def _first(config: dict[str, Any], *names: str, default: int | None = None) -> int:
    for name in names:
        if config.get(name) is not None:
            return int(config[name])
    if default is None:
        raise ValueError(f"the model's config.json has no {names[0]}")
    return default

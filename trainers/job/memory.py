"""The memory that a training process will need, from the model's files and the options alone.

With P parameters, L layers of width D, F units in the feed-forward, K numbers of a token's keys and
values, H heads, a vocabulary of V, sequences of S tokens, B of them in a pass (some records make
two), and b bytes a frozen weight (2 with LoRA in bfloat16, else 4), in bytes:

    weights       P b           of a classifier without the head over the vocabulary
    casts         2 P           autocast's copies of the matrices, with all weights in bfloat16
    adapters      4 A           A = r Σ (in + out) over the adapted matrices
    gradients     4 T           T: what is trained: A under LoRA, else P; and the value model. In a
                                step of one pass they come as activations go: what exceeds those, or
                                the head's. DDP has them twice
    optimizer     8 T           Adam's two moments
    reference     P b           a frozen copy, where the method keeps one; none with LoRA
    value_model   4 P or 4 A    where two models learn; one that begins as a reward model of C
                                parameters: 4 C, or with LoRA C b + 4 A, beside the reward model
    activations   B S (L k + 20 D)    kept for the backward pass, of each that learns; k of a layer:
                                4 (8 D + 4 F + K), with LoRA 4 (6 D + 4 F + K), as frozen norms
                                keep less; in bfloat16 28 D + 8 F + 6 K, with LoRA 24 D + 8 F + 2 K.
                                Computed again (gradient checkpointing): 4 D L + k for L k.
                                6 F for 4 F where the feed-forward is not gated
    scores        12 B S² H L   of attention, where logits are capped (Gemma 2): elsewhere
                                PyTorch's fused attention keeps none
    mask          5 B S²        of padding and order, as truth values and as numbers
    logits        as `trainers.job.footprint` has it for the method: whole, or in tiles; beside a
                  value model what exceeds its activations, which have gone by then
    cache         G (4 S L K + 16 V)    keys and values of G completions written at once, and their
                                logits; what exceeds activations and logits, which come afterwards
    fragments     0.6 of activations and logits, on a CPU: what is held of its heap and not used
    rewards       4 R           R parameters of the models that are rewards
    process       0.5 GB        Python, torch and its kernels

What differs by method is declared with it, as `trainers.job.footprint.Footprint`.

Under FSDP n processes share weights, casts, adapters, gradients, optimizer and reference: each has
1/n of them. With E = min(P, 2 V D) for the embeddings and the head, and g bytes a number that
travels (2 in bfloat16, else 4), what is whole for a while comes to

    gathered      g U + 4 G       U: E + 2 (P − E) / L, two layers at a time; P where they stay
                                  G: E + 2 (P − E) / L, gradients; under LoRA 0
    reference     P b / n + g P   TRL gathers all of it at once

S is max_length, or what the longest record can come to, at two bytes of text a token: an upper
bound, since English has about four. So this is a bound for the worst batch rather than a guess at
the usual one. Not counted: that every process reads all weights into the machine's memory before
they are sharded.

How near that is to measured peaks: docs/decisions/0009.
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
WRITING = 16  # bytes of a logit while the next token is drawn: copies, probabilities
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
    tied: bool = False  # embeddings are the head


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
        tied=not any("lm_head" in name for name in sizes),
    )


def estimate(
    trainer: AnyTrainer,
    options: Options,
    shape: Shape,
    longest: int | None = None,
    reward_parameters: int = 0,
    processes: int = 1,
    fsdp: Fsdp | None = None,
    device: str = "cpu",
    critic_parameters: int = 0,
) -> Estimate:
    """Bytes of one process.

    longest            bytes of text in the longest record; None: not known
    reward_parameters  parameters of the models that are rewards
    critic_parameters  of the reward model that the value model begins as; 0: it begins as the
                       policy
    """
    shares = processes if fsdp else 1
    lora, footprint = options.adapter, trainer.footprint
    half = options.dtype == "bfloat16"
    headless = trainer.produces == "classifier" and not shape.tied
    parameters = shape.parameters - headless * shape.vocabulary * shape.width
    a_weight = 2 if lora and half else 4
    frozen = parameters * a_weight
    adapters = _adapters(options, shape)
    learners = footprint.learners
    valued = (adapters if lora else critic_parameters or parameters) * (learners - 1)
    trained = (adapters if lora else parameters) + valued
    reference = not lora and footprint.reference(options)
    tokens = _tokens(options, shape, longest, footprint.written(options))
    passing = (2 if half else 4) if fsdp else 0
    passes = _passes(trainer, options, shape, tokens, fsdp, device)
    gradients = 4 * trained // shares
    if processes > 1 and not fsdp:
        gradients *= 2  # DDP's buckets, too
    elif options.gradient_accumulation_steps == 1:  # they come as activations go
        head = 4 * shape.vocabulary * shape.width if trainer.produces == "language" else 0
        last = max(gradients - passes["activations"] - passes["logits"], 0)
        gradients = min(gradients, max(last, head // shares))
    parts = {
        "weights": frozen // shares,
        "casts": 2 * _body(shape) * learners // shares if half and not lora else 0,
        "adapters": 4 * adapters // shares,
        "gradients": gradients,
        "optimizer": 8 * trained // shares,
        "reference": frozen // shares + passing * parameters if reference else 0,
        "value_model": 4 * valued + (a_weight * critic_parameters if lora else 0),
        "gathered": _gathered(shape, fsdp, passing, gradients=not lora) if fsdp else 0,
        **passes,
        "fragments": 0 if device.startswith("cuda") else _fragments(passes),
        "rewards": 4 * reward_parameters,
        "process": PROCESS,
    }
    parts = {name: size for name, size in parts.items() if size}
    return Estimate(sum(parts.values()), parts, tokens)


def advice(estimate: Estimate, options: Options) -> str:
    """Options that would make the job smaller, those of the larger part first."""
    of_passes = ("activations", "scores", "mask", "logits", "cache")
    batch = sum(estimate.parts.get(name, 0) for name in of_passes)
    of_batch = "a smaller batch_size with more gradient_accumulation_steps, a smaller max_length"
    of_batch += "" if options.gradient_checkpointing else ", gradient_checkpointing"
    of_model = [] if options.adapter else ["lora"]
    if options.dtype != "bfloat16":
        of_model.append("dtype bfloat16")
    model = " and ".join(of_model) or "a smaller model"
    first, second = (of_batch, model) if batch > estimate.bytes - batch else (model, of_batch)
    return f"{first}; {second}"


def _passes(
    trainer: AnyTrainer,
    options: Options,
    shape: Shape,
    tokens: int,
    fsdp: Fsdp | None,
    device: str,
) -> dict[str, int]:
    """What a batch takes, as it is passed forward and back, or written."""
    footprint = trainer.footprint
    rows = options.batch_size * max(len(trainer.sequences), 1)
    again = options.gradient_checkpointing or (fsdp is not None and fsdp.activation_checkpointing)
    squares = shape.heads * (1 if again else shape.layers) * shape.capped
    half = options.dtype == "bfloat16"
    activations = footprint.learners * rows * tokens * _kept(options, shape, again)
    batch = Batch(rows, tokens, shape.vocabulary, shape.width, half, device.startswith("cuda"))
    before = activations * (footprint.learners - 1) // footprint.learners  # gone by then
    logits = max(footprint.head(options, batch) - before, 0)
    number = 2 if half and options.adapter else 4
    written = footprint.generated(options)
    cache = number * written * tokens * shape.layers * shape.cached
    cache += WRITING * written * shape.vocabulary
    return {
        "activations": activations,
        "scores": (3 if half else 4) * footprint.learners * 3 * rows * tokens**2 * squares,
        "mask": 5 * rows * tokens**2,
        "logits": logits,
        "cache": max(cache - activations - logits, 0) if written else 0,
    }


def _fragments(passes: dict[str, int]) -> int:
    """What a heap has of holes, by the peaks of real processes (the table above)."""
    return 6 * (passes["activations"] + passes["logits"]) // 10


def _kept(options: Options, shape: Shape, again: bool) -> int:
    """Bytes that the forward pass keeps of a token for the backward pass; `again`: layers are
    computed again there."""
    half, full = options.dtype == "bfloat16", options.adapter is None
    gated = any("gate" in name for name, _ in shape.matrices)
    width, inner, cached = shape.width, shape.feed_forward * (4 if gated else 6), shape.cached
    if half and full:  # residuals and norms in float32
        layer = 4 * 4 * width + 2 * (6 * width + inner + 3 * cached)
    elif half:
        layer = 4 * 2 * width + 2 * (8 * width + inner + cached)
    else:
        layer = 4 * ((8 if full else 6) * width + inner + cached)
    ends = 4 * 5 * width
    if again:
        return ends + layer + 4 * shape.layers * width
    return ends + layer * shape.layers


def _body(shape: Shape) -> int:
    """Parameters below the head, without the embeddings."""
    ends = shape.vocabulary * shape.width * (1 if shape.tied else 2)
    return max(shape.parameters - ends, 0)


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

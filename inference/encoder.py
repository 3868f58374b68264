"""Hidden states of a transformer: what BERTScore matches and MAUVE clusters."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import UnknownModel
from inference.load import load_network, load_tokenizer, without_plans_by_shape
from inference.names import origin
from inference.protocol import DType, Encoder, Identity
from inference.sentences import Sentence

if TYPE_CHECKING:
    import torch

UNLIMITED = 1 << 20  # a tokenizer that says more than this has no limit of its own
DEFAULT_LENGTH = 512  # for models that state no limit at all (relative positions)
TOKENS_ON_CPU = 2048  # measured: twice as fast as 8192, whose activations leave the cache
TOKENS_ON_GPU = 32768


@dataclass(slots=True)
class TransformerEncoder(Encoder):
    """A transformer without its head, on one device.

    The hidden states "after layer k" are those of the stack cut after its k-th layer, as in
    bert-score: for BERT-like models `hidden_states[k]`; where a model ends in a norm, that norm is
    applied. Layer 0 is the embeddings. Layers above are not run.
    """

    identity: Identity
    max_length: int
    layers: int
    cls_id: int | None
    sep_id: int | None
    tokens_per_pass: int
    tokenizer: Any
    model: Any
    _cut: dict[int, Any] = field(default_factory=dict)  # shorter stacks over the same weights

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids with special tokens, truncated to `max_length`."""
        if not texts:
            return []
        encoded = self.tokenizer(list(texts), truncation=True, max_length=self.max_length)
        return [list(ids) for ids in encoded["input_ids"]]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The tokens as the vocabulary writes them: WordPiece's inside of a word begin with ##."""
        return [str(piece) for piece in self.tokenizer.convert_ids_to_tokens(list(ids))]

    def hidden(self, batch: Sequence[list[int]], layer: int) -> list[NDArray[np.float32]]:
        """(length, width) hidden states after `layer`, a sequence each; one padded pass."""
        states = self._states(batch, layer).float().cpu().numpy()  # (B, T, D)
        return [states[row, : len(ids)] for row, ids in enumerate(batch)]

    def pooled(self, batch: Sequence[list[int]]) -> NDArray[np.float32]:
        """(len(batch), width) mean of the last layer over real tokens; one padded pass.

        A sequence without any token is a vector of zeros.
        """
        import torch

        states = self._states(batch, self.layers).float()  # (B, T, D)
        lengths = torch.tensor([len(ids) for ids in batch], device=states.device)
        real = torch.arange(states.shape[1], device=states.device) < lengths[:, None]  # (B, T)
        total = (states * real[:, :, None]).sum(1)  # (B, D)
        mean = total / lengths.clamp(min=1)[:, None]
        return np.asarray(mean.cpu().numpy(), np.float32)

    def _states(self, batch: Sequence[list[int]], layer: int) -> torch.Tensor:
        """(B, T, D) on the device, in the model's dtype; what stands at padding means nothing."""
        import torch

        length = max((len(ids) for ids in batch), default=0)
        if length == 0:
            width = int(self.model.config.hidden_size)
            return torch.zeros(len(batch), 0, width, device=self.model.device)
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.full((len(batch), length), pad, dtype=torch.long)
        mask = torch.zeros((len(batch), length), dtype=torch.long)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
            mask[row, : max(len(tokens), 1)] = 1  # attention over nothing would be NaN
        with torch.inference_mode():
            inputs = {
                "input_ids": ids.to(self.model.device),
                "attention_mask": mask.to(self.model.device),
            }
            states: torch.Tensor = self._after(layer, inputs)
        return states

    def _after(self, layer: int, inputs: dict[str, Any]) -> Any:
        if not 0 <= layer <= self.layers:
            raise ValueError(f"layer {layer} of a model with {self.layers}")
        if layer == self.layers:
            return self.model(**inputs).last_hidden_state
        if layer not in self._cut:
            self._cut[layer] = _cut_after(self.model, layer, self.layers)
        if self._cut[layer] is None:  # not one plain stack (ALBERT, XLM): run all, pick one
            return self.model(**inputs, output_hidden_states=True).hidden_states[layer]
        return self._cut[layer](**inputs).last_hidden_state


def load_encoder(
    folders: Sequence[Path], identity: Identity, dtype: DType, device: str, add_prefix_space: bool
) -> TransformerEncoder:
    """The model in the first folder, with the adapters in the others, from safetensors, on
    `device`; no network, no code of the model's.

    `add_prefix_space` concerns byte-level tokenizers of the GPT-2 and RoBERTa kind only, as in
    bert-score: the first word is then read like any other. Since transformers 5 it is honoured at
    load and silently ignored at call, which is why it is an argument here.
    Of an encoder-decoder, the encoder. Raises UnknownModel when it has no tokenizer or weights.
    """
    try:
        tokenizer = _tokenizer(folders[-1], add_prefix_space)
        model = _network(identity.name, folders, dtype, device)
    except (OSError, ValueError, KeyError) as error:
        form = "{name} cannot be loaded as an encoder: {error}"
        raise UnknownModel(Sentence(form, name=identity.name, error=error)) from error
    if getattr(model.config, "is_encoder_decoder", False):
        model = model.get_encoder()
    model = model.to(device).eval()
    return TransformerEncoder(
        identity=identity,
        max_length=positions_of(tokenizer, model),
        layers=int(model.config.num_hidden_layers),
        cls_id=tokenizer.cls_token_id,
        sep_id=tokenizer.sep_token_id,
        tokens_per_pass=TOKENS_ON_CPU if device == "cpu" else TOKENS_ON_GPU,
        tokenizer=tokenizer,
        model=model,
    )


def _network(name: str, folders: Sequence[Path], dtype: DType, device: str) -> Any:
    """Without its head: adapters were trained with one, which is then left aside."""
    import torch
    import transformers

    if len(folders) > 1:
        classifies = origin(folders[-1]).get("produces") == "classifier"
        kind = "SequenceClassification" if classifies else "CausalLM"
        form = getattr(transformers, f"AutoModelFor{kind}")
        whole = load_network(form, name, folders, dtype, device)
        return getattr(whole, whole.base_model_prefix)
    without_plans_by_shape()
    return transformers.AutoModel.from_pretrained(
        folders[0],
        dtype=getattr(torch, dtype),
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
    )


def _tokenizer(folder: Path, add_prefix_space: bool) -> Any:
    from transformers import GPT2Tokenizer, RobertaTokenizer

    tokenizer = load_tokenizer(folder)
    if add_prefix_space and isinstance(tokenizer, GPT2Tokenizer | RobertaTokenizer):
        return load_tokenizer(folder, add_prefix_space=True)
    return tokenizer


def positions_of(tokenizer: Any, model: Any) -> int:
    """Tokens of one pass: the least of what the tokenizer states and the positions allow."""
    limits = [int(tokenizer.model_max_length)] if tokenizer.model_max_length < UNLIMITED else []
    positions = getattr(model.config, "max_position_embeddings", None)
    if isinstance(positions, int) and positions > 0:
        limits.append(positions - _reserved_positions(model))
    return min(limits, default=DEFAULT_LENGTH)


def _reserved_positions(model: Any) -> int:
    """Rows of the position table before the first token's: RoBERTa's kind counts from padding on.

    Such models give the table a padding row; BERT's kind does not.
    """
    for name, module in model.named_modules():
        if name.endswith("position_embeddings"):
            padding = getattr(module, "padding_idx", None)
            return 0 if padding is None else int(padding) + 1
    return 0


def _cut_after(model: Any, layer: int, layers: int) -> Any:
    """A model over the same weights whose stack ends after `layer`; None if there is no one stack.

    Modules on the way to the stack are copied, shallow; everything else is shared.
    """
    import torch

    stacks = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == layers
    ]
    outer = [n for n in stacks if not any(n.startswith(f"{other}.") for other in stacks)]
    if len(outer) != 1:
        return None
    *path, last = outer[0].split(".")
    top = parent = _shallow(model)
    for name in path:
        child = _shallow(getattr(parent, name))
        parent._modules[name] = child
        parent = child
    parent._modules[last] = getattr(parent, last)[:layer]
    return top


def _shallow(module: Any) -> Any:
    twin = copy.copy(module)
    twin._modules = dict(module._modules)
    return twin

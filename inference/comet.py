"""COMET checkpoints as Unbabel publishes them: an encoder of translations with a regression on top.

A folder holds `hparams.yaml` and `checkpoints/model.ckpt` (read weights-only) or
`model.safetensors` of the same names. Configuration and tokenizer are those of `pretrained_model`,
which the publishers leave out: they lie in a folder of their own, or are copied beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.batching import plan_by_length
from inference.errors import InputError
from inference.folders import COMET, COMET_WEIGHTS
from inference.load import load_tokenizer, padded, tokens_per_pass
from inference.protocol import DType, Identity

KINDS = ("regression_metric", "referenceless_regression_metric", "unified_metric")
POOLS = ("avg", "cls", "max")
ROWS_PER_PASS = 256


def load_comet(
    name: str, folder: Path, encoder: Path, identity: Identity, dtype: DType, device: str
) -> Comet:
    """From the model's folder, and the one with its encoder's configuration and tokenizer.

    Raises InputError for another kind of model, or files that lack a weight.
    """
    import torch
    from transformers import AutoConfig, XLMRobertaModel

    hparams = _hparams(name, folder)
    if not (encoder / "config.json").is_file():
        own = hparams.get("pretrained_model", "an XLM-RoBERTa")
        raise InputError(
            f"{name!r} needs the config.json and the tokenizer of its encoder, {own}, which COMET "
            "does not publish: name a model that has them, or copy them beside hparams.yaml",
            "params.encoder",
        )
    config = AutoConfig.from_pretrained(encoder, local_files_only=True, trust_remote_code=False)
    if config.model_type != "xlm-roberta":
        raise InputError(f"the encoder of {name!r} is no XLM-RoBERTa", "params.encoder")
    weights = _weights(name, folder)
    network: Any = XLMRobertaModel(config, add_pooling_layer=False)
    kept = {key.removeprefix("encoder.model."): value for key, value in weights.items()}
    estimator, mix = _estimator(hparams, weights), None
    try:
        missing = network.load_state_dict(kept, strict=False).missing_keys
        needed = [key for key in missing if not key.endswith("_ids")]
        if _layer(hparams) == "mix":
            layers = range(config.num_hidden_layers + 1)
            scalars = [weights[f"layerwise_attention.scalar_parameters.{k}"] for k in layers]
            mix = _mixed(torch.cat(scalars).float(), hparams) * weights["layerwise_attention.gamma"]
    except (RuntimeError, KeyError) as error:
        raise InputError(f"{name!r} and its encoder do not fit: {error}", "model") from error
    if needed:
        raise InputError(f"{name!r} lacks weights of its encoder: {needed[0]}", "model")
    network.add_module("estimator", estimator)
    network = network.to(device=device, dtype=getattr(torch, dtype)).eval()
    return Comet(network, load_tokenizer(encoder), identity, hparams, mix, device)


@dataclass(slots=True)
class Comet:
    """A model of sources, translations and references, on one device."""

    model: Any
    tokenizer: Any
    identity: Identity
    hparams: dict[str, Any]
    mix: Any  # (layers + 1,) what each layer weighs, gamma included; None: a single layer
    device: str

    @property
    def reads_references(self) -> bool:
        """Whether it compares with references."""
        kind, segments = self.hparams["class_identifier"], self.hparams.get("input_segments")
        return kind == KINDS[0] or (kind == KINDS[2] and (not segments or "ref" in segments))

    def scores(self, texts: Sequence[tuple[str, str, str]]) -> NDArray[np.float64]:
        """(n,) of (source, translation, reference); each distinct sequence is encoded once."""
        ids = self._ids([text for triple in texts for text in triple])
        if self.hparams["class_identifier"] == KINDS[2]:
            pairs: list[tuple[tuple[int, ...], ...]] = []
            for source, output, reference in texts:
                parts: list[tuple[str, ...]] = [(output, source)]
                if self.reads_references:
                    parts += [(output, reference), (output, source, reference)]
                pairs.append(tuple(self._joined([ids[text] for text in part]) for part in parts))
            distinct = self._embedded([one for several in pairs for one in several])
            values = self._estimated([distinct[one] for several in pairs for one in several])
            return np.asarray(values.reshape(len(pairs), -1).mean(axis=1), np.float64)
        vectors = self._embedded(list(ids.values()))
        return self._estimated([self._features(*(vectors[ids[t]] for t in one)) for one in texts])

    def _ids(self, texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
        distinct = list(dict.fromkeys(texts))
        longest = self.model.config.max_position_embeddings - 4
        found = self.tokenizer(distinct, truncation=True, max_length=longest)["input_ids"]
        return dict(zip(distinct, map(tuple, found), strict=True))

    def _joined(self, parts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
        """<s> a </s></s> b </s>: with a third, the first two count as one segment again, less the
        tokens that the package takes for its ends."""
        begin, end = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        whole = parts[0]
        for part in parts[1:]:
            whole = (begin, *whole[1:-1], end, end, *part[1:-1], end)
        positions = self.model.config.max_position_embeddings - 2
        bare = sum(len(part) - 2 for part in parts)
        return whole[:positions] if bare > positions - 1 - 2 * len(parts) else whole

    def _features(self, source: Any, output: Any, reference: Any) -> Any:
        import torch

        other = (output * source, (output - source).abs())
        if self.reads_references:
            near = (output, reference, output * reference, (output - reference).abs())
            return torch.cat((*near, *other))
        return torch.cat((output, source, *other))

    def _embedded(self, sequences: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], Any]:
        """A vector (D,) for each distinct sequence; like lengths share a pass."""
        distinct = list(dict.fromkeys(sequences))
        limit = tokens_per_pass(self.device)
        found: dict[tuple[int, ...], Any] = {}
        for indices in plan_by_length([len(ids) for ids in distinct], limit, ROWS_PER_PASS):
            batch = [distinct[index] for index in indices]
            found.update(zip(batch, self._vectors(batch), strict=True))
        return found

    def _vectors(self, batch: Sequence[tuple[int, ...]]) -> Any:
        """(B, D) the layers mixed, then pooled."""
        import torch

        ids, mask = padded(batch, self.tokenizer.pad_token_id, left=False, device=self.device)
        with torch.inference_mode():
            run = self.model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
            states = run.hidden_states  # (B, T, D) each
            real = mask[:, :, None].to(states[0].dtype)  # (B, T, 1)
            if self.mix is None:
                mixed = states[int(_layer(self.hparams))]
            else:
                if self.hparams.get("layer_norm", True):
                    states = [_normed(one, real) for one in states]
                weights = self.mix.to(states[0])
                mixed = sum(weight * one for weight, one in zip(weights, states, strict=True))
            pool = self.hparams.get("pool", "avg")
            if pool == "cls" or self.hparams["class_identifier"] == KINDS[2]:
                return mixed[:, 0]
            if pool == "max":
                return mixed.masked_fill(real == 0, float("-inf")).amax(1)
            return (mixed * real).sum(1) / real.sum(1)

    def _estimated(self, features: Sequence[Any]) -> NDArray[np.float64]:
        import torch

        with torch.inference_mode():
            values = self.model.estimator(torch.stack(list(features)))  # (n, 1)
        return np.asarray(values[:, 0].double().cpu().numpy(), np.float64)


def _normed(states: Any, real: Any) -> Any:
    """A sentence's states, (B, T, D), less their mean, over their deviation."""
    count = real.sum(1, keepdim=True) * states.shape[-1]
    mean = (states * real).sum((1, 2), keepdim=True) / count
    variance = (((states - mean) * real) ** 2).sum((1, 2), keepdim=True) / count
    return (states - mean) / (variance + 1e-12).sqrt()


def _mixed(scalars: Any, hparams: dict[str, Any]) -> Any:
    """What each layer weighs. Unified models were published with softmax, whatever they say."""
    import torch

    sparse = hparams.get("layer_transformation") == "sparsemax"
    if not sparse or hparams["class_identifier"] == KINDS[2]:
        return torch.softmax(scalars, 0)
    ordered = scalars.sort(descending=True).values
    sums = ordered.cumsum(0)
    support = int((1 + torch.arange(1, len(scalars) + 1) * ordered > sums).sum())
    return (scalars - (sums[support - 1] - 1) / support).clamp(min=0)


def _estimator(hparams: dict[str, Any], weights: dict[str, Any]) -> Any:
    import torch

    modules: list[Any] = []
    sizes = len(hparams.get("hidden_sizes") or (3072, 1024))
    for at in [3 * layer for layer in range(sizes + 1)]:
        weight, bias = (weights.get(f"estimator.ff.{at}.{part}") for part in ("weight", "bias"))
        if weight is None or bias is None:
            raise InputError(f"the checkpoint lacks estimator.ff.{at}", "model")
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        linear.load_state_dict({"weight": weight, "bias": bias})
        modules += [linear, _activation(hparams.get("activations") or "Tanh")]
    modules.pop()
    if hparams.get("final_activation"):
        modules.append(_activation(hparams["final_activation"]))
    return torch.nn.Sequential(*modules)


def _activation(name: str) -> Any:
    import torch

    known = {"Tanh": torch.nn.Tanh, "Sigmoid": torch.nn.Sigmoid, "Relu": torch.nn.ReLU}
    if str(name).title() not in known:
        raise InputError(f"hparams.yaml names the activation {name!r}: {', '.join(known)}", "model")
    return known[str(name).title()]()


def _layer(hparams: dict[str, Any]) -> Any:
    of = "sent_layer" if hparams["class_identifier"] == KINDS[2] else "layer"
    return hparams.get(of, "mix")


def _hparams(name: str, folder: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load((folder / COMET).read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{name!r} is no COMET model: {COMET}: {error}", "model") from error
    kind = found.get("class_identifier") if isinstance(found, dict) else None
    if kind not in KINDS:
        raise InputError(f"{name!r} is a COMET of the kind {kind!r}: {', '.join(KINDS)}", "model")
    if found.get("pool", "avg") not in POOLS:
        raise InputError(f"{name!r} pools by {found['pool']!r}: {', '.join(POOLS)}", "model")
    return dict(found)


def _weights(name: str, folder: Path) -> dict[str, Any]:
    """Tensors by name; of a Lightning checkpoint, its `state_dict`. No code is unpickled."""
    import torch
    from safetensors.torch import load_file

    try:
        files = sorted(folder.glob("*.safetensors"))
        if files:
            return {key: value for file in files for key, value in load_file(file).items()}
        whole = torch.load(folder / COMET_WEIGHTS, map_location="cpu", weights_only=True)
        return dict(whole["state_dict"])
    except Exception as error:  # pickles fail in many ways
        message = f"the file of {name!r} is not weights alone: save its state_dict as safetensors"
        raise InputError(f"{message} ({type(error).__name__})", "model") from error

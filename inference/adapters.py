"""LoRA adapters of one base model, which share its weights in memory: one is at work at a time."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inference.errors import InputError
from inference.language import TransformerLanguageModel
from inference.load import load_network, load_tokenizer
from inference.names import ADAPTER_CONFIG, origin
from inference.protocol import DType, Identity

MOST_ADAPTERS = 32  # of one base, in memory
OTHER_WEIGHTS = (  # of an adapter's configuration: what it changes beside its own small matrices
    "modules_to_save",
    "trainable_token_indices",
    "layer_replication",
    "target_parameters",
)


def shares(folders: Sequence[Path]) -> bool:
    """Whether the model in these folders is one LoRA adapter that leaves its base as it is: no new
    tokens, no layer replaced whole, no configuration of its own."""
    if len(folders) != 2 or origin(folders[1]).get("config"):
        return False
    try:
        config = _config(folders[1])
    except (OSError, ValueError):
        return False
    plain = config.get("peft_type") == "LORA" and config.get("bias", "none") == "none"
    return plain and not any(config.get(name) for name in OTHER_WEIGHTS)


def rank_of(folder: Path) -> int:
    """The largest rank of the LoRA adapter in the folder."""
    config = _config(folder)
    return max([int(config["r"]), *map(int, (config.get("rank_pattern") or {}).values())])


def _config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / ADAPTER_CONFIG).read_bytes())
    return found


def load_shared(
    folders: Sequence[Path], identity: Identity, dtype: DType, device: str
) -> SharedBase:
    """The base model in the first folder, without an adapter yet."""
    from transformers import AutoModelForCausalLM

    model = load_network(AutoModelForCausalLM, identity.name, folders[:1], dtype, device)
    tokenizer = load_tokenizer(folders[0])
    return SharedBase(model, TransformerLanguageModel(model, tokenizer, identity, device))


class SharedBase:
    """A base model, and the adapters that were asked for so far; what is `model` is the base's
    network with all of them in place."""

    def __init__(self, model: Any, base: TransformerLanguageModel) -> None:
        self.model = model
        self.base = base
        self.tokens = int(model.get_input_embeddings().weight.shape[0])
        self._peft: Any = None
        self._adapted: OrderedDict[Identity, TransformerLanguageModel] = OrderedDict()

    def language(self, identity: Identity, folder: Path) -> TransformerLanguageModel | None:
        """The base with the adapter in `folder`, to be `activate`d before each use; None where its
        tokenizer has tokens that the base has not."""
        if identity in self._adapted:
            self._adapted.move_to_end(identity)
            return self._adapted[identity]
        tokenizer = load_tokenizer(folder)
        if len(tokenizer) > self.tokens:
            return None
        while len(self._adapted) >= MOST_ADAPTERS:
            oldest, _ = self._adapted.popitem(last=False)
            self._peft.delete_adapter(_key(oldest))
        self._load(identity, folder)
        self.activate(identity)
        adapted = TransformerLanguageModel(self.model, tokenizer, identity, self.base.device)
        adapted.stop_ids = self.base.stop_ids
        self._adapted[identity] = adapted
        return adapted

    def activate(self, identity: Identity | None) -> None:
        """From now on the network is the base with this adapter; None: the base alone."""
        if self._peft is None:
            return
        if identity is None:
            self._peft.base_model.disable_adapter_layers()
        else:
            self._peft.base_model.enable_adapter_layers()
            self._peft.set_adapter(_key(identity), inference_mode=True)

    def _load(self, identity: Identity, folder: Path) -> None:
        from peft import PeftModel

        try:
            if self._peft is None:
                self._peft = PeftModel.from_pretrained(
                    self.model, folder, adapter_name=_key(identity), local_files_only=True
                )
            else:
                self._peft.load_adapter(folder, adapter_name=_key(identity), local_files_only=True)
        except (ValueError, OSError, RuntimeError, KeyError) as error:
            message = f"cannot load the adapter {identity.name!r}: {error}"
            raise InputError(message, "model") from error
        self._peft.eval()


def _key(identity: Identity) -> str:
    """A name for peft: of the weights, since the name of a folder may hold a dot."""
    return f"a{identity.weights}{identity.tokenizer}"

"""Warm models: loaded once, counted, the least recently used dropped when memory runs short."""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from inference.chat import ChatModel
from inference.convert import converted
from inference.errors import UnknownModel
from inference.identity import identify
from inference.memory import bytes_of, expected_bytes, too_large
from inference.names import Checkpoints, Location, locate
from inference.protocol import (
    Classifier,
    DType,
    Encoder,
    Identity,
    LabelClassifier,
    LanguageModel,
    Models,
)
from inference.remote.behind_urls import BehindUrls
from inference.sentences import Sentence

if TYPE_CHECKING:
    from inference.answers import TransformerAnswers
    from inference.bleurt import Bleurt
    from inference.comet import Comet
    from inference.engine import Engine
    from inference.language import TransformerLanguageModel
    from inference.remote.embeddings import RemoteEmbeddings
    from inference.remote.hooks import Replies, Slots
    from inference.remote.likelihood import RemoteLikelihood
    from inference.remote.registered import Registry
    from inference.seq2seq import TransformerSeq2Seq
    from inference.vllm_engine import Served

EngineKind = Literal["transformers", "vllm"]


class Loaded(Protocol):
    """What the pool keeps: whatever holds its network as `model`."""

    @property
    def model(self) -> Any:
        """The network, a torch module."""
        ...


class ModelPool(Models):
    """Models of one process and one device.

    loads   models loaded so far
    calls   forward passes so far, of all models
    """

    def __init__(
        self,
        roots: Sequence[Path],
        cache_dir: Path,
        device: str = "cpu",
        memory_budget_bytes: int | None = None,
        checkpoints: Checkpoints | None = None,
        offline: bool = True,
        registered: Registry | None = None,
        replies: Replies | None = None,
        slots: Slots | None = None,
        engine_kind: EngineKind = "transformers",
        private_urls: bool = False,
    ) -> None:
        self.roots = tuple(roots)
        self.cache_dir = cache_dir
        self.device = device
        self.memory_budget_bytes = memory_budget_bytes
        self.checkpoints = checkpoints
        self.offline = offline
        self.replies = replies
        self.urls = BehindUrls(registered, replies, slots)
        self.engine_kind = engine_kind
        self._served: Served | None = None
        self.private_urls = private_urls
        self.loads = 0
        self.calls = 0
        self._warm: OrderedDict[tuple[object, ...], tuple[Loaded, int]] = OrderedDict()
        self._lock = threading.RLock()

    def identity(self, name: str) -> Identity:
        """Digests of the files, or of what a registered model is asked. Raises UnknownModel."""
        registered = self.urls.find(name)
        return registered.identity if registered else self._identity(self._locate(name))

    def _identity(self, location: Location) -> Identity:
        base = self._identity(location.base) if location.base else None
        return identify(location, None if location.gguf else self._folder(location), base)

    def files(self, name: str) -> tuple[Path, ...]:
        """The folder with the model's weights, then those of its adapters as they are applied; the
        last one's tokenizer counts. Raises UnknownModel."""
        location, adapters = self._locate(name), []
        while location.base is not None:
            adapters.append(self._folder(location))
            location = location.base
        return (self._folder(location), *reversed(adapters))

    def language(self, name: str, dtype: DType = "float32") -> LanguageModel:
        """A causal language model, loaded unless it is warm. Raises UnknownModel."""
        from inference.language import load_language_model

        load = partial(load_language_model, dtype=dtype, device=self.device)
        return cast(LanguageModel, self._get("language", name, dtype, load))

    def chat(self, name: str, dtype: DType = "float32", by_engine: bool = False) -> ChatModel:
        """A model that answers conversations: behind a URL, or loaded unless it is warm.

        by_engine  by the engine that is set, which may not tell likelihoods; else by `transformers`

        Raises UnknownModel.
        """
        behind_url = self.urls.chat(name)
        if behind_url is not None:
            return behind_url
        from inference.local_chat import LocalChat, TransformersChat

        if by_engine and self.engine_kind != "transformers":
            from inference.engine_writer import EngineWriter

            return LocalChat(EngineWriter(self.engine(name, dtype)))
        return TransformersChat(cast("TransformerLanguageModel", self.language(name, dtype)))

    def likelihood(self, name: str) -> RemoteLikelihood | None:
        """What a model behind a URL says of texts; None for a model that runs here."""
        return self.urls.likelihood(name)

    def embeddings(self, name: str) -> RemoteEmbeddings | None:
        """What embeds whole texts behind a URL; None for a model that runs here."""
        return self.urls.embeddings(name)

    def engine(self, name: str, dtype: DType = "float32") -> Engine:
        """What continues rows of tokens, with the model loaded unless it is warm; LoRA adapters of
        one base share its weights. Raises UnknownModel."""
        from inference.engine import TransformersEngine

        if self.engine_kind == "vllm":
            return self._vllm(name, dtype)
        with self._lock:
            shared = self._shared(name, dtype)
            if shared is not None:
                return shared
        return TransformersEngine(cast("TransformerLanguageModel", self.language(name, dtype)))

    def _shared(self, name: str, dtype: DType) -> Engine | None:
        """An adapter upon a base that others share, or that base; None for all other models."""
        from inference.adapters import SharedBase, load_shared, shares
        from inference.engine import TransformersEngine

        location, identity, folders = self._locate(name), self.identity(name), self.files(name)
        key = ("shared", identity, dtype)
        if key in self._warm:
            base = cast(SharedBase, self._warm[key][0])
            return TransformersEngine(base.base, lambda: base.activate(None))
        if location.base is None or not shares(folders):
            return None

        load = partial(load_shared, dtype=dtype, device=self.device)
        base = cast(SharedBase, self._get("shared", location.base.name, dtype, load))
        language = base.language(identity, folders[1])
        if language is None:
            return None
        of_base = ("shared", self._identity(location.base), dtype)
        self._warm[of_base] = (base, bytes_of(base.model))
        return TransformersEngine(language, lambda: base.activate(identity))

    def _vllm(self, name: str, dtype: DType) -> Engine:
        """One base at a time: vLLM takes the memory that there is."""
        from inference.vllm_engine import room_for, serve

        with self._lock:
            location, folders = self._locate(name), self.files(name)
            base, rank = self._identity(location.base or location), room_for(folders, name)
            if self._served is None or not self._served.serves(base, dtype, rank):
                self._end_served()
                budget = self.memory_budget_bytes
                self._served = serve(folders[0], base, dtype, self.device, budget, rank)
                self.loads += 1
            return self._served.engine(self._identity(location), folders)

    def _end_served(self) -> None:
        if self._served is not None:
            self._served.close()
            self._served = None

    def encoder(
        self, name: str, dtype: DType = "float32", add_prefix_space: bool = False
    ) -> Encoder:
        """An encoder, loaded unless it is warm. Raises UnknownModel."""
        from inference.encoder import load_encoder

        own = partial(load_encoder, add_prefix_space=add_prefix_space)
        load = partial(own, dtype=dtype, device=self.device)
        return cast(Encoder, self._get(f"encoder {add_prefix_space}", name, dtype, load))

    def classifier(self, name: str, dtype: DType = "float32") -> Classifier:
        """A reward model, loaded unless it is warm. Raises UnknownModel."""
        from inference.classifier import load_classifier

        load = partial(load_classifier, dtype=dtype, device=self.device)
        return cast(Classifier, self._get("classifier", name, dtype, load))

    def comet(self, name: str, encoder: str | None, dtype: DType = "float32") -> Comet:
        """A COMET model, loaded unless it is warm. Raises UnknownModel, InputError."""
        beside = self.files(encoder or name)[-1]

        def load(folders: Sequence[Path], identity: Identity) -> Comet:
            from inference.comet import load_comet

            return load_comet(name, folders[0], beside, identity, dtype, self.device)

        return cast(
            "Comet", self._get(f"comet {self.identity(encoder or name)}", name, dtype, load)
        )

    def bleurt(self, name: str, dtype: DType = "float32") -> Bleurt:
        """A BLEURT model, loaded unless it is warm. Raises UnknownModel, InputError."""

        def load(folders: Sequence[Path], identity: Identity) -> Bleurt:
            from inference.bleurt import load_bleurt

            return load_bleurt(name, folders[0], identity, dtype, self.device)

        return cast("Bleurt", self._get("bleurt", name, dtype, load))

    def labels(self, name: str, dtype: DType = "float32") -> LabelClassifier:
        """A classifier with labels, loaded unless it is warm. Raises UnknownModel."""
        from inference.label_classifier import load_labels

        load = partial(load_labels, dtype=dtype, device=self.device)
        return cast(LabelClassifier, self._get("labels", name, dtype, load))

    def answers(self, name: str, dtype: DType = "float32") -> TransformerAnswers:
        """A question answering model, loaded unless it is warm. Raises UnknownModel, InputError."""
        from inference.answers import load_answers

        load = partial(load_answers, dtype=dtype, device=self.device)
        return cast("TransformerAnswers", self._get("answers", name, dtype, load))

    def seq2seq(self, name: str, dtype: DType = "float32") -> TransformerSeq2Seq:
        """An encoder-decoder, loaded unless it is warm. Raises UnknownModel, InputError."""
        from inference.seq2seq import load_seq2seq

        load = partial(load_seq2seq, dtype=dtype, device=self.device)
        return cast("TransformerSeq2Seq", self._get("seq2seq", name, dtype, load))

    def clear(self) -> None:
        """Drop all that is warm, and give its memory back."""
        with self._lock:
            self._warm.clear()
            self._end_served()
            self._collect()

    @property
    def bytes_used(self) -> int:
        """Bytes of parameters and buffers that are warm."""
        return sum(size for _, size in self._warm.values())

    def _get(
        self,
        kind: str,
        name: str,
        dtype: DType,
        load: Callable[[Sequence[Path], Identity], Loaded],
    ) -> Loaded:
        identity = self._identity(self._locate(name))  # files that changed are another model
        key = (kind, identity, dtype)
        with self._lock:
            if key in self._warm:
                self._warm.move_to_end(key)
                return self._warm[key][0]
            folders = self.files(name)
            self._make_room(name, expected_bytes(folders[0], dtype))
            loaded = load(folders, identity)
            self.loads += 1
            loaded.model.get_input_embeddings().register_forward_pre_hook(self._count)
            self._warm[key] = (loaded, bytes_of(loaded.model))
            return loaded

    def _make_room(self, name: str, needed: int) -> None:
        budget = self.memory_budget_bytes
        if budget is None:
            return
        if needed > budget:
            raise too_large(name, needed, budget)
        while self._warm and self.bytes_used + needed > budget:
            self._warm.popitem(last=False)
        self._collect()

    def _collect(self) -> None:
        gc.collect()
        if self.device.startswith("cuda"):
            import torch

            torch.cuda.empty_cache()

    def _locate(self, name: str) -> Location:
        if self.urls.find(name) is not None:
            remote = "the model {name!r} is behind a URL: its weights are not here"
            raise UnknownModel(Sentence(remote, name=name))
        return locate(name, self.roots, self.checkpoints, self.offline)

    def _folder(self, location: Location) -> Path:
        if location.folder is not None:
            return location.folder
        if location.gguf is not None:
            return converted(location.gguf, self.cache_dir)
        from huggingface_hub import snapshot_download

        patterns = ["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"]
        snapshot_download(location.name, allow_patterns=patterns)
        return self._folder(locate(location.name))  # offline: what is there now, and loadable

    def _count(self, *_: object) -> None:
        """A forward hook of the embedding, which every pass of every kind of model goes through."""
        self.calls += 1

"""What a metric may ask of a model. Implementations live beside this file and import torch late."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from inference.templates import Value

if TYPE_CHECKING:
    from inference.answers import TransformerAnswers
    from inference.bleurt import Bleurt
    from inference.chat import ChatModel
    from inference.comet import Comet
    from inference.remote.embeddings import RemoteEmbeddings
    from inference.remote.hooks import Account
    from inference.remote.likelihood import RemoteLikelihood
    from inference.seq2seq import TransformerSeq2Seq

DType = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What a model is: the parts of it that can change a number."""

    name: str
    weights: str  # first 12 hex digits of the sha256 of the weight files and configuration
    tokenizer: str  # likewise of the tokenizer's files, chat template included

    @property
    def digest(self) -> str:
        """Of all of it: equal where every number is."""
        return f"{self.weights} {self.tokenizer}"


@dataclass(frozen=True, slots=True)
class Generation:
    """How to generate. Temperature 0 is greedy; draws depend on the seed and the batch plan."""

    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0  # 0: off
    num_outputs: int = 1
    stop: tuple[str, ...] = ()
    seed: int = 0
    chat: bool | None = None  # None: use the chat template when the model has one
    system: str | None = None  # system message, with a chat template only
    chat_template_kwargs: Mapping[str, Value] = field(default_factory=dict)  # its own variables


class LanguageModel(Protocol):
    """A causal language model with its tokenizer, on one device, ready to run."""

    identity: Identity
    max_length: int  # positions; never more tokens than this in one pass
    tokens_per_pass: int  # padded tokens that one pass takes at best speed on this device
    bos_id: int | None
    eos_id: int | None

    def encode(self, texts: Sequence[str], special: bool = False) -> list[list[int]]:
        """Token ids of each text; `special` adds what the tokenizer adds by itself."""
        ...

    def render(
        self,
        prompts: Sequence[str],
        system: str | None = None,
        variables: Mapping[str, Value] | None = None,
    ) -> list[str]:
        """Prompts through the chat template, up to where the answer begins, if there is one.

        Raises InputError for `variables` that the template does not read.
        """
        ...

    def logprobs(self, batch: Sequence[tuple[list[int], list[int]]]) -> list[NDArray[np.float64]]:
        """Natural-log probabilities of the continuation's tokens, for each (context, continuation).

        One padded forward pass; cross-entropy in chunks, so that (tokens, vocabulary) never
        stands in memory whole. The context must not be empty.
        """
        ...

    def generate(
        self,
        prompts: Sequence[str],
        options: Generation,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[str]]:
        """`options.num_outputs` texts a prompt, without the prompt, cut before a stop string.

        `progress` is told how many prompts a batch has answered, and 0 while one takes long; what
        it raises ends the generation.
        """
        ...


class Encoder(Protocol):
    """A bidirectional or causal transformer that yields hidden states."""

    identity: Identity
    max_length: int
    layers: int
    cls_id: int | None  # what the tokenizer calls its CLS and SEP tokens
    sep_id: int | None
    tokens_per_pass: int  # padded tokens that one pass takes at best speed on this device

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids with special tokens, truncated to `max_length`."""
        ...

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The tokens as the vocabulary writes them: WordPiece's inside of a word begin with ##."""
        ...

    def hidden(self, batch: Sequence[list[int]], layer: int) -> list[NDArray[np.float32]]:
        """(length, width) hidden states after `layer`, a sequence each; one padded pass."""
        ...

    def pooled(self, batch: Sequence[list[int]]) -> NDArray[np.float32]:
        """(len(batch), width) mean of the last layer over real tokens; one padded pass."""
        ...


class Classifier(Protocol):
    """A sequence-classification model with one output: a reward model."""

    identity: Identity
    max_length: int
    tokens_per_pass: int  # padded tokens that one pass takes at best speed on this device

    def encode(
        self, pairs: Sequence[tuple[str | None, str]], chat: bool | None = None
    ) -> list[list[int]]:
        """Token ids of (prompt, output); `chat` None: the chat template where there is one."""
        ...

    def cut(self, ids: list[int], max_length: int) -> list[int]:
        """At most `max_length` of the ids, those that matter most to the score."""
        ...

    def scores(self, batch: Sequence[list[int]]) -> NDArray[np.float64]:
        """(len(batch),) one raw logit each; one padded pass."""
        ...


Encoded = tuple[list[int], list[int] | None]  # ids and, of models that have them, segments


class LabelClassifier(Protocol):
    """A sequence-classification model with named labels: entailment, topics, toxicity."""

    identity: Identity
    labels: tuple[str, ...]  # as its configuration names them, in the order of its outputs
    multi_label: bool  # each label is true or not by itself (sigmoid); else one of them is
    max_length: int
    tokens_per_pass: int  # padded tokens that one pass takes at best speed on this device

    def encode(self, pairs: Sequence[tuple[str, str | None]]) -> tuple[list[Encoded], list[bool]]:
        """Texts, or pairs of them, for `logits`; and which of them were cut to `max_length`.

        Of a pair, the longer text loses its end.
        """
        ...

    def logits(self, batch: Sequence[Encoded]) -> NDArray[np.float64]:
        """(len(batch), len(labels)) raw logits; one padded pass."""
        ...


class Models(Protocol):
    """Where metrics get models from: loads once, keeps them warm, stays within a memory budget.

    private_urls  may a URL that a metric calls lead to a private or loopback address
    """

    private_urls: bool

    @property
    def account(self) -> Account | None:
        """At whose expense a metric calls a URL; None: nobody counts."""
        return None

    def identity(self, name: str) -> Identity:
        """Digests, without loading the model. Raises UnknownModel."""
        ...

    def language(self, name: str, dtype: DType = "float32") -> LanguageModel:
        """A causal language model. Raises UnknownModel."""
        ...

    def chat(self, name: str, dtype: DType = "float32") -> ChatModel:
        """A model that answers conversations, here or behind a URL. Raises UnknownModel."""
        ...

    def likelihood(self, name: str) -> RemoteLikelihood | None:
        """What a model behind a URL says of texts; None for a model that runs here."""
        return None

    def embeddings(self, name: str) -> RemoteEmbeddings | None:
        """What embeds whole texts behind a URL; None for a model that runs here."""
        return None

    def encoder(
        self, name: str, dtype: DType = "float32", add_prefix_space: bool = False
    ) -> Encoder:
        """An encoder; `add_prefix_space` tokenizes a text's first word like those inside it."""
        ...

    def classifier(self, name: str, dtype: DType = "float32") -> Classifier:
        """A sequence-classification model with one output. Raises InputError for any other."""
        ...

    def comet(self, name: str, encoder: str | None, dtype: DType = "float32") -> Comet:
        """A COMET model; `encoder` has its encoder's configuration and tokenizer, null: itself.

        Raises InputError for any other kind of model.
        """
        ...

    def bleurt(self, name: str, dtype: DType = "float32") -> Bleurt:
        """A BLEURT model. Raises InputError for any other kind of model."""
        ...

    def labels(self, name: str, dtype: DType = "float32") -> LabelClassifier:
        """A sequence-classification model with labels. Raises InputError for any other."""
        ...

    def answers(self, name: str, dtype: DType = "float32") -> TransformerAnswers:
        """An extractive question answering model. Raises InputError for any other."""
        ...

    def seq2seq(self, name: str, dtype: DType = "float32") -> TransformerSeq2Seq:
        """An encoder-decoder. Raises InputError for any other."""
        ...


class NoModels:
    """For metrics that run none: any request is a mistake of the metric's declaration."""

    private_urls = False

    @property
    def account(self) -> None:
        """Nobody's."""
        return None

    def identity(self, name: str) -> Identity:
        """Raises LookupError."""
        raise LookupError(f"no models here, {name!r} was asked for")

    def language(self, name: str, dtype: DType = "float32") -> LanguageModel:
        """Raises LookupError."""
        raise LookupError(f"no models here, {name!r} was asked for")

    def chat(self, name: str, dtype: DType = "float32") -> ChatModel:
        """Raises LookupError."""
        raise LookupError(f"no models here, {name!r} was asked for")

    def likelihood(self, name: str) -> RemoteLikelihood | None:
        """Raises LookupError."""
        raise LookupError(f"no models here, {name!r} was asked for")

    def embeddings(self, name: str) -> RemoteEmbeddings | None:
        """Raises LookupError."""
        raise LookupError(f"no models here, {name!r} was asked for")

    def encoder(
        self, name: str, dtype: DType = "float32", add_prefix_space: bool = False
    ) -> Encoder:
        """Raises LookupError."""
        raise LookupError(f"no models here, {name!r} was asked for")

    def classifier(self, name: str, dtype: DType = "float32") -> Classifier:
        """Raises LookupError."""
        raise LookupError(f"no models here, {name!r} was asked for")

    def comet(self, name: str, encoder: str | None, dtype: DType = "float32") -> Comet:
        """Raises LookupError."""
        raise LookupError(f"no models here, {name!r} was asked for")

    def bleurt(self, name: str, dtype: DType = "float32") -> Bleurt:
        """Raises LookupError."""
        raise LookupError(f"no models here, {name!r} was asked for")

    def labels(self, name: str, dtype: DType = "float32") -> LabelClassifier:
        """Raises LookupError."""
        raise LookupError(f"no models here, {name!r} was asked for")

    def answers(self, name: str, dtype: DType = "float32") -> TransformerAnswers:
        """Raises LookupError."""
        raise LookupError(f"no models here, {name!r} was asked for")

    def seq2seq(self, name: str, dtype: DType = "float32") -> TransformerSeq2Seq:
        """Raises LookupError."""
        raise LookupError(f"no models here, {name!r} was asked for")

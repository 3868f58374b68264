"""Models at somebody's expense: what those behind URLs answer is kept, counted and bounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from inference.chat import ChatModel
from inference.protocol import (
    Classifier,
    DType,
    Encoder,
    Identity,
    LabelClassifier,
    LanguageModel,
    Models,
)

if TYPE_CHECKING:
    from inference.answers import TransformerAnswers
    from inference.bleurt import Bleurt
    from inference.comet import Comet
    from inference.remote.embeddings import RemoteEmbeddings
    from inference.remote.hooks import Account
    from inference.remote.likelihood import RemoteLikelihood
    from inference.seq2seq import TransformerSeq2Seq


class Charged(Models):
    """The same models, asked at the expense of an account, which is opened at the first use.

    opened  the account, once something was asked at its expense
    """

    def __init__(self, models: Models, open_account: Callable[[], Account]) -> None:
        self.private_urls = models.private_urls
        self.opened: Account | None = None
        self._models = models
        self._open = open_account

    @property
    def account(self) -> Account:
        """Who pays."""
        if self.opened is None:
            self.opened = self._open()
        return self.opened

    def identity(self, name: str) -> Identity:
        """As the models have it."""
        return self._models.identity(name)

    def language(self, name: str, dtype: DType = "float32") -> LanguageModel:
        """As the models have it."""
        return self._models.language(name, dtype)

    def chat(self, name: str, dtype: DType = "float32") -> ChatModel:
        """As the models have it; one behind a URL is paid by the account."""
        from inference.remote.remote_chat import RemoteChat

        found = self._models.chat(name, dtype)
        if not isinstance(found, RemoteChat):
            return found
        payer = self.account
        return found.scoped(payer.scope, replies=payer.replies, budget=payer.budget)

    def likelihood(self, name: str) -> RemoteLikelihood | None:
        """As the models have it, paid by the account; trying a server out is free."""
        found = self._models.likelihood(name)
        if found is None:
            return None
        return found.paid_by(self.account)

    def embeddings(self, name: str) -> RemoteEmbeddings | None:
        """As the models have it, paid by the account."""
        from inference.remote.embeddings import RemoteEmbeddings

        found = self._models.embeddings(name)
        if found is None:
            return None
        payer = self.account
        paid = found.chat.scoped(payer.scope, replies=payer.replies, budget=payer.budget)
        return RemoteEmbeddings(paid)

    def encoder(
        self, name: str, dtype: DType = "float32", add_prefix_space: bool = False
    ) -> Encoder:
        """As the models have it."""
        return self._models.encoder(name, dtype, add_prefix_space)

    def classifier(self, name: str, dtype: DType = "float32") -> Classifier:
        """As the models have it."""
        return self._models.classifier(name, dtype)

    def comet(self, name: str, encoder: str | None, dtype: DType = "float32") -> Comet:
        """As the models have it."""
        return self._models.comet(name, encoder, dtype)

    def bleurt(self, name: str, dtype: DType = "float32") -> Bleurt:
        """As the models have it."""
        return self._models.bleurt(name, dtype)

    def labels(self, name: str, dtype: DType = "float32") -> LabelClassifier:
        """As the models have it."""
        return self._models.labels(name, dtype)

    def answers(self, name: str, dtype: DType = "float32") -> TransformerAnswers:
        """As the models have it."""
        return self._models.answers(name, dtype)

    def seq2seq(self, name: str, dtype: DType = "float32") -> TransformerSeq2Seq:
        """As the models have it."""
        return self._models.seq2seq(name, dtype)

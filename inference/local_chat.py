"""Chat with a model that runs here, through the chat template of its tokenizer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inference.chat import Reply, Request
from inference.errors import InputError
from inference.generation import Continuation
from inference.labels import label_logprobs
from inference.language import TransformerLanguageModel
from inference.protocol import Generation
from inference.protocols.conversation import as_completion
from inference.writer import Writer


class LocalChat:
    """See `inference.chat.ChatModel`. Replies are greedy or drawn as `Generation` says; with
    `chat` False, a conversation is one text to go on writing (`conversation.as_completion`)."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.identity = writer.identity

    @property
    def has_template(self) -> bool:
        """Whether the tokenizer has a chat template."""
        return bool(self.writer.tokenizer.chat_template)

    def reply(
        self, requests: Sequence[Request], progress: Callable[[int], None] | None = None
    ) -> list[list[Reply]]:
        """Replies in order; requests of equal options share batches.

        Raises InputError where the model has no chat template, or the template refuses the turns.
        """
        found: list[list[Reply]] = [[] for _ in requests]
        groups: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            groups.setdefault(repr(request.options), []).append(index)
        for members in groups.values():
            rows = self.rows([requests[index] for index in members])
            options = replace(requests[members[0]].options, system=None, chat_template_kwargs={})
            for index, replies in zip(members, self._replies(rows, options, progress), strict=True):
                found[index] = replies
        return found

    def complete(
        self,
        prompts: Sequence[str],
        options: Generation,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Reply]]:
        """Replies whose texts are those of `LanguageModel.generate`."""
        return self._replies(self.writer.rows(prompts, options), options, progress)

    def choices(
        self, requests: Sequence[Request], labels: Sequence[str]
    ) -> NDArray[np.float64] | None:
        """None: it only writes."""
        return None

    def rows(self, requests: Sequence[Request]) -> list[list[int]]:
        """Token ids of each conversation, up to where the answer begins."""
        rows: list[list[int]] = []
        for request in requests:
            if request.options.chat is False:
                text = as_completion(request.messages)
                rows += self.writer.encode([text], special=True)
                continue
            turns = [{"role": one.role, "content": one.content} for one in request.messages]
            variables = request.options.chat_template_kwargs
            rows += self.writer.encode(self.writer.render_turns([turns], variables))
        return rows

    def _replies(
        self,
        rows: Sequence[list[int]],
        options: Generation,
        progress: Callable[[int], None] | None,
    ) -> list[list[Reply]]:
        began = time.monotonic()
        written = self.writer.generate_rows(rows, options, progress)
        took = time.monotonic() - began
        return [
            [self._reply(row, output, took) for output in outputs]
            for row, outputs in zip(rows, written, strict=True)
        ]

    def _reply(self, row: list[int], output: Continuation, took: float) -> Reply:
        return Reply(
            text=output.text,
            finish_reason="stop" if output.ended else "length",
            input_tokens=len(row),
            output_tokens=output.tokens,
            latency_s=took,
            model=self.identity.name,
            fingerprint=self.writer.fingerprint,
        )


class TransformersChat(LocalChat):
    """The same by `transformers`, which tells likelihoods too."""

    def __init__(self, language: TransformerLanguageModel) -> None:
        super().__init__(language)
        self.language = language

    def choices(self, requests: Sequence[Request], labels: Sequence[str]) -> NDArray[np.float64]:
        """(n_requests, n_labels) log-probabilities of each label as the beginning of the answer."""
        contexts = self.rows(requests)
        texts = self.language.encode(labels)
        if not all(texts):
            raise InputError("a label has no token", "labels")
        return label_logprobs(self.language, contexts, texts)

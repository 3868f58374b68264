"""What has prompts continued: they become rows of token ids by its tokenizer and chat template."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inference.errors import InputError
from inference.generation import Continuation
from inference.protocol import Generation, Identity
from inference.templates import FIELD, Value, with_values


class Writer(ABC):
    """A causal language model with its tokenizer, whatever runs it.

    fingerprint  of what runs it, where that is not `transformers`
    start_id     the token before a text whose first token is to be predicted as well
    """

    fingerprint: str | None = None

    def __init__(self, tokenizer: Any, identity: Identity) -> None:
        self.tokenizer = tokenizer
        self.identity = identity
        self.bos_id: int | None = tokenizer.bos_token_id
        self.eos_id: int | None = tokenizer.eos_token_id
        pads = (tokenizer.pad_token_id, self.eos_id, 0)
        self.pad_id: int = next(pad for pad in pads if pad is not None)
        starts = (self.bos_id, self.eos_id, self.pad_id)
        self.start_id: int = next(start for start in starts if start is not None)

    @abstractmethod
    def generate_rows(
        self,
        rows: Sequence[list[int]],
        options: Generation,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Continuation]]:
        """`options.num_outputs` continuations of each row, which loses its beginning where it
        leaves no room for `max_new_tokens`. For `progress` see `LanguageModel.generate`."""

    def encode(self, texts: Sequence[str], special: bool = False) -> list[list[int]]:
        """Token ids of each text; `special` adds what the tokenizer adds by itself."""
        if not texts:
            return []
        found = self.tokenizer(list(texts), add_special_tokens=special, verbose=False)
        return [[int(token) for token in ids] for ids in found["input_ids"]]

    def spell(self, ids: Sequence[int]) -> str:
        """The text that token ids spell, special ones included."""
        found = self.tokenizer.decode(
            list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return str(found)

    def render(
        self,
        prompts: Sequence[str],
        system: str | None = None,
        variables: Mapping[str, Value] | None = None,
    ) -> list[str]:
        """Prompts through the chat template, up to where the answer begins, if there is one.

        Raises InputError for `variables` that the template does not read.
        """
        before = [{"role": "system", "content": system}] if system is not None else []
        turns = [[*before, {"role": "user", "content": prompt}] for prompt in prompts]
        return self.render_turns(turns, variables) if self.tokenizer.chat_template else [*prompts]

    def render_turns(
        self,
        conversations: Sequence[Sequence[Mapping[str, str]]],
        variables: Mapping[str, Value] | None = None,
    ) -> list[str]:
        """Conversations of {"role", "content"} through the chat template, up to where the answer
        begins.

        Raises InputError for a model without a template, for `variables` that it does not read, and
        for a conversation that it refuses.
        """
        if not self.tokenizer.chat_template and not variables:
            raise InputError(f"{self.identity.name!r} has no chat template", "messages")
        name, given = self.identity.name, variables or {}
        return [rendered_turns(self.tokenizer, name, turns, given) for turns in conversations]

    def rows(self, prompts: Sequence[str], options: Generation) -> list[list[int]]:
        """Token ids of the prompts as they are given to the model, through its chat template where
        there is one and `options` does not say otherwise."""
        if options.chat and not self.tokenizer.chat_template:
            raise InputError(f"{self.identity.name!r} has no chat template", "generation.chat")
        chat = options.chat is not False and bool(self.tokenizer.chat_template)
        variables = options.chat_template_kwargs
        if variables and not chat:
            message = "no chat template is used that could read variables"
            raise InputError(message, f"generation.{FIELD}")
        texts = self.render(prompts, options.system, variables) if chat else list(prompts)
        return self.encode(texts, special=not chat)


def rendered_turns(
    tokenizer: Any,
    name: str,
    turns: Sequence[Mapping[str, str]],
    variables: Mapping[str, Value],
) -> str:
    """A conversation through the tokenizer's chat template, up to where the answer begins.

    name  of the model, for messages

    Raises InputError for `variables` that the template does not read, and for turns that it
    refuses.
    """
    from jinja2 import TemplateError

    own = None  # several templates have their rules
    if variables:
        try:
            own = with_values(tokenizer.chat_template, variables)
        except InputError as error:
            raise InputError(error.message, f"generation.{error.field}") from None
    try:
        text = tokenizer.apply_chat_template(
            list(turns), chat_template=own, tokenize=False, add_generation_prompt=True
        )
    except TemplateError as error:  # as some do at a system message, or at two users in a row
        why = f"the chat template of {name!r} refuses it: {error}"
        raise InputError(why, "messages") from None
    return str(text)

"""What continues rows of token ids, and says how likely they are: an engine, behind a protocol."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from inference.errors import InputError
from inference.protocol import Identity

if TYPE_CHECKING:
    from inference.language import TransformerLanguageModel

Finish = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Row:
    """A row to be continued, with options of its own: what shares its batch changes none of its
    draws.

    top      so many of the likeliest tokens at each step are told; None: no likelihoods at all
    written  tokens that an earlier try wrote already: they are written again as they are
    """

    ids: Sequence[int]
    max_new_tokens: int
    temperature: float = 0.0  # 0: greedy
    top_p: float = 1.0
    top_k: int = 0  # 0: off
    seed: int = 0
    stop: tuple[str, ...] = ()
    top: int | None = None
    written: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token's natural-log probability, and the likeliest tokens at its place, likeliest first."""

    id: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(slots=True)
class Written:
    """What was written after a row so far.

    text  without special tokens, cut before a stop string; what may turn out to be the beginning of
          one, or of a character, is held back until it is known
    """

    ids: list[int] = field(default_factory=list)  # what ended it included
    logprobs: list[TokenLogprob] = field(default_factory=list)
    text: str = ""
    finish: Finish | None = None


# Told after each step what all rows have so far; returns those that nobody wants any more, by
# index. What it raises ends the work.
Tell = Callable[[Sequence[Written]], Collection[int]]


def nobody(_: Sequence[Written]) -> Collection[int]:
    """Nothing is told, and everything wanted."""
    return ()


class Engine(Protocol):
    """A causal language model, ready to run, whatever runs it."""

    identity: Identity
    fingerprint: str | None  # its name and version, where it is not `transformers`
    max_length: int  # positions: prompt and continuation
    vocabulary: int  # token ids are below
    tokenizer: Any

    def generate(self, rows: Sequence[Row], tell: Tell = nobody) -> list[Written]:
        """What is written after each row. Raises ValueError for a row that leaves no room."""
        ...

    def logprobs(self, rows: Sequence[Sequence[int]], top: int) -> list[list[TokenLogprob]]:
        """Likelihoods of a row's tokens from the second on, with `top` of the likeliest."""
        ...


def _nothing() -> None:
    pass


class TransformersEngine:
    """See `Engine`. `activate` is called before each use of the network, which others may share."""

    fingerprint: str | None = None

    def __init__(
        self, language: TransformerLanguageModel, activate: Callable[[], None] = _nothing
    ) -> None:
        self.language = language
        self.activate = activate
        self.identity = language.identity
        self.max_length = language.max_length
        self.vocabulary = int(language.model.get_input_embeddings().weight.shape[0])
        self.tokenizer = language.tokenizer

    def generate(self, rows: Sequence[Row], tell: Tell = nobody) -> list[Written]:
        """What is written after each row, in padded batches of whatever options."""
        from inference.decoding import decode

        self.activate()
        return decode(self.language, rows, tell)

    def logprobs(self, rows: Sequence[Sequence[int]], top: int) -> list[list[TokenLogprob]]:
        """Likelihoods of a row's tokens from the second on."""
        from inference.likelihoods import likelihoods

        self.activate()
        return likelihoods(self.language, rows, top)


def rendered(
    engine: Engine, turns: Sequence[Mapping[str, str]], variables: Mapping[str, Any]
) -> list[int]:
    """Token ids of a conversation through the chat template, up to where the answer begins.

    Raises InputError where there is no template, or it refuses the turns or a variable.
    """
    from inference.writer import rendered_turns

    template = engine.tokenizer.chat_template
    if not template:
        name = engine.identity.name
        raise InputError(f"{name!r} has no chat template: ask for /completions", "messages")
    text = rendered_turns(engine.tokenizer, engine.identity.name, turns, variables)
    return encoded(engine, text, special=False)


def encoded(engine: Engine, text: str, special: bool) -> list[int]:
    """Token ids of a text; `special` adds what the tokenizer adds by itself."""
    found = engine.tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"]
    return [int(token) for token in found]


def decoded(engine: Engine, ids: Sequence[int], special: bool = True) -> str:
    """The text of token ids, with special tokens or without."""
    return str(
        engine.tokenizer.decode(
            list(ids), skip_special_tokens=not special, clean_up_tokenization_spaces=False
        )
    )

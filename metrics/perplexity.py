"""Perplexity: how surprised a language model is by a text, and the same in bits per byte.

Conventions
- `perplexity` is exp(sum of nll / sum of tokens) over all texts of the set: neither the mean of the
  texts' perplexities (as `evaluate` reports, with every text cut at the model's length) nor one
  number per text. `byte_perplexity` and `word_perplexity` divide by UTF-8 bytes and by the pieces
  between whitespace; `bits_per_byte` is nll / (bytes · ln 2). As in lm-evaluation-harness.
- Long texts are scored in windows: a window's input is at most `window` tokens, and it scores at
  most `stride` new tokens, each token once. `stride` null is disjoint windows, whose first token
  sees only its predecessor: with `add_bos`, lm-evaluation-harness's rolling loglikelihood. A
  smaller stride gives every token at least window − stride + 1 tokens of context, costs more, and
  lowers the number.
- `add_bos` puts the beginning-of-text token (where there is none, the end-of-text token) first.
  Without it a text's first token has nothing to be predicted from: it is neither scored nor
  counted as a token, while bytes and words are always the whole text's.
- The tokenizer adds nothing else by itself.
- `output_given_prompt` scores the output's tokens after the prompt's, which are not counted. The
  two are tokenized together when the prompt's tokens come out the same (as the harness does for a
  prompt that ends without whitespace), separately otherwise. Of a prompt that does not fit in the
  window with the output, the end is kept. `chat` puts the prompt through the chat template.
- `reference` scores the references instead of the output: then the model is the system under test,
  and its numbers per byte and word may be compared across models.
- An empty text is missing, not perfect.
- A model behind a URL reads texts whole, through `/completions` with `echo` and `logprobs`, or
  vLLM's `prompt_logprobs`, after a trial of both: `window`, `stride` and `chat` are not for it, and
  `add_bos` has to be what the server does. After a prompt, the tokens count that are not the
  prompt's own.

Example
    >>> sums = np.array([8 * np.log(2), 8, 16, 4])  # eight even chances, 16 bytes, 4 words
    >>> METRIC.bind().reduce(sums).round(3).tolist()
    [2.0, 0.5, 1.414, 4.0]
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from inference.batching import plan_by_length
from inference.errors import InputError
from inference.protocol import DType, LanguageModel, Models
from metrics.core import read_text
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Reads, Score, Source
from metrics.core.read_text import settle, texts_of
from metrics.core.rows import Floats

if TYPE_CHECKING:
    from inference.remote.likelihood import RemoteLikelihood

BATCH_ROWS = 128
BATCH_BYTES = 16_384  # padded bytes of the texts between two reports of progress
EMPTY, UNPREDICTED, UNREAD = 1, 2, 3

Window = tuple[list[int], list[int]]  # (context, continuation), neither empty


class PerplexityParams(Params):
    """Which text is read by which model, and in what windows."""

    model: str = Field("builtin/smollm2-135m-instruct", description="the model that reads the text")
    dtype: DType = "float32"
    text: Literal["output", "output_given_prompt", "reference"] = "output"
    chat: bool = Field(False, description="prompt through the chat template (output_given_prompt)")
    add_bos: bool = True
    window: int | None = Field(None, ge=1, description="tokens; null: all the model's positions")
    stride: int | None = Field(None, ge=1, description="tokens; null: the window, disjoint")

    @field_validator("stride")
    @classmethod
    def _within_window(cls, stride: int | None, info: ValidationInfo) -> int | None:
        window = info.data.get("window")
        if stride is not None and window is not None and stride > window:
            raise ValueError(f"a stride of {stride} leaves out tokens: the window is {window}")
        return stride


def measure(items: Sequence[Item], params: PerplexityParams, models: Models) -> Evidence:
    """Rows (nll in nats, tokens, bytes, words) of each item's text or texts."""
    remote = models.likelihood(params.model)
    if remote is not None:
        return _read_remotely(items, params, remote)
    model = models.language(params.model, params.dtype)
    window = params.window or model.max_length
    if window > model.max_length:
        raise InputError(
            f"the window is {window} tokens, and {params.model!r} has {model.max_length} positions",
            "params.window",
        )
    if params.stride is not None and params.stride > window:
        raise InputError(
            f"a stride of {params.stride} leaves out tokens: the window is {window}",
            "params.stride",
        )
    owner, texts = _texts(items, params)
    prompts = [items[index].prompt for index in owner]
    windows: list[Window] = []
    source: list[int] = []  # of each window, the item it belongs to
    rows = np.zeros((len(items), 4))
    for index, text, pair in zip(owner, texts, _tokens(model, prompts, texts, params), strict=True):
        found = cut(*pair, window, params.stride or window)
        if found:
            windows += found
            source += [index] * len(found)
            tokens = sum(len(continuation) for _, continuation in found)
            rows[index] += (0.0, tokens, len(text.encode()), count_words(text))
    rows[:, 0] = _nll(model, windows, source, len(items))
    return Evidence.of_rows(rows, _flags(items, params, rows))


def _read_remotely(
    items: Sequence[Item], params: PerplexityParams, model: RemoteLikelihood
) -> Evidence:
    """The same rows, where a server reads the texts."""
    for name, left_out in (("window", None), ("stride", None), ("chat", False)):
        if getattr(params, name) != left_out:
            message = f"{params.model!r} is behind a URL and reads texts as they are: leave it out"
            raise InputError(message, f"params.{name}")
    if params.add_bos != model.puts_first:
        does = "puts a token" if model.puts_first else "puts nothing"
        message = f"the server of {params.model!r} {does} before a text: give add_bos "
        raise InputError(message + str(model.puts_first).lower(), "params.add_bos")
    owner, texts = _texts(items, params)
    given = params.text == "output_given_prompt"
    prompts = [(items[at].prompt or "") if given else "" for at in owner]
    whole = [prompt + text for prompt, text in zip(prompts, texts, strict=True)]
    asked = list(dict.fromkeys(text for text in (*whole, *prompts) if text))
    found = dict(zip(asked, model.read(asked), strict=True))
    rows, unread = np.zeros((len(items), 4)), np.zeros(len(items), bool)
    for index, text, prompt, both in zip(owner, texts, prompts, whole, strict=True):
        tokens, before = found.get(both, []), found.get(prompt, [])
        if isinstance(tokens, str) or isinstance(before, str):
            unread[index] = True
            continue
        shared = [a == b for (a, _), (b, _) in zip(tokens, before, strict=False)]
        first = shared.index(False) if False in shared else len(shared)
        values = [value for _, value in tokens[first:] if value is not None]
        if values and text:
            rows[index] += (-sum(values), len(values), len(text.encode()), count_words(text))
    flags = [
        UNREAD if lost else flag
        for lost, flag in zip(unread, _flags(items, params, rows), strict=True)
    ]
    return Evidence.of_rows(np.where(unread[:, None], 0.0, rows), flags)


def cut(context: list[int], tokens: list[int], window: int, stride: int) -> list[Window]:
    """`tokens` in windows of at most `window` input tokens, `stride` scored tokens after the first.

    With a context of one token and stride = window, lm-evaluation-harness's disjoint windows. An
    empty context costs the first token.
    """
    if not context:
        context, tokens = tokens[:1], tokens[1:]
    if not tokens:
        return []
    end = min(window, len(tokens))  # tokens scored so far
    windows = [(context[-(window - end + 1) :], tokens[:end])]
    whole, before = context + tokens, len(context)
    while end < len(tokens):
        start, end = end, min(end + stride, len(tokens))
        first = max(before + end - 1 - window, 0)  # where the window's input begins in `whole`
        windows.append((whole[first : before + start], tokens[start:end]))
    return windows


def count_words(text: str) -> int:
    """Pieces between whitespace, empty ones at the ends included, as lm-evaluation-harness does."""
    return len(re.split(r"\s+", text))


def _texts(items: Sequence[Item], params: PerplexityParams) -> tuple[list[int], list[str]]:
    """The texts to score, and the item each belongs to."""
    pairs = [(index, text) for index, item in enumerate(items) for text in texts_of(item, params)]
    return [index for index, _ in pairs], [text for _, text in pairs]


def _tokens(
    model: LanguageModel,
    prompts: Sequence[str | None],
    texts: Sequence[str],
    params: PerplexityParams,
) -> list[tuple[list[int], list[int]]]:
    """(context, tokens to score) of each text."""
    first = model.eos_id if model.bos_id is None else model.bos_id
    start = [first] if params.add_bos and first is not None else []
    if params.text != "output_given_prompt":
        return [(start, tokens) for tokens in model.encode(texts)]
    given = [prompt or "" for prompt in prompts]
    given = model.render(given) if params.chat else given
    alone, after = model.encode(texts), model.encode(given)
    together = model.encode([a + b for a, b in zip(given, texts, strict=True)])
    pairs = []
    for prompt, output, both in zip(after, alone, together, strict=True):
        joins = both[: len(prompt)] == prompt
        templated = params.chat and prompt[: len(start)] == start  # templates write it themselves
        context = prompt if templated else start + prompt
        pairs.append((context, both[len(prompt) :] if joins else output))
    return pairs


def _nll(model: LanguageModel, windows: list[Window], source: list[int], count: int) -> Floats:
    """(count,) negative log-likelihoods of the items, in nats."""
    found = np.zeros(count)
    lengths = [len(context) + len(continuation) - 1 for context, continuation in windows]
    for batch in plan_by_length(lengths, model.tokens_per_pass, BATCH_ROWS):
        logprobs = model.logprobs([windows[at] for at in batch])
        for at, values in zip(batch, logprobs, strict=True):
            found[source[at]] -= values.sum()
    return found


def _flags(items: Sequence[Item], params: PerplexityParams, rows: Floats) -> list[int]:
    empty = np.ones(len(items), bool)
    for index, text in zip(*_texts(items, params), strict=True):
        empty[index] &= text == ""
    return [
        0 if row[1] else EMPTY if nothing else UNPREDICTED
        for row, nothing in zip(rows, empty, strict=True)
    ]


def reduce(sums: Floats, params: PerplexityParams) -> Floats:
    """(..., 4) sums to (..., 4): perplexity, bits per byte, byte and word perplexity."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        nll, tokens, size, words = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
        values = [np.exp(nll / tokens), nll / size / np.log(2)]
        return np.stack([*values, np.exp(nll / size), np.exp(nll / words)], axis=-1)


def plan(items: Sequence[Item], params: PerplexityParams, models: Models) -> list[list[int]]:
    """By bytes, so that a plan needs no tokenizer and stored evidence loads no model."""
    sizes = read_text.sizes(items, params)
    if params.text == "output_given_prompt":
        sizes = [
            size + len((item.prompt or "").encode())
            for size, item in zip(sizes, items, strict=True)
        ]
    return plan_by_length(sizes, BATCH_BYTES, BATCH_ROWS)


def needs(params: PerplexityParams) -> tuple[Reads, ...]:
    """The text that is scored, and its prompt where that is read too."""
    given = params.text == "output_given_prompt"
    return ("output", "prompt") if given else read_text.needs(params)


def scores(params: PerplexityParams) -> tuple[Score, ...]:
    """Perplexity per token, byte and word, and bits per byte.

    Of references, which are given, the model is judged: models may then be compared, per token
    only when they cut the text alike, per byte and word always.
    """
    judged = params.text == "reference"
    model = ("model", "weights") if judged else ()
    anyhow = (*model, "tokenizer_digest") if judged else ()
    return (
        Score("perplexity", False, 1.0, about="exp(nll / tokens)", comparable_across=model),
        Score("bits_per_byte", False, 0.0, about="nll / bytes / ln 2", comparable_across=anyhow),
        Score("byte_perplexity", False, 1.0, about="exp(nll / bytes)", comparable_across=anyhow),
        Score("word_perplexity", False, 1.0, about="exp(nll / words)", comparable_across=anyhow),
    )


METRIC = Metric(
    name="perplexity",
    version=1,
    about="How surprised a language model is by the text.",
    formula="exp(Σ nll / Σ tokens); bits_per_byte Σ nll / (bytes · ln 2)",
    avoid=(
        "Comparing perplexities of different tokenizers (take bits_per_byte), or as a measure "
        "of quality: dull text is easy to predict."
    ),
    params=PerplexityParams,
    reads=("output", "references", "prompt"),
    needs=needs,
    scores=scores,
    interval="bootstrap_t",
    source=Source(
        "Jelinek, Mercer, Bahl, Baker 1977, doi:10.1121/1.2016299",
        "own definition; lm-evaluation-harness 0.4 rolling loglikelihood with add_bos, stride null",
    ),
    measure=measure,
    settle=settle,
    reduce=reduce,
    libraries=("transformers",),
    models=lambda params: (params.model,),
    model_kind="likelihood",
    flags={
        EMPTY: Flag("the text is empty", missing=True),
        UNPREDICTED: Flag(
            "the text is one token, and without add_bos nothing precedes it", missing=True
        ),
        UNREAD: Flag("the server could not read the text", missing=True, lasting=False),
    },
    plan=plan,
    cached=True,
)

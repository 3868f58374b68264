"""Compression: the text encoded by a language model and an arithmetic coder, and decoded again.

Conventions
- Each token is coded by a range coder (constriction) with the model's probability of it after the
  tokens before, so that a text that the model expects becomes few bits. It is decoded again from
  those bits alone, and must come out the same to the byte: what does not is missing.
- `coded_bits_per_byte` is what the code really takes, the number of its tokens included, over UTF-8
  bytes; `compression_ratio` is bytes of the text over bytes of the code. `ideal_bits_per_byte` is
  -log2 of the text's probability, and `coding_overhead` how much longer the code is than that: the
  coder's probabilities have 24 bits, its code ends with a whole word of 32.
- `zlib`, `xz` and `zstd` are the sizes of the same bytes at the highest level (9, 9e, 19), each
  text by itself, in the format's own container. Texts of some hundred bytes are all container to
  them, and a word too much is a lot to the coder: look at `ideal_bits_per_byte` there.
- Of several texts, all bits over all bytes, not the mean of the texts' ratios.
- Every `window` tokens begin anew after the beginning-of-text token (where there is none, the
  end-of-text token), which makes long texts codable side by side. A text within the window has the
  bits of `perplexity`'s `bits_per_byte` ideally.
- Encoder and decoder ask the model token by token, in batches, over the same shapes: an order of
  magnitude slower than `perplexity`. `decode: false` leaves the proof out and halves the time.
- The model's own size is not counted. A model that was trained on the text compresses it better
  than it deserves.
- `text: reference` encodes the references: the model is then the system under test.
- Of several outputs of a sample all are counted. A text that is empty, or of more than `max_bytes`,
  is missing.

Deletang et al.: Language Modeling Is Compression (ICLR 2024).

Example
    >>> sums = np.array([800.0, 790.0, 400, 1600, 1760, 1640])  # bits and bytes
    >>> METRIC.bind().reduce(sums).round(3).tolist()
    [2.0, 4.0, 1.975, 0.013, 4.0, 4.4, 4.1]
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import zstandard
from pydantic import Field

from inference.batching import plan_by_length
from inference.errors import InputError
from inference.protocol import DType, Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.read_text import needs, settle, sizes, texts_of
from metrics.core.rows import Floats

if TYPE_CHECKING:
    from inference.language import TransformerLanguageModel

BATCH_ROWS, BATCH_BYTES = 64, 16_384  # of texts between two reports of progress
EMPTY, UNSPELLED, LOST, LONG = 1, 2, 3, 4


class CompressionParams(Params):
    """Which text is encoded by which model."""

    model: str = Field("builtin/smollm2-135m-instruct", description="the model that tells the odds")
    dtype: DType = "float32"
    text: Literal["output", "reference"] = "output"
    window: int = Field(512, ge=1, description="tokens that are coded one after the other")
    max_bytes: int = Field(100_000, ge=1, description="of a text: longer ones are missing")
    decode: bool = Field(True, description="decode each text again and compare: twice the time")


def measure(items: Sequence[Item], params: CompressionParams, models: Models) -> Evidence:
    """Rows (bits of the code, ideal bits, bytes, and bits of zlib, xz and zstd) of each item."""
    model = cast("TransformerLanguageModel", models.language(params.model, params.dtype))
    if params.window > model.max_length:
        message = f"{params.model!r} has {model.max_length} positions"
        raise InputError(f"the window is {params.window} tokens, and {message}", "params.window")
    chosen = [texts_of(item, params) for item in items]
    texts = list(dict.fromkeys(text for some in chosen for text in some if text))
    short = [text for text in texts if len(text.encode()) <= params.max_bytes]
    found = dict.fromkeys(texts, (LONG, 0, 0.0))
    found |= dict(zip(short, _coded(model, short, params), strict=True))
    rows, flags = np.zeros((len(items), 6)), []
    for at, some in enumerate(chosen):
        of_texts = [found[text] for text in some if text]
        flags.append(max((flag for flag, _, _ in of_texts), default=EMPTY))
        if not flags[-1]:
            sizes = [
                [code * 8, bits, len(text.encode()), *_packed(text.encode())]
                for text, (_, code, bits) in zip(filter(None, some), of_texts, strict=True)
            ]
            rows[at] = np.sum(sizes, 0)
    return Evidence.of_rows(rows, flags)


def _coded(
    model: TransformerLanguageModel, texts: Sequence[str], params: CompressionParams
) -> list[tuple[int, int, float]]:
    """(flag, bytes of the code, ideal bits) of each text."""
    from inference.coder import compress, expand

    tokens = model.encode(texts)
    spelled = [model.spell(ids) == text for ids, text in zip(tokens, texts, strict=True)]
    some = [at for at, good in enumerate(spelled) if good]
    found = [(UNSPELLED, 0, 0.0)] * len(texts)
    codes, bits = compress(model, [tokens[at] for at in some], params.window, model.start_id)
    back = expand(model, codes, params.window, model.start_id) if params.decode else None
    for place, at in enumerate(some):
        lost = back is not None and model.spell(back[place]) != texts[at]
        found[at] = (LOST if lost else 0, len(codes[place]), float(bits[place]))
    return found


def _packed(data: bytes) -> tuple[int, int, int]:
    """Bits of zlib, xz and zstd."""
    whole = max(4096, 1 << (len(data) - 1).bit_length())  # more of a dictionary changes nothing
    best = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": whole}
    sizes = (
        len(zlib.compress(data, 9)),
        len(lzma.compress(data, filters=[best])),
        len(zstandard.ZstdCompressor(level=19).compress(data)),
    )
    return sizes[0] * 8, sizes[1] * 8, sizes[2] * 8


def plan(items: Sequence[Item], params: CompressionParams, models: Models) -> list[list[int]]:
    """By bytes, so that a plan needs no tokenizer and stored evidence loads no model."""
    return plan_by_length(sizes(items, params), BATCH_BYTES, BATCH_ROWS)


def reduce(sums: Floats, params: CompressionParams) -> Floats:
    """(..., 6) sums to (..., 7) scores."""
    with np.errstate(divide="ignore", invalid="ignore"):
        code, ideal, size, *others = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
        values = [code / size, size * 8 / code, ideal / size, code / ideal - 1]
        return np.stack([*values, *(other / size for other in others)], axis=-1)


def scores(params: CompressionParams) -> tuple[Score, ...]:
    """Of references, which are given, the model is judged: models may then be compared."""
    model = ("model", "weights", "tokenizer_digest") if params.text == "reference" else ()
    return (
        Score("coded_bits_per_byte", False, about="bits of the code", comparable_across=model),
        Score(
            "compression_ratio", True, about="bytes over bytes of the code", comparable_across=model
        ),
        Score("ideal_bits_per_byte", False, about="-log2 p(text) / bytes", comparable_across=model),
        Score("coding_overhead", False, -1.0, about="code over ideal code, less 1"),
        Score("zlib_bits_per_byte", False, about="zlib, level 9"),
        Score("xz_bits_per_byte", False, about="xz, level 9e"),
        Score("zstd_bits_per_byte", False, about="zstd, level 19"),
    )


METRIC = Metric(
    name="compression",
    version=1,
    about="How small a language model with an arithmetic coder makes the text, and back.",
    formula="bits of the code / bytes; ideally −log2 p(text) / bytes",
    avoid=(
        "Judging the quality of outputs: dull text is small. Texts that the model was trained on, "
        "and comparisons with zlib, xz or zstd on short texts, which are all container to them."
    ),
    params=CompressionParams,
    reads=("output", "references"),
    needs=needs,
    scores=scores,
    interval="bootstrap_t",
    source=Source(
        "Deletang et al. 2024, arXiv:2309.10668",
        "constriction 0.5.0; zlib, xz and zstd as Python has them",
    ),
    measure=measure,
    plan=plan,
    settle=settle,
    reduce=reduce,
    libraries=("constriction", "transformers", "zstandard"),
    models=lambda params: (params.model,),
    model_kind="language",
    flags={
        EMPTY: Flag("the text is empty", missing=True),
        UNSPELLED: Flag("the tokenizer does not give the text back as it was", missing=True),
        LONG: Flag("the text is longer than max_bytes", missing=True),
        LOST: Flag("decoding did not give the text back", missing=True, lasting=False),
    },
    cached=True,
)

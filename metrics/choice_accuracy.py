"""Choice accuracy: is the right answer of a multiple choice the likeliest to the model.

Conventions
- The sample's metadata holds `choices`, a list of texts, and `answer`: the place of the right one
  from 0, its letter from A, or its text. Each choice is read after the prompt with `delimiter`
  between, as lm-evaluation-harness does with a task's `target_delimiter`.
- `acc` is 1 where the right choice has the highest log-probability, `acc_norm` where it has the
  highest per character of the choice (without the delimiter); of equal ones the first wins.
- Prompt and choice are tokenized together, and the prompt alone; the choice has the tokens behind
  as many as the prompt has. White space at the prompt's end goes to the choice. The tokenizer adds
  nothing by itself; before an empty prompt stands the beginning-of-text token, where there is none
  the end-of-text token. Of a prompt that does not fit with the choice, the end is kept.
- The value is of the model in `params`, whatever the sample's output is; a sample's outputs all
  have the same.
- A model behind a URL reads through `/completions`, see `perplexity`; what its server puts before a
  text it puts before these, too.

Example
    >>> METRIC.bind({"model": "mine"}).reduce(np.array([3.0, 2.0, 4.0])).tolist()
    [0.75, 0.5]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from inference.batching import plan_by_length
from inference.protocol import DType, LanguageModel, Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.rows import Floats, mean

if TYPE_CHECKING:
    from inference.remote.likelihood import RemoteLikelihood

BATCH_ROWS = 128
BATCH_BYTES = 16_384  # padded bytes of the texts between two reports of progress
UNREAD = 1
ACROSS = ("model", "weights", "tokenizer_digest")  # the model is what is judged


class ChoiceAccuracyParams(Params):
    """Which model reads the choices."""

    model: str = Field("builtin/smollm2-135m-instruct", description="the model that is asked")
    dtype: DType = "float32"
    delimiter: str = Field(" ", description="between the prompt and each choice")


def measure(items: Sequence[Item], params: ChoiceAccuracyParams, models: Models) -> Evidence:
    """Rows (acc, acc_norm, 1) of each item."""
    remote = models.likelihood(params.model)
    pairs = [
        (item.prompt or "", params.delimiter + text) for item in items for text in _texts(item)
    ]
    if remote is not None:
        found = _read(remote, pairs)
    else:
        found = _local(models.language(params.model, params.dtype), pairs)
    rows, flags = np.zeros((len(items), 3)), []
    first = 0
    for row, item in zip(rows, items, strict=True):
        texts = _texts(item)
        values = found[first : first + len(texts)]
        first += len(texts)
        known = bool(texts) and bool(np.isfinite(values).all())
        flags.append(0 if known else UNREAD)
        if known and item.choices is not None:
            lengths = np.array([len(text) for text in texts])
            right = item.choices.answer
            row[:] = (np.argmax(values) == right, np.argmax(values / lengths) == right, 1)
    return Evidence.of_rows(rows, flags)


def _texts(item: Item) -> tuple[str, ...]:
    return item.choices.texts if item.choices is not None else ()


def _local(model: LanguageModel, pairs: Sequence[tuple[str, str]]) -> Floats:
    """(n_pairs,) log-probabilities of the second text after the first."""
    first = model.eos_id if model.bos_id is None else model.bos_id
    start = [first] if first is not None else []
    moved = []
    for prompt, text in pairs:
        kept = prompt.rstrip()
        moved.append((kept, prompt[len(kept) :] + text))
    before = model.encode([prompt for prompt, _ in moved])
    together = model.encode([prompt + text for prompt, text in moved])
    rows = []
    for given, both in zip(before, together, strict=True):
        choice = both[len(given) :] or both[-1:]
        context = (both[: len(given)] or start)[-(model.max_length + 1 - len(choice)) :]
        rows.append((context, choice))
    found = np.zeros(len(rows))
    lengths = [len(context) + len(choice) - 1 for context, choice in rows]
    for batch in plan_by_length(lengths, model.tokens_per_pass, BATCH_ROWS):
        for at, values in zip(batch, model.logprobs([rows[at] for at in batch]), strict=True):
            found[at] = values.sum()
    return found


def _read(model: RemoteLikelihood, pairs: Sequence[tuple[str, str]]) -> Floats:
    """The same where a server reads; NaN for what it could not."""
    asked = list(dict.fromkeys(text for a, b in pairs for text in (a + b, a.rstrip()) if text))
    told = dict(zip(asked, model.read(asked), strict=True))
    found = np.full(len(pairs), np.nan)
    for at, (prompt, text) in enumerate(pairs):
        tokens, before = told[prompt + text], told.get(prompt.rstrip(), [])
        if isinstance(tokens, str) or isinstance(before, str):
            continue
        values = [value for _, value in tokens[len(before) :]]
        known = [value for value in values if value is not None]
        if values and len(known) == len(values):
            found[at] = sum(known)
    return found


def plan(items: Sequence[Item], params: ChoiceAccuracyParams, models: Models) -> list[list[int]]:
    """By bytes, so that a plan needs no tokenizer and stored evidence loads no model."""
    sizes = []
    for item in items:
        prompt = len((item.prompt or "").encode())
        sizes.append(sum(prompt + len(text.encode()) for text in _texts(item)))
    return plan_by_length(sizes, BATCH_BYTES, BATCH_ROWS)


METRIC = Metric(
    name="choice_accuracy",
    version=1,
    about="Whether the right one of several answers is the likeliest to a language model.",
    formula=(
        "share of samples with argmaxᵢ log p(choiceᵢ | prompt) = answer; acc_norm divides by "
        "characters"
    ),
    avoid=(
        "Outputs that were generated: it asks a model for likelihoods, and does not look at "
        "outputs."
    ),
    params=ChoiceAccuracyParams,
    reads=("prompt", "choices"),
    needs=("prompt", "choices"),
    scores=(
        Score("acc", True, 0.0, 1.0, "the likeliest", ACROSS),
        Score("acc_norm", True, 0.0, 1.0, "the likeliest per character", ACROSS),
    ),
    interval="wilson",
    pooling="average",
    source=Source(
        "Brown et al., 2020, arXiv:2005.14165, section 2.4",
        "lm-evaluation-harness 0.4, acc and acc_norm of multiple_choice tasks",
    ),
    measure=measure,
    reduce=mean,
    libraries=("transformers",),
    models=lambda params: (params.model,),
    model_kind="likelihood",
    flags={UNREAD: Flag("the choices could not be read", missing=True, lasting=False)},
    plan=plan,
    cached=True,
)

"""Reward: what a reward model thinks of the output, as its raw logit.

Conventions
- The model is a sequence classifier with one output (`num_labels=1`); anything else is refused.
- Prompt and output become the user's and the assistant's turn of the tokenizer's chat template.
  Without a template (or with `chat` false) they are joined as they are for decoders, and a pair of
  segments for encoders. A sample without a prompt is judged by its output alone.
- A decoder's logit is read at the last real token, whatever the padding; by transformers' own
  rule (the last that is not the pad token) where the configuration names a pad token.
- What is longer than `max_length` loses its beginning and is flagged: the output comes last.
- A sample's reward is the mean over its outputs; the score is the mean over samples. Rewards of
  different models are on different scales, so the model stays in the signature.

Example
    >>> bound = METRIC.bind({"model": "my-reward-model"})
    >>> bound.models, bound.needs
    (('my-reward-model',), ('output',))
    >>> bound.reduce(np.array([-1.5, 2.0])).tolist()  # two samples, whose logits add up to -1.5
    [-0.75]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.batching import plan_by_length
from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Score, Source
from metrics.core.reward_models import CUT, NOTHING, RewardModelParams, logits
from metrics.core.rows import mean

BATCH_ROWS = 128
BATCH_BYTES = 16_384  # padded bytes of the texts between two reports of progress


def measure(items: Sequence[Item], params: RewardModelParams, models: Models) -> Evidence:
    """Rows (logit, 1); zeros where there is no token."""
    texts = [(item.prompt, item.output) for item in items]
    found, flags = logits(texts, params, models, BATCH_ROWS)
    read = np.array(flags) != NOTHING
    return Evidence.of_rows(np.stack([found, read], axis=1), flags)  # (N, 2)


def plan(items: Sequence[Item], params: RewardModelParams, models: Models) -> list[list[int]]:
    """By bytes, so that a plan needs no tokenizer and stored evidence loads no model."""
    sizes = [len((item.prompt or "").encode()) + len(item.output.encode()) for item in items]
    return plan_by_length(sizes, BATCH_BYTES, BATCH_ROWS)


METRIC = Metric(
    name="reward",
    version=1,
    about="What a reward model thinks of the output: its raw logit.",
    formula="mean of a reward model's logit r(prompt, output)",
    avoid=(
        "Comparing logits of different reward models, or judging a model that was trained "
        "against this one."
    ),
    params=RewardModelParams,
    reads=("output", "prompt"),
    needs=("output",),
    scores=(Score("reward", True, float("-inf"), about="mean logit of the reward model"),),
    interval="bootstrap_t",
    pooling="average",
    source=Source(
        "Ouyang et al. 2022, arXiv:2203.02155",
        "transformers AutoModelForSequenceClassification, num_labels=1",
    ),
    measure=measure,
    reduce=mean,
    libraries=("transformers",),
    models=lambda params: (params.model,),
    model_kind="classifier",
    flags={
        NOTHING: Flag("neither prompt nor output has a token to judge", missing=True),
        CUT: Flag("longer than max_length: its beginning was cut off", missing=False),
    },
    plan=plan,
    cached=True,
)

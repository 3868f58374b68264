"""Pair accuracy: how well a reward model ranks the better answer of a pair above the worse.

Conventions
- The output is the better answer, a reference a worse one; both are read with the prompt exactly as
  the metric `reward` reads them. What is measured is the model, so values of different models may
  be compared. With several references, or outputs, their pairs are averaged.
- With the margin m = r(prompt, better) − r(prompt, worse):
      pair_accuracy            1 where m > 0, ½ where m = 0, else 0
      pair_margin              m
      pair_loss                −log σ(m), in nats: that of Bradley and Terry; ln 2 knows nothing
      pair_calibration_error   Σ_b |Σ_{i in b} (σ(|m_i|) − hit_i)| / n over ten equal bins b of the
                               confidence σ(|m|), from ½ to 1; hit is the accuracy of one pair
      pair_overconfidence      mean of σ(|m|) less pair_accuracy; above 0: surer than right
- The calibration error is never negative, and above 0 for a calibrated model, too: by about 0.1 on
  100 pairs, less of a model that is much too sure. So it has no interval, and two models' errors
  are not tested: of 50 to 1,000 pairs, 95% intervals contained the true error in 57 to 98 of 100
  simulations, those of two models' difference in 26 to 97. With the bias taken off as the metric
  `calibration` does, 0.09 of 50 pairs and 0.04 of 200 are left, and intervals by resampling contain
  the truth in 82 to 97 of 200 pairs and more. The overconfidence is a mean, without that bias, but
  does not see bins whose errors cancel.
- A pair of which one side has no token is missing. What is longer than `max_length` loses its
  beginning and is flagged.

Example
    >>> METRIC.bind({"model": "my-reward-model"}).needs
    ('output', 'references')
    >>> row = pair_row(np.array([2.0, -1.0]))  # two worse answers: one is ranked below, one above
    >>> METRIC.bind({"model": "m"}).reduce(row)[:2].tolist()
    [0.5, 0.5]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.batching import plan_by_length
from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Score, Source
from metrics.core.reward_models import CUT, NOTHING, RewardModelParams, logits
from metrics.core.rows import Floats

BATCH_ROWS = 64
BATCH_BYTES = 16_384  # padded bytes of the texts between two reports of progress
BINS = 10
OF_THE_MODEL = ("model", "weights", "tokenizer_digest")  # what is measured
NO_INTERVAL = (
    "noise alone sets it above 0, by how much depends on the number of pairs and on the model, so "
    "no interval or test of it can be trusted: read pair_overconfidence, which has both"
)


def pair_row(margins: Floats) -> Floats:
    """(BINS + 4,) of the margins (pairs,) of one output: means over its pairs, and a 1."""
    hits = (margins > 0) + 0.5 * (margins == 0)
    confidence = 1 / (1 + np.exp(-np.abs(margins)))
    loss = np.logaddexp(0, -margins)
    bins = np.minimum(((confidence - 0.5) * 2 * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, confidence - hits, BINS) / len(margins)
    return np.array([hits.mean(), margins.mean(), loss.mean(), *gaps, 1.0])


def measure(items: Sequence[Item], params: RewardModelParams, models: Models) -> Evidence:
    """Rows as `pair_row` makes them; zeros where a side has no token."""
    texts = [(item.prompt, text) for item in items for text in (item.output, *item.references)]
    rewards, marks = logits(texts, params, models, 2 * BATCH_ROWS)
    rows, flags, first = np.zeros((len(items), BINS + 4)), [], 0
    for index, item in enumerate(items):
        last = first + 1 + len(item.references)
        own = marks[first:last]
        flags.append(NOTHING if NOTHING in own else max(own))
        if flags[-1] != NOTHING:
            rows[index] = pair_row(rewards[first] - rewards[first + 1 : last])
        first = last
    return Evidence.of_rows(rows, flags)


def reduce(sums: Floats, params: RewardModelParams) -> Floats:
    """Of summed rows (..., BINS + 4): accuracy, margin, loss, calibration error, overconfidence."""
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums[..., :-1] / sums[..., -1:]
    gaps = means[..., 3:]
    error, signed = np.abs(gaps).sum(-1, keepdims=True), gaps.sum(-1, keepdims=True)
    return np.asarray(np.concatenate([means[..., :3], error, signed], -1), np.float64)


def plan(items: Sequence[Item], params: RewardModelParams, models: Models) -> list[list[int]]:
    """By bytes, so that a plan needs no tokenizer and stored evidence loads no model."""
    sizes = [
        len("".join([item.prompt or "", item.output, *item.references]).encode()) for item in items
    ]
    return plan_by_length(sizes, BATCH_BYTES, BATCH_ROWS)


METRIC = Metric(
    name="pair_accuracy",
    version=2,
    about="How often a reward model ranks the better answer above the worse, and how surely.",
    formula=(
        "share of pairs with m > 0, m = r(prompt, better) − r(prompt, worse); pair_loss −log σ(m)"
    ),
    avoid="Systems: it measures a reward model, on pairs that people have ordered.",
    params=RewardModelParams,
    reads=("output", "references", "prompt"),
    needs=("output", "references"),
    scores=(
        Score("pair_accuracy", True, 0.0, 1.0, "share of pairs ranked right", OF_THE_MODEL),
        Score("pair_margin", True, float("-inf"), float("inf"), "mean margin", OF_THE_MODEL),
        Score("pair_loss", False, about="−log σ(margin), nats", comparable_across=OF_THE_MODEL),
        Score(
            "pair_calibration_error",
            False,
            0.0,
            1.0,
            "gap between confidence and accuracy, over ten bins",
            OF_THE_MODEL,
            no_interval=NO_INTERVAL,
        ),
        Score(
            "pair_overconfidence",
            False,
            -0.5,
            1.0,
            "mean confidence less accuracy",
            OF_THE_MODEL,
            judged=False,
        ),
    ),
    interval="wilson",
    pooling="average",
    source=Source(
        "Bradley and Terry 1952, Biometrika 39; calibration: Guo et al. 2017, arXiv:1706.04599",
        "transformers AutoModelForSequenceClassification, num_labels=1",
    ),
    measure=measure,
    reduce=reduce,
    libraries=("transformers",),
    models=lambda params: (params.model,),
    flags={
        NOTHING: Flag("a side of the pair has no token to judge", missing=True),
        CUT: Flag("longer than max_length: its beginning was cut off", missing=False),
    },
    plan=plan,
    cached=True,
)

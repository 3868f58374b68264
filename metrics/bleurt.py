"""BLEURT: what people would say of a text beside a reference, as a regression on BERT predicts.

Conventions
    The numbers are bleurt-pytorch's of the same checkpoint: BLEURT-20 and what was distilled of it
    (RemBERT, many languages), and the older ones (BERT, English). Input is the reference, then the
    output; of texts beyond the model's window the longer one loses its end. `hidden_act: gelu`, as
    the port's configurations say, is the exact GELU; the original in TensorFlow takes the tanh
    approximation (`gelu_new`), which moves a score in the fourth digit.
    Several references: the greatest score. Several outputs of a sample are averaged; the value is
    the mean over samples. A blank output is a text like any other to the model, and is flagged.
    Blank references are left out; where no other is left, the sample is missing.
    Raw and unbounded: about 0..1 for BLEURT-20, -2..1 for the older ones; higher is better.

Sellam, Das, Parikh: BLEURT (ACL 2020). Pu et al.: Learning Compact Metrics for MT (EMNLP 2021).

Example
    >>> bound = METRIC.bind({"model": "BLEURT-20-D12"})
    >>> bound.models
    ('BLEURT-20-D12',)
    >>> bound.reduce(np.array([1.2, 2.0])).tolist()  # two samples, whose scores add up to 1.2
    [0.6]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from inference.batching import plan_in_order
from inference.protocol import DType, Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.rows import mean

NO_REFERENCE, BLANK = 1, 2
BYTES_PER_BATCH, ITEMS_PER_BATCH = 1 << 18, 256


class BleurtParams(Params):
    """The checkpoint."""

    model: str = Field(
        description="a folder in bleurt-pytorch's layout: config.json with model_type bleurt, "
        "model.safetensors or pytorch_model.bin, spm.model or vocab.txt"
    )
    dtype: DType = "float32"


def plan(items: Sequence[Item], params: BleurtParams, models: Models) -> list[list[int]]:
    """Runs of items in their order, bounded by bytes of text."""
    sizes = [sum(len(text.encode()) for text in (i.output, *i.references)) for i in items]
    return plan_in_order(sizes, BYTES_PER_BATCH, ITEMS_PER_BATCH)


def measure(items: Sequence[Item], params: BleurtParams, models: Models) -> Evidence:
    """Rows (score with the best reference, 1); zeros where there is no reference."""
    model = models.bleurt(params.model, params.dtype)
    rows, flags = np.zeros((len(items), 2)), []
    pairs, owners = [], []
    for index, item in enumerate(items):
        references = [text for text in item.references if text.strip()]
        blank = 0 if item.output.strip() else BLANK
        flags.append(blank if references else NO_REFERENCE)
        pairs += [(reference, item.output) for reference in references]
        owners += [index] * len(references)
    if pairs:
        rows[owners] = -np.inf, 1
        np.maximum.at(rows[:, 0], owners, model.scores(pairs))
    return Evidence.of_rows(rows, flags)


METRIC = Metric(
    name="bleurt",
    version=1,
    about="Likeness in meaning to a reference, as a BLEURT checkpoint predicts people's rating.",
    formula="w · tanh(W h + b) + c, h the first state of BERT over reference and output",
    avoid=(
        "Languages that the checkpoint does not know: the older ones know English alone. Values of "
        "different checkpoints do not compare; wrong numbers and names hardly move it."
    ),
    params=BleurtParams,
    reads=("output", "references"),
    needs=("references",),
    scores=(Score("bleurt", True, float("-inf"), about="predicted rating of the output"),),
    interval="bootstrap_t",
    pooling="average",
    source=Source(
        paper="Sellam et al. 2020, https://arxiv.org/abs/2004.04696; Pu et al. 2021",
        reference="bleurt-pytorch 0.0.1",
    ),
    measure=measure,
    plan=plan,
    reduce=mean,
    libraries=("transformers",),
    models=lambda params: (params.model,),
    model_kind="encoder",
    flags={
        NO_REFERENCE: Flag("no reference with text: nothing to compare with", missing=True),
        BLANK: Flag("the output is blank, and scored as a text like any other", missing=False),
    },
    cached=True,
)

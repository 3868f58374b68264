"""COMET: what people would say of a translation, as a regression over embeddings predicts it.

Conventions
    The numbers are unbabel-comet's of the same checkpoint: `regression_metric` (wmt22-comet-da),
    `referenceless_regression_metric` (wmt20-comet-qe) and `unified_metric` (CometKiwi, UniTE), with
    XLM-RoBERTa below. The prompt is the source: the text that was translated, without an
    instruction. A model that reads references gives the best value over a sample's references;
    CometKiwi and its kind need none, and none are read. Several outputs of a sample are averaged;
    the value is the mean over samples. A blank output is a text like any other to the model, and is
    flagged; without a source, or without a reference where one is read, the sample is missing.
    Raw and unbounded: about 0..1 for the models of 2022, z-scores for older ones; higher is better.
    `encoder` names the folder or hub id of the checkpoint's `pretrained_model` (its configuration
    and tokenizer, which checkpoints leave out); null: they were copied beside the checkpoint.

Rei, Stewart, Farinha, Lavie: COMET (EMNLP 2020). Rei et al.: CometKiwi (WMT 2022).

Example
    >>> bound = METRIC.bind({"model": "wmt22-comet-da", "encoder": "xlm-roberta-large"})
    >>> bound.models
    ('wmt22-comet-da', 'xlm-roberta-large')
    >>> bound.reduce(np.array([1.7, 2.0])).tolist()  # two samples, whose scores add up to 1.7
    [0.85]
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

NO_SOURCE, NO_REFERENCE, BLANK = 1, 2, 3
BYTES_PER_BATCH, ITEMS_PER_BATCH = 1 << 18, 256


class CometParams(Params):
    """The checkpoint, and where its encoder's configuration and tokenizer lie."""

    model: str = Field(description="a folder with hparams.yaml and checkpoints/model.ckpt")
    encoder: str | None = Field(
        None, description="a model with its encoder's configuration and tokenizer; null: `model`"
    )
    dtype: DType = "float32"


def plan(items: Sequence[Item], params: CometParams, models: Models) -> list[list[int]]:
    """Runs of items in their order, bounded by bytes of text."""
    sizes = [
        sum(len(text.encode()) for text in (i.prompt or "", i.output, *i.references)) for i in items
    ]
    return plan_in_order(sizes, BYTES_PER_BATCH, ITEMS_PER_BATCH)


def measure(items: Sequence[Item], params: CometParams, models: Models) -> Evidence:
    """Rows (score with the best reference, 1); zeros where a text is missing."""
    model = models.comet(params.model, params.encoder, params.dtype)
    rows, flags = np.zeros((len(items), 2)), []
    triples, owners = [], []
    for index, item in enumerate(items):
        references = [text for text in item.references if text.strip()]
        if not (item.prompt or "").strip():
            flags.append(NO_SOURCE)
        elif model.reads_references and not references:
            flags.append(NO_REFERENCE)
        else:
            flags.append(0 if item.output.strip() else BLANK)
            against = references if model.reads_references else [""]
            triples += [(item.prompt or "", item.output, text) for text in against]
            owners += [index] * len(against)
    if triples:
        rows[owners] = -np.inf, 1
        np.maximum.at(rows[:, 0], owners, model.scores(triples))
    return Evidence.of_rows(rows, flags)


METRIC = Metric(
    name="comet",
    version=1,
    about="Quality of a translation as a COMET checkpoint predicts it, with references or without.",
    formula="feed-forward([h; r; h·r; |h−r|; h·s; |h−s|]), embeddings of output, reference, source",
    avoid=(
        "Anything but translation, and languages that its encoder does not know. Values of "
        "different checkpoints do not compare; wrong numbers and names hardly move it."
    ),
    params=CometParams,
    reads=("output", "references", "prompt"),
    needs=("prompt",),
    scores=(Score("comet", True, float("-inf"), about="predicted quality of the translation"),),
    interval="bootstrap_t",
    pooling="average",
    source=Source(
        paper="Rei et al. 2020, arXiv:2009.09025; Rei et al. 2022, WMT (CometKiwi)",
        reference="unbabel-comet 2.2.7",
    ),
    measure=measure,
    plan=plan,
    reduce=mean,
    libraries=("transformers",),
    models=lambda params: (params.model, *([params.encoder] if params.encoder else [])),
    model_kind="encoder",
    flags={
        NO_SOURCE: Flag("no prompt, which is the source that was translated", missing=True),
        NO_REFERENCE: Flag("no reference with text, and the model reads one", missing=True),
        BLANK: Flag("the output is blank, and scored as a text like any other", missing=False),
    },
    cached=True,
)

"""Confusion counts of labels: evidence, and rows whose sums are what F1 and MCC are made of.

Rows have 3 K + 3 columns, of the K labels of the references (or of `labels`), in the order of their
codes:

    tp_1 … tp_K   outputs with that label, rightly
    p_1  … p_K    outputs with that label
    t_1  … t_K    references with that label
    other, both   outputs with no label of these, and those whose reference has none of them, too
    1             outputs in all

Several outputs of a sample count as one together. A sum over some of the rows is what these samples
would give alone: see `counts`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.errors import InputError
from inference.sentences import Sentence
from metrics.core.evidence import FLAG, Column, Evidence
from metrics.core.metric import Flag, Item, settle_only
from metrics.core.rows import Floats, Ints, Settled, average
from metrics.text.labels import LabelParams, code, codes

MOST = 200  # labels: beyond, references are texts and no classes
FEW = 5  # references of a class, below which its part of the value says little
NO_LABEL = 1
FLAGS = {NO_LABEL: Flag("no label was found: counted as wrong", missing=False)}


class ConfusionParams(LabelParams):
    """What of an output is the label, and which labels there are."""

    labels: tuple[str, ...] | None = settle_only(
        None, min_length=2, max_length=MOST, description="the classes; default: the references'"
    )


def labelled(items: Sequence[Item], params: ConfusionParams) -> Evidence:
    """`said` and `wanted`: uint64 codes of labels, 0 for none."""
    said, wanted = codes(list(items), params)
    flags = np.where(said == 0, NO_LABEL, 0).astype(np.uint8)
    return Evidence({"said": Column(said), "wanted": Column(wanted), FLAG: Column(flags)})


def settle(evidence: Evidence, unit: Ints, params: ConfusionParams) -> Settled:
    """Rows as the module's docstring says. Raises InputError for too many labels."""
    said, wanted = evidence["said"], evidence["wanted"]
    classes = np.unique(wanted)
    if params.labels is not None:
        given = [code(params.comparable(label)) for label in params.labels]
        classes = np.unique(np.array(given, np.uint64))
    if len(classes) > MOST:
        raise InputError(
            Sentence(
                "the references have {labels} labels, more than {most}: these are no classes",
                labels=len(classes),
                most=MOST,
            ),
            "params.labels",
        )
    said_one, wanted_one = said[:, None] == classes, wanted[:, None] == classes  # (n_items, K)
    other = ~said_one.any(1, keepdims=True)
    both = other & ~wanted_one.any(1, keepdims=True)
    parts = [said_one & wanted_one, said_one, wanted_one, other, both, np.ones_like(other)]
    rows = average(np.concatenate(parts, 1).astype(np.float64), unit)
    rare = int((rows[:, 2 * len(classes) : -3].sum(0) < FEW).sum())
    said_of = "{rare} of {labels} labels have fewer than {few} references"
    warning = Sentence(said_of, rare=rare, labels=len(classes), few=FEW)
    return Settled(rows, warnings=(warning,) if rare else ())


def counts(sums: Floats, params: ConfusionParams) -> tuple[Floats, Floats, Floats, Floats]:
    """(..., K) each: right, said and wanted; (...,) said, but of no class. Unless `labels` are
    named, a label that no reference of the summed rows has is no class of theirs: a slice has the
    classes that it would have as a set of its own."""
    size = (sums.shape[-1] - 3) // 3
    right, said, wanted = (sums[..., k * size : (k + 1) * size] for k in range(3))
    other = sums[..., -3]
    if params.labels is None:
        other = other + np.where(wanted > 0, 0.0, said).sum(-1)
        said = np.where(wanted > 0, said, 0.0)
    return right, said, wanted, other

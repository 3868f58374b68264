"""Probabilities that a text entails or contradicts another, by any model whose labels say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inference.errors import InputError
from inference.protocol import DType, Models
from inference.sentences import Sentence
from metrics.core.label_models import read
from metrics.core.metric import Params
from metrics.core.rows import Floats

ENTAILS = {"entailment", "entail", "entails", "entailed", "support", "supports", "supported"}
ENTAILS |= {"correct", "consistent"}
CONTRADICTS = {"contradiction", "contradict", "contradicts", "contradictory", "refute", "refutes"}
CONTRADICTS |= {"refuted", "incorrect", "inconsistent"}

Pair = tuple[str, str]  # premise and hypothesis


class NliParams(Params):
    """The model, and into what the texts that it reads are cut."""

    model: str = Field(
        description="a sequence-classification model with labels `entailment` and, where it tells "
        "them apart, `neutral` and `contradiction` (or SUPPORTS, REFUTES; CORRECT, INCORRECT)"
    )
    dtype: DType = "float32"
    unit: Literal["sentence", "paragraph", "text"] = Field(
        "sentence", description="of the source, what is held against a sentence at a time"
    )


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of pairs: what the model's labels say.

    entails      (n,) probability of entailment
    contradicts  (n,) of contradiction; 0 of a model that has no such label
    cut          (n,) whether the pair was longer than the model reads
    """

    entails: Floats
    contradicts: Floats
    cut: NDArray[np.bool_]


def places(labels: Sequence[str], model: str) -> tuple[int, int | None]:
    """Where the labels of entailment and contradiction stand. Raises InputError without the one."""
    plain = ["".join(filter(str.isalpha, label.casefold())) for label in labels]
    entails = [at for at, label in enumerate(plain) if label in ENTAILS]
    contradicts = [at for at, label in enumerate(plain) if label in CONTRADICTS]
    if len(entails) != 1 or len(contradicts) > 1:
        raise InputError(
            Sentence(
                "{model!r} has the labels {labels}: one of them has to be `entailment`; where they "
                "have numbers, name them in `id2label` of its config.json",
                model=model,
                labels=", ".join(labels)[:200],
            ),
            "params.model",
        )
    return entails[0], contradicts[0] if contradicts else None


def judge(pairs: Sequence[Pair], params: NliParams, models: Models) -> Judgement:
    """What the model says of each pair; equal pairs are read once, in batches of like length."""
    model = models.labels(params.model, params.dtype)
    entailment, contradiction = places(model.labels, params.model)
    said = read(pairs, model)
    none = np.zeros(len(pairs))
    contradicts = none if contradiction is None else said.shares[:, contradiction]
    return Judgement(said.shares[:, entailment], contradicts, said.cut)

"""Toxicity against the text-classification pipeline of transformers, a small BERT of six labels."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bertscore import one_thread
from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import english
from inference.load import without_progress_bars
from inference.pool import ModelPool
from metrics import find
from metrics.core.metric import Sample
from metrics.core.rows import Floats

REQUIRED, TOLERANCE = 1.0, 1e-5
LABELS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
PASS = 32  # texts that the pipeline is told to read at a time


def rows(scale: float) -> Iterator[Row]:
    import transformers

    from tests.tiny_models import POSITIONS, build_nli_model

    without_progress_bars()
    with tempfile.TemporaryDirectory() as root, one_thread():
        several = "multi_label_classification"
        folder = build_nli_model(Path(root, "toxic"), labels=LABELS, problem_type=several)
        pool = ModelPool([Path(root)], Path(root, "cache"))
        pipeline: Any = transformers.pipeline("text-classification", str(folder), device="cpu")
        bound = find("toxicity").bind({"model": "toxic"})

        def ours(samples: list[Sample]) -> Floats:
            return rows_of(bound, samples, pool)[:, 0]

        def theirs(samples: list[Sample]) -> Floats:
            texts = [one.outputs[0] for one in samples]
            options = {"truncation": True, "max_length": POSITIONS, "batch_size": PASS}
            said = pipeline(texts, top_k=None, **options)
            return np.array(
                [next(one["score"] for one in each if one["label"] == "toxic") for each in said]
            )

        in_turns([_samples(4, 99)], ours, theirs)
        inputs = [_samples(max(8, int(1000 * scale)), seed) for seed in range(ROUNDS)]
        found = in_turns(inputs, ours, theirs)
        difference = max(furthest(a, b) for a, b in found.results)
        yield ratio(
            f"Toxicity (BERT of 2 layers), {len(inputs[0])} outputs, against transformers' "
            f"pipeline with batches of {PASS}",
            found,
            REQUIRED,
            f"every probability, largest difference {difference:.1g}",
            agrees=difference < TOLERANCE,
        )


def _samples(count: int, seed: int) -> list[Sample]:
    """Outputs of 3 to 60 words."""
    draw = random.Random(seed)
    words = " ".join(english(count, seed).outputs).split()
    return [
        Sample(str(at), (" ".join(draw.choices(words, k=draw.randint(3, 60))),))
        for at in range(count)
    ]

"""NLI in SummaC's way against its package's loop: a document at a time, 20 pairs a pass.

The package itself downloads its models by name and needs an old transformers: here is what it does
with one, for a small BERT with random weights. Sentences are cut beforehand, by our rules.
"""

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
from metrics.text.segments import sentences_of

REQUIRED, TOLERANCE = 1.0, 1e-5
DOCUMENT, PASS = 12, 20  # sentences of a document; pairs that SummaC reads at a time


def rows(scale: float) -> Iterator[Row]:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from tests.tiny_models import build_nli_model

    without_progress_bars()
    with tempfile.TemporaryDirectory() as root, one_thread():
        folder = build_nli_model(Path(root, "nli"))
        pool = ModelPool([Path(root)], Path(root, "cache"))
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        bound = find("nli").bind({"model": "nli"})

        def ours(samples: list[Sample]) -> Floats:
            return rows_of(bound, samples, pool)[:, 0]

        def image(pairs: list[tuple[str, str]]) -> Any:
            shares = []
            for start in range(0, len(pairs), PASS):
                options = {"padding": True, "truncation": True, "return_tensors": "pt"}
                batch = tokenizer(pairs[start : start + PASS], **options)
                with torch.no_grad():
                    shares += torch.softmax(model(**batch).logits, -1)[:, 2].tolist()
            return np.array(shares)

        def theirs(samples: list[Sample]) -> Floats:
            found = []
            for one in samples:
                sources, claims = (sentences_of(t) for t in (one.prompt or "", one.outputs[0]))
                pairs = [(source, claim) for source in sources for claim in claims]
                found.append(image(pairs).reshape(len(sources), -1).max(0).mean())
            return np.array(found)

        in_turns([_samples(2, 99)], ours, theirs)
        inputs = [_samples(max(2, int(40 * scale)), seed) for seed in range(ROUNDS)]
        found = in_turns(inputs, ours, theirs)
        difference = max(furthest(a, b) for a, b in found.results)
        yield ratio(
            f"NLI (BERT of 2 layers), {len(inputs[0])} summaries, against SummaC-ZS's loop",
            found,
            REQUIRED,
            f"every score, largest difference {difference:.1g}",
            agrees=difference < TOLERANCE,
        )


def _samples(count: int, seed: int) -> list[Sample]:
    """Documents of 12 sentences of 5 to 35 words, and summaries of 3, one of them the document's
    own."""
    draw = random.Random(seed)
    words = " ".join(english(count * DOCUMENT, seed).outputs).replace(".", "").split()
    found = []
    for at in range(count):
        own = [" ".join(draw.sample(words, draw.randint(5, 35))) + "." for _ in range(DOCUMENT + 2)]
        summary = " ".join([own[0], *own[DOCUMENT:]])
        found.append(Sample(str(at), (summary,), prompt=" ".join(own[:DOCUMENT])))
    return found

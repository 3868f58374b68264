"""Experts against transformers' router logits, text by text: a Mixtral with random weights."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bertscore import one_thread
from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import Pairs, news
from inference.load import without_progress_bars
from inference.pool import ModelPool
from metrics import find
from metrics.core.rows import Floats


def rows(scale: float) -> Iterator[Row]:
    from tests.inference.tiny_mixtures import build_mixture

    without_progress_bars()
    inputs = [news(max(2, int(100 * scale)), seed) for seed in range(ROUNDS)]
    with tempfile.TemporaryDirectory() as root, one_thread():
        build_mixture(Path(root, "mixtral"), "mixtral", max_position_embeddings=1024)
        pool = ModelPool([Path(root)], Path(root, "cache"))
        metric, model = find("experts").bind({"model": "mixtral"}), pool.language("mixtral")

        def ours(pairs: Pairs) -> Floats:
            return np.asarray(rows_of(metric, pairs.samples, pool)[:, :-4].sum(0))

        def theirs(pairs: Pairs) -> Floats:
            return np.asarray(np.sum([_loads(model, text) for text in pairs.outputs], 0))

        found = in_turns(inputs, ours, theirs)
    # a score that two experts share to the last digits may go to either, by the batch
    share = max(furthest(a, b) / float(a.sum()) for a, b in found.results)
    what = f"experts' loads, {len(inputs[0].samples)} segments, against transformers' router logits"
    agreement = f"largest difference {share:.1g} of all choices"
    yield ratio(what, found, 1.0, agreement, agrees=share < 1e-5)


def _loads(language: Any, text: str) -> Floats:
    import torch

    ids = language.tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        given = torch.tensor([[language.bos_id, *ids]])
        logits = language.model(given, output_router_logits=True).router_logits
    chosen = [layer[1:].topk(2, -1).indices.flatten() for layer in logits]
    return np.concatenate([torch.bincount(one, minlength=8).numpy() for one in chosen]).astype(
        float
    )

"""Language and reward models against transformers called text by text: small, random weights."""

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

TOLERANCE = 1e-5  # float32, in other batches
POSITIONS = 1024


def rows(scale: float) -> Iterator[Row]:
    from tests.tiny_models import build_language_model, build_reward_model

    without_progress_bars()
    inputs = [news(max(4, int(300 * scale)), seed) for seed in range(ROUNDS)]
    with tempfile.TemporaryDirectory() as root, one_thread():
        pool = ModelPool([Path(root)], Path(root, "cache"))
        build_language_model(Path(root, "llama"), max_position_embeddings=POSITIONS)
        build_reward_model(Path(root, "reward"), template=None, max_position_embeddings=POSITIONS)
        yield _row(
            "perplexity", {"model": "llama"}, _likelihoods(Path(root, "llama")), inputs, pool
        )
        yield _row("reward", {"model": "reward"}, _rewards(Path(root, "reward")), inputs, pool)


def _row(name: str, params: Any, theirs: Any, inputs: list[Pairs], pool: ModelPool) -> Row:
    metric = find(name).bind(params)

    def ours(pairs: Pairs) -> Floats:
        return np.asarray(rows_of(metric, pairs.samples, pool)[:, 0])

    in_turns([news(4, 99)], ours, theirs)
    found = in_turns(inputs, ours, theirs)
    difference = max(furthest(a, b) / np.abs(b).max() for a, b in found.results)
    what = f"{name} (llama of 2 layers), {len(inputs[0].outputs)} outputs, against transformers"
    agreement = f"every value, largest difference {difference:.1g} of the largest value"
    return ratio(what, found, 1.0, agreement, agrees=difference < TOLERANCE)


def _likelihoods(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()

    def theirs(pairs: Pairs) -> Floats:
        found = []
        for text in pairs.outputs:
            ids = [tokenizer.bos_token_id, *tokenizer(text, add_special_tokens=False)["input_ids"]]
            with torch.inference_mode():
                logits = model(torch.tensor([ids])).logits[0, :-1]
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="sum")
            found.append(float(loss))
        return np.array(found)

    return theirs


def _rewards(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()

    def theirs(pairs: Pairs) -> Floats:
        found = []
        for text in pairs.outputs:
            with torch.inference_mode():
                found.append(float(model(**tokenizer(text, return_tensors="pt")).logits[0, 0]))
        return np.array(found)

    return theirs

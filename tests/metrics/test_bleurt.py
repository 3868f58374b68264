"""BLEURT against what bleurt-pytorch gave of the same checkpoints.

The package does not run beside our transformers. WANTED is what bleurt-pytorch 0.0.1 with
transformers 4.57 gave of `build_bleurt`'s folders, one pair at a time, by its own tokenizer of
sentence pieces, or BERT's, cut to 40 tokens by `longest_first`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.bleurt import Bleurt
from inference.errors import InputError, UnknownModel
from inference.pool import ModelPool
from inference.protocol import Identity
from metrics.bleurt import METRIC
from metrics.core.metric import Item, Sample
from metrics.core.run import score
from tests.inference.tiny_bleurts import build_bleurt
from tests.rounding import assert_same

PAIRS = [  # reference, output
    ("The cat sleeps.", "the cats sleep"),
    ("Да, завтра дождь", "Завтра будет дождь!"),
    ("猫", "😀 مرحبا"),
    ("yes", ""),
    ("word " * 9, "other words " * 9),  # beyond the window
    ("a" * 30, "b"),
]
WANTED: dict[str, tuple[int | None, dict[str, Any], list[float]]] = {
    "old": (
        None,
        {},
        [0.6836526394, 0.7226749659, 0.7691382170, 0.6952235699, 0.8288209438, 0.9427691698],
    ),
    "new": (
        8,
        {},
        [0.8232411146, 0.7156748772, 0.7353265285, 0.9913882017, 0.7147042751, 0.8279725313],
    ),
    "tanh": (
        8,
        {"hidden_act": "gelu_new"},
        [0.8230969906, 0.7155821323, 0.7352358103, 0.9912779331, 0.7145833969, 0.8279216290],
    ),
}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> ModelPool:
    root = tmp_path_factory.mktemp("bleurts")
    for name, (size, config, _) in WANTED.items():
        build_bleurt(root / name, size, **config)
    return ModelPool([root], root)


@pytest.mark.parametrize("name", WANTED)
def test_scores_are_those_of_the_package(name: str, pool: ModelPool) -> None:
    items = [Item(output, (reference,)) for reference, output in PAIRS]
    evidence = METRIC.bind({"model": name}).measure(items, pool)
    assert_same(evidence["row"][:, 0], WANTED[name][2])
    assert evidence["row"][:, 1].tolist() == [1.0] * len(PAIRS)
    assert evidence["flag"].tolist() == [0, 0, 0, 2, 0, 0]


def test_safetensors_give_the_same_and_change_the_identity(pool: ModelPool) -> None:
    import torch
    from safetensors.torch import save_file

    folder: Path = pool.roots[0] / "safe"
    build_bleurt(folder)
    before = pool.identity("safe")
    save_file(torch.load(folder / "pytorch_model.bin"), folder / "model.safetensors")
    assert pool.identity("safe").weights != before.weights
    (folder / "pytorch_model.bin").unlink()
    assert_same(pool.bleurt("safe").scores(PAIRS), WANTED["old"][2])


def test_the_best_reference_counts(pool: ModelPool) -> None:
    (reference, output), other = PAIRS[0], "no relation"
    items = [Item(output, refs) for refs in [(other, "", reference), (other,), (reference,)]]
    found = METRIC.bind({"model": "new"}).measure(items, pool)["row"][:, 0]
    assert_same(found[0], np.max(found[1:]))
    samples = [Sample("1", ("a",), ("", " ")), Sample("2", ("a", "b"), ("a",))]
    (result,) = score(samples, [METRIC.bind({"model": "new"})], pool)
    assert result.scores[0].missing == 1
    assert result.scores[0].value is not None


@pytest.mark.parametrize("seed", range(40))
def test_what_is_too_long_is_cut_as_upstream_does(seed: int) -> None:
    """One token at a time from the longer text, from the output where both are as long."""
    draw = np.random.default_rng(seed)
    window = int(draw.integers(4, 20))
    reference, output = (list(range(10, 10 + draw.integers(0, 20))) for _ in range(2))
    model = Bleurt(None, lambda text: [], 1, 2, Identity("", "", ""), "cpu", window)
    ids, segments = model._joined(reference, output)
    first, second = list(reference), list(output)
    while len(first) + len(second) > window - 3:
        (first if len(first) > len(second) else second).pop()
    assert ids == [1, *first, 2, *second, 2]
    assert segments == [0] * (len(first) + 2) + [1] * (len(second) + 1)


def test_other_models_are_refused_and_pickles_not_run(pool: ModelPool) -> None:
    import torch

    with pytest.raises(UnknownModel, match="nowhere"):
        pool.bleurt("nowhere")
    root = pool.roots[0]
    build_bleurt(root / "code")
    torch.save({"code": Path}, root / "code" / "pytorch_model.bin")
    with pytest.raises(InputError, match="not weights alone"):
        pool.bleurt("code")
    build_bleurt(root / "short")
    weights = torch.load(root / "short" / "pytorch_model.bin")
    del weights["classifier.bias"]
    torch.save(weights, root / "short" / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"lacks weights of BLEURT: classifier\.bias"):
        pool.bleurt("short")
    build_bleurt(root / "bert", model_type="bert")
    with pytest.raises(UnknownModel, match="pickled"):  # what is no BLEURT stays refused
        pool.bleurt("bert")
    build_bleurt(root / "mute")
    (root / "mute" / "vocab.txt").unlink()
    with pytest.raises(InputError, match=r"neither spm\.model nor vocab\.txt"):
        pool.bleurt("mute")
    assert json.loads((root / "new" / "config.json").read_text())["embedding_size"] == 8

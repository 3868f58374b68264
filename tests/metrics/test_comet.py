"""COMET against what unbabel-comet gave of the same checkpoints.

The package does not run beside our transformers. WANTED is what unbabel-comet 2.2.7 with
transformers 4.57 gave of `build_comet`'s folders: `load_from_checkpoint`, `prepare_sample` of one
sample at a time, `predict_step`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.errors import InputError
from inference.pool import ModelPool
from metrics.comet import METRIC
from metrics.core.metric import Item
from tests.inference.tiny_comets import build_comet, build_encoder
from tests.rounding import assert_same

TEXTS = [
    ("Кот спит.", "The cat sleeps.", "A cat is asleep."),
    ("Дождь завтра", "The rain", "It will rain tomorrow"),
    ("Да", "", "Yes"),
    ("猫", "😀", "مرحبا"),
    ("слово " * 30, "the word " * 30, "the words " * 30),  # beyond the window
]
REGRESSION, UNIFIED = "regression_metric", "unified_metric"
CHECKPOINTS: dict[str, tuple[str, dict[str, Any], list[float]]] = {
    "sparse": (
        REGRESSION,
        {"layer_transformation": "sparsemax"},
        [-0.5991101265, -0.6036629081, -0.3789161444, -0.7698132396, -0.6322934628],
    ),
    "normed": (
        REGRESSION,
        {"layer_norm": True, "pool": "cls"},
        [-0.7800632119, -0.7817338705, -0.7957398891, -0.7852180004, -0.7974220514],
    ),
    "single": (
        REGRESSION,
        {"layer": 1, "pool": "max"},
        [-0.5025025606, -0.9414349794, -0.3345903158, -0.7268397808, -0.8179044724],
    ),
    "qe": (
        "referenceless_regression_metric",
        {},
        [-0.7909530401, -0.7316986322, -0.8979661465, -0.6489071846, -0.9305831194],
    ),
    "kiwi": (
        UNIFIED,
        {"input_segments": ["mt", "src"], "layer_transformation": "sparsemax_patch"},
        [-0.5269634724, -0.5395756960, -0.5335130692, -0.5622031093, -0.4906738400],
    ),
    "unite": (
        UNIFIED,
        {"input_segments": ["mt", "src", "ref"]},
        [-0.5648489594, -0.5527262092, -0.5392670035, -0.5560779572, -0.4909174442],
    ),
}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> ModelPool:
    root = tmp_path_factory.mktemp("comets")
    for name, (kind, hparams, _) in CHECKPOINTS.items():
        build_comet(root / name, build_encoder(root / name), kind, **hparams)
    build_comet(root / "other", build_encoder(root / "other"), "xcomet_metric")
    return ModelPool([root], root)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_scores_are_those_of_the_package(name: str, pool: ModelPool) -> None:
    items = [Item(output, (reference,), prompt=source) for source, output, reference in TEXTS]
    evidence = METRIC.bind({"model": name}).measure(items, pool)
    assert_same(evidence["row"][:, 0], CHECKPOINTS[name][2])
    assert evidence["row"][:, 1].tolist() == [1.0] * len(TEXTS)
    assert evidence["flag"].tolist() == [0, 0, 3, 0, 0]


def test_the_best_reference_counts(pool: ModelPool) -> None:
    source, output, reference = TEXTS[0]
    both = Item(output, ("Yes", "", reference), prompt=source)
    each = [Item(output, (text,), prompt=source) for text in ("Yes", reference)]
    found = METRIC.bind({"model": "sparse"}).measure([both, *each], pool)["row"][:, 0]
    assert_same(found[0], np.max(found[1:]))


def test_what_is_missing_is_not_scored(pool: ModelPool) -> None:
    items = [Item("a", ("b",)), Item("a", ("b",), prompt=" "), Item("a", ("",), prompt="c")]
    with_references = METRIC.bind({"model": "sparse"}).measure(items, pool)
    assert with_references["row"].tolist() == [[0, 0]] * 3
    assert with_references["flag"].tolist() == [1, 1, 2]
    without = METRIC.bind({"model": "kiwi"}).measure(items, pool)
    assert without["row"][:, 1].tolist() == [0, 0, 1]


def test_other_kinds_are_refused_and_pickles_not_run(pool: ModelPool) -> None:
    import torch

    with pytest.raises(InputError, match="xcomet_metric"):
        pool.comet("other", None)
    build_comet(pool.roots[0] / "alone", pool.roots[0] / "other", REGRESSION)
    with pytest.raises(InputError, match="tokenizer of its encoder") as refused:
        pool.comet("alone", None)
    assert refused.value.field == "params.encoder"
    folder: Path = pool.roots[0] / "pickled"
    build_comet(folder, build_encoder(folder), REGRESSION)
    torch.save({"state_dict": {}, "code": Path}, folder / "checkpoints" / "model.ckpt")
    with pytest.raises(InputError, match="not weights alone"):
        pool.comet("pickled", None)

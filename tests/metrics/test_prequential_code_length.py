"""Prequential code length: against a loop with torch's own layers, and what it costs by hand."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from inference.errors import InputError
from inference.online import END, code_lengths, windows
from inference.protocol import NoModels
from metrics.core.measure import items_of
from metrics.core.metric import Sample
from metrics.core.run import score
from metrics.prequential_code_length import METRIC, PrequentialParams, settle
from tests.rounding import TRAINED
from tests.tiny_models import ENGLISH, RUSSIAN

SMALL = {"first": 64, "width": 32}
UNIFORM = float(np.log2(257))


def rows(samples: list[Sample], **params: Any) -> Any:
    items, unit = items_of(samples)
    chosen = PrequentialParams(**SMALL | params)
    return settle(METRIC.measure(items, chosen, NoModels()), unit, chosen).rows


def test_contexts_are_those_of_a_text_alone() -> None:
    contexts, targets = windows([b"ab", b"", b"c"], 2)
    assert targets.tolist() == [97, 98, END, END, 99, END]
    assert contexts.tolist() == [
        *([END, END], [END, 97], [97, 98]),
        [END, END],
        *([END, END], [END, 99]),
    ]


def test_the_first_block_is_paid_in_full() -> None:
    samples = [Sample("1", ("é",)), Sample("2", ("",)), Sample("3", ("🙂",))]
    want = [[3 * UNIFORM, 2], [UNIFORM, 0], [5 * UNIFORM, 4]]
    np.testing.assert_allclose(rows(samples), want, rtol=1e-12)


def test_a_block_is_coded_by_what_was_learnt_from_those_before() -> None:
    """One step of Adam by hand, from the same weights: blocks of 100 and 60 symbols."""
    import torch

    text = RUSSIAN.encode()[:159]
    (found,) = code_lengths([text], 4, 8, first=100, growth=1.6, epochs=1, seed=3)
    np.testing.assert_allclose(found[:100], UNIFORM, rtol=1e-12)
    draw = torch.Generator().manual_seed(3)
    table = torch.randn((257, 16), generator=draw)
    hidden = torch.randn((8, 64), generator=draw) * (2 / 64) ** 0.5
    torch.randn((257, 8), generator=draw)  # the softmax's, of which nothing is taken
    contexts, targets = windows([text], 4)
    seen, wanted = torch.from_numpy(contexts), torch.from_numpy(targets)
    weights = [table, hidden, torch.zeros(8), torch.zeros((257, 8)), torch.zeros(257)]
    weights = [weight.requires_grad_() for weight in weights]

    def logits(at: Any) -> Any:
        inner = weights[0][seen[at]].flatten(1) @ weights[1].T + weights[2]
        return torch.relu(inner) @ weights[3].T + weights[4]

    learn = torch.optim.Adam(weights, lr=3e-3)
    batch = torch.randperm(100, generator=draw)
    torch.nn.functional.cross_entropy(logits(batch), wanted[batch]).backward()
    learn.step()
    with torch.no_grad():
        logs = torch.log_softmax(logits(torch.arange(100, 160)), -1)
        want = -logs.gather(1, wanted[100:, None])[:, 0].numpy() / np.log(2)
    np.testing.assert_allclose(found[100:], want, rtol=TRAINED)
    assert want.mean() < UNIFORM - 0.01  # it has learnt what bytes there are


def test_the_same_seed_costs_the_same_and_order_counts() -> None:
    samples = [Sample("1", (ENGLISH,)), Sample("2", (RUSSIAN,)), Sample("3", (ENGLISH,))]
    first, again = rows(samples), rows(samples)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, rows(samples, seed=1))
    assert first[2, 0] < first[0, 0]  # what was said already
    turned = rows([samples[1], samples[0], samples[2]])
    assert turned.sum(0)[1] == first.sum(0)[1]
    assert turned.sum(0)[0] != first.sum(0)[0]


def test_a_set_that_repeats_itself_is_short() -> None:
    draw = random.Random(0)
    noise = ["".join(draw.choices("abcdefghijklmnop", k=60)) for _ in range(40)]
    values = []
    for texts in (["one and the same sentence, sixty letters long, is said again."] * 40, noise):
        samples = [Sample(str(at), (text,)) for at, text in enumerate(texts)]
        (result,) = score(samples, [METRIC.bind()])
        values.append(result.scores[0].value or 0.0)
        assert result.scores[1].value == pytest.approx(
            values[-1] * sum(len(text) for text in texts)
        )
    assert values[0] < 2.5
    assert 4 < values[1] < 6  # of 16 letters, four bits a letter at best


def test_references_are_read_once() -> None:
    one = [Sample("1", ("a",), ("Рим", "Roma")), Sample("2", ("b",), ("罗马",))]
    many = [Sample("1", ("a", "b"), ("Рим", "Roma")), one[1]]
    found = [rows(samples, text="reference") for samples in (one, many)]
    assert np.array_equal(*found)
    assert found[0][:, 1].tolist() == [10, 6]


def test_more_than_was_allowed_is_refused() -> None:
    with pytest.raises(InputError, match="12 bytes of text, more than 11"):
        rows([Sample("1", ("столбы",))], max_bytes=11)

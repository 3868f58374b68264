"""Prequential code length: against a loop with torch's own layers, and what it costs by hand."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import scipy.stats

from benchmarks.texts import english
from inference.errors import InputError
from inference.online import END, code_lengths, windows
from inference.protocol import NoModels
from metrics.core.compare import compare
from metrics.core.measure import items_of
from metrics.core.metric import Sample
from metrics.core.result import Result
from metrics.core.rows import Floats, Settled
from metrics.core.run import score
from metrics.prequential_code_length import METRIC, PrequentialParams, marginal, settle
from tests.known import known
from tests.rounding import TRAINED
from tests.tiny_models import ENGLISH, RUSSIAN

SMALL = {"first": 64, "width": 32}
UNIFORM = float(np.log2(257))


def settled(samples: list[Sample], **params: Any) -> Settled:
    items, unit = items_of(samples)
    chosen = PrequentialParams(**SMALL | params)
    return settle(METRIC.measure(items, chosen, NoModels()), unit, chosen)


def rows(samples: list[Sample], **params: Any) -> Floats:
    return settled(samples, **params).rows


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


@pytest.mark.parametrize("at", [0, 1])
def test_a_block_is_coded_by_what_was_learnt_from_those_before(at: int) -> None:
    """One step of Adam by hand, from the same weights: blocks of 100 and 60 symbols. The second
    network begins as the first does, and reads the second text before the first."""
    import torch

    whole = RUSSIAN.encode()
    texts = [whole[:99], whole[99:158]]
    code = code_lengths(texts, 4, 8, first=100, growth=1.6, epochs=1, seed=4, repeats=2)
    draw = torch.Generator().manual_seed(4)
    table = torch.randn((257, 16), generator=draw)
    hidden = torch.randn((8, 64), generator=draw) * (2 / 64) ** 0.5
    read = np.arange(160)
    if at == 1:
        draw = torch.Generator().manual_seed(5)
        assert torch.randperm(2, generator=draw).tolist() == [1, 0]
        read = np.roll(read, 60)
    assert np.array_equal(code.blocks[at][read], np.repeat([0, 1], [100, 60]))
    found = code.bits[at][read]
    np.testing.assert_allclose(found[:100], UNIFORM, rtol=1e-12)
    contexts, targets = windows(texts, 4)
    seen, wanted = torch.from_numpy(contexts[read]), torch.from_numpy(targets[read])
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


def test_the_value_is_the_mean_over_networks_and_has_their_variance() -> None:
    samples = [Sample(str(at), (text,)) for at, text in enumerate((ENGLISH, RUSSIAN, "", ENGLISH))]
    code = code_lengths([one.outputs[0].encode() for one in samples], 8, 32, 64, 1.5, 4, 0, 3)
    lengths, size = code.bits.sum(1), sum(len(one.outputs[0].encode()) for one in samples)
    assert len(set(lengths.tolist())) == 3
    found = settled(samples, repeats=3)
    values = METRIC.bind().reduce(found.rows.sum(0))
    np.testing.assert_allclose(values, [lengths.mean() / size, lengths.mean()], rtol=1e-12)
    want = np.var([lengths / size, lengths], axis=1, ddof=1) / 3
    np.testing.assert_allclose(known(found.variance), want, rtol=1e-9)
    assert found.freedom == 2
    alone = settled(samples, repeats=1)
    np.testing.assert_allclose(alone.rows[:, 0].sum(), lengths[0], rtol=TRAINED)
    assert alone.variance is None
    assert alone.freedom is None


def test_a_symbol_adds_what_is_above_its_block_and_the_mean_of_the_last_third() -> None:
    """Nine symbols: the last third is the last block, of mean 2, and one of that before, of 5."""
    bits, blocks = [8, 8, 8, 3, 7, 4, 6, 1, 3], [0, 0, 0, 1, 1, 1, 1, 2, 2]
    want = np.array([0, 0, 0, -2, 2, -1, 1, -1, 1]) + (2 * 2 + 5) / 3
    order = np.array([4, 0, 8, 1, 3, 7, 2, 5, 6])  # as a network of another order read them
    found = marginal(np.array(bits, np.float64)[order], np.array(blocks)[order])
    np.testing.assert_allclose(found, want[order], rtol=1e-12)


def test_the_same_seed_costs_the_same_and_order_counts() -> None:
    samples = [Sample("1", (ENGLISH,)), Sample("2", (RUSSIAN,)), Sample("3", (ENGLISH,))]
    first, again = rows(samples), rows(samples)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, rows(samples, seed=1))
    text, size = ENGLISH.encode(), len(ENGLISH.encode()) + 1
    (bits,) = code_lengths([text, RUSSIAN.encode(), text], 8, 32, 64, 1.5, 4, 0).bits
    assert bits[-size:].sum() < bits[:size].sum()  # what was said already
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
    assert np.array_equal(found[0], found[1])
    assert found[0][:, 1].tolist() == [10, 6]


def test_more_than_was_allowed_is_refused() -> None:
    with pytest.raises(InputError, match="12 bytes of text, more than 11"):
        rows([Sample("1", ("столбы",))], max_bytes=11)


@pytest.mark.slow
def test_errors_are_those_of_other_texts() -> None:
    """Of 24 pairs of equal systems: before a sample's row was what the set would lose without it,
    an interval was four times too wide."""
    texts = [" ".join(text.split()[:12]) for text in english(2000, 0).outputs]
    bound = METRIC.bind({"width": 16, "epochs": 1, "repeats": 3})
    rng, ids = np.random.default_rng(5), [str(at) for at in range(30)]

    def system() -> Result:
        chosen = [texts[at] for at in rng.choice(len(texts), len(ids), replace=False)]
        samples = [Sample(id, (text,)) for id, text in zip(ids, chosen, strict=True)]
        return score(samples, [bound])[0]

    pairs = [(system(), system()) for _ in range(24)]
    for at in range(2):
        ends = [known(one.scores[at].interval) for pair in pairs for one in pair]
        values = np.array([known(one.scores[at].value) for pair in pairs for one in pair])
        errors = np.diff(ends)[:, 0] / 2 / scipy.stats.t.ppf(0.975, 29)
        assert 0.7 < np.sqrt(np.mean(errors**2)) / values.std() < 1.4  # four times its own error
        held = [low <= values.mean() <= high for low, high in ends]
        assert np.mean(held) >= 0.85
        found = [known(compare(bound, a, ids, b, ids)[at].difference) for a, b in pairs]
        apart = np.sqrt(np.mean([one.value**2 for one in found]))
        assert 0.6 < np.sqrt(np.mean([one.error**2 for one in found])) / apart < 1.6
        assert sum(one.p_value <= 0.05 for one in found) <= 4  # of 1.2: once in 100 more

"""Completions that a policy writes: where they are drawn from, how they are cut."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.rounding import assert_same
from tests.trainers.learning.policies import actor, load
from trainers.learning.rollouts import drawn, micro_batches, pack, sample, take


def test_padding_that_nobody_needs_is_cut(tiny_language_model: Path) -> None:
    model = actor(tiny_language_model)
    packed = pack([[5, 6, 7], [8], [9]], [[20, 21, 22, 23], [25, 26], [27]], 0, "cpu")
    whole = model(**packed)[0]
    some = take(packed, torch.tensor([2, 1]))
    assert some["ids"].shape == (2, 3)
    assert some["mask"].shape == (2, 2)
    assert_same(model(**some)[0].detach(), whole[[2, 1], :2].detach())


def test_draws_are_from_the_whole_policy_and_depend_on_the_seed(tiny_language_model: Path) -> None:
    model = load(tiny_language_model)
    model.generation_config.top_k = 1  # a model's own settings would make every draw the same
    own = model.generation_config
    settings = {"max_new_tokens": 6, "temperature": 1.0, "pad_id": 0, "batch_size": 16}
    prompts = [[5, 6, 7], [8, 9]] * 16

    def draw(*seed: int, stops: tuple[int, ...] = ()) -> list[list[int]]:
        return sample(model, prompts, seed=seed, stop_ids=stops, **settings)  # type: ignore[arg-type]

    state = torch.get_rng_state()
    found = draw(1, 2)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.generation_config is own
    assert found == draw(1, 2)
    assert found != draw(1, 3)
    assert all(len(row) == 6 for row in found)
    assert len({tuple(row) for row in found[::2]}) > 8

    stop = found[0][2]
    stopped = draw(1, 2, stops=(stop,))
    at = found[0].index(stop)
    assert stopped[0] == found[0][: at + 1]  # the stop token is part of the completion
    assert all(stop not in row[:-1] for row in stopped)


def test_draws_follow_the_policys_probabilities(tiny_language_model: Path) -> None:
    """First tokens of 3,000 draws at temperature 0.5, by χ² over the likely ones."""
    model = load(tiny_language_model)
    count = 3000
    found = sample(
        model,
        [[5, 6, 7]] * count,
        max_new_tokens=1,
        temperature=0.5,
        stop_ids=(),
        pad_id=0,
        batch_size=count,
        seed=(7,),
    )
    with torch.no_grad():
        expected = (model(torch.tensor([[5, 6, 7]])).logits[0, -1] / 0.5).softmax(-1) * count
    seen = torch.bincount(torch.tensor(found)[:, 0], minlength=len(expected)).float()
    likely = expected > 5
    statistic = float(((seen - expected) ** 2 / expected)[likely].sum())
    freedom = int(likely.sum())
    assert statistic < freedom + 5 * math.sqrt(2 * freedom)


def test_prompts_come_in_permutations_wherever_one_begins() -> None:
    whole = drawn(5, 0, 17, seed=3)
    assert sorted(whole[:5]) == sorted(whole[5:10]) == list(range(5))
    assert whole[:5] != whole[5:10]
    for start, count in itertools.product(range(8), (1, 4, 9)):
        assert drawn(5, start, count, seed=3) == whole[start : start + count]
    assert drawn(5, 0, 17, seed=4) != whole


def test_micro_batches_weigh_all_tokens_of_a_step_the_same() -> None:
    packed = pack([[5, 6], [8], [9], [7]], [[20, 21, 22], [25], [27, 28], [3]], 0, "cpu")
    batches = micro_batches(packed, np.array([3, 0, 2]), 2)
    assert [batch["prompts"].tolist() for batch in batches] == [[1, 2], [1]]
    assert [float(batch["tokens"]) for batch in batches] == [3.0, 3.0]
    means = [float(batch["mask"].sum() / batch["tokens"]) for batch in batches]
    assert sum(means) / len(means) == pytest.approx(1)  # of six tokens, each once

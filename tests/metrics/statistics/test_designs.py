"""Designs are balanced; studies have the precision that they promise."""

from __future__ import annotations

import numpy as np
import pytest

from metrics.statistics import designs, studies
from metrics.statistics.annotations import Annotations
from metrics.statistics.crossed import two_way
from metrics.statistics.estimates import student
from metrics.statistics.studies import Spread


@pytest.mark.parametrize(
    ("points", "size", "blocks"), [(8, 4, 28), (7, 3, 70), (12, 4, 66), (30, 3, 200)]
)
def test_points_and_pairs_meet_about_equally_often(points: int, size: int, blocks: int) -> None:
    design = designs.balanced(points, size, blocks, seed=1)
    assert design.shape == (blocks, size)
    assert (np.diff(np.sort(design, 1), axis=1) > 0).all()
    taken = np.bincount(design.ravel(), minlength=points)
    assert np.ptp(taken) <= 1
    met = designs.meetings(design, points)[np.triu_indices(points, 1)]
    mean = blocks * size * (size - 1) / points / (points - 1)
    chance = designs.meetings(
        np.random.default_rng(0).permuted(np.tile(np.arange(points), (blocks, 1)), axis=1)[
            :, :size
        ],
        points,
    )[np.triu_indices(points, 1)]
    assert met.max() <= np.ceil(mean) + 1
    assert met.var() < chance.var() / 3
    places = np.stack([np.bincount(design[:, k], minlength=points) for k in range(size)])
    assert places.max() < 3 * blocks / points + 5  # nothing always stands first
    assert (designs.balanced(points, size, blocks, seed=1) == design).all()


def test_annotators_share_the_work_or_the_error_says_how_many_could() -> None:
    who = designs.assignments(90, 6, 3, most=45)
    assert np.bincount(who.ravel()).tolist() == [45] * 6
    met = designs.meetings(who, 6)[np.triu_indices(6, 1)]
    assert np.ptp(met) <= 2
    with pytest.raises(ValueError, match="7 annotators could"):
        designs.assignments(90, 6, 3, most=44)
    with pytest.raises(ValueError, match="4 different points"):
        designs.balanced(3, 4, 10)


def test_a_pilot_tells_how_votes_vary() -> None:
    chance = np.random.default_rng(0)
    found = []
    who = designs.assignments(60, 12, 4, seed=1)
    item = np.repeat(np.arange(60), 4)
    for _ in range(60):
        value = chance.normal(0, 1.0, 60)[item] + chance.normal(0, 0.5, 12)[who.ravel()]
        value = value + chance.normal(0, 1.5, 240)
        one = studies.spread(Annotations.of(item, who.ravel(), value))
        found.append([one.deviation**2, one.of_items, one.of_annotators])
    total = 1 + 0.25 + 2.25
    assert np.mean(found, 0) == pytest.approx([total, 1 / total, 0.25 / total], abs=0.1)
    with pytest.raises(ValueError, match="the same"):
        studies.spread(Annotations.of(np.arange(8) // 2, np.arange(8) % 2, np.ones(8)))
    with pytest.raises(ValueError, match="with several"):
        studies.spread(Annotations.of(np.arange(8), np.zeros(8, np.int64), np.arange(8.0)))


def test_a_study_keeps_its_half_width() -> None:
    votes = Spread(1.0, 0.3, 0.1)
    study = studies.needed(0.2, votes, overlap=3, most=40)
    assert study.votes == 3 * study.items
    assert study.votes_each <= 40
    assert (
        studies.needed(0.2, votes, overlap=3, most=40, annotators=study.annotators).items
        <= study.items
    )
    chance = np.random.default_rng(3)
    who = designs.assignments(study.items, study.annotators, 3).ravel()
    item = np.repeat(np.arange(study.items), 3)
    half = []
    for _ in range(60):
        y = chance.normal(0, 0.3**0.5, study.items)[item]
        y = y + chance.normal(0, 0.1**0.5, study.annotators)[who]
        y = y + chance.normal(0, 0.6**0.5, len(item))
        found = two_way((y - y.mean())[:, None] / len(y), who, item)
        one = student(np.zeros(1), found.errors, found.freedom)
        half.append(float(one.high[0]))
    assert np.mean(half) == pytest.approx(study.half_width, rel=0.08)
    assert study.half_width <= 0.2


def test_studies_that_cannot_be_had_say_so() -> None:
    single = studies.needed(0.05, Spread(0.5, 0.0, 0.0), overlap=1, most=10)
    assert single.items == pytest.approx(1.96**2 * 0.25 / 0.05**2, rel=0.3)  # t of few annotators
    assert single.design_effect == pytest.approx(1)
    with pytest.raises(ValueError, match=r"0\.\d+ at best, not 0\.01"):
        studies.needed(0.01, studies.likert(1, 5), annotators=5)
    assert studies.needed(0.1, studies.PAIRWISE, overlap=3).annotators >= 3

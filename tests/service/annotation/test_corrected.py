"""Systems' means by people, with a model's help: unbiased, and narrower."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from metrics.statistics import ppi
from service.annotation.corrected import corrected
from service.annotation.judgements_store import Answered
from service.annotation.store import Project
from tests.known import known

SCALE = {"name": "help", "scale": [1, 100]}


def project(items: str = "all") -> Project:
    definition = {"criteria": [SCALE], "items": items}
    now = datetime.now(UTC)
    return Project("p", "p", "likert", definition, [], {}, 0, b"", 1, 9, 15, "", now, None)


def ratings(values: np.ndarray, who: str, each: int) -> list[Answered]:
    """Of so many items each of a sample."""
    return [
        Answered(who, {"ratings": {"help": int(value)}}, "d", f"s{at // each}", ["x"], f"i{at}")
        for at, value in enumerate(values.tolist())
    ]


def test_intervals_hold_what_people_would_say_of_all_samples() -> None:
    """Samples of two items each, alike; the model is 20 points too kind, and follows people."""
    chance, runs, inside, ratio = np.random.default_rng(3), 60, 0, []
    for _ in range(runs):
        worth = np.repeat(chance.normal(50, 10, 200), 2)
        said = np.rint(worth + chance.normal(0, 3, 400))
        model = np.clip(np.rint(worth + 20 + chance.normal(0, 3, 400)), 1, 100)
        few = said[:100]  # of the first fifty samples
        (found,) = corrected(project(), ratings(few, "Ada", 2), ratings(model, "model", 2), 0.95)
        assert (found.n, found.rated, found.reason) == (200, 50, None)
        assert found.people == pytest.approx(few.mean())
        low, high = known(found.interval)
        inside += low <= 50 <= high
        ratio.append((high - low) / (2 * 1.96 * few.reshape(-1, 2).mean(1).std() / 50**0.5))
        expected = ppi.mean(few, model[:100], model[100:]).value
        assert found.value == pytest.approx(expected, abs=0.05)
    assert inside / runs > 0.86  # of 0.95: the error of 60 runs is 0.028
    assert np.mean(ratio) < 0.75  # the root of (1 - 0.9 * 0.75) is 0.57


def test_what_cannot_be_corrected_says_why() -> None:
    values = np.arange(1.0, 41)
    one = ratings(values, "model", 1)
    (few,) = corrected(project(), ratings(values[:19], "Ada", 1), one, 0.95)
    assert (few.value, few.interval, few.rated, few.people) == (None, None, 19, 10.0)
    assert "20 are the least" in str(few.reason)
    (none,) = corrected(project(), [], one, 0.95)
    assert (none.people, none.model) == (None, 20.5)
    (chosen,) = corrected(project("most_informative"), ratings(values, "Ada", 1), one, 0.95)
    assert "no random part" in str(chosen.reason)

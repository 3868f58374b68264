"""Meta-evaluation over HTTP: several systems, rated each in a field of its own, by two scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau, pearsonr

from assay import AssayError, Client
from tests.known import known
from tests.service.scored import scored

N = 50
SYSTEMS = {"good": 0.9, "fair": 0.6, "poor": 0.3}
WORDS = [f"слово{at}" for at in range(12)]


@pytest.fixture(scope="module")
def systems(assay: Client) -> tuple[dict[str, str], dict[str, dict[str, float]]]:
    """Evaluations and ratings by system: how many of the words came out right, with noise."""
    draw = np.random.default_rng(0)
    outputs: dict[str, list[str]] = {}
    ratings: dict[str, dict[str, float]] = {}
    for system, share in SYSTEMS.items():
        kept = draw.uniform(size=(N, len(WORDS))) < share
        noise = draw.normal(0, 0.5, N)
        outputs[system] = [
            " ".join(w for w, k in zip(WORDS, row, strict=True) if k) + " x" * extra
            for row, extra in zip(kept, draw.integers(1, 12, N).tolist(), strict=True)
        ]
        ratings[system] = {
            f"s{at}": float(np.round(row.sum() / 2 + noise[at]))
            for at, row in enumerate(kept)
            if at % 5
        }
    made = {}
    for system in SYSTEMS:
        samples: list[dict[str, Any]] = [
            {
                "id": f"s{at}",
                "prompt": f"say {at}",
                "output": outputs[system][at],
                "references": [" ".join(WORDS)],
                "metadata": {
                    f"by {one}": given[f"s{at}"]
                    for one, given in ratings.items()
                    if f"s{at}" in given
                },
            }
            for at in range(N)
        ]
        metrics = ["token_f1", "length", "distinct_n"]
        done = scored(assay, system=system, dataset="meta", samples=samples, metrics=metrics)
        made[system] = done.id
    return made, ratings


def test_scores_are_held_to_ratings_of_systems(
    assay: Client, systems: tuple[dict[str, str], dict[str, dict[str, float]]]
) -> None:
    made, ratings = systems
    fields = {one: f"by {one}" for one in made}
    found = assay.meta_evaluate(list(made.values()), fields, permutations=200)
    assert [one.system for one in found.systems] == list(SYSTEMS)
    assert found.samples == 40
    by = {one.name: one for one in found.metrics}
    values = {
        system: {one.id: known(one.scores["token_f1"]) for one in assay.all_samples(id)}
        for system, id in made.items()
    }
    pairs = [(values[s][id], given) for s, of in ratings.items() for id, given in of.items()]
    x, y = np.array(pairs).T
    good = by["token_f1"]
    assert good.n == len(x) == 120
    assert known(good.segment["pearson"].value) == pytest.approx(pearsonr(x, y)[0], abs=1e-9)
    each = [
        kendalltau([values[s][id] for s in made], [ratings[s][id] for s in made]).statistic
        for id in ratings["good"]
    ]
    by_sample = known(good.segment["kendall_by_sample"].value)
    assert by_sample == pytest.approx(np.nanmean(each), abs=1e-9)
    low, high = known(good.segment["kendall_by_sample"].interval)
    assert low < by_sample < high
    assert known(good.segment["acc_eq"].value) > known(by["length"].segment["acc_eq"].value)
    assert good.epsilon is not None
    assert good.system["pairwise_accuracy"].value == 1.0
    assert known(good.system["soft_pairwise_accuracy"].value) > 0.9
    tests = {(one.a, one.b, one.statistic): one for one in found.tests}
    apart = tests["token_f1", "length", "kendall_by_sample"]
    assert known(apart.difference) > 0
    assert apart.significant
    calibrated = tests["token_f1", "length", "acc_eq"]
    ends = [known(by[one].segment["acc_eq"].value) for one in ("token_f1", "length")]
    assert calibrated.difference == pytest.approx(ends[0] - ends[1], abs=1e-9)
    assert calibrated.p_value == pytest.approx(1 / 201)
    assert any("distinct_2 is left out" in note for note in found.notes)


def test_one_system_has_segments_alone(
    assay: Client, systems: tuple[dict[str, str], dict[str, dict[str, float]]]
) -> None:
    id = systems[0]["good"]
    found = assay.meta_evaluate([id], "by good", metrics=["token_f1", "length"], permutations=100)
    assert all(one.system == {} for one in found.metrics)
    assert {one.statistic for one in found.tests} == {"pearson", "kendall"}


def test_what_lacks_is_told(
    assay: Client, systems: tuple[dict[str, str], dict[str, dict[str, float]]]
) -> None:
    ids = list(systems[0].values())
    with pytest.raises(AssayError, match="by good") as refused:
        assay.meta_evaluate(ids, "by god")
    assert refused.value.param == "ratings"
    with pytest.raises(AssayError, match="no field is named") as refused:
        assay.meta_evaluate(ids, {"good": "by good"})
    assert refused.value.code == "missing_ratings"
    with pytest.raises(AssayError, match="token_f1") as refused:
        assay.meta_evaluate(ids[:1], "by good", metrics=["token_f"])
    assert refused.value.param == "metrics"
    with pytest.raises(AssayError, match="is there twice") as refused:
        assay.meta_evaluate([*ids, ids[0]], "by good")
    assert refused.value.param == "evaluations"

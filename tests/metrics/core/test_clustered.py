"""Results over clusters: what they are of, and that stored bytes give them again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pytest

from inference.errors import InputError
from metrics import find
from metrics.core import evidence as columns
from metrics.core.alike import pointed_out
from metrics.core.clustered import Cluster
from metrics.core.evidence import Evidence
from metrics.core.metric import BoundMetric, Sample
from metrics.core.packing import pack, unpack
from metrics.core.result import Result, conclude
from metrics.core.rows import Ints, Settled, settle_by_averaging
from metrics.core.run import score
from metrics.pass_at_k import METRIC as PASS_AT_K
from metrics.statistics.clusters import clusters
from tests.known import known
from tests.metrics.core.toy import KINDS, MODELS, WORDS, WordsParams

PLACES = [{"page": 1}, {"page": 2}, {}, {"page": 1}, {"page": 2}]


def samples(
    texts: Sequence[str], metadata: Sequence[Mapping[str, object]] = PLACES
) -> list[Sample]:
    return [
        Sample(f"s{at}", (text,), prompt=f"p{at % 2}", metadata=metadata[at])
        for at, text in enumerate(texts)
    ]


def concluded(metric: BoundMetric, given: Sequence[Sample], cluster: str | None = None) -> Result:
    (result,) = score(given, [metric], MODELS, cluster=cluster, replicates=200)
    return result


def test_clusters_are_named_by_values_and_single_samples_by_themselves() -> None:
    given = samples(["a"] * 5)
    found = Cluster.of(given, "page")
    assert found.names == ["value 1", "value 2", "sample s2", "value 1", "value 2"]
    assert found.take(np.array([0, 2])).names == ["value 1", "sample s2"]
    assert len(set(Cluster.of(given, "prompt").names)) == 2
    with pytest.raises(InputError, match="page") as refused:
        Cluster.of(given, "pages")
    assert refused.value.field == "cluster"


def test_a_result_tells_its_clusters_and_is_stored_with_them() -> None:
    given = samples(["a", "b c", "", "d e f", "g h"])
    plain, over = concluded(WORDS.bind(), given), concluded(WORDS.bind(), given, "page")
    (alone,), (together,) = plain.scores, over.scores
    assert together.value == alone.value
    assert (alone.clusters, together.clusters) == (None, 2)  # the empty one is missing
    assert alone.design_effect is None
    assert together.design_effect is not None
    assert together.interval_method == "t"
    assert (plain.cluster, over.cluster) == (None, "page")
    again = unpack(pack(over))
    assert (again.cluster, again.scores) == ("page", over.scores)


def test_results_of_before_are_still_read() -> None:
    result = concluded(WORDS.bind(), samples(["a", "b c", "d", "e f g", "h"]))
    arrays, meta = columns.unpack(pack(result))
    del meta["cluster"], meta["freedom"]
    for one in cast(list[dict[str, object]], meta["scores"]):
        for name in ("clusters", "design_effect", "variance"):
            del one[name]
    old = unpack(columns.pack(arrays, meta))
    assert old.scores == result.scores
    assert old.cluster is None
    assert old.settled.freedom is None


def test_distinct_n_loses_what_a_whole_cluster_has_alone() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{word}" for word in rng.integers(0, 300, 8)) for _ in range(30)]
    given = samples(texts, [{"page": at // 3} for at in range(30)])
    metric = find("distinct_n").bind()

    def variance(each: int) -> float:
        left = [
            known(concluded(metric, given[:at] + given[at + each :]).scores[0].value)
            for at in range(0, 30, each)
        ]
        return float(np.var(left) * (len(left) - 1))

    first = concluded(metric, given, "page").scores[0]
    assert first.clusters == 10
    assert known(first.interval)[0] < known(first.value) < known(first.interval)[1]
    assert first.design_effect == pytest.approx(variance(3) / variance(1), rel=1e-9)


def test_what_a_cluster_settles_otherwise_has_no_interval() -> None:
    def unlike(evidence: Evidence, unit: Ints, params: WordsParams) -> Settled:
        settled = settle_by_averaging(evidence, unit, params)
        return dataclasses.replace(settled, loss=settled.rows)

    metric = dataclasses.replace(KINDS, settle=unlike).bind()
    given = samples(["a", "b c", "d e", "d e f", "g h i j k"])
    (found,) = concluded(metric, given, "page").scores
    assert found.value is not None
    assert found.interval is None
    assert any(one.startswith("no interval: ") for one in found.warnings)


def test_likeness_is_pointed_out_of_single_samples_alone() -> None:
    texts = ["a " * (1 + at // 5 % 7) for at in range(150)]
    given = samples(texts, [{"page": at // 5, "noise": at % 30} for at in range(150)])
    candidates = {field: clusters(Cluster.of(given, field).names) for field in ("noise", "page")}
    result = concluded(WORDS.bind(), given)
    (told,) = pointed_out(WORDS.bind(), result, candidates).scores
    assert '"cluster": "page"' in told.warnings[-1]
    over = concluded(WORDS.bind(), given, "page")
    assert pointed_out(WORDS.bind(), over, candidates) is over
    kinds = concluded(KINDS.bind(), given)
    assert pointed_out(KINDS.bind(), kinds, candidates) is kinds


def repeated(counts: Sequence[int]) -> list[Sample]:
    rng = np.random.default_rng(1)
    return [
        Sample(f"s{at}", tuple("a " * int(size) for size in rng.integers(1, 9, count)))
        for at, count in enumerate(counts)
    ]


def test_variance_is_that_of_questions_and_of_draws() -> None:
    result = concluded(WORDS.bind(), repeated([3, 3, 2, 4, 3, 1]))
    (found,) = result.scores
    values = known(result.per_sample)[:, 0]
    parts = known(found.variance)
    if parts.questions > 0:
        assert parts.questions + parts.draws == pytest.approx(values.var(ddof=1) / len(values))
    assert parts.draws > 0
    assert unpack(pack(result)).scores[0].variance == parts
    assert concluded(WORDS.bind(), repeated([1, 1, 1])).scores[0].variance is None
    assert concluded(KINDS.bind(), repeated([2, 2, 2])).scores[0].variance is None
    assert concluded(find("bleu").bind(), with_references([2, 2, 2])).scores[0].variance is None


def with_references(counts: Sequence[int]) -> list[Sample]:
    return [dataclasses.replace(one, references=("a a a a",)) for one in repeated(counts)]


def test_of_pass_at_k_only_pass_at_1_is_a_mean_of_draws() -> None:
    passed = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 1, 1]], np.uint8).reshape(-1)
    fixed = {
        "passed": passed,
        "marks": np.zeros(12, np.uint8),
        columns.FLAG: np.zeros(12, np.uint8),
    }
    metric = PASS_AT_K.bind({"k": [1, 3]})
    unit, ids = np.repeat(np.arange(4), 3), list("abcd")
    found = conclude(metric, Evidence.of_ragged({}, fixed), unit, ids, {"name": "pass_at_k"})
    one, three = found.scores
    parts = known(one.variance)
    assert parts.draws == pytest.approx(1 / 72)
    assert parts.questions == pytest.approx((2 / 36 + 2 / 4) / 3 / 4 - 1 / 72)
    assert three.variance is None


def test_clusters_of_some_units_are_those_they_are_of() -> None:
    found = clusters(["a", "b", "a", "c"]).take(np.array([1, 3]))
    assert (found.names, found.of.tolist()) == (("b", "c"), [0, 1])

"""Ranking against trec_eval by pytrec_eval and ir_measures: every query's values."""

from __future__ import annotations

import random
from typing import Any

import ir_measures
import orjson
import pytest
import pytrec_eval

from inference.errors import InputError
from metrics import find
from metrics.core.metric import Sample
from metrics.core.result import Result
from metrics.core.run import score
from metrics.ranking import retrieved

K = (1, 3, 10)
PER_K = {"recall": "recall", "precision": "P", "hit": "success", "ndcg": "ndcg_cut"}
WHOLE = {"mrr": "recip_rank", "map": "map"}
NAMES = ["d1", "d10", "d2", "документ 7", "文档", "وثيقة", "🙂", "a b", *map(str, range(20))]

Queries = dict[str, dict[str, Any]]


def results(samples: list[Sample], **params: object) -> Result:
    (result,) = score(samples, [find("ranking").bind(params)])
    return result


def values(sample: Sample, **params: object) -> dict[str, float | None]:
    return {score.name: score.value for score in results([sample], **params).scores}


def drawn(count: int, seed: int, whole: bool) -> tuple[Queries, Queries]:
    """Judgements with grades from -1 to 3, and runs whose scores are often equal."""
    draw = random.Random(seed)
    judged: Queries = {}
    runs: Queries = {}
    for query in map(str, range(count)):
        names = draw.sample(NAMES, draw.randrange(2, 12))
        judged[query] = {name: draw.randrange(-1, 4) for name in names} | {names[0]: 2}
        found = draw.sample(NAMES, draw.randrange(0, len(NAMES)))
        runs[query] = {name: draw.randrange(5) if whole else draw.random() for name in found}
    return judged, runs


def samples_of(judged: Queries, runs: Queries) -> list[Sample]:
    return [
        Sample(query, (orjson.dumps(runs[query]).decode(),), (orjson.dumps(grades).decode(),))
        for query, grades in judged.items()
    ]


@pytest.mark.parametrize("min_grade", [1, 2])
@pytest.mark.parametrize("whole", [True, False], ids=["ties", "no ties"])
def test_each_query_is_trec_evals(whole: bool, min_grade: int) -> None:
    judged, runs = drawn(300, 7, whole)
    result = results(samples_of(judged, runs), k=K, min_grade=min_grade)
    measures = {f"{theirs}.{k}" for theirs in PER_K.values() for k in K} | set(WHOLE.values())
    evaluator = pytrec_eval.RelevanceEvaluator(judged, measures, relevance_level=min_grade)
    theirs = evaluator.evaluate(runs)
    keys = [f"{PER_K[name]}_{k}" for k in K for name in PER_K] + list(WHOLE.values())
    assert result.per_sample is not None
    for query, own in zip(judged, result.per_sample.tolist(), strict=True):
        assert own == [theirs[query][key] for key in keys]


def test_the_means_are_ir_measures() -> None:
    """Over the judged queries: one that found nothing counts 0."""
    judged, runs = drawn(200, 3, whole=True)
    runs["5"] = {}
    own = {score.name: score.value for score in results(samples_of(judged, runs)).scores}
    asked = {
        "recall@10": ir_measures.R @ 10,
        "precision@10": ir_measures.P @ 10,
        "hit@10": ir_measures.Success @ 10,
        "ndcg@10": ir_measures.nDCG @ 10,
        "mrr": ir_measures.RR,
        "map": ir_measures.AP,
    }
    theirs = ir_measures.calc_aggregate(asked.values(), judged, runs)
    # sums of 200 equal values, in another order
    for name, measure in asked.items():
        assert own[name] == pytest.approx(theirs[measure], rel=200 * 2**-53)


def test_by_hand() -> None:
    own = values(Sample("1", ("d1\nd7\nd2",), ("d7", "d2")), k=[1, 2])
    assert own["recall@1"] == own["hit@1"] == own["ndcg@1"] == 0
    assert own["recall@2"] == own["precision@2"] == own["mrr"] == 0.5
    assert own["map"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    graded = values(Sample("1", ('["b", "a"]',), ('{"a": 3, "b": 1}',)), k=[2])
    assert graded["ndcg@2"] == pytest.approx((1 + 3 / 1.5849625) / (3 + 1 / 1.5849625))


@pytest.mark.parametrize(
    ("output", "ids"),
    [
        ('["b", "a", "b"]', ["b", "a"]),
        ("b\n\n  a \nb\n", ["b", "a"]),
        ("[3, 1]", ["3", "1"]),
        ('{"a": 1, "b": 2.5, "c": 1}', ["b", "c", "a"]),
        ("документ 7\n文档\nوثيقة\n🙂", ["документ 7", "文档", "وثيقة", "🙂"]),
        ("", []),
        ("[]", []),
        ("[1, 2", None),
        ('[["a"]]', None),
        ("[true]", None),
        ('{"a": "b"}', None),
        ("[" * 100_000, None),
        ('["\ud800"]', None),
        ("\ud800", ["\ud800"]),
    ],
)
def test_lists(output: str, ids: list[str] | None) -> None:
    assert retrieved(output) == ids


def test_an_empty_list_counts_and_no_judgement_does_not() -> None:
    both = [Sample("1", ("[]",), ("a",)), Sample("2", ("a",), ("a",))]
    assert values(both[0])["mrr"] == 0
    assert results(both).scores[0].value == 0.5
    broken = results([Sample("3", ("[a",), ("a",)), *both])
    assert broken.scores[0].value == pytest.approx(1 / 3)
    assert any("no list of ids" in warning for warning in broken.scores[0].warnings)
    unjudged = results([*both, Sample("3", ("a",), ('{"a": 0}',))])
    assert unjudged.scores[0].value == 0.5
    assert unjudged.scores[0].missing == 1


@pytest.mark.parametrize("reference", ["{", '{"a": 1.5}', '{"a": true}', '{"a": 1e9}'])
def test_a_judgement_that_is_none_is_refused(reference: str) -> None:
    sample = Sample("1", ("a",), (reference,))
    with pytest.raises(InputError, match="no relevance judgement"):
        find("ranking").bind().check([sample])

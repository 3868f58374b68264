"""Outputs that are none: flagged, counted as missing, never scored as text."""

from __future__ import annotations

import numpy as np
import pytest

from inference.protocol import NoModels
from metrics import find
from metrics.core.details import CODES, Details
from metrics.core.evidence import FLAG, Evidence
from metrics.core.measure import items_of, measure
from metrics.core.metric import Sample
from metrics.core.run import score

REFUSED = Details(failure="refused", cost=1.0)
SAMPLES = [
    Sample("a", ("yes", ""), ("yes",), details=(Details(cost=2.0), REFUSED)),
    Sample("b", ("",), ("yes",), details=(Details(failure="failed"),)),
    Sample("c", ("no",), ("yes",), details=(Details(cost=3.0),)),
]


@pytest.mark.parametrize("name", ["exact_match", "bleu", "chrf", "rouge", "token_f1", "length"])
def test_every_metric_leaves_them_out(name: str) -> None:
    (found,) = score(SAMPLES, [find(name).bind()])
    there = [Sample("a", ("yes",), ("yes",)), Sample("c", ("no",), ("yes",))]
    (alone,) = score(there, [find(name).bind()])
    for one, other in zip(found.scores, alone.scores, strict=True):
        assert (one.n, one.missing) == (2, 1)
        assert one.value == other.value
        assert "1 of 4 outputs: the model refused to answer" in one.warnings


def test_what_they_took_counts() -> None:
    (found,) = score(SAMPLES, [find("cost").bind()])
    assert (found.scores[0].n, found.scores[0].missing) == (2, 1)
    assert found.scores[0].value == pytest.approx((1.5 + 3.0) / 2)


def test_a_part_without_any_output_joins_the_others() -> None:
    for name in ("exact_match", "distinct_n"):
        metric = find(name).bind()
        parts = [measure(metric, items_of([one])[0], NoModels()) for one in SAMPLES]
        whole = measure(metric, items_of(SAMPLES)[0], NoModels())
        joined = Evidence.concat([Evidence.decode(part.encode()) for part in parts])
        assert joined[FLAG].tolist() == whole[FLAG].tolist()
        assert joined[FLAG].tolist() == [0, CODES["refused"], CODES["failed"], 0]
        kept = np.flatnonzero(joined[FLAG] == 0)
        for column in whole.columns:
            assert np.array_equal(joined.take(kept)[column], whole.take(kept)[column])


@pytest.mark.parametrize(
    ("stored", "failure"),
    [
        ({"finish_reason": "stop"}, None),
        ({"refusal": "no"}, "refused"),
        ({"refusal": "no", "finish_reason": "content_filter"}, "filtered"),
        ({"error": "x"}, "failed"),
        ({"error": "x", "over_budget": True}, "over_budget"),
    ],
)
def test_details_say_why(stored: dict[str, object], failure: str | None) -> None:
    assert Details.of(stored).failure == failure

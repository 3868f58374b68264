"""Evaluations that are legitimate and unusual: slices, pairs, names and pages at their edges."""

from __future__ import annotations

import random
from typing import Any

import pytest

from assay import AssayError, Client
from tests.service.scored import scored
from tests.service.texts import samples


def test_slices_are_groups_and_nothing_else(assay: Client) -> None:
    """Null is no value, a text as long as a page names no group, and neither stops the rest."""
    letters = random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=20_000)
    given = samples(8)
    given[0]["metadata"] = {"lang": None}
    given[1]["metadata"] = {"lang": "".join(letters)}
    given[2]["metadata"] = {}
    done = scored(assay, dataset="sliced", samples=given, metrics=["chrf"], slices=["lang"])
    assert {score.slice: score.n for score in done.slices} == {"lang=en": 1, "lang=ru": 4}


def test_slices_by_a_key_that_no_sample_has_are_refused(assay: Client) -> None:
    given = samples(3)
    given[0]["metadata"] = {"topic": "weather"}  # some samples may lack a key
    body: dict[str, Any] = {"system": "x", "samples": given, "metrics": ["chrf"]}
    accepted = assay.evaluate(**body, slices=["lang", "topic"])
    with pytest.raises(AssayError) as refused:
        assay.evaluate(**body, slices=["lang", "langs"])
    assert (refused.value.code, refused.value.param) == ("unknown_slice", "slices[1]")
    assert "did you mean 'lang'?" in refused.value.message
    outputs = {one["id"]: one["output"] for one in given}
    stored: dict[str, Any] = {"system": "x", "dataset": accepted.dataset_id, "outputs": outputs}
    with pytest.raises(AssayError, match="did you mean 'topic'"):
        assay.evaluate(**stored, metrics=["chrf"], slices=["Topic"])

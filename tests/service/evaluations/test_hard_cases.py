"""Evaluations that are legitimate and unusual: slices, pairs, names and pages at their edges."""

from __future__ import annotations

import random

from assay import Client
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

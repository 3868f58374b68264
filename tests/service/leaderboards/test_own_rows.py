"""Slices of scores of a set whose rows are the samples' own: compared, ranked, in boards, gated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from assay import Client
from tests.known import known
from tests.service.scored import scored

METRICS = ["f1_macro", "mcc", "calibration"]
SCORES = ["f1_macro", "mcc", "ece", "brier"]
LABELS = {"ru": ["да", "нет"], "en": ["yes", "no", "да"]}


def samples(seed: int, lang: str = "") -> list[dict[str, Any]]:
    """Labels of two languages, one of which has one of the other's; some are said in the wrong."""
    draw, sure = np.random.default_rng(seed), np.random.default_rng(9).uniform(size=60)
    made: list[dict[str, Any]] = []
    for at in range(60):
        own = "ru" if at % 2 else "en"
        wanted = LABELS[own][at % len(LABELS[own])]
        said = wanted if draw.uniform() < 0.4 + 0.3 * seed else str(draw.choice(LABELS["en"]))
        about = {"lang": own, "confidence": float(sure[at])}
        made.append({"id": str(at), "output": said, "references": [wanted], "metadata": about})
    return [one for one in made if lang in {"", one["metadata"]["lang"]}]


def test_a_slice_is_what_its_samples_alone_are(assay: Client) -> None:
    asked: dict[str, Any] = {"metrics": METRICS, "slices": ["lang"]}
    whole = [
        scored(assay, system=f"s{at}", samples=samples(at), dataset="labelled", **asked)
        for at in (0, 1)
    ]
    alone = [
        scored(assay, system=f"s{at}", samples=samples(at, "ru"), dataset="ru", metrics=METRICS)
        for at in (0, 1)
    ]
    mine, theirs = ({one.name: known(one.value) for one in own.scores} for own in alone)
    results = {one.name: one for one in assay.compare(*(x.id for x in whole), slice="lang=ru")}
    apart = {one.name: one for one in assay.compare(*(one.id for one in alone))}
    for name in SCORES:
        assert results[name].error is None
        assert results[name].a == pytest.approx(mine[name])
        assert results[name].b == pytest.approx(theirs[name])
        assert known(results[name].p_value) == pytest.approx(known(apart[name].p_value))
        board = assay.leaderboard("labelled", name, slice="lang=ru")
        assert {one.system: one.value for one in board.rows} == pytest.approx(
            {"s0": mine[name], "s1": theirs[name]}
        )
        assert board.rows[0].p_vs_next is not None
        assert not any("not" in one and "tested" in one for one in board.warnings)
    part = {"dataset": "labelled", "score": "mcc", "slice": "lang=ru"}
    assay.create_board("labels", [part])
    rule = {"score": "f1_macro", "max_drop": 0.1, "slice": "lang=ru"}
    assay.create_gate("labels", baseline="s0", dataset="labelled", rules=[rule])

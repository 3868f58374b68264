"""Verdicts on sentences and instructions, shown with the samples over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from assay import Client
from metrics.text.segments import sentences_of
from tests.metrics.entailment.texts import OUTPUTS, SOURCES, grid
from tests.service.live import Live


def sample(name: str) -> dict[str, Any]:
    asked = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    return {
        "id": name,
        "prompt": SOURCES[name],
        "outputs": [OUTPUTS[name], "One, more. Another!", ""],
        "references": [SOURCES[name]],
        "metadata": asked | {"contexts": [SOURCES[name]]},
    }


def test_verdicts_are_shown_with_the_samples(assay: Client, live: Live, tiny_nli: Path) -> None:
    params = {"model": tiny_nli.name, "threshold": 0.6}
    metrics: list[Any] = [
        "chrf",
        {"name": "faithfulness", "params": params},
        {"name": "context_recall", "params": params},
        "ifeval",
    ]
    made = assay.evaluate(
        system="x", dataset="verdicts", samples=[sample(name) for name in SOURCES], metrics=metrics
    )
    assert assay.wait(made.id, timeout=120).status == "succeeded"
    seen = set()
    shown = assay.samples(made.id, sort="faithfulness", limit=4)
    assert len(shown) == 4
    for one in shown:
        faithfulness, recall, ifeval = one.verdicts
        assert [(said.metric, said.position) for said in one.verdicts] == [
            ("faithfulness", 1),
            ("context_recall", 2),
            ("ifeval", 3),
        ]
        sources = sentences_of(SOURCES[one.id])
        for output, found in zip(one.outputs, faithfulness.outputs, strict=True):
            assert [verdict.text for verdict in found] == sentences_of(output)
            for verdict in found:
                assert verdict.source in sources
                pairs = grid(tiny_nli, sources, [verdict.text])[:, :, 0].max(1)
                assert abs(verdict.values["entailment"] - pairs[0]) < 1e-3
                seen.add(verdict.verdict)
        assert [said.text for said in recall.outputs[0]] == sources
        told = [[verdict.verdict for verdict in found] for found in ifeval.outputs]
        commas = ["," in output for output in one.outputs[:2]]
        want = [["not followed" if comma else "followed"] for comma in commas]
        assert told == [*want, ["not followed"]]
    assert len(seen) > 1
    first = httpx.get(f"{live.base}/v1/evaluations/{made.id}/samples?limit=1").json()["data"][0]
    assert first["verdicts"][2]["outputs"][0][0]["text"] == "punctuation:no_comma {}"


def test_others_have_none(assay: Client) -> None:
    made = assay.evaluate(
        system="x", dataset="verdicts", samples=[sample("en")], metrics=["chrf", "length"]
    )
    assay.wait(made.id)
    (one,) = assay.samples(made.id)
    assert one.verdicts == []

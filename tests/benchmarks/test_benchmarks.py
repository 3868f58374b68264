"""The benchmarks agree with the reference packages on a little text, and can disagree."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import bootstrap, coverage, memory, training, training_paths
from benchmarks.__main__ import COMPARISONS, table
from benchmarks.comparing import Row, Timed, bound, furthest, ratio
from benchmarks.gpu import measured
from benchmarks.statistics_tests import rejections_by_sample as by_sample
from benchmarks.texts import english, news, summaries
from benchmarks.training_paths import Trained, Way, disagreements, tried, verdict, ways
from metrics import catalogue

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["rouge", "bleu", "chrf", "distinct_n", "words", "bertscore"])
def test_a_comparison_agrees(name: str) -> None:
    rows: list[Row] = list(import_module(f"benchmarks.{name}").rows(0.01))
    assert rows
    assert all(row.agrees for row in rows), [row.agreement for row in rows]


def test_the_bootstraps_agree() -> None:
    speed, memory = bootstrap.rows(0.01)
    assert speed.agrees, speed.agreement
    assert memory.fast, memory.ours


def test_tests_of_samples_reject_as_often_as_they_say() -> None:
    rows = list(by_sample(400))
    assert {row[0].split(",")[0] for row in rows} == {"t", "wilcoxon", "mcnemar"}
    error = 100 * (0.05 * 0.95 / 400) ** 0.5
    for name, what, *shown in rows:
        cells = [float(cell[:-1]) for cell in shown]
        if what.startswith("equal"):
            assert max(cells) < 5 + 4 * error, name
        else:
            assert cells[-1] > 70, name


def test_a_wrong_interval_is_noticed() -> None:
    given = bootstrap.systems(200, seed=0)
    found, difference, values = bootstrap.ours(given)
    results = bootstrap.theirs(given)
    narrow = [dataclasses.replace(one, low=one.low + 0.5) for one in found]
    scores, width, _ = bootstrap.agreement((narrow, difference, values), results)
    assert scores < 1e-9
    assert width > bootstrap.WIDTH
    other = [value + 1e-6 for value in values]
    assert bootstrap.agreement((found, difference, other), results)[0] > 1e-9


def test_a_missed_bound_is_shown() -> None:
    slow: Timed[None, None] = Timed(1.0, 4.9, [])
    row = ratio("x", slow, 5.0, "", agrees=True)
    assert not row.fast
    assert ratio("x", slow, 4.9, "", agrees=True).fast
    assert not bound("x", 2.1, 2, "s").fast
    assert "4.9× (missed)" in table([row]).columns[3]._cells
    assert furthest([1.0], [1.0, 2.0]) == np.inf


def test_a_dear_wrapping_and_another_curve_are_noticed() -> None:
    def first(ours: float, losses: list[float]) -> Row:
        bare = training.Ran(40.0, [20.0, 10.0], [3.0, 2.0])
        found = [(training.Ran(ours, [20.0, 10.0], losses), bare)]
        return next(training.compared("transformers", found, steps=2))

    assert first(41.9, [3.0, 2.0]).fast
    assert not first(42.1, [3.0, 2.0]).fast
    assert first(42.1, [3.0, 2.0 + 2e-7]).agrees
    assert not first(40.0, [3.0, 2.0001]).agrees
    assert not first(40.0, [3.0]).agrees


def test_the_shortest_of_each_step_counts() -> None:
    runs = [training.Ran(40.0, [20.0, 11.0, 1.0], []), training.Ran(42.0, [21.0, 10.0, 2.0], [])]
    assert training.least(runs) == training.Least(steps=31.0, rest=8.0)


def test_texts_are_of_the_length_they_claim_and_the_same_every_time() -> None:
    pairs = news(40, seed=3)
    assert all(25 <= len(text.split()) <= 40 for text in pairs.references)
    assert all(60 <= len(text.split()) <= 100 for text in summaries(20, seed=3).references)
    assert pairs == news(40, seed=3)
    other = news(40, seed=3, system=1)
    assert other.references == pairs.references
    assert other.outputs != pairs.outputs
    assert sum("а" <= text[3].lower() <= "я" for text in pairs.references) >= 15


def test_the_command_refuses_numbers_that_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import __main__ as command
    from benchmarks import distinct_n

    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only", "distinct_n", "--scale", "0.001"])
    assert command.main() == 0
    monkeypatch.setattr(distinct_n, "distinct", lambda outputs, n: 0.5)
    assert command.main() == 1


def test_without_a_cuda_device_it_says_so() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0
    assert "no CUDA device here" in said.stdout


def test_what_runs_on_the_device_runs_on_the_cpu(tmp_path: Path) -> None:
    full, half = measured("cpu", tmp_path, english(3, seed=0).samples, ["bertscore"])
    assert full.tokens == half.tokens > 100
    np.testing.assert_allclose(half.rows, full.rows, atol=0.02)


def test_ways_to_train_are_tried_on_a_cpu(tiny_language_model: Path, tmp_path: Path) -> None:
    """What `python -m benchmarks.gpu` does on a GPU: two ways that agree, and one that draws."""
    asked = [Way("sft"), Way("sft", again=True), Way("grpo", True, "bfloat16", True)]
    few: dict[str, Any] = {"max_steps": 1, "max_length": 64}
    found: list[Trained] = []
    for way in asked:
        drawn = way.method in training_paths.OF_METHOD
        options = few | ({"max_completion_length": 4} if drawn else {})
        found += tried([way], tmp_path / str(len(found)), tiny_language_model, "cpu", **options)
    assert [one.error for one in found] == [""] * len(asked)
    assert all(len(one.losses) == 1 and one.gibibytes > 0 < one.estimated for one in found)
    assert verdict(found[1], found).startswith("equal")
    assert not disagreements(found)
    assert training_paths.table(found).row_count == len(asked)


def test_another_loss_of_a_way_is_noticed() -> None:
    plain, again = Trained(Way("sft"), (2.0, 1.0)), Way("sft", again=True)
    assert not disagreements([plain, Trained(again, (2.0, 1.0001))])
    assert disagreements([plain, Trained(again, (2.0, 1.1))])
    assert disagreements([plain, Trained(again, error="OutOfMemoryError")])
    drawn = Trained(Way("ppo", dtype="bfloat16"), (1.0, 9.0))
    assert not disagreements([Trained(Way("ppo"), (2.0, 1.0)), drawn])


def test_all_ways_are_tried() -> None:
    one, two = list(ways(1)), list(ways(2))
    assert len(set(one)) == len(one) == 5 * 2 * 2 * 2
    assert {way.method for way in two if way.fsdp} == {"sft", "reward", "dpo", "grpo"}
    assert {way.method for way in two if way.processes == 2} == set(training_paths.METHODS)


@pytest.mark.parametrize("name", ["aggregates", "gates", "ranks", "statistics"])
def test_simulations_say_what_they_take(name: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: python -m benchmarks.{name}" in done.stdout


def test_every_metric_has_a_benchmark_or_a_reason() -> None:
    assert coverage.BENCHMARKS.keys() | coverage.WITHOUT.keys() == catalogue().keys()
    assert not coverage.BENCHMARKS.keys() & coverage.WITHOUT.keys()
    assert set(coverage.BENCHMARKS.values()) <= set(COMPARISONS)
    for metric, name in coverage.BENCHMARKS.items():
        source = (ROOT / "benchmarks" / f"{name}.py").read_text()
        named = f'"{metric}"' in source or f"metrics.{metric} import" in source
        assert named, f"{name} does not measure {metric}"


def test_memory_that_grows_is_noticed() -> None:
    noise = np.random.default_rng(0).normal(0, 2, 1000)
    flat = memory.row_of(memory.Curve(800 + noise, 4000))
    assert flat.fast, flat.ours
    steps = np.arange(1000) * 0.02  # 20 kB an evaluation
    assert not memory.row_of(memory.Curve(800 + noise + steps, 4000)).fast
    filling = 100 * (1 - np.exp(-np.arange(1000) / 50))  # a cache that is full soon
    assert memory.row_of(memory.Curve(800 + noise + filling, 4000)).fast
    assert b"<svg" in memory.drawn(memory.Curve(800 + noise, 4000))

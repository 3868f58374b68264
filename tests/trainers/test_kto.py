"""KTO: its loss by hand, what an answer is compared with, what it refuses, a real run."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import trainers
from inference.errors import InputError
from tests.rounding import FORWARD, TRAINED
from tests.trainers.job.attempts import attempt, finish, here, reports
from tests.trainers.test_dpo import answer_logprob, plain
from tests.trainers.test_validation import validated
from trainers.job.errors import TrainingError
from trainers.job.reports import Report, by_step
from trainers.job.run import Run
from trainers.job.spec import Spec
from trainers.kto import TRAINER, KTOOptions, build, partners, train, validation

ANSWERS = [
    {"prompt": prompt, "completion": completion, "label": label}
    for prompt, completion, label in [
        ("What is the capital of France?", "Paris is the capital.", True),
        ("What is the capital of France?", "The dog.", False),
        ("Столица Италии?", "Рим.", True),
        ("首都は? 🗼", "猫 😀", False),
        ("Столица России?", "Лиса и пёс", False),
    ]
]
QUICK = {"batch_size": 5, "learning_rate": 1e-3, "max_length": 128, "schedule": "constant"}


def prepared(
    folder: Path, model: Path, options: dict[str, Any], records: Any = ANSWERS, **settings: Any
) -> tuple[KTOOptions, Run]:
    folder.mkdir(exist_ok=True)
    spec = attempt(folder, "kto", model, records, QUICK | options, **settings)
    torch.manual_seed(0)
    parsed = trainers.parse(TRAINER, spec.options)
    assert isinstance(parsed, KTOOptions)
    return parsed, Run(spec)


@pytest.mark.parametrize("towards", ["up", "down"])
def test_loss_by_hand(tmp_path: Path, tiny_language_model: Path, towards: str) -> None:
    """With a policy that has moved, against logits of one sequence at a time, in float64: where the
    estimate of the divergence is above zero, and where it is cut there."""
    weights = {"beta": 0.3, "desirable_weight": 1.5, "undesirable_weight": 0.7}
    parsed, run = prepared(tmp_path, tiny_language_model, weights)
    run.spec = validated(run.spec, ANSWERS)
    trainer = build(parsed, run)
    reference = plain(trainer.model)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    policy = plain(trainer.model)
    sums: list[float] = []

    def ratio(prompt: list[int], answer: list[int]) -> float:
        scores = [answer_logprob(model, prompt, answer) for model in (policy, reference)]
        sums.extend(map(abs, scores))
        return scores[0] - scores[1]

    rows = list(trainer.train_dataset)
    away = sum(ratio(row["prompt_ids"], row["KL_completion_ids"]) for row in rows) / len(rows)
    if (away > 0) != (towards == "up"):  # seen from the other model, it has moved the other way
        trainer.ref_model.load_state_dict(policy.state_dict())
        trainer.model.load_state_dict(reference.state_dict())
        policy, reference, away = reference, policy, 0.0
        away = sum(ratio(row["prompt_ids"], row["KL_completion_ids"]) for row in rows) / len(rows)
    kl = max(away, 0.0)
    assert (kl > 0.01) == (towards == "up")
    expected = []
    for row in rows:
        moved = ratio(row["prompt_ids"], row["completion_ids"])
        sign, weight = (1, 1.5) if row["label"] else (-1, 0.7)
        expected.append(weight * (1 - 1 / (1 + math.exp(-0.3 * sign * (moved - kl)))))
    found = float(trainer.compute_loss(trainer.model, trainer.data_collator(rows)).detach())
    near = 0.3 * 1.5 * FORWARD * max(sums)
    assert found == pytest.approx(sum(expected) / len(expected), abs=near)
    (seen,) = trainer._metrics["train"]["kl"]
    assert seen == pytest.approx(kl, abs=FORWARD * max(sums))

    trainer.args.per_device_eval_batch_size = 2  # of five rows: z is of all of them
    held = trainer.evaluate()
    assert held["eval_loss"] == pytest.approx(sum(expected) / len(expected), abs=near)
    assert held["eval_kl"] == pytest.approx(kl, abs=FORWARD * max(sums))


def test_the_loss_of_a_set_by_hand() -> None:
    """z = (1 − 2 + 4) / 3 = 1; σ(½ (2 − 1)), σ(½ (1 − 3)) and σ(½ (1 − (−1))) are good to have."""
    options = KTOOptions(beta=0.5, desirable_weight=2, undesirable_weight=3)
    rows = torch.tensor([[2.0, 1.0, 1.0], [3.0, -2.0, 0.0], [-1.0, 4.0, 0.0]])
    found = validation(rows, options)
    expected = (2 * (1 - 0.6224593) + 3 * (1 - 0.2689414) + 3 * (1 - 0.7310586)) / 3
    assert found["loss"] == pytest.approx(expected, abs=1e-6)
    rewards = {"reward/desirable": 1.0, "reward/undesirable": 0.5, "margin": 0.5, "kl": 1.0}
    assert found == pytest.approx(rewards | {"loss": expected}, abs=1e-6)
    below = validation(torch.tensor([[2.0, -1.0, 1.0]]), options)  # z is 0, and nothing is bad
    assert below == pytest.approx(
        {"loss": 2 * (1 - 0.7310586), "kl": 0, "reward/desirable": 1}, abs=1e-6
    )


@pytest.mark.slow
def test_two_processes_measure_the_same_set(tmp_path: Path, tiny_language_model: Path) -> None:
    """Five rows, two at a time in each process: none is counted twice."""
    options = QUICK | {"max_steps": 1, "batch_size": 2, "learning_rate": 1e-2}
    found = {}
    runs: dict[int, Callable[[Spec], list[Report]]] = {1: here, 2: finish}
    for count, run in runs.items():
        each = options | {"batch_size": 4 // count}
        job = tmp_path / str(count)
        spec = attempt(job, "kto", tiny_language_model, ANSWERS, each, processes=count)
        found[count] = by_step(run(validated(spec, ANSWERS)))
    for step in (0, 1):
        alone, both = (
            {name: value for name, value in each[step].items() if name.startswith("validation/")}
            for each in found.values()
        )
        assert {"validation/loss", "validation/kl", "validation/margin"} <= set(alone)
        assert both == pytest.approx(alone, rel=TRAINED, abs=TRAINED)
    assert found[1][0]["validation/loss"] == pytest.approx(0.5)
    assert found[1][1]["validation/loss"] != found[1][0]["validation/loss"]


def test_an_answer_is_compared_with_one_to_another_prompt(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    a, b, c = [1], [2], [3]
    assert partners([a, a, b, c, a]) == [3, 3, 1, 2, 3]
    assert partners([a, b, b]) == [2, 0, 0]
    with pytest.raises(TrainingError, match="all prompts are the same"):
        partners([a, a])
    rows = build(*prepared(tmp_path, tiny_language_model, {"lora": True})).train_dataset
    prompts = {tuple(row["completion_ids"]): row["prompt_ids"] for row in rows}
    assert sorted(row["label"] for row in rows) == [False, False, False, True, True]
    for row in rows:
        assert prompts[tuple(row["KL_completion_ids"])] != row["prompt_ids"]


def test_what_would_teach_nothing_is_refused(tmp_path: Path, tiny_language_model: Path) -> None:
    with pytest.raises(InputError, match="greater than or equal to 2"):
        trainers.parse(TRAINER, {"batch_size": 1})
    blank = [*ANSWERS[:1], ANSWERS[1] | {"completion": " "}]
    with pytest.raises(TrainingError) as error:
        build(*prepared(tmp_path, tiny_language_model, {}, blank))
    assert (error.value.code, error.value.field) == ("invalid_data", "records[1].completion")


def test_labels_are_learned_under_lora(tmp_path: Path, tiny_language_model: Path) -> None:
    """The first loss is a half: the adapter is off for the reference. Then good answers gain."""
    options = {"max_steps": 6, "lora": True, "learning_rate": 5e-3}
    parsed, run = prepared(tmp_path, tiny_language_model, options)
    run.spec = validated(run.spec, ANSWERS)
    train(parsed, run)
    found = by_step(reports(run.spec))
    series = [found[step] for step in range(1, 7)]
    assert series[0]["loss"] == pytest.approx(0.5, rel=TRAINED)
    assert series[0]["kl"] == pytest.approx(0, abs=TRAINED)
    assert series[-1]["loss"] < 0.4
    assert series[-1]["reward/desirable"] > series[-1]["reward/undesirable"]
    assert series[-1]["margin"] > 0.5
    assert found[0]["validation/loss"] == pytest.approx(0.5, rel=TRAINED)
    assert series[-1]["validation/loss"] < 0.4
    assert series[-1]["validation/margin"] > 0.5

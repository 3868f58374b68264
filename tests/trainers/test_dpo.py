"""DPO: its loss by hand and beside TRL's, its tokens, what it refuses, and real runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import trainers
from inference.errors import InputError
from inference.pool import ModelPool
from tests.rounding import FORWARD, TRAINED
from tests.trainers.job.attempts import attempt, finish, losses, reports, saved
from trainers.dpo import TRAINER, DPOOptions, build, train
from trainers.job.errors import TrainingError
from trainers.job.reports import Report
from trainers.job.run import Run

PAIRS = [
    {"id": str(index), "prompt": prompt, "chosen": chosen, "rejected": rejected}
    for index, (prompt, chosen, rejected) in enumerate(
        [
            ("What is the capital of France?", "Paris is the capital.", "The dog."),
            ("Столица России?", "Москва — столица России.", "Лиса и пёс"),
            ("Столица Италии?", "Рим.", "Съешь же ещё этих мягких булок, да выпей чаю."),
            ("首都は? 🗼", "東京です。", "猫 😀"),
        ]
    )
]
QUICK = {"batch_size": 4, "learning_rate": 1e-3, "max_length": 128, "schedule": "constant"}


def prepared(
    folder: Path, model: Path, options: dict[str, Any], records: Any = PAIRS, **settings: Any
) -> tuple[DPOOptions, Run]:
    folder.mkdir(exist_ok=True)
    spec = attempt(folder, "dpo", model, records, QUICK | options, **settings)
    torch.manual_seed(0)
    parsed = trainers.parse(TRAINER, spec.options)
    assert isinstance(parsed, DPOOptions)
    return parsed, Run(spec)


def ran(folder: Path, model: Path, options: dict[str, Any], **settings: Any) -> list[Report]:
    parsed, run = prepared(folder, model, options, **settings)
    train(parsed, run)
    return reports(run.spec)


def plain(model: Any) -> Any:
    """A copy with the forward pass of transformers: TRL has replaced that of the original."""
    own = type(model)(model.config)
    own.load_state_dict(model.state_dict())
    return own.eval()


def answer_logprob(model: Any, prompt: list[int], answer: list[int]) -> float:
    """log π(answer | prompt), one sequence, no padding, nothing of TRL's."""
    with torch.no_grad():
        logits = model(torch.tensor([prompt + answer])).logits[0].double()
    logprobs = logits.log_softmax(-1)
    return sum(float(logprobs[len(prompt) - 1 + at, token]) for at, token in enumerate(answer))


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


# of β, the rewards of either side, and of either side the mean log-ratio of a token
LOSSES: dict[str, Callable[[float, float, float, float, float], float]] = {
    "sigmoid": lambda beta, good, bad, *_: math.log1p(math.exp(bad - good)),
    "hinge": lambda beta, good, bad, *_: max(0.0, 1 - (good - bad)),
    "ipo": lambda beta, good, bad, h_good, h_bad: (h_good - h_bad - 1 / (2 * beta)) ** 2,
    "apo_zero": lambda beta, good, bad, *_: 1 - sigmoid(good) + sigmoid(bad),
    "apo_down": lambda beta, good, bad, *_: sigmoid(good) + 1 - sigmoid(good - bad),
}


@pytest.mark.parametrize(("loss", "epsilon"), [("sigmoid", 0.2), *((name, 0.0) for name in LOSSES)])
def test_loss_by_hand(tmp_path: Path, tiny_language_model: Path, loss: str, epsilon: float) -> None:
    """With a policy that has moved, against logits of one sequence at a time, in float64."""
    beta = 0.3
    trainer = build(
        *prepared(
            tmp_path,
            tiny_language_model,
            {"beta": beta, "label_smoothing": epsilon, "loss": loss},
        )
    )
    reference = plain(trainer.model)
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    policy = plain(trainer.model)
    expected, margins, sums = [], [], []
    for row in trainer.train_dataset:
        scores, means = {}, {}
        for side in ("chosen", "rejected"):
            pair = row["prompt_ids"], row[f"{side}_ids"]
            moved, start = answer_logprob(policy, *pair), answer_logprob(reference, *pair)
            scores[side] = beta * (moved - start)
            means[side] = (moved - start) / len(row[f"{side}_ids"])
            sums += [abs(moved), abs(start)]
        margin = scores["chosen"] - scores["rejected"]
        good, bad = scores["chosen"], scores["rejected"]
        straight = LOSSES[loss](beta, good, bad, means["chosen"], means["rejected"])
        flipped = LOSSES[loss](beta, bad, good, means["rejected"], means["chosen"])
        expected.append(((1 - epsilon) * straight - epsilon * flipped) / (1 - 2 * epsilon))
        margins.append(margin)
    assert max(abs(margin) for margin in margins) > 0.05
    batch = trainer.data_collator(list(trainer.train_dataset))
    found = float(trainer.compute_loss(trainer.model, batch).detach())
    # a margin is a difference of sums over answers; of a square, twice its root comes on top
    near = beta * FORWARD * max(sums) * (2 * math.sqrt(max(expected)) if loss == "ipo" else 1)
    assert found == pytest.approx(sum(expected) / len(expected), abs=near)
    (seen,) = trainer._metrics["train"]["rewards/margins"]
    assert seen == pytest.approx(sum(margins) / len(margins), abs=near)


def test_smoothing_is_of_the_sigmoid() -> None:
    with pytest.raises(InputError, match="label_smoothing is of the loss sigmoid"):
        trainers.parse(TRAINER, {"loss": "ipo", "label_smoothing": 0.1})


def test_tokens_are_trls_where_nothing_is_cut(tmp_path: Path, tiny_language_model: Path) -> None:
    """TRL reads the same conversations by itself to the same tokens."""
    from datasets import Dataset
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    ours = build(*prepared(tmp_path, tiny_language_model, {"lora": True}))
    turns = [
        {
            "prompt": [{"role": "user", "content": pair["prompt"]}],
            "chosen": [{"role": "assistant", "content": pair["chosen"]}],
            "rejected": [{"role": "assistant", "content": pair["rejected"]}],
        }
        for pair in PAIRS
    ]
    settings = DPOConfig(str(tmp_path / "bare"), use_cpu=True, bf16=False, report_to="none")
    theirs = DPOTrainer._prepare_dataset(
        ours, Dataset.from_list(turns), ours.processing_class, settings, "train"
    )
    for mine, other in zip(ours.train_dataset, theirs, strict=True):
        assert mine == {name: other[name] for name in ("prompt_ids", "chosen_ids", "rejected_ids")}


@pytest.mark.parametrize(
    ("change", "options", "code", "field"),
    [
        ({"chosen": " \n"}, {}, "invalid_data", "records[2].chosen"),
        ({"rejected": ""}, {}, "invalid_data", "records[2].rejected"),
        ({"rejected": "Рим."}, {}, "invalid_data", "records[2]"),
        ({"chosen": "да " * 300}, {}, "too_long", "records[2].chosen"),
        ({"prompt": "да " * 300}, {"truncate": True}, "too_long", "records[2].chosen"),
        # apart only beyond what fits
        (
            {"chosen": "да " * 300 + "а", "rejected": "да " * 300 + "б"},
            {"truncate": True},
            "invalid_data",
            "records[2]",
        ),
    ],
)
def test_rows_that_would_teach_nothing_are_refused(
    tmp_path: Path,
    tiny_language_model: Path,
    change: dict[str, str],
    options: dict[str, Any],
    code: str,
    field: str,
) -> None:
    records = [pair | change if pair["id"] == "2" else pair for pair in PAIRS]
    with pytest.raises(TrainingError) as error:
        build(*prepared(tmp_path, tiny_language_model, options, records))
    assert (error.value.code, error.value.field) == (code, field)


def test_a_process_learns_the_preferences(
    tmp_path: Path, tiny_language_model: Path, models_root: Path
) -> None:
    """LoRA: the first loss is ln 2, so the adapter is off for the reference; then it falls. The
    checkpoint is a model: it prefers what was chosen."""
    options = QUICK | {"max_steps": 8, "save_steps": 4, "lora": True, "learning_rate": 5e-3}
    spec = attempt(tmp_path, "dpo", tiny_language_model, PAIRS, options)
    found = finish(spec)
    assert found[-1].type == "finished"
    series = [report.data for report in found if report.type == "series"]
    assert series[0]["loss"] == pytest.approx(math.log(2), rel=TRAINED)
    assert series[-1]["loss"] < 0.3
    assert series[-1]["accuracy"] == 1.0
    chosen, rejected = (series[-1][f"reward/{side}"] for side in ("chosen", "rejected"))
    near = FORWARD * max(abs(chosen), abs(rejected))
    assert series[-1]["margin"] == pytest.approx(chosen - rejected, abs=near)
    assert {"learning_rate", "grad_norm", "tokens_per_second", "entropy"} <= set(series[-1])
    checkpoints = saved(found)
    assert sorted(checkpoints) == [4, 8]
    assert (checkpoints[8] / "adapter_model.safetensors").exists()
    assert not (checkpoints[8] / "ref").exists()  # no second adapter

    pool = ModelPool([models_root], tmp_path / "cache", checkpoints={"ckpt_x": checkpoints[8]}.get)
    before, after = pool.language(tiny_language_model.name), pool.language("ckpt_x")
    prompts = before.render([pair["prompt"] for pair in PAIRS])
    gained = []
    for prompt, pair in zip(before.encode(prompts), PAIRS, strict=True):
        both = [(prompt, ids) for ids in before.encode([pair["chosen"], pair["rejected"]])]
        was, now = ([float(one.sum()) for one in model.logprobs(both)] for model in (before, after))
        gained.append((now[0] - was[0]) - (now[1] - was[1]))
    assert min(gained) > 1


def test_full_fine_tuning_holds_to_the_start_and_resumes(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    """A resumed run repeats the whole one: its reference is the start, not the checkpoint."""
    whole = ran(tmp_path / "whole", tiny_language_model, {"max_steps": 4, "save_steps": 2})
    assert losses(whole)[1] == pytest.approx(math.log(2), rel=TRAINED)
    rest = ran(
        tmp_path / "rest",
        tiny_language_model,
        {"max_steps": 4, "save_steps": 2},
        resume=saved(whole)[2],
    )
    assert losses(rest) == {step: loss for step, loss in losses(whole).items() if step > 2}
    assert losses(rest)[3] < 0.5

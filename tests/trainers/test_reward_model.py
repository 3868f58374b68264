"""The reward trainer against the metric that its checkpoints become, and against TRL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inference.names import ADAPTER_WEIGHTS
from inference.pool import ModelPool
from tests.rounding import FORWARD, TRAINED
from tests.trainers.job.attempts import attempt, here, losses, saved
from trainers.job.errors import TrainingError
from trainers.job.reports import Report

if TYPE_CHECKING:
    from torch import Tensor


PAIRS = [
    {"prompt": "Какой город столица России?", "chosen": "Москва.", "rejected": "Не знаю 🤷"},
    {"prompt": "Is 7 prime?", "chosen": "Yes, it is.", "rejected": "Rome"},
    {"prompt": "2 + 2", "chosen": "4", "rejected": "It is the capital of France."},
    {"prompt": "首都は？", "chosen": "東京 — Tokyo", "rejected": "булок"},
]
MARGINS = (0.25, 1.0, None, -0.5)  # None: a record without one, which is 0
GRADED: list[dict[str, Any]] = [
    pair if margin is None else pair | {"margin": margin}
    for pair, margin in zip(PAIRS, MARGINS, strict=True)
]
OPTIONS: dict[str, Any] = {"max_steps": 6, "save_steps": 3, "batch_size": 4, "learning_rate": 1e-3}
OPTIONS |= {"max_length": 128}


def rewards(pool: ModelPool, name: str, side: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(pairs,) as the metric `reward` would give them."""
    model = pool.classifier(name)
    return model.scores(model.encode([(pair["prompt"], pair[side]) for pair in PAIRS]))


def series(found: list[Report], name: str) -> list[float]:
    return [report.data[name] for report in found if report.type == "series"]


@pytest.mark.parametrize(("center", "scale"), [(0.0, 0.0), (0.5, 0.0), (0.0, 3.0)])
def test_the_loss_is_that_of_the_metrics_own_rewards(
    center: float, scale: float, tiny_reward_model: Path, model_pool: ModelPool, tmp_path: Path
) -> None:
    """Also over accumulated batches, whose statistics are those of all pairs."""
    chosen = rewards(model_pool, "tiny-reward", "chosen")
    rejected = rewards(model_pool, "tiny-reward", "rejected")
    margin = chosen - rejected
    largest = np.abs([chosen, rejected]).max()
    near = FORWARD * largest  # of every reward, and of differences and means of them
    steepest = 1 + 4 * center * largest  # dL / dr at most: 1 from the sigmoid, 2 c (r + r')
    asked = scale * np.array([one or 0.0 for one in MARGINS])
    expected = np.mean(np.log1p(np.exp(asked - margin)) + center * (chosen + rejected) ** 2)
    for batch, accumulation in ((4, 1), (1, 4)):
        options = OPTIONS | {"batch_size": batch, "gradient_accumulation_steps": accumulation}
        options |= {"center_coefficient": center, "margin_scale": scale, "max_steps": 1}
        job = tmp_path / f"job_{batch}"
        found = here(attempt(job, "reward", tiny_reward_model, GRADED, options))
        assert losses(found)[1] == pytest.approx(expected, abs=steepest * near)
        assert series(found, "accuracy") == [np.mean(margin > 0)]
        assert series(found, "margin") == pytest.approx([margin.mean()], abs=near)
        assert series(found, "reward/chosen") == pytest.approx([chosen.mean()], abs=near)
        assert series(found, "reward/rejected") == pytest.approx([rejected.mean()], abs=near)


def test_centering_holds_the_level(tiny_reward_model: Path, tmp_path: Path) -> None:
    levels = []
    for center in (0.0, 0.5):
        options = OPTIONS | {"center_coefficient": center, "max_steps": 20, "save_steps": 20}
        spec = attempt(tmp_path / f"job_{center}", "reward", tiny_reward_model, PAIRS, options)
        found = here(spec)
        levels.append(
            abs(series(found, "reward/chosen")[-1] + series(found, "reward/rejected")[-1])
        )
        assert series(found, "accuracy")[-1] == 1
    assert levels[1] < 0.2 * levels[0]


def test_the_curve_is_that_of_trl(tiny_reward_model: Path, tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    arguments = RewardConfig(
        output_dir=str(tmp_path / "trl"),
        max_steps=6,
        per_device_train_batch_size=4,
        learning_rate=1e-3,
        logging_steps=1,
        seed=0,
        data_seed=0,
        use_cpu=True,
        bf16=False,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        max_length=128,
        model_init_kwargs={"dtype": "float32"},
        center_rewards_coefficient=0.1,
    )
    rows = [
        {
            side: [
                {"role": "user", "content": pair["prompt"]},
                {"role": "assistant", "content": pair[side]},
            ]
            for side in ("chosen", "rejected")
        }
        | {"margin": 2.0 * pair.get("margin", 0.0)}
        for pair in GRADED
    ]
    theirs = RewardTrainer(
        str(tiny_reward_model), args=arguments, train_dataset=Dataset.from_list(rows)
    )
    theirs.train()
    curve = [entry["loss"] for entry in theirs.state.log_history if "loss" in entry]
    options = OPTIONS | {"center_coefficient": 0.1, "margin_scale": 2.0}
    ours = here(attempt(tmp_path / "job", "reward", tiny_reward_model, GRADED, options))
    assert list(losses(ours).values()) == pytest.approx(curve, rel=TRAINED)


def test_margins_are_learned_where_there_are_some(tiny_reward_model: Path, tmp_path: Path) -> None:
    options = OPTIONS | {"margin_scale": 1.0}
    with pytest.raises(TrainingError, match="no record of the dataset has a `margin`") as error:
        here(attempt(tmp_path / "job", "reward", tiny_reward_model, PAIRS, options))
    assert (error.value.code, error.value.field) == ("invalid_data", "options.margin_scale")


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_a_language_model_becomes_a_reward_metric(
    lora: bool, tiny_language_model: Path, tmp_path: Path
) -> None:
    """The checkpoint ranks the pairs as training said, by the margin that training had."""
    options = OPTIONS | {"lora": lora, "max_steps": 31, "save_steps": 30, "learning_rate": 3e-3}
    found = here(attempt(tmp_path / "job", "reward", tiny_language_model, PAIRS, options))
    known = {"ckpt_rm": saved(found)[30]}
    pool = ModelPool([tiny_language_model.parent], tmp_path, checkpoints=known.get)
    chosen, rejected = (rewards(pool, "ckpt_rm", side) for side in ("chosen", "rejected"))
    assert series(found, "accuracy")[-1] == 1
    assert (chosen > rejected).all()
    near = FORWARD * np.abs([chosen, rejected]).max()
    assert (chosen - rejected).mean() == pytest.approx(series(found, "margin")[-1], abs=near)


def test_a_head_learns_beside_frozen_weights_in_bfloat16(
    tiny_reward_model: Path, tmp_path: Path
) -> None:
    """At a learning rate that is usual for LoRA a step is below the resolution of bfloat16."""
    options = OPTIONS | {"lora": True, "dtype": "bfloat16", "max_steps": 30, "save_steps": 1}
    options |= {"learning_rate": 1e-4, "schedule": "constant"}
    found = here(attempt(tmp_path / "job", "reward", tiny_reward_model, PAIRS, options))
    folders = saved(found)
    first, last = (head(folders[step]) for step in (1, 30))
    assert str(last.dtype) == "torch.float32"
    assert float((first != last).float().mean()) > 0.9
    pool = ModelPool([tiny_reward_model.parent], tmp_path, checkpoints={"ckpt_rm": folders[29]}.get)
    margins = rewards(pool, "ckpt_rm", "chosen") - rewards(pool, "ckpt_rm", "rejected")
    near = 2**-7 * np.abs(rewards(pool, "ckpt_rm", "chosen")).max()  # bfloat16 has 8 bits
    assert margins.mean() == pytest.approx(series(found, "margin")[29], abs=near)


def head(folder: Path) -> Tensor:
    """The weights of a checkpoint's head, which stand with its adapter."""
    from safetensors.torch import load_file

    weights = load_file(folder / ADAPTER_WEIGHTS)
    (found,) = [weight for name, weight in weights.items() if "score" in name]
    return found


def test_pairs_are_within_the_limit_or_named(tiny_reward_model: Path, tmp_path: Path) -> None:
    long = {"prompt": "word " * 200, "chosen": "да", "rejected": "нет"}

    def start(name: str, pair: dict[str, str], **options: Any) -> list[Report]:
        settings = OPTIONS | {"max_steps": 1} | options
        return here(attempt(tmp_path / name, "reward", tiny_reward_model, [*PAIRS, pair], settings))

    with pytest.raises(TrainingError, match="and 128 fit") as error:
        start("long", long)
    assert (error.value.code, error.value.field) == ("too_long", "records[4].chosen")
    with pytest.raises(TrainingError, match="the model's context 256"):
        start("context", long, max_length=4096)
    lengths = start("cut", long, truncate=True)[0].data
    assert (lengths["over"], lengths["truncated"], lengths["rows"]) == (2, 2, 10)
    with pytest.raises(TrainingError, match="read the same") as error:
        start("same", {"prompt": "x", "chosen": "same", "rejected": "same"})
    assert error.value.code == "invalid_data"

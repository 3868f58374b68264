"""PPO at work: it learns, the KL coefficient holds it, and a resumed run is the run itself."""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import trainers
from inference.protocol import Generation
from metrics.core.metric import BoundMetric
from tests.rounding import FORWARD
from tests.tiny_models import build_language_model
from tests.trainers.job.attempts import attempt, finish, reports, saved
from trainers import ppo
from trainers.job.checkpoints import is_complete
from trainers.job.errors import TrainingError
from trainers.job.reports import Report
from trainers.job.run import Run
from trainers.job.spec import CONTROL, Spec
from trainers.learning import clipping

RECORDS = [
    {"id": str(i), "prompt": f"Считай до {i}.", "references": ["a a a a a a a a a a a a"]}
    for i in range(16)
]
OPTIONS: dict[str, Any] = {
    "rewards": [{"metric": "chrf"}],
    "max_completion_length": 12,
    "max_length": 64,
    "num_minibatches": 2,
    "ppo_epochs": 2,
    "schedule": "constant",
    "cliprange_value": 5.0,
    "kl_coef": 0.02,
    "normalize_rewards": False,  # the numbers below are in units of chrf
}


@pytest.fixture(scope="module")
def even_model(models_root: Path) -> Path:
    """A random llama whose first distributions are nearly even: every token can be learned."""
    return build_language_model(models_root / "even-language", initializer_range=0.02)


def train(spec: Spec) -> list[Report]:
    """In this process: starting another costs more than the training."""
    from transformers import set_seed

    trainer = trainers.find("ppo")
    options = trainers.parse(trainer, spec.options)
    set_seed(options.seed)
    trainer.train(options, Run(spec))
    return reports(spec)


def series(found: list[Report], name: str) -> list[float]:
    return [one.data[name] for one in found if one.type == "series" and name in one.data]


@pytest.mark.slow
def test_it_learns_and_the_kl_coefficient_holds_it(even_model: Path, tmp_path: Path) -> None:
    """The same run with two coefficients: 0 lets the reward rise and the KL with it."""
    options = OPTIONS | {"max_steps": 80, "batch_size": 16, "learning_rate": 3e-3}
    free, held = (
        train(attempt(tmp_path / name, "ppo", even_model, RECORDS, options | {"kl_coef": coef}))
        for name, coef in (("free", 0.0), ("held", 0.5))
    )
    rewards, kls = series(free, "reward"), series(free, "kl")
    assert len(rewards) == 20  # 80 steps, four a rollout
    start, end = rewards[0], statistics.mean(rewards[-4:])
    assert end > start + 4
    assert end > 5 * start
    assert kls[0] == pytest.approx(0, abs=1e-3)
    assert statistics.mean(kls[-4:]) > 8
    assert statistics.mean(series(held, "kl")[-4:]) < statistics.mean(kls[-4:]) / 3
    assert statistics.mean(series(held, "reward")[-4:]) > start  # held, not forbidden
    assert series(free, "entropy")[-1] < series(held, "entropy")[-1] < 6.4

    first = next(one.data for one in free if one.type == "series")
    terms = {"loss", "loss/policy", "loss/value", "loss/kl", "kl", "kl_coef", "entropy", "ratio"}
    terms |= {"clip_fraction/policy", "clip_fraction/value", "explained_variance", "kl/step"}
    terms |= {"advantages/mean", "advantages/std", "returns/mean", "returns/std", "reward"}
    terms |= {"reward/chrf", "reward/std", "completions/length", "completions/ended", "grad_norm"}
    terms |= {"grad_norm/value", "learning_rate"}
    assert terms <= set(first)
    assert first["ratio"] == pytest.approx(1, abs=1e-4)  # nothing has been learned yet
    parts = first["loss/policy"], 0.1 * first["loss/value"]
    assert first["loss"] == pytest.approx(sum(parts), abs=FORWARD * max(map(abs, parts)))
    assert first["clip_fraction/policy"] == 0


def test_the_scale_of_a_reward_changes_nothing(tiny_language_model: Path, tmp_path: Path) -> None:
    """With the defaults, 0 … 1 and 0 … 100 train alike: β, the clip of values and all else."""
    options = {"rewards": [{"metric": "chrf"}], "max_completion_length": 8, "max_length": 64}
    options |= {"max_steps": 3, "num_minibatches": 1, "ppo_epochs": 1, "batch_size": 4}
    options |= {"learning_rate": 1e-3, "vf_coef": 1.0, "missing_eos_penalty": 0.5}
    small, large = (
        train(
            attempt(
                tmp_path / str(weight),
                "ppo",
                tiny_language_model,
                RECORDS,
                options | {"rewards": [{"metric": "chrf", "weight": weight}]},
            )
        )
        for weight in (0.01, 1.0)
    )
    assert series(large, "reward") == pytest.approx([100 * one for one in series(small, "reward")])
    assert series(large, "reward/scale")[-1] == pytest.approx(
        100 * series(small, "reward/scale")[-1]
    )
    for name in ("loss", "loss/value", "kl", "entropy"):
        assert series(large, name) == pytest.approx(series(small, name), rel=1e-3, abs=1e-4), name
    assert max(series(large, "clip_fraction/value")) < 1


@pytest.mark.parametrize(
    "options",
    [
        {"normalize_rewards": True},
        {"lora": {"r": 4}, "kl_in": "loss", "target_kl": 1.0, "horizon": 32},
    ],
    ids=["full", "lora"],
)
def test_a_resumed_run_is_the_run_itself(
    tiny_language_model: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    """From between two passes over a rollout: the same series, and weights equal to the bit."""
    more = {"max_steps": 10, "save_steps": 6, "batch_size": 4, "learning_rate": 1e-3} | options
    more |= {"num_generations": 2, "schedule": "linear", "entropy_coef": 0.01}
    whole_spec = attempt(tmp_path / "job", "ppo", tiny_language_model, RECORDS, OPTIONS | more)
    whole = train(whole_spec)
    middle = saved(whole)[6]
    shutil.rmtree(saved(whole)[10] / "on_policy")  # what is resumed from is `middle`
    spec = attempt(
        tmp_path / "job", "ppo", tiny_language_model, RECORDS, OPTIONS | more, 2, resume=middle
    )
    rest = train(spec)

    def shown(found: list[Report]) -> dict[int, dict[str, float]]:
        timed = ("seconds_left", "tokens_per_second")
        return {
            one.step: {name: value for name, value in one.data.items() if name not in timed}
            for one in found
            if one.type == "series" and one.step > 6
        }

    assert sorted(shown(rest)) == [7, 8, 9, 10]
    assert shown(rest) == shown(whole)
    if "target_kl" in options:
        assert len(set(series(whole, "kl_coef"))) == 3
    name = "adapter_model.safetensors" if "lora" in options else "model.safetensors"
    one, other = (load_file(saved(found)[10] / name) for found in (whole, rest))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_exact_kl_and_a_critic_that_begins_as_the_judge(
    tiny_language_model: Path, tiny_reward_model: Path, tmp_path: Path
) -> None:
    """Both where they are asked for: nothing diverges yet, and values are no zeros at first."""
    judge = {"metric": "reward", "params": {"model": tiny_reward_model.name}}
    options = OPTIONS | {"max_steps": 2, "batch_size": 2, "num_minibatches": 1, "ppo_epochs": 2}
    options |= {"rewards": [judge], "critic": "reward_model", "kl": "exact", "kl_in": "loss"}
    options |= {"lora": {"r": 4}, "learning_rate": 1e-2}
    found = train(attempt(tmp_path / "job", "ppo", tiny_language_model, RECORDS, options))
    assert series(found, "loss/kl")[0] == pytest.approx(0, abs=1e-6)
    assert series(found, "loss/kl")[1] > 0
    (folder,) = saved(found).values()
    rollout = load_file(next((folder / "on_policy").glob("rollout-*")))
    assert rollout["values"][rollout["mask"]].abs().min() > 0
    assert rollout["kl"].abs().max() < 1e-5


def test_cancel_leaves_a_complete_checkpoint_that_is_a_model(
    tiny_language_model: Path, tmp_path: Path
) -> None:
    options = OPTIONS | {"max_steps": 8, "batch_size": 4, "lora": {"r": 4}}
    spec = attempt(tmp_path / "job", "ppo", tiny_language_model, RECORDS, options)
    (spec.folder / CONTROL).write_text("cancel")
    run = Run(spec)
    trainer = trainers.find("ppo")
    trainer.train(trainers.parse(trainer, spec.options), run)
    assert (run.stopped_by, run.step) == ("cancel", 1)
    (folder,) = saved(reports(spec)).values()
    assert is_complete(folder)
    assert json.loads((folder / "assay.json").read_text())["method"] == "ppo"
    others = spec.model_copy(update={"checkpoints": {"ckpt_1": folder}})
    model = Run(others).models.language("ckpt_1")
    assert len(model.generate(["Hi"], Generation(max_new_tokens=3))[0]) == 1


@pytest.mark.slow
def test_two_processes(tiny_language_model: Path, tmp_path: Path) -> None:
    """Under torchrun, over gloo: each writes completions of its own."""
    options = OPTIONS | {
        "max_steps": 3,
        "save_steps": 2,
        "batch_size": 2,
        "lora": True,
        "target_kl": 1.0,
    }
    spec = attempt(tmp_path / "job", "ppo", tiny_language_model, RECORDS, options, processes=2)
    found = finish(spec)
    assert found[-1].type == "finished"
    rollouts = sorted((saved(found)[2] / "on_policy").glob("rollout-*"))
    first, second = (load_file(path) for path in rollouts)
    assert first["ids"].tolist() != second["ids"].tolist()
    assert len(first["ids"]) == len(second["ids"]) == 4


def test_a_reward_that_is_no_number_ends_the_run_with_the_sample(
    tiny_language_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundMetric, "per_sample", lambda self, rows: rows[:, :1] * float("nan"))
    options = OPTIONS | {"max_steps": 2, "batch_size": 2}
    with pytest.raises(TrainingError, match="Считай до") as caught:
        train(attempt(tmp_path / "job", "ppo", tiny_language_model, RECORDS, options))
    assert caught.value.code == "reward_failed"


def test_a_run_that_diverges_fails(
    tiny_language_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = clipping.policy_loss
    calls: list[int] = []

    def wrong(*args: Any) -> Any:
        calls.append(1)
        loss, clipped = right(*args)
        return loss * (float("inf") if len(calls) == 3 else 1.0), clipped

    monkeypatch.setattr(ppo, "policy_loss", wrong)
    options = OPTIONS | {"max_steps": 6, "save_steps": 1, "batch_size": 2}
    spec = attempt(tmp_path / "job", "ppo", tiny_language_model, RECORDS, options)
    with pytest.raises(TrainingError, match=r"step 3.*checkpoint-2") as caught:
        train(spec)
    assert caught.value.code == "diverged"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"max_completion_length": 64}, "options.max_completion_length"),
        ({"max_length": 20, "max_completion_length": 12}, "records[0].prompt"),
        ({"rewards": [{"metric": "mauve"}]}, "options.rewards[0].metric"),
    ],
)
def test_what_cannot_work_is_refused_before_it_starts(
    tiny_language_model: Path, tmp_path: Path, options: dict[str, Any], field: str
) -> None:
    spec = attempt(tmp_path / "job", "ppo", tiny_language_model, RECORDS, OPTIONS | options)
    with pytest.raises(Exception) as caught:  # noqa: PT011 (its field is looked at)
        train(spec)
    assert getattr(caught.value, "field", None) == field


def test_micro_batches_and_rewards_are_what_the_options_say(
    tiny_language_model: Path, tmp_path: Path
) -> None:
    """Accumulated micro-batches are one step; penalties and clips reach the returns."""
    options = OPTIONS | {"max_steps": 1, "batch_size": 2, "gradient_accumulation_steps": 4}
    options |= {"num_minibatches": 1, "ppo_epochs": 1, "whiten_advantages": False, "lam": 1.0}
    options |= {"reward_clip": 0.01, "missing_eos_penalty": 3.0, "kl_coef": 0.0}
    options |= {"whiten_rewards": False, "truncate": True, "max_length": 30}
    found = train(attempt(tmp_path / "job", "ppo", tiny_language_model, RECORDS, options))
    data = next(one.data for one in found if one.type == "series")
    rollout = load_file(saved(found)[1] / "on_policy" / "rollout-0-of-1.safetensors")
    mask = rollout["mask"]
    assert len(mask) == 8
    # λ = 1, γ = 1, V = 0: every return is the completion's score
    returns = rollout["returns"][mask]
    assert float(returns.max()) <= 0.01 + 1e-6
    assert float(returns.min()) >= -3 - 1e-6
    ended = rollout["returns"][:, 0] > -1
    assert float(ended.float().mean()) == data["completions/ended"]
    assert data["completions/length"] == float(mask.sum(1).float().mean())
    # ρ = 1: L_policy is −mean Â, L_value ½ mean G²; means over the tokens of the whole step
    assert data["loss/policy"] == pytest.approx(-float(returns.mean()), rel=1e-4)
    assert data["loss/value"] == pytest.approx(float((returns**2).mean()) / 2, rel=1e-4)
    # the standard error of the mean of 8 prompts, with one completion each
    assert data["reward/error"] == pytest.approx(data["reward/std"] / 7**0.5, rel=1e-4)
    assert int((rollout["prompts"]).max()) == 18  # of 30, less 12 for the completion

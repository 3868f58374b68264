"""GRPO: advantages and losses by hand and beside TRL's, learning, what ends it, resumption."""

from __future__ import annotations

import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import trainers
from inference.errors import InputError
from inference.pool import ModelPool
from inference.protocol import Generation
from metrics.text.normalization import words
from tests.trainers.job.attempts import attempt, finish, losses, reports, saved
from trainers.grpo import LOSSES, TRAINER, GRPOOptions, advantages, build, extent, settings, train
from trainers.job.checkpoints import GENERATION
from trainers.job.errors import TrainingError
from trainers.job.reports import Report
from trainers.job.run import Run

PROMPTS = [
    {"id": str(index), "prompt": prompt, "references": ["never written"]}
    for index, prompt in enumerate(["What is?", "Какой город", "首都", "The dog", "Рим"])
]
QUICK: dict[str, Any] = {
    "batch_size": 8,
    "num_generations": 4,
    "max_completion_length": 8,
    "learning_rate": 3e-3,
    "schedule": "constant",
    "rewards": [{"metric": "length"}],
}


def prepared(
    folder: Path, model: Path, options: dict[str, Any], records: Any = PROMPTS, **settings: Any
) -> tuple[GRPOOptions, Run]:
    folder.mkdir(exist_ok=True)
    spec = attempt(folder, "grpo", model, records, QUICK | options, **settings)
    torch.manual_seed(0)
    parsed = trainers.parse(TRAINER, spec.options)
    assert isinstance(parsed, GRPOOptions)
    return parsed, Run(spec)


def ran(folder: Path, model: Path, options: dict[str, Any], **settings: Any) -> list[Report]:
    parsed, run = prepared(folder, model, options, **settings)
    train(parsed, run)
    return reports(run.spec)


def series(found: list[Report], name: str) -> list[float]:
    return [
        report.data[name] for report in found if report.type == "series" and name in report.data
    ]


@pytest.mark.parametrize(
    ("baseline", "scale", "expected"),
    [
        ("mean", "none", [-1.0, 1.0, 0.0, -2.0, 0.0, 2.0]),
        ("leave_one_out", "none", [-1.5, 1.5, 0.0, -3.0, 0.0, 3.0]),
        ("mean", "group", [-1 / 1.0001, 1 / 1.0001, 0.0, -2 / 2.0001, 0.0, 2 / 2.0001]),
        ("leave_one_out", "group", [-1.5 / 1.0001, 1.5 / 1.0001, 0.0, -3 / 2.0001, 0, 3 / 2.0001]),
        # of 1 3 2 -2 0 2: mean 1, squares 0 4 1 9 1 1 = 16, over 5
        ("mean", "batch", [each / (3.2**0.5 + 1e-4) for each in (-1, 1, 0, -2, 0, 2)]),
    ],
)
def test_advantages_by_hand(baseline: Any, scale: Any, expected: list[float]) -> None:
    found = advantages(torch.tensor([1.0, 3.0, 2.0, -2.0, 0.0, 2.0]), 3, baseline, scale)
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", ["none", "group", "batch"])
def test_leaving_one_out_is_the_mean_of_the_others(scale: Any) -> None:
    """And equal groups teach nothing, whatever the scale."""
    rewards = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    rewards[2] = 0.25
    found = advantages(rewards.view(-1), 5, "leave_one_out", scale).view(6, 5)
    for group, own in zip(rewards, found, strict=True):
        spread = {"none": 1.0, "group": group.std() + 1e-4, "batch": rewards.std() + 1e-4}[scale]
        for at in range(5):
            others = torch.cat([group[:at], group[at + 1 :]])
            torch.testing.assert_close(own[at], (group[at] - others.mean()) / spread)
    assert found[2].abs().max() == 0


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory, tiny_language_model: Path) -> Any:
    """A trainer with a batch of two groups, whose policy has left both π_old and π_ref since; and
    plain copies of the three, with the forward pass of transformers."""
    folder = tmp_path_factory.mktemp("grpo")
    trainer = build(
        *prepared(
            folder, tiny_language_model, {"iterations": 2, "kl_coef": 0.3, "temperature": 0.7}
        )
    )
    trainer.create_optimizer_and_scheduler(10)
    trainer.model.train()
    copies = [plain(trainer.ref_model)]
    for _ in range(2):
        with torch.no_grad():
            for parameter in trainer.model.parameters():
                parameter.add_(0.01 * torch.randn_like(parameter))
        copies.append(plain(trainer.model))
        if len(copies) == 2:  # draws by what is to be π_old
            batch = trainer._prepare_inputs([{"prompt": str(at // 4)} for at in range(8)])
    return trainer, batch, copies


def plain(model: Any) -> Any:
    """A copy with the forward pass of transformers: TRL has replaced that of the original."""
    own = type(model)(model.config)
    own.load_state_dict(model.state_dict())
    return own.eval()


@pytest.mark.parametrize(
    ("loss_type", "ratio_of", "high"),
    [
        ("grpo", "token", None),
        ("dapo", "token", 0.28),
        ("dr_grpo", "token", None),
        ("sum", "token", 0.25),
        ("grpo", "sequence", None),
    ],
)
def test_loss_by_hand(moved: Any, loss_type: str, ratio_of: str, high: float | None) -> None:
    """Of clipped ratios and k3, against float64 logits of one sequence at a time."""
    trainer, batch, (reference, old, new) = moved
    per_token, clipped = [], 0  # of each completion, (|y|,) l_it
    for at in range(8):
        prompt = batch["prompt_ids"][at][batch["prompt_mask"][at].bool()]
        answer = batch["completion_ids"][at][batch["completion_mask"][at].bool()]

        def logprobs(model: Any, ids: Any = (prompt, answer)) -> Any:
            with torch.no_grad():
                logits = model(torch.cat(ids)[None]).logits[0].double() / 0.7
            kept = logits.log_softmax(-1)[len(ids[0]) - 1 : -1]  # (|y|, V)
            return kept.gather(1, ids[1][:, None])[:, 0]

        away = logprobs(new) - logprobs(old)
        ratio = (away.mean().expand_as(away) if ratio_of == "sequence" else away).exp()
        away = logprobs(reference) - logprobs(new)
        kl = ratio * (away.exp() - away - 1)
        advantage = float(batch["advantages"][at])
        clamped = ratio.clamp(0.8, 1 + (high or 0.2))
        kept = torch.minimum(ratio * advantage, clamped * advantage)
        clipped += int((kept < ratio * advantage).sum())
        per_token.append(kept - 0.3 * kl)
    assert clipped > 0 or ratio_of == "sequence"
    sums = torch.stack([one.sum() for one in per_token])
    lengths = torch.tensor([len(one) for one in per_token])
    expected = {
        "grpo": -(sums / lengths).mean(),
        "dapo": -sums.sum() / lengths.sum(),
        "dr_grpo": -sums.sum() / (8 * 8),
        "sum": -sums.mean(),
    }[loss_type]
    trainer.loss_type = LOSSES.get(loss_type, loss_type)
    trainer.importance_sampling_level = ratio_of
    trainer.epsilon_high = high or 0.2
    trainer.current_gradient_accumulation_steps = 1
    found = trainer.compute_loss(trainer.model, batch).detach()
    assert float(found) == pytest.approx(float(expected), rel=1e-3, abs=1e-5)


def test_completions_that_were_cut_are_masked(tmp_path: Path, tiny_language_model: Path) -> None:
    """None of eight tokens is a stop token here: nothing is learned from any of them."""
    options = {"mask_truncated": True, "max_steps": 1, "max_completion_length": 2}
    found = ran(tmp_path / "masked", tiny_language_model, options)
    ended = series(found, "completions/ended")[0]
    whole = ran(tmp_path / "whole", tiny_language_model, options | {"mask_truncated": False})
    assert ended < 1
    assert series(found, "grad_norm")[0] < series(whole, "grad_norm")[0]


def test_groups_of_equal_rewards_are_replaced(tmp_path: Path, tiny_language_model: Path) -> None:
    """What is learned from is a rollout whose groups differ; each row stays whole."""
    trainer = build(*prepared(tmp_path, tiny_language_model, {"resample": 2, "kl_coef": 0.1}))
    trainer.create_optimizer_and_scheduler(10)
    trainer.model.train()
    calls: list[list[str]] = []

    def earn(prompts: Any, completions: Any, inputs: Any, *_: Any) -> Any:
        calls.append([one["prompt"] for one in inputs])
        varied = [0.0, 1.0, 2.0, 3.0]
        trainer._earned = torch.tensor([5.0] * 4 + varied if len(calls) == 1 else varied * 2)
        return trainer._earned[:, None].expand(-1, 1)

    trainer._calculate_rewards = lambda inputs, prompts, completions, *_: earn(
        prompts, completions, inputs
    )
    rows = [{"prompt": "0"}] * 4 + [{"prompt": "1"}] * 4
    output = trainer._generate_and_score_completions(rows)
    assert len(calls) == 2
    ids = [output["prompt_ids"][at][output["prompt_mask"][at].bool()].tolist() for at in range(8)]
    assert ids[4:] == [trainer._prompts[1][1]] * 4  # stays
    assert ids[:4] == [trainer._prompts[int(calls[1][0])][1]] * 4  # comes instead
    expected = advantages(torch.tensor([0.0, 1, 2, 3] * 2), 4, "mean", "group")
    torch.testing.assert_close(output["advantages"].cpu(), expected)
    assert output["num_items_in_batch"] == output["completion_mask"].sum()
    assert trainer._metrics["train"]["resampled"] == [1]


@pytest.mark.slow
def test_two_processes_draw_again_together(tmp_path: Path, tiny_language_model: Path) -> None:
    """Until no group of either is without a difference; rows keep their own reward's advantage.

    The rollout, whose rows TRL shuffles, is read from a checkpoint between two steps over it.
    """
    from transformers import AutoTokenizer

    options = QUICK | {"max_steps": 2, "save_steps": 1, "iterations": 2, "lora": True}
    options |= {"batch_size": 12, "num_generations": 2, "max_completion_length": 3, "resample": 16}
    records = [{"id": str(at), "prompt": f"Number {at}", "references": ["x"]} for at in range(99)]
    spec = attempt(tmp_path, "grpo", tiny_language_model, records, options, processes=2)
    found = finish(spec)
    assert found[-1].type == "finished"
    assert 0 < series(found, "resampled")[0] < 16
    tokenizer = AutoTokenizer.from_pretrained(tiny_language_model)
    for rank in (0, 1):
        rollout = load_file(saved(found)[1] / GENERATION / f"{rank}-of-2.safetensors")
        prompts, completions = (
            tokenizer.batch_decode(rollout[f"0/{part}_ids"], skip_special_tokens=True)
            for part in ("prompt", "completion")
        )
        rewards = torch.tensor([float(len(words(one, spaceless=True))) for one in completions])
        groups = [prompt for prompt, rows in Counter(prompts).items() if rows == 2]
        assert len(groups) > 2  # a prompt that was drawn twice is two groups
        for prompt in groups:
            group = torch.tensor([one == prompt for one in prompts])
            expected = advantages(rewards[group], 2, "mean", "group")
            assert expected.abs().max() > 0
            torch.testing.assert_close(rollout["0/advantages"][group], expected)


@pytest.mark.parametrize("scale", ["none", "group", "batch"])
def test_advantages_are_trls_with_the_mean(moved: Any, scale: Any) -> None:
    from trl.trainer.grpo_trainer import GRPOTrainer

    trainer, _, _ = moved
    trainer.scale_rewards = scale
    rows: list[dict[str, Any]] = [{"prompt": str(at // 4)} for at in range(8)]
    theirs = GRPOTrainer._generate_and_score_completions(trainer, rows)["advantages"]
    ours = advantages(trainer._earned, 4, "mean", scale)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert ours.abs().max() > 0


def test_options_reach_the_loss(tmp_path: Path, tiny_language_model: Path) -> None:
    asked = {"loss_type": "sum", "clip_high": 0.28, "mask_truncated": True}
    args = settings(*prepared(tmp_path / "sum", tiny_language_model, asked), 10)
    assert (args.loss_type, args.epsilon, args.epsilon_high) == ("luspo", 0.2, 0.28)
    assert (args.mask_truncated_completions, args.importance_sampling_level) == (True, "token")
    args = settings(*prepared(tmp_path / "seq", tiny_language_model, {"ratio": "sequence"}), 10)
    assert (args.loss_type, args.importance_sampling_level) == ("grpo", "sequence")


def test_plan_takes_every_prompt() -> None:
    """Nothing is dropped: neither the last, smaller lot nor a set smaller than a generation."""
    options = GRPOOptions(**QUICK | {"iterations": 3, "epochs": 2})
    assert extent(options, records=5, processes=1) == (15, 10)  # 2 prompts at a time, 5 generations
    assert extent(options, records=1, processes=2) == (3, 4)
    assert extent(GRPOOptions(**QUICK | {"max_steps": 7}), records=5, processes=1) == (7, 14)


@pytest.mark.slow
def test_a_process_learns_the_reward(
    tmp_path: Path, tiny_language_model: Path, models_root: Path
) -> None:
    """LoRA, one prompt set in three scripts: completions grow longer; the checkpoint is a model."""
    options = QUICK | {"max_steps": 40, "save_steps": 20, "lora": True, "learning_rate": 2e-2}
    options |= {"baseline": "leave_one_out", "batch_size": 16, "max_completion_length": 12}
    spec = attempt(tmp_path, "grpo", tiny_language_model, PROMPTS, options)
    found = finish(spec)
    assert found[-1].type == "finished"
    rewards = series(found, "reward")
    assert len(rewards) == 40
    assert statistics.fmean(rewards[-5:]) > statistics.fmean(rewards[:5]) + 2
    assert series(found, "reward/length") == rewards  # one component of weight 1
    assert series(found, "kl")[0] == pytest.approx(0, abs=1e-5)  # the adapter is off for π_ref
    assert series(found, "kl")[-1] > 0.1
    named = {"reward/std", "entropy", "completions/length", "completions/ended", "clip_fraction"}
    assert named <= set(found[-2].data if found[-2].type == "series" else found[-3].data)
    checkpoints = saved(found)
    assert sorted(checkpoints) == [20, 40]

    pool = ModelPool([models_root], tmp_path / "cache", checkpoints={"ckpt_x": checkpoints[40]}.get)
    prompts = [str(record["prompt"]) for record in PROMPTS]
    drawn = Generation(max_new_tokens=12, temperature=1.0)
    before, after = (
        statistics.fmean(
            len(text.split()) for (text,) in pool.language(name).generate(prompts, drawn)
        )
        for name in (tiny_language_model.name, "ckpt_x")
    )
    assert after > before


def test_a_larger_kl_coefficient_holds_the_policy(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    options = {"max_steps": 20, "lora": True, "learning_rate": 1e-3}
    found = {
        coef: ran(tmp_path / str(coef), tiny_language_model, options | {"kl_coef": coef})
        for coef in (0.01, 1.0)
    }
    free, held = (statistics.fmean(series(found[coef], "kl")[-5:]) for coef in (0.01, 1.0))
    assert held < free / 2


def test_without_kl_there_is_no_reference(tmp_path: Path, tiny_language_model: Path) -> None:
    trainer = build(*prepared(tmp_path, tiny_language_model, {"kl_coef": 0}))
    assert trainer.ref_model is None
    assert trainer.beta == 0


@pytest.mark.parametrize("saved_at", [3, 4])
def test_a_resumed_run_repeats_the_whole_one(
    tmp_path: Path, tiny_language_model: Path, saved_at: int
) -> None:
    """Also between two steps over the same completions, and beyond the first pass of prompts."""
    options = {"max_steps": 8, "save_steps": saved_at, "iterations": 2, "kl_coef": 0.1}
    whole = ran(tmp_path / "whole", tiny_language_model, options)
    start = saved(whole)[saved_at]
    assert (start / "generation").exists() == (saved_at == 3)
    rest = ran(tmp_path / "rest", tiny_language_model, options, resume=start)
    assert losses(rest) == {at: loss for at, loss in losses(whole).items() if at > saved_at}
    assert series(rest, "reward") == series(whole, "reward")[-len(series(rest, "reward")) :]


def test_rewards_without_a_difference_are_told(tmp_path: Path, tiny_language_model: Path) -> None:
    options = {"max_steps": 12, "kl_coef": 0, "rewards": [{"metric": "exact_match"}]}
    found = ran(tmp_path, tiny_language_model, options)
    events = [report for report in found if report.name == "constant_reward"]
    assert [event.step for event in events] == [9]
    assert events[0].data["reward"] == 0
    assert series(found, "reward/equal_groups") == [1.0] * 12
    assert set(losses(found).values()) == {0.0}


def test_a_failing_reward_ends_it_with_the_sample(
    tmp_path: Path, tiny_language_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRL would go on without the completion."""

    def fail(text: str, spaceless: bool) -> list[str]:
        raise ZeroDivisionError("of a metric")

    parsed, run = prepared(tmp_path, tiny_language_model, {"max_steps": 2})
    monkeypatch.setattr("metrics.length.words", fail)
    with pytest.raises(TrainingError, match=r"ZeroDivisionError: of a metric.*Prompt: '") as error:
        train(parsed, run)
    assert error.value.code == "reward_failed"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_generations": 3}, "must divide"),
        ({"num_generations": 1}, "num_generations"),
        ({"lora": {"dropout": 0.1}}, "dropout"),
        ({"rewards": []}, "rewards"),
        ({"scale_rewards": "std"}, "scale_rewards"),
        ({"kl_coeff": 1}, "kl_coef"),
        ({"ratio": "sequence", "loss_type": "dapo"}, "ratio sequence"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        trainers.parse(TRAINER, QUICK | options)


def test_what_cannot_be_a_reward_is_refused_before_a_model_is_loaded(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    parsed, run = prepared(tmp_path, tiny_language_model, {"rewards": [{"metric": "mauve"}]})
    with pytest.raises(InputError, match="no per-sample value") as error:
        train(parsed, run)
    assert error.value.field == "options.rewards[0].metric"

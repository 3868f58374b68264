"""SFT against cross-entropy by hand, against TRL, and through interruptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.pool import ModelPool
from tests.rounding import FORWARD, TRAINED
from tests.trainers.job.attempts import attempt, here, losses, saved
from trainers.job import footprint
from trainers.job.checkpoints import complete, is_complete
from trainers.job.errors import TrainingError
from trainers.job.run import Run
from trainers.job.spec import CONTROL, Spec
from trainers.learning import heads

RECORDS = [
    {"prompt": "What is the capital of France?", "completion": "Paris is the capital."},
    {"prompt": "Какой город столица России?", "completion": "Москва."},
    {"prompt": "the lazy dog", "completion": "🐕"},
    {"prompt": "首都は？", "completion": "東京 — Tokyo, of course"},
] * 3
OPTIONS: dict[str, Any] = {"max_steps": 6, "save_steps": 3, "batch_size": 4, "learning_rate": 1e-3}
OPTIONS |= {"max_length": 128, "schedule": "cosine", "warmup_steps": 1}


class Asked(Run):
    """Somebody asks to stop while step `at` is told."""

    def __init__(self, spec: Spec, at: int, how: str) -> None:
        super().__init__(spec)
        self.at, self.how = at, how

    def series(self, step: int, values: Any) -> None:
        super().series(step, values)
        if step == self.at:
            (self.folder / CONTROL).write_text(self.how)


def by_hand(model: Any, tokenizer: Any, learn_all: bool = False) -> float:
    """− mean log π over the answers' tokens, a row at a time."""
    import torch

    total, count = 0.0, 0
    for record in RECORDS:
        prompt = f"<|start|>user\n{record['prompt']}<|end|>\n<|start|>assistant\n"
        before = tokenizer(prompt)["input_ids"]
        ids = before + tokenizer(f"{record['completion']}<|end|>\n")["input_ids"]
        with torch.no_grad():
            logprobs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        learned = range(1 if learn_all else len(before), len(ids))
        total -= sum(float(logprobs[at - 1, ids[at]]) for at in learned)
        count += len(learned)
    return total / count


@pytest.mark.parametrize(("loss_on", "few"), [("answer", 0), ("answer", 8192), ("all", 0)])
def test_the_loss_is_the_cross_entropy_of_the_answers(
    loss_on: str,
    few: int,
    tiny_language_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In one batch, and in three accumulated batches of unequal lengths; of logits in tiles, and of
    whole ones, where there are few."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.setattr(footprint, "FEW", few)
    chunked: list[bool] = []
    attach = heads.chunk_logits

    def watched(model: Any) -> bool:
        chunked.append(attach(model))
        return chunked[-1]

    monkeypatch.setattr(heads, "chunk_logits", watched)

    model = AutoModelForCausalLM.from_pretrained(tiny_language_model).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_language_model)
    expected = by_hand(model, tokenizer, learn_all=loss_on == "all")
    for batch, accumulation in ((12, 1), (4, 3)):
        options = OPTIONS | {"max_steps": 1, "batch_size": batch, "loss_on": loss_on}
        options["gradient_accumulation_steps"] = accumulation
        job = tmp_path / f"job_{batch}"
        found = here(attempt(job, "sft", tiny_language_model, RECORDS, options))
        assert losses(found)[1] == pytest.approx(expected, rel=FORWARD)
    assert chunked == [True, True][: 2 * (few == 0)]


def test_the_curve_is_that_of_trl(tiny_language_model: Path, tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    def turn(role: str, content: str) -> list[dict[str, str]]:
        return [{"role": role, "content": content}]

    ours = attempt(tmp_path / "job", "sft", tiny_language_model, RECORDS, OPTIONS)
    arguments = SFTConfig(
        output_dir=str(tmp_path / "trl"),
        max_steps=6,
        per_device_train_batch_size=4,
        learning_rate=1e-3,
        lr_scheduler_type="cosine",
        warmup_steps=1,
        logging_steps=1,
        seed=0,
        data_seed=0,
        use_cpu=True,
        bf16=False,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        model_init_kwargs={"dtype": "float32"},
        completion_only_loss=True,
    )
    rows = [
        {
            "prompt": turn("user", record["prompt"]),
            "completion": turn("assistant", record["completion"]),
        }
        for record in RECORDS
    ]
    theirs = SFTTrainer(
        str(tiny_language_model), args=arguments, train_dataset=Dataset.from_list(rows)
    )
    theirs.train()
    curve = [entry["loss"] for entry in theirs.state.log_history if "loss" in entry]
    assert len(curve) == 6
    assert list(losses(here(ours)).values()) == pytest.approx(curve, rel=TRAINED)


@pytest.mark.parametrize("lora", [False, {"r": 4, "dropout": 0.1}], ids=["full", "lora"])
def test_a_paused_run_goes_on_as_if_never_interrupted(
    lora: Any, tiny_language_model: Path, tmp_path: Path
) -> None:
    """To the bit: losses, learning rates and the last weights; dropout's draws too."""
    options = OPTIONS | {"lora": lora, "max_steps": 8, "save_steps": 100}
    whole = here(attempt(tmp_path / "whole", "sft", tiny_language_model, RECORDS, options))

    first = attempt(tmp_path / "job", "sft", tiny_language_model, RECORDS, options)
    run = Asked(first, at=3, how="pause")
    before = here(first, run)
    assert (run.stopped_by, run.step) == ("pause", 4)  # within one optimiser step
    (folder,) = saved(before).values()
    assert is_complete(folder)
    assert not list(folder.glob("*.bin"))

    second = attempt(
        tmp_path / "job", "sft", tiny_language_model, RECORDS, options, 2, resume=folder
    )
    after = here(second)
    assert losses(before) | losses(after) == losses(whole)
    assert list(losses(after)) == [5, 6, 7, 8]
    rates = [
        [r.data["learning_rate"] for r in found if r.type == "series"]
        for found in (whole, before + after)
    ]
    assert rates[0] == rates[1]
    assert _digest(after) == _digest(whole)


def test_asked_at_the_last_step_it_has_finished(tiny_language_model: Path, tmp_path: Path) -> None:
    spec = attempt(tmp_path / "job", "sft", tiny_language_model, RECORDS, OPTIONS)
    run = Asked(spec, at=5, how="cancel")
    assert list(saved(here(spec, run))) == [3, 6]
    assert run.stopped_by is None


def test_a_resumption_that_would_not_be_exact_is_refused(
    tiny_language_model: Path, tmp_path: Path
) -> None:
    spec = attempt(tmp_path / "job", "sft", tiny_language_model, RECORDS, OPTIONS)
    folder = saved(here(spec))[3]
    (folder / "optimizer.pt").unlink()
    complete(folder, 3)  # a model; transformers would resume from it without a word
    for lack in (r"lacks optimizer\.pt$", r"optimizer\.pt, the random states of its processes"):
        with pytest.raises(TrainingError, match=lack) as error:
            here(spec.model_copy(update={"resume": folder}))
        assert error.value.code == "incomplete_checkpoint"
        (folder / "rng_state.pth").unlink(missing_ok=True)
        complete(folder, 3)


def test_speed_and_what_is_left_are_told(tiny_language_model: Path, tmp_path: Path) -> None:
    found = here(attempt(tmp_path / "job", "sft", tiny_language_model, RECORDS, OPTIONS))
    series = [report.data for report in found if report.type == "series"]
    for values in series:
        assert {"loss", "learning_rate", "grad_norm", "epoch"} <= values.keys()
        assert values["tokens_per_second"] > 0
    left = [values["seconds_left"] for values in series]
    assert left[-1] == 0
    assert min(left[:-1]) > 0
    assert [values["epoch"] for values in series] == pytest.approx(
        [1 / 3, 2 / 3, 1] * 2 + np.repeat([0, 1], 3)
    )


def test_a_loss_that_is_not_a_number_ends_it(tmp_path: Path) -> None:
    """The step is named, and the last good checkpoint; nothing broken is saved."""
    import torch
    from transformers import LlamaForCausalLM

    from tests.tiny_models import build_language_model

    folder = build_language_model(tmp_path / "model")
    model = LlamaForCausalLM.from_pretrained(folder)
    torch.nn.init.constant_(model.model.norm.weight, float("nan"))
    model.save_pretrained(folder)
    spec = attempt(tmp_path / "job", "sft", folder, RECORDS, OPTIONS | {"save_steps": 1})
    with pytest.raises(TrainingError, match="step 1: loss is nan; there is no checkpoint") as error:
        here(spec)
    assert error.value.code == "diverged"
    assert not list(spec.folder.glob("checkpoint-*"))

    options = OPTIONS | {"save_steps": 1, "learning_rate": 1.0, "max_grad_norm": 1e30}
    options |= {"max_steps": 60, "weight_decay": 1e4}  # weights grow thousandfold a step
    healthy = build_language_model(tmp_path / "healthy")
    spec = attempt(tmp_path / "growing", "sft", healthy, RECORDS, options)
    with pytest.raises(TrainingError, match="the last good checkpoint is checkpoint-") as error:
        here(spec)
    assert error.value.code == "diverged"


REASONED = [record | {"rationale": "Подумаем: let me think."} for record in RECORDS]


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_reasoning_tags_are_tokens_that_are_trained_and_kept(
    lora: bool, tiny_language_model: Path, tmp_path: Path
) -> None:
    options = OPTIONS | {"lora": lora, "rationale_tag": "why"}
    spec = attempt(tmp_path / "job", "sft", tiny_language_model, REASONED, options)
    folders = saved(here(spec))
    known = {f"ckpt_{step}": folder for step, folder in folders.items()}
    pool = ModelPool([tiny_language_model.parent], tmp_path, checkpoints=known.get)
    early, late = pool.language("ckpt_3"), pool.language("ckpt_6")
    assert [len(ids) for ids in late.encode(["<why>", "</why>"])] == [1, 1]
    (opening,) = late.encode(["<why>"])[0]
    networks = [model.model for model in (early, late)]  # type: ignore[attr-defined]
    rows = [network.get_input_embeddings().weight[opening] for network in networks]
    assert not rows[0].equal(rows[1])
    heads = [network.get_output_embeddings().weight[opening] for network in networks]
    assert not heads[0].equal(heads[1])
    assert early.identity.weights != late.identity.weights


def test_a_card_says_how_it_was_made(tiny_language_model: Path, tmp_path: Path) -> None:
    options = OPTIONS | {"lora": True}
    folder = saved(here(attempt(tmp_path / "job", "sft", tiny_language_model, RECORDS, options)))[6]
    card = json.loads((folder / "card.json").read_text())
    expected = {"method": "sft", "dataset": "toy@1", "base": "tiny-language", "seed": 0, "step": 6}
    assert card.items() >= expected.items()
    assert card["options"]["learning_rate"] == 1e-3
    assert {"torch", "transformers", "peft"} <= card["libraries"].keys()
    origin = json.loads((folder / "assay.json").read_text())
    assert (origin["base"], origin["produces"]) == ("tiny-language", "language")
    readme = (folder / "README.md").read_text()
    assert "toy@1" in readme
    for path in folder.glob("*.json"):
        assert str(tmp_path) not in path.read_text(), path
        assert str(tiny_language_model.parent) not in path.read_text(), path


def test_lora_on_a_checkpoint_that_is_an_adapter(tiny_language_model: Path, tmp_path: Path) -> None:
    """The second adapter begins where the first ended."""
    options = OPTIONS | {"lora": True, "max_steps": 30, "batch_size": 12, "learning_rate": 1e-2}
    options |= {"save_steps": 30}
    one = here(attempt(tmp_path / "one", "sft", tiny_language_model, RECORDS, options))
    known = {"ckpt_1": saved(one)[30]}
    two = attempt(
        tmp_path / "two",
        "sft",
        "ckpt_1",
        RECORDS,
        options | {"max_steps": 1},
        checkpoints=known,
        model_roots=(tiny_language_model.parent,),
    )
    again = here(two)
    assert losses(one)[30] < 0.7 * losses(one)[1]
    assert losses(again)[1] <= losses(one)[30]
    known["ckpt_2"] = saved(again)[1]
    pool = ModelPool([tiny_language_model.parent], tmp_path, checkpoints=known.get)
    assert len(pool.files("ckpt_2")) == 3
    assert pool.language("ckpt_2").identity.weights != pool.language("ckpt_1").identity.weights


def _digest(found: Any) -> str:
    return str([report for report in found if report.type == "checkpoint"][-1].data["digest"])

"""Kahneman–Tversky optimisation: learn from answers that are labelled good or bad, one by one.

For a prompt x with an answer y, π_θ the policy and π_ref the frozen model that training began with,

    r(x, y) = log π_θ(y|x) − log π_ref(y|x)                       summed over the answer's tokens
    z       = max(0, mean of r(x, y′) over the batch)             y′: an answer to another prompt
    L(θ)    = w⁺ (1 − σ(β (r(x, y) − z)))                         of a good answer
              w⁻ (1 − σ(β (z − r(x, y))))                         of a bad one

averaged over answers; σ is the sigmoid. z estimates how far the policy has moved, KL(π_θ‖π_ref),
and has no gradient; over several processes it is the mean of theirs. The first loss is half the
mean weight. Where good and bad answers are not equally many, w⁺ n⁺ / (w⁻ n⁻) should lie between 1
and 1.33.

y′ of an answer is that of the nearest row before it with another prompt, rows having been shuffled
once by the seed; they stay in that order in every epoch. Under LoRA π_ref is the policy with its
adapter switched off; full fine-tuning keeps a second, frozen copy. Prompt and answer are read as
`sft` reads them. Reported: the mean reward β r of either label, margin (their difference, in steps
that have both), z as `kl`.

Of held-out rows the loss is L with z the mean over all of them, so that it does not depend on how
they are batched.

Paper: Ethayarajh et al. 2024 (arXiv:2402.01306), equations 7 and 8. Runs on TRL's KTOTrainer, with
our tokens and our y′: its own pairs may share a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from trainers.job.declaration import Trainer
from trainers.job.errors import TrainingError
from trainers.job.footprint import Footprint, a_reference, labels_alone
from trainers.job.options import Options, rate
from trainers.job.run import Run

if TYPE_CHECKING:
    from torch import Tensor

    from trainers.learning.tokenization import Row


class KTOOptions(Options):
    """The defaults are the paper's."""

    learning_rate: float | None = rate(full=5e-6, lora=5e-5)
    batch_size: int = Field(
        8,
        ge=2,
        le=1_000_000,
        description="Answers in one pass of a process; z is a mean over them.",
    )
    beta: float = Field(
        0.1, gt=0, description="β, how dear it is to leave the reference, in units a nat."
    )
    desirable_weight: float = Field(1.0, ge=0, description="w⁺, of good answers.")
    undesirable_weight: float = Field(1.0, ge=0, description="w⁻, of bad answers.")


NAMES = {
    "rewards/chosen": "reward/desirable",  # β r(x, y), a mean over good answers
    "rewards/rejected": "reward/undesirable",
    "rewards/margins": "margin",
    "logps/chosen": "logprob/desirable",  # log π_θ(y|x), nats an answer
    "logps/rejected": "logprob/undesirable",
    "kl": "kl",  # z
}


def train(options: KTOOptions, run: Run) -> None:
    """Raises TrainingError for answers that cannot be learned from, as `tokenized` says."""
    build(options, run).train(resume_from_checkpoint=run.resume)


def build(options: KTOOptions, run: Run) -> Any:
    """The trainer, ready to train."""
    from datasets import Dataset
    from trl.trainer.kto_config import KTOConfig

    from trainers.learning.arguments import configured
    from trainers.learning.callbacks import Reporting
    from trainers.learning.labels import LabelTrainer
    from trainers.learning.models import load_start, lora_config
    from trainers.learning.validation import held_out

    model, tokenizer = load_start(run, options)
    rows = tokenized(model, tokenizer, options, run)
    answers = compared(rows, run, options.seed)
    held = held_out(
        run, lambda run: compared(tokenized(model, tokenizer, options, run), run, options.seed)
    )
    run.prepared(tokenizer, rows[0].ids)
    lora = lora_config(model, options)
    return LabelTrainer(
        conclude=lambda found: validation(found, options),
        model=model,
        ref_model=None if lora else load_start(run, options)[0],
        args=configured(
            KTOConfig,
            options,
            run,
            beta=options.beta,
            desirable_weight=options.desirable_weight,
            undesirable_weight=options.undesirable_weight,
            disable_dropout=not (options.adapter and options.adapter.dropout),
            max_length=None,
        ),
        train_dataset=Dataset.from_list(answers),
        eval_dataset=Dataset.from_list(held) if held is not None else None,
        processing_class=tokenizer,
        peft_config=lora,
        callbacks=[Reporting(run, TRAINER, options, names=NAMES)],
    )


def tokenized(model: Any, tokenizer: Any, options: KTOOptions, run: Run) -> list[Row]:
    """Prompt and answer of each record. Raises TrainingError for what is too long, unless
    `truncate`, and for empty answers."""
    from trainers.learning.models import context_length
    from trainers.learning.parallel import mapped
    from trainers.learning.tokenization import completion_row, fitting, templated

    chat = templated(tokenizer, options.chat)

    def read(at: int, record: Mapping[str, Any]) -> Row:
        if not record["completion"].strip():
            where = f"records[{at}].completion"
            raise TrainingError("invalid_data", f"{where} is empty", where)
        return completion_row(record, f"records[{at}]", tokenizer, chat)

    rows = mapped(read, run.records)
    return fitting(rows, run, options, context_length(model, tokenizer))


def compared(rows: Sequence[Row], run: Run, seed: int) -> list[dict[str, list[int] | bool]]:
    """Ids of prompt, answer and y′, and the label, in the order of training.

    Raises TrainingError where all prompts are the same: there is no y′ then.
    """
    import numpy as np

    order = np.random.default_rng(seed).permutation(len(rows)).tolist()
    starts = [row.answer.index(True) for row in rows]
    others = partners([rows[at].ids[: starts[at]] for at in order])
    return [
        {
            "prompt_ids": rows[at].ids[: starts[at]],
            "completion_ids": rows[at].ids[starts[at] :],
            "KL_completion_ids": rows[order[other]].ids[starts[order[other]] :],
            "label": run.records[at]["label"],
        }
        for at, other in zip(order, others, strict=True)
    ]


def validation(rows: Tensor, options: KTOOptions) -> dict[str, float]:
    """The loss of a set, and what is reported of a step, of rows (N, 3): r(x, y), r(x, y′), and 1
    for a good answer, 0 for a bad one."""
    moved, away, good = rows.double().unbind(1)
    good = good.bool()
    z = away.mean().clamp(min=0)
    losses = (
        options.desirable_weight * (1 - (options.beta * (moved - z)[good]).sigmoid()),
        options.undesirable_weight * (1 - (options.beta * (z - moved)[~good]).sigmoid()),
    )
    found = {"loss": float(sum(each.sum() for each in losses) / len(rows)), "kl": float(z)}
    for side, part in (("desirable", moved[good]), ("undesirable", moved[~good])):
        if len(part):
            found[f"reward/{side}"] = options.beta * float(part.mean())
    if good.any() and not good.all():
        found["margin"] = found["reward/desirable"] - found["reward/undesirable"]
    return found


def partners(prompts: Sequence[list[int]]) -> list[int]:
    """For each place, the nearest before it, round the end, with another prompt.

    Raises TrainingError where all prompts are the same.
    """
    found: list[int] = []
    last = next((at for at in range(-1, -len(prompts), -1) if prompts[at] != prompts[0]), None)
    if last is None:
        message = "all prompts are the same: KTO compares answers with those to other prompts"
        raise TrainingError("invalid_data", message, "dataset")
    other = len(prompts) + last
    for at, prompt in enumerate(prompts):
        if at and prompts[at - 1] != prompt:
            other = at - 1
        found.append(other)
    return found


TRAINER = Trainer(
    name="kto",
    about="Makes answers labelled good likelier and bad ones less so, held to the starting model.",
    objective="w (1 − σ(± β (log π_θ(y|x) − log π_ref(y|x) − z)))",
    paper="Ethayarajh et al. 2024, arXiv:2402.01306",
    options=KTOOptions,
    kinds=("labelled",),
    produces="language",
    train=train,
    previews=True,
    validates=True,
    sequences=(("prompt", "completion"),),
    objective_series=("margin",),
    footprint=Footprint(reference=a_reference, head=labels_alone),
)

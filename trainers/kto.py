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

Paper: Ethayarajh et al. 2024 (arXiv:2402.01306), equations 7 and 8. Runs on TRL's KTOTrainer, with
our tokens and our y′: its own pairs may share a prompt. Left out: a loss of held-out rows, which z
would make depend on how they are batched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from trainers.job.declaration import Trainer
from trainers.job.errors import TrainingError
from trainers.job.footprint import Footprint, a_reference, labels_alone
from trainers.job.options import Options, rate
from trainers.job.run import Run


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
    from trl.trainer.kto_trainer import KTOTrainer

    from trainers.learning.arguments import configured
    from trainers.learning.callbacks import Reporting
    from trainers.learning.models import load_start, lora_config
    from trainers.learning.sharding import Sharding

    class LabelTrainer(Sharding, KTOTrainer):
        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

        def create_model_card(self, *_: Any, **__: Any) -> None:
            """Checkpoints have a card of ours."""

    model, tokenizer = load_start(run, options)
    answers = tokenized(model, tokenizer, options, run)
    lora = lora_config(model, options)
    return LabelTrainer(
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
        processing_class=tokenizer,
        peft_config=lora,
        callbacks=[Reporting(run, TRAINER, options, names=NAMES)],
    )


def tokenized(
    model: Any, tokenizer: Any, options: KTOOptions, run: Run
) -> list[dict[str, list[int] | bool]]:
    """Ids of prompt, answer and y′, and the label, in the order of training.

    Raises TrainingError for what is too long, unless `truncate`, for empty answers, and for a
    dataset with a single prompt: it has no y′.
    """
    import numpy as np

    from trainers.learning.models import context_length
    from trainers.learning.parallel import mapped
    from trainers.learning.tokenization import Row, completion_row, fitting, templated

    chat = templated(tokenizer, options.chat)

    def read(at: int, record: Mapping[str, Any]) -> Row:
        if not record["completion"].strip():
            where = f"records[{at}].completion"
            raise TrainingError("invalid_data", f"{where} is empty", where)
        return completion_row(record, f"records[{at}]", tokenizer, chat)

    rows = fitting(mapped(read, run.records), run, options, context_length(model, tokenizer))
    run.prepared(tokenizer, rows[0].ids)
    order = np.random.default_rng(options.seed).permutation(len(rows)).tolist()
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
    sequences=(("prompt", "completion"),),
    objective_series=("margin",),
    footprint=Footprint(reference=a_reference, head=labels_alone),
)

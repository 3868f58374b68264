"""Direct preference optimisation: learn from pairs of answers, without a reward model.

For a prompt x with a better answer y⁺ and a worse one y⁻, π_θ the policy and π_ref the frozen model
that training began with,

    r(x, y) = β (log π_θ(y|x) − log π_ref(y|x))                    the implicit reward
    L(θ)    = −log σ(r(x, y⁺) − r(x, y⁻))                          averaged over pairs

log π(y|x) is a sum over the answer's tokens, the end of its turn included; so the first loss is
ln 2 = 0.693. With `label_smoothing` ε, the chance that a pair is labelled the wrong way round, the
loss is the unbiased estimate of L under such noise,

    L_ε     = ((1 − ε) L − ε L′) / (1 − 2ε)                        L′: with y⁺ and y⁻ exchanged

Under LoRA π_ref is the policy with its adapter switched off; full fine-tuning keeps a second,
frozen copy. Prompt and answer are read as `sft` reads them. Dropout is off, but for LoRA's own.
Reported: accuracy (the share of pairs with r⁺ > r⁻), margin, the mean reward of either side.

Papers: Rafailov et al. 2023 (arXiv:2305.18290); ε: Chowdhury et al. 2024 (arXiv:2403.00409).
Runs on TRL's DPOTrainer, with our tokens: its own preparation cuts rows and drops them without a
word. Left out: other losses (IPO, hinge, …), a reference that moves, a language-modelling term.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from trainers.job.declaration import PAIRS, Trainer
from trainers.job.errors import TrainingError
from trainers.job.footprint import Footprint, a_reference
from trainers.job.options import Options, rate
from trainers.job.run import Run


class DPOOptions(Options):
    """The defaults are the paper's."""

    learning_rate: float | None = rate(full=5e-6, lora=5e-5)
    beta: float = Field(
        0.1, gt=0, description="β, how dear it is to leave the reference, in units a nat."
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=0.5, description="ε, the share of pairs labelled the wrong way round; 0: off."
    )


NAMES = {
    "rewards/chosen": "reward/chosen",  # r(x, y⁺), a mean over pairs
    "rewards/rejected": "reward/rejected",
    "rewards/margins": "margin",  # r(x, y⁺) − r(x, y⁻)
    "rewards/accuracies": "accuracy",
    "logps/chosen": "logprob/chosen",  # log π_θ(y⁺|x), nats an answer
    "logps/rejected": "logprob/rejected",
    "mean_token_accuracy": "token_accuracy",  # of the chosen answers
}


def train(options: DPOOptions, run: Run) -> None:
    """Raises TrainingError for pairs that cannot be learned from, as `tokenized` says."""
    build(options, run).train(resume_from_checkpoint=run.resume)


def build(options: DPOOptions, run: Run) -> Any:
    """The trainer, ready to train."""
    from datasets import Dataset
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    from trainers.learning.arguments import configured
    from trainers.learning.callbacks import Reporting
    from trainers.learning.models import load_start, lora_config
    from trainers.learning.sharding import Sharding

    class PairTrainer(Sharding, DPOTrainer):
        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

        def create_model_card(self, *_: Any, **__: Any) -> None:
            """Checkpoints have a card of ours."""

    model, tokenizer = load_start(run, options)
    pairs = tokenized(model, tokenizer, options, run)
    lora = lora_config(model, options)
    return PairTrainer(
        model=model,
        ref_model=None if lora else load_start(run, options)[0],
        args=configured(
            DPOConfig,
            options,
            run,
            beta=options.beta,
            loss_type=["robust" if options.label_smoothing else "sigmoid"],
            label_smoothing=options.label_smoothing,
            disable_dropout=not (options.adapter and options.adapter.dropout),
            max_length=None,
            activation_checkpointing=False,
        ),
        train_dataset=Dataset.from_list(pairs),
        processing_class=tokenizer,
        peft_config=lora,
        callbacks=[Reporting(run, TRAINER, options, names=NAMES)],
    )


def tokenized(
    model: Any, tokenizer: Any, options: DPOOptions, run: Run
) -> list[dict[str, list[int]]]:
    """Ids of prompt, chosen and rejected, a pair a record.

    Raises TrainingError for what is too long, unless `truncate`, for empty answers and for pairs
    that read the same: all of them would be silent.
    """
    from trainers.learning.models import context_length
    from trainers.learning.tokenization import Row, fitting, row, templated

    chat = templated(tokenizer, options.chat)

    def read(at: int, side: str) -> Row:
        record, where = run.records[at], f"records[{at}].{side}"
        if not record[side].strip():
            raise TrainingError("invalid_data", f"{where} is empty", where)
        pair = {"prompt": record["prompt"], "completion": record[side]}
        return replace(row(pair, f"records[{at}]", tokenizer, chat, ""), where=where)

    rows = [read(at, side) for at in range(len(run.records)) for side in ("chosen", "rejected")]
    fitted = fitting(rows, run, options, context_length(model, tokenizer))
    pairs = []
    for at, (chosen, rejected) in enumerate(zip(fitted[::2], fitted[1::2], strict=True)):
        start = chosen.answer.index(True)
        if chosen.ids == rejected.ids:
            message = f"records[{at}]: chosen and rejected read the same"
            raise TrainingError("invalid_data", message, f"records[{at}]")
        pairs.append(
            {
                "prompt_ids": chosen.ids[:start],
                "chosen_ids": chosen.ids[start:],
                "rejected_ids": rejected.ids[start:],
            }
        )
    return pairs


TRAINER = Trainer(
    name="dpo",
    about="Makes preferred answers likelier than rejected ones, held to the starting model.",
    objective="− log σ(β [(log π_θ(y⁺|x) − log π_ref(y⁺|x)) − (log π_θ(y⁻|x) − log π_ref(y⁻|x))])",
    paper="Rafailov et al. 2023, arXiv:2305.18290",
    options=DPOOptions,
    kinds=("preference",),
    produces="language",
    train=train,
    sequences=PAIRS,
    objective_series=("margin",),
    footprint=Footprint(reference=a_reference),
)

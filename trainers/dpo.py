"""Direct preference optimisation: learn from pairs of answers, without a reward model.

For a prompt x with a better answer y⁺ and a worse one y⁻, π_θ the policy and π_ref the frozen model
that training began with,

    r(x, y) = β (log π_θ(y|x) − log π_ref(y|x))                    the implicit reward
    L(θ)    = −log σ(r(x, y⁺) − r(x, y⁻))                          averaged over pairs

log π(y|x) is a sum over the answer's tokens, the end of its turn included; so the first loss is
ln 2 = 0.693. With `label_smoothing` ε, the chance that a pair is labelled the wrong way round, the
loss is the unbiased estimate of L under such noise,

    L_ε     = ((1 − ε) L − ε L′) / (1 − 2ε)                        L′: with y⁺ and y⁻ exchanged

`loss` names other losses of the same rewards, with m = r(x, y⁺) − r(x, y⁻) and σ the sigmoid:

    hinge       max(0, 1 − m)
    ipo         (h⁺ − h⁻ − 1 / (2β))²        h: log π_θ − log π_ref, a mean over the answer's tokens
    apo_zero    1 − σ(r(x, y⁺)) + σ(r(x, y⁻))     chosen answers better than the model's own
    apo_down    σ(r(x, y⁺)) + 1 − σ(m)            chosen answers worse than the model's own

Under LoRA π_ref is the policy with its adapter switched off; full fine-tuning keeps a second,
frozen copy. Prompt and answer are read as `sft` reads them. Dropout is off, but for LoRA's own.
Reported: accuracy (the share of pairs with r⁺ > r⁻), margin, the mean reward of either side.

Papers: Rafailov et al. 2023 (arXiv:2305.18290); ε: Chowdhury et al. 2024 (arXiv:2403.00409); hinge:
Zhao et al. 2023 (arXiv:2305.10425); IPO: Azar et al. 2023 (arXiv:2310.12036), whose authors mean h
as a mean; APO: D'Oosterlinck et al. 2024 (arXiv:2408.06266).
Runs on TRL's DPOTrainer, with our tokens: its own preparation cuts rows and drops them without a
word. Left out: a reference that moves, a language-modelling term.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from trainers.job.declaration import PAIRS, Trainer
from trainers.job.errors import TrainingError
from trainers.job.footprint import Footprint, a_reference
from trainers.job.options import Options
from trainers.job.run import Run


class DPOOptions(Options):
    """The defaults are the paper's."""

    learning_rate: float = Field(
        1e-6, gt=0, le=1, description="Peak learning rate of AdamW; LoRA bears 10–100 times it."
    )
    beta: float = Field(
        0.1, gt=0, description="β, how dear it is to leave the reference, in units a nat."
    )
    loss: Literal["sigmoid", "hinge", "ipo", "apo_zero", "apo_down"] = Field(
        "sigmoid", description="Of a pair; sigmoid is the paper's. β is τ in ipo."
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=0.5, description="ε, the share of pairs labelled the wrong way round; 0: off."
    )

    @model_validator(mode="after")
    def _smoothed(self) -> Self:
        if self.label_smoothing and self.loss != "sigmoid":
            raise ValueError(f"label_smoothing is of the loss sigmoid, and none of {self.loss}")
        return self


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
    from trainers.learning.validation import Validating, held_out

    class PairTrainer(Validating, Sharding, DPOTrainer):
        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

        def create_model_card(self, *_: Any, **__: Any) -> None:
            """Checkpoints have a card of ours."""

    model, tokenizer = load_start(run, options)
    pairs = tokenized(model, tokenizer, options, run)
    held = held_out(run, lambda run: tokenized(model, tokenizer, options, run))
    lora = lora_config(model, options)
    return PairTrainer(
        model=model,
        ref_model=None if lora else load_start(run, options)[0],
        args=configured(
            DPOConfig,
            options,
            run,
            beta=options.beta,
            loss_type=["robust" if options.label_smoothing else options.loss],
            label_smoothing=options.label_smoothing,
            disable_dropout=not (options.adapter and options.adapter.dropout),
            max_length=None,
        ),
        train_dataset=Dataset.from_list(pairs),
        eval_dataset=Dataset.from_list(held) if held is not None else None,
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
    from trainers.learning.parallel import mapped
    from trainers.learning.tokenization import Row, completion_row, fitting, templated

    chat = templated(tokenizer, options.chat)

    def read(at: int, record: Mapping[str, Any], side: str) -> Row:
        where = f"records[{at}].{side}"
        if not record[side].strip():
            raise TrainingError("invalid_data", f"{where} is empty", where)
        pair = {"prompt": record["prompt"], "completion": record[side]}
        return replace(completion_row(pair, f"records[{at}]", tokenizer, chat), where=where)

    def both(at: int, record: Mapping[str, Any]) -> list[Row]:
        return [read(at, record, side) for side in ("chosen", "rejected")]

    rows = [row for pair in mapped(both, run.records) for row in pair]
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
    validates=True,
    sequences=PAIRS,
    objective_series=("margin",),
    footprint=Footprint(reference=a_reference),
)

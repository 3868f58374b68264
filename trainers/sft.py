"""Supervised fine-tuning: the answers become more likely.

For a sequence x_1 … x_S, of which the tokens A belong to answers, this is minimised:

    L(θ) = − (1 / N) Σ_{t ∈ A} log π_θ(x_t | x_{<t})

N counts such tokens in all sequences of an optimiser step: over gradient accumulation and over
devices, so neither changes what is optimised. With `loss_on` "all", A is every token but the
first. In a conversation every turn of the assistant is an answer, its end mark included; text
without a prompt is all answer. A `rationale` is part of the answer, before it, inside tags.

Paper: Ouyang et al. 2022 (arXiv:2203.02155), section 3.5.
Left out: packing of several rows into one sequence, NEFTune noise, label smoothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from trainers.job.declaration import Trainer
from trainers.job.options import Options
from trainers.job.run import Run

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = -100  # the label of a token that is not learned


class SftOptions(Options):
    """What all trainers share, and what is learned of a record."""

    loss_on: Literal["answer", "all"] = Field(
        "answer", description="Tokens to learn: those of answers, or all but the first."
    )
    rationale_tag: str = Field(
        "think",
        pattern=r"^[A-Za-z][\w-]{0,31}$",
        description="A rationale goes before its answer inside this tag: <think>…</think>.",
    )


def train(options: SftOptions, run: Run) -> None:
    """Raises TrainingError for records that cannot be rendered, or are too long."""
    import transformers

    from inference.load import grow_embeddings
    from trainers.learning.arguments import configured
    from trainers.learning.callbacks import Reporting
    from trainers.learning.models import adapted, context_length, load_start
    from trainers.learning.sharding import Sharding
    from trainers.learning.tokenization import add_tags, fitting, rows
    from trainers.learning.validation import Validating, held_out

    class AnswerTrainer(Validating, Sharding, transformers.Trainer):
        """Its weights may be sharded; everything else is as there."""

        def validation_loss(self, model: Any, inputs: Any) -> Tensor:
            """Divided by the tokens that a batch of so many rows has in the mean."""
            labels = inputs.pop("labels")
            return loss(model(**inputs), labels, len(labels) * per_row)

    model, tokenizer = load_start(run, options)
    context = context_length(model, tokenizer)
    rationales = any(record.get("rationale") for record in run.records)
    tokens = add_tags(tokenizer, options.rationale_tag) if rationales else []
    grow_embeddings(model, tokenizer)

    def examples(run: Run) -> list[dict[str, Any]]:
        whole = rows(run.records, tokenizer, options.chat, options.rationale_tag)
        return [
            {"ids": row.ids, "learned": [options.loss_on == "all" or part for part in row.answer]}
            for row in fitting(whole, run, options, context)
        ]

    trained, held = examples(run), held_out(run, examples)
    per_row = sum(sum(row["learned"][1:]) for row in held or ()) / len(held or (0,))
    trainer = AnswerTrainer(
        model=adapted(model, options, "language", tokens),
        args=configured(
            transformers.TrainingArguments,
            options,
            run,
            include_num_input_tokens_seen="non_padding",
        ),
        train_dataset=trained,
        eval_dataset=held,
        data_collator=lambda batch: collate(batch, tokenizer.pad_token_id),
        compute_loss_func=loss,
        processing_class=tokenizer,
        callbacks=[Reporting(run, TRAINER, options)],
    )
    trainer.train(resume_from_checkpoint=run.resume)


def loss(outputs: Any, labels: Tensor, num_items_in_batch: Tensor | float | None = None) -> Tensor:
    """L, of logits (B, S, V) and labels (B, S); N is `num_items_in_batch`."""
    from torch.nn.functional import cross_entropy, pad

    targets = pad(labels[:, 1:], (0, 1), value=IGNORED)  # (B, S): position t predicts token t + 1
    logits = outputs.logits.float().flatten(0, 1)  # (B · S, V), whole: a slice would be copied
    nll = cross_entropy(logits, targets.flatten(), ignore_index=IGNORED, reduction="sum")
    return nll / (num_items_in_batch or (targets != IGNORED).sum())


def collate(batch: Sequence[dict[str, Any]], pad: int) -> dict[str, Tensor]:
    """Padded on the right; (B, S) each."""
    import torch

    from inference.load import padded

    ids, mask = padded([row["ids"] for row in batch], pad, left=False, device="cpu")
    learned = [[*row["learned"], *[False] * (ids.shape[1] - len(row["ids"]))] for row in batch]
    labels = ids.masked_fill(~torch.tensor(learned), IGNORED)
    labels[:, 0] = IGNORED
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


TRAINER = Trainer(
    name="sft",
    about="Supervised fine-tuning on conversations, completions or text.",
    objective="− (1/N) Σ_{t ∈ answer} log π_θ(x_t | x_{<t})",
    paper="Ouyang et al. 2022, arXiv:2203.02155",
    options=SftOptions,
    kinds=("sft",),
    produces="language",
    train=train,
    validates=True,
)

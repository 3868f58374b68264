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

from trainers.job import footprint
from trainers.job.declaration import Trainer
from trainers.job.options import Options
from trainers.job.run import Run

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = -100  # the label of a token that is not learned

Example = dict[str, Any]  # "ids", and "learned" of each


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
    from trainers.learning.heads import chunk_logits
    from trainers.learning.models import adapted, context_length, load_start
    from trainers.learning.tokenization import add_tags
    from trainers.learning.validation import held_out

    model, tokenizer = load_start(run, options)
    context = context_length(model, tokenizer)
    rationales = any(record.get("rationale") for record in run.records)
    tokens = add_tags(tokenizer, options.rationale_tag) if rationales else []
    grow_embeddings(model, tokenizer)
    trained = tokenized(tokenizer, options, run, context)
    held = held_out(run, lambda run: tokenized(tokenizer, options, run, context))
    run.prepared(tokenizer, trained[0]["ids"])
    model = adapted(model, options, "language", tokens)
    longest = max(len(row["ids"]) for row in trained)
    few = run.spec.device == "cpu" and options.batch_size * longest <= footprint.FEW
    trainer = answer_trainer(not few and chunk_logits(model), held or ())(
        model=model,
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


def tokenized(tokenizer: Any, options: SftOptions, run: Run, context: int) -> list[Example]:
    """Each record's ids, and of each token whether it is learned; by `fitting` within `context`."""
    from trainers.learning.tokenization import fitting, rows

    whole = rows(run.records, tokenizer, options.chat, options.rationale_tag)
    return [
        {"ids": row.ids, "learned": [options.loss_on == "all" or part for part in row.answer]}
        for row in fitting(whole, run, options, context)
    ]


def answer_trainer(chunked: bool, held: Sequence[Example]) -> Any:
    """A class whose weights may be sharded, and which measures the loss of held-out rows.

    chunked  whether the model gives log-probabilities of labels instead of logits, when asked
    """
    import transformers

    from trainers.learning.sharding import Sharding
    from trainers.learning.validation import Validating

    per_row = sum(sum(row["learned"][1:]) for row in held) / max(len(held), 1)

    def fused(labels: Tensor) -> dict[str, Any]:
        return {"fused_lm_head": True, "shift_labels": targets(labels)} if chunked else {}

    class AnswerTrainer(Validating, Sharding, transformers.Trainer):
        def compute_loss(self, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
            return super().compute_loss(model, inputs | fused(inputs["labels"]), *rest, **named)

        def validation_loss(self, model: Any, inputs: Any) -> Tensor:
            """Divided by the tokens that a batch of so many rows has in the mean."""
            labels = inputs.pop("labels")
            return loss(model(**inputs, **fused(labels)), labels, len(labels) * per_row)

    return AnswerTrainer


def loss(outputs: Any, labels: Tensor, num_items_in_batch: Tensor | float | None = None) -> Tensor:
    """L, of labels (B, S); N is `num_items_in_batch`.

    outputs  log-probabilities (B, S) of the labels, 0 where they are ignored; or logits (B, S, V)
    """
    from torch.nn.functional import cross_entropy

    learned = targets(labels)
    nll: Tensor
    if "log_probs" in outputs:
        nll = -outputs.log_probs.sum()
    else:
        logits = outputs.logits.float().flatten(0, 1)  # (B · S, V), whole: a slice would be copied
        nll = cross_entropy(logits, learned.flatten(), ignore_index=IGNORED, reduction="sum")
    return nll / (num_items_in_batch or (learned != IGNORED).sum())


def targets(labels: Tensor) -> Tensor:
    """(B, S) labels by the position that predicts them: t predicts token t + 1."""
    from torch.nn.functional import pad

    return pad(labels[:, 1:], (0, 1), value=IGNORED)


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
    footprint=footprint.Footprint(head=footprint.whole_if_few),
    previews=True,
    validates=True,
)

"""A reward model: a number for (prompt, answer), higher where people prefer the answer.

For a prompt x with a better answer y⁺ and a worse one y⁻ (Bradley and Terry, 1952):

    L(θ) = − log σ(r_θ(x, y⁺) − r_θ(x, y⁻) − s · m) + c · (r_θ(x, y⁺) + r_θ(x, y⁻))²

averaged over pairs. r is the one output of a sequence classifier, read at the last token; its head
is new and random where the model that training starts from has none. m is the record's `margin`, by
how much y⁺ is better (0 without one), and s is `margin_scale`: above 0, pairs that people agree on
are to be further apart (Touvron et al. 2023). c is `center_coefficient`: the first term leaves the
level of r free, the second holds it near zero (Eisenstein et al. 2023).

Prompt and answer are read exactly as the metric `reward` reads them, so that a checkpoint scores
what it was trained on. Longer pairs lose their beginning when `truncate` is set, as they do there.
Reported: accuracy (the share of pairs ranked right), margin (r(x, y⁺) − r(x, y⁻), whatever m),
the mean reward of either side.

Paper: Ouyang et al. 2022 (arXiv:2203.02155), section 3.5; margins: arXiv:2307.09288, section 3.2.2;
centering: arXiv:2312.09244. Left out: several rejected answers a prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import Field

from trainers.job.declaration import PAIRS, Trainer
from trainers.job.errors import TrainingError
from trainers.job.footprint import Footprint, no_logits
from trainers.job.options import Options, rate
from trainers.job.run import Run
from trainers.learning.processes import total

if TYPE_CHECKING:
    from torch import Tensor


class RewardOptions(Options):
    """What all trainers share, the margins and the centering."""

    learning_rate: float | None = rate(full=1e-5, lora=1e-4)
    margin_scale: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="s, by which records' margins are multiplied, in units of the reward; 0: they "
        "are not read.",
    )
    center_coefficient: float = Field(
        0.0, ge=0, description="c, the weight of holding rewards near zero; 0: off."
    )


class PairRow(NamedTuple):
    """Ids of the better and the worse answer with their prompt, and m."""

    chosen: list[int]
    rejected: list[int]
    margin: float


def train(options: RewardOptions, run: Run) -> None:
    """Raises TrainingError for pairs that cannot be learned from, as `tokenized` says, and where
    margins are to be learned that no record has."""
    import transformers

    from trainers.learning.arguments import configured
    from trainers.learning.callbacks import Reporting
    from trainers.learning.models import adapted, load_start
    from trainers.learning.validation import held_out

    model, tokenizer = load_start(run, options, "classifier")
    config = {"num_labels": 1, "pad_token_id": model.config.pad_token_id}
    if options.margin_scale and not any(record.get("margin") for record in run.records):
        message = "no record of the dataset has a `margin`: leave margin_scale at 0"
        raise TrainingError("invalid_data", message, "options.margin_scale")
    pairs = tokenized(model, tokenizer, options, run)
    held = held_out(run, lambda run: tokenized(model, tokenizer, options, run))
    run.prepared(tokenizer, pairs[0].chosen)
    trainer = pair_trainer(options)(
        model=adapted(model, options, "classifier"),
        args=configured(
            transformers.TrainingArguments,
            options,
            run,
            include_num_input_tokens_seen="non_padding",
        ),
        train_dataset=pairs,
        eval_dataset=held,
        data_collator=lambda batch: collate(batch, tokenizer.pad_token_id),
        processing_class=tokenizer,
        callbacks=[Reporting(run, TRAINER, options, config=config)],
    )
    trainer.train(resume_from_checkpoint=run.resume)


def pair_trainer(options: RewardOptions) -> Any:
    """A `transformers.Trainer` of pairs, with the loss and the statistics below."""
    import torch
    import transformers

    from trainers.learning.sharding import Sharding
    from trainers.learning.validation import Validating

    class PairTrainer(Validating, Sharding, transformers.Trainer):
        loss_is_scaled_for_ga = False  # a mean over the pairs of a batch
        sums: ClassVar[list[Tensor]] = []  # (5,) each, as `statistics` has them

        def compute_loss(self, model: Any, inputs: Any, *_: Any, **__: Any) -> Tensor:
            """Batches hold the better answers, then the worse ones: (2B, S); margins (B,)."""
            texts = {name: ids for name, ids in inputs.items() if name != "margin"}
            rewards = model(**texts).logits[:, 0].float()  # (2B,)
            chosen, rejected = rewards.chunk(2)  # (B,) each
            self.sums.append(statistics(chosen.detach(), rejected.detach()))
            margins = options.margin_scale * inputs["margin"]
            return loss(chosen, rejected, margins, options.center_coefficient)

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            """Adds the means over pairs since the last log: of micro-batches and processes."""
            if self.sums:
                count, *values = total(torch.stack(self.sums).sum(0)).tolist()
                named = zip(STATISTICS, values, strict=True)
                logs |= {name: value / count for name, value in named}
                self.sums.clear()
            super().log(logs, start_time)

    return PairTrainer


def loss(chosen: Tensor, rejected: Tensor, margins: Tensor, center: float) -> Tensor:
    """L, of rewards and of margins s · m, (B,) each."""
    from torch.nn.functional import logsigmoid

    preferred = -logsigmoid(chosen - rejected - margins).mean()
    return preferred + center * ((chosen + rejected) ** 2).mean() if center else preferred


STATISTICS = ("accuracy", "margin", "reward/chosen", "reward/rejected")


def statistics(chosen: Tensor, rejected: Tensor) -> Tensor:
    """(5,) the number of pairs, then sums over them of what STATISTICS names."""
    import torch

    margin = chosen - rejected  # (B,)
    sums = [(margin > 0).sum(), margin.sum(), chosen.sum(), rejected.sum()]
    return torch.stack([torch.full_like(margin[0], len(margin)), *sums])


def tokenized(model: Any, tokenizer: Any, options: RewardOptions, run: Run) -> list[PairRow]:
    """A pair a record, as the metric `reward` reads them.

    Raises TrainingError for what is too long, unless `truncate`, and for pairs that read the same.
    """
    from inference.classifier import TransformerClassifier
    from inference.protocol import Identity
    from trainers.learning.tokenization import check_lengths, templated

    reader = TransformerClassifier(model, tokenizer, Identity(run.spec.model, "", ""), "cpu")
    chat = templated(tokenizer, options.chat)
    sides = ("chosen", "rejected")
    ids = {
        side: reader.encode([(record["prompt"], record[side]) for record in run.records], chat)
        for side in sides
    }
    lengths = [
        (f"records[{at}].{side}", len(ids[side][at]))
        for at in range(len(run.records))
        for side in sides
    ]
    limit = check_lengths(lengths, run, options, reader.max_length, "answers with their prompts")
    pairs = []
    for at, (chosen, rejected) in enumerate(zip(*ids.values(), strict=True)):
        margin = run.records[at].get("margin") or 0.0
        pair = PairRow(reader.cut(chosen, limit), reader.cut(rejected, limit), margin)
        if pair.chosen == pair.rejected or not pair.chosen or not pair.rejected:
            message = f"records[{at}]: chosen and rejected read the same, or one is empty"
            raise TrainingError("invalid_data", message, f"records[{at}]")
        pairs.append(pair)
    return pairs


def collate(batch: Sequence[PairRow], pad: int) -> dict[str, Any]:
    """The better answers, then the worse ones, padded on the right, (2B, S) each; margins (B,)."""
    import torch

    from inference.load import padded

    chosen, rejected, margins = zip(*batch, strict=True)
    ids, mask = padded([*chosen, *rejected], pad, left=False, device="cpu")
    margin = torch.tensor(margins, dtype=torch.float32)
    return {"input_ids": ids, "attention_mask": mask, "margin": margin}


TRAINER = Trainer(
    name="reward",
    about="A reward model from preferences.",
    objective="− log σ(r(x, y⁺) − r(x, y⁻) − s · m) + c · (r(x, y⁺) + r(x, y⁻))²",
    paper="Ouyang et al. 2022, arXiv:2203.02155",
    options=RewardOptions,
    kinds=("preference",),
    produces="classifier",
    train=train,
    previews=True,
    validates=True,
    sequences=PAIRS,
    objective_series=("margin",),
    footprint=Footprint(head=no_logits),
    held_out=("pair_accuracy",),
)

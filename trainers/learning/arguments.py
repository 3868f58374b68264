"""The options that all trainers share, as arguments of `transformers.TrainingArguments`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from trainers.job import fsdp
from trainers.job.options import Options
from trainers.job.run import Run
from trainers.learning.sharding import corrected
from trainers.learning.tracking import reported_to

if TYPE_CHECKING:
    from transformers import TrainingArguments

    Kind = TypeVar("Kind", bound=TrainingArguments)


def configured(kind: type[Kind], options: Options, run: Run, **settings: Any) -> Kind:
    """`TrainingArguments` or one of TRL's configurations, with settings of the method's own."""
    return corrected(kind(**arguments(options, run) | settings))


def arguments(options: Options, run: Run) -> dict[str, Any]:
    """Keyword arguments of `TrainingArguments`, and so of every configuration of TRL.

    Every step is logged and none is filtered; nothing is sent anywhere unless it is asked for; all
    checkpoints are kept (which ones stay is not the trainer's to say), and the last step's is
    always written.
    """
    on_cpu = run.spec.device == "cpu"
    return {
        "output_dir": str(run.folder),
        "max_steps": options.max_steps or -1,
        "num_train_epochs": options.epochs,
        "per_device_train_batch_size": options.batch_size,
        "gradient_accumulation_steps": options.gradient_accumulation_steps,
        "learning_rate": options.learning_rate,
        "lr_scheduler_type": SCHEDULES[options.schedule],
        "warmup_steps": options.warmup_steps,
        "weight_decay": options.weight_decay,
        "max_grad_norm": options.max_grad_norm,
        "seed": options.seed,
        "data_seed": options.seed,
        "activation_checkpointing": options.gradient_checkpointing,
        "activation_checkpointing_kwargs": {"use_reentrant": False},
        "bf16": options.dtype == "bfloat16",
        "fp16": False,
        "use_cpu": on_cpu,
        "ddp_backend": ("gloo" if on_cpu else "nccl") if run.spec.processes > 1 else None,
        "ddp_find_unused_parameters": False if run.spec.processes > 1 else None,
        "dataloader_pin_memory": not on_cpu,
        "remove_unused_columns": False,
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # the default shows a NaN as the last good loss
        "eval_strategy": "no",  # `Reporting` says when
        "eval_on_start": run.spec.validation is not None and run.spec.resume is None,
        "per_device_eval_batch_size": options.batch_size,
        "prediction_loss_only": True,
        "save_strategy": "steps",
        "save_steps": options.save_steps,
        "save_total_limit": None,
        "save_only_model": False,
        "disable_tqdm": True,
        "report_to": reported_to(run),
        "run_name": run.spec.job,
        "push_to_hub": False,
        **fsdp.arguments(run.spec.fsdp),
    }


SCHEDULES = {
    "constant": "constant_with_warmup",
    "linear": "linear",
    "cosine": "cosine",
}

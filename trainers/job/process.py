"""The training process: `python -m trainers.job.process ATTEMPT/spec.json`.

Exit status 0: finished, or stopped as asked; 1: failed, and a `failed` report says why. Any other
end (a signal; of several processes, the end of another one) leaves no last report.
"""

from __future__ import annotations

import atexit
import ctypes
import errno
import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from inference.errors import Cancelled, ReportedError
from trainers.job.channel import received
from trainers.job.checkpoints import remove_incomplete
from trainers.job.errors import TrainingError
from trainers.job.fsdp import refusal
from trainers.job.run import Run
from trainers.job.spec import SPEC, Spec

PR_SET_PDEATHSIG = 1
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_WORDS = (
    *("no space left", "os error 28", "os error 122", "os error 27"),  # safetensors
    "disk is full",  # sqlite
    *("iostream error", "pytorchstreamwriter", "file write failed", "unexpected pos"),  # torch
)
MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory")


def launch(spec: Spec) -> list[str]:
    """The command that runs the attempt; `spec.write()` comes first.

    Several processes run under torchrun, as `accelerate launch --cpu` would silently start one.
    Start it on a thread that outlives it: it dies with that thread.
    """
    module = ["-m", "trainers.job.process", str(spec.folder / SPEC)]
    if spec.processes == 1:
        return [sys.executable, *module]
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={spec.processes}"]
    signals = "--signals-to-handle=SIGINT,SIGQUIT"  # `control` asks to stop, SIGTERM does not
    return [sys.executable, *torchrun, signals, *module]


def allocator() -> dict[str, str]:
    """For glibc, which reads it when the process starts: what a step frees stays with the process.

    Each step allocates and frees the same logits and gradients. Given back to the kernel in between
    they are a million page faults in sixteen steps of a small model, which a busy virtual machine
    answers slowly.
    """
    return {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**40)}


def environment(spec: Spec) -> dict[str, str]:
    """What libraries read from the environment; set before any of them is imported."""
    settings = {
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **_tracking(spec),
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
    }
    if spec.offline:
        settings |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if spec.device == "cpu":
        settings["CUDA_VISIBLE_DEVICES"] = ""
    elif spec.devices or spec.processes == 1:  # seeing others, Trainer would use them all
        settings["CUDA_VISIBLE_DEVICES"] = _visible(spec.devices or (spec.device,))
    return settings


def _tracking(spec: Spec) -> dict[str, str]:
    """Where MLflow and Weights & Biases write: into the job's folder, unless the operator's
    environment says where else."""
    folder = spec.folder.parent
    defaults = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "MLFLOW_EXPERIMENT_NAME": "assay",
        "WANDB_DIR": str(folder),
        "WANDB_PROJECT": "assay",
        "WANDB_MODE": "offline",
        "WANDB_RUN_GROUP": spec.job,  # a resumed job has a run for each attempt
        "WANDB_CONSOLE": "off",  # what is printed may hold secrets
    }
    found = {name: os.environ.get(name, value) for name, value in defaults.items()}
    return found | ({} if "wandb" in spec.tracking else {"WANDB_MODE": "disabled"})


def _visible(devices: Sequence[str]) -> str:
    """CUDA_VISIBLE_DEVICES for these alone, which are numbered as this process sees them."""
    numbers = [int(device.partition(":")[2] or 0) for device in devices]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else None
    return ",".join(names[number] if names else str(number) for number in numbers)


def main(path: Path) -> int:
    """Runs the attempt that the specification at `path` describes; returns the exit status."""
    spec = Spec.read(path)
    die_with_parent()
    os.environ.update(environment(spec))
    rank = int(os.environ.get("RANK", "0"))
    run = Run(_placed(spec), rank, *received(spec.registered))
    try:
        load_libraries()
        train(run)
    except Cancelled:  # within a step
        run.stopped_by = "cancel"
        with suppress(Exception):  # other people's code
            _close_tracking()
    except Exception as error:  # noqa: BLE001 (whatever it is, it has to be reported)
        if rank == 0:
            remove_incomplete(run.folder)  # first: it makes room for the report
        reason = explained(error)
        if reason.code != "crashed" or not deserted(error):
            run.failed(run.step, reason)
        with suppress(OSError):  # the log may be on the disk that is full
            traceback.print_exc()
            sys.stderr.flush()
        with suppress(Exception):  # other people's code, and the disk may be full for it, too
            _close_tracking()
        os._exit(1)  # other processes may be waiting inside a collective call: do not join them
    if run.stopped_by:
        run.stopped(run.step, run.stopped_by)
    else:
        run.finished(run.step)
    return 0


def _close_tracking() -> None:
    """Ends this process's runs of MLflow and Weights & Biases as failed.

    Left open, MLflow would show a run that goes on for ever, and Weights & Biases lose what it has
    not written yet, which of a short run is everything.
    """
    mlflow, wandb = sys.modules.get("mlflow"), sys.modules.get("wandb")
    if mlflow is not None and mlflow.active_run() is not None:
        mlflow.end_run("FAILED")
    if wandb is not None and wandb.run is not None:
        wandb.finish(exit_code=1)


def load_libraries() -> None:
    """Imports what methods train with, the garbage collector at rest: it would search a million
    objects again and again, all of which stay, for a fifth of the seconds that a start takes."""
    gc.disable()
    try:
        import peft  # noqa: F401
        import transformers.trainer  # noqa: F401
        import trl.trainer.utils  # noqa: F401
    finally:
        gc.enable()
    gc.freeze()


def train(run: Run) -> None:
    """Trains as the specification says. Raises TrainingError, or whatever a library raises."""
    import trainers

    trainer = trainers.find(run.spec.method)
    options = trainers.parse(trainer, run.spec.options).on(run.spec.device)
    refused = refusal(trainer, options, run.spec.processes, run.spec.fsdp)
    if refused is not None:
        field, reason = refused
        raise TrainingError("unsupported", reason, field)
    _one_device_each(run.spec)
    run.resume  # noqa: B018 (a checkpoint that cannot be resumed from is refused before all else)
    from transformers import set_seed

    set_seed(options.seed)
    trainer.train(options, run)


def _one_device_each(spec: Spec) -> None:
    """Raises TrainingError for more processes than GPUs: nobody but the process can count them."""
    if spec.processes == 1 or spec.device == "cpu":
        return
    import torch

    gpus = torch.cuda.device_count()
    if gpus < spec.processes:
        message = (
            f"{spec.processes} processes need a GPU each, and this worker sees {gpus}: "
            f"ask for at most {max(gpus, 1)}"
        )
        raise TrainingError("unsupported", message, "resources.processes")


def _placed(spec: Spec) -> Spec:
    """The specification, with the device as this process sees it."""
    if spec.device == "cpu":
        return spec
    return spec.model_copy(update={"device": f"cuda:{os.environ.get('LOCAL_RANK', '0')}"})


def explained(error: Exception) -> TrainingError:
    """The error for the user: a code, and what to do about it."""
    text = str(error).lower()
    if isinstance(error, TrainingError):
        return error
    if isinstance(error, ReportedError):
        return TrainingError(error.code, error.message, error.field)
    if isinstance(error, MemoryError) or any(words in text for words in MEMORY_WORDS):
        return TrainingError("out_of_memory", f"{OUT_OF_MEMORY} ({_short(error)})")
    if getattr(error, "errno", None) in FULL or any(words in text for words in FULL_WORDS):
        return TrainingError("disk_full", f"{DISK_FULL} ({_short(error)})")
    return TrainingError("crashed", _short(error))


def deserted(error: Exception) -> bool:
    """Whether another process of the job went away; it reports why, unless it was killed."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return "gloo/transport" in str(error) or "DistError" in kinds


OUT_OF_MEMORY = (
    "the device ran out of memory: use a smaller batch_size with more gradient_accumulation_steps, "
    "a smaller max_length, lora, or dtype bfloat16"
)
DISK_FULL = "the disk is full; earlier checkpoints stay usable: make room, then resume"


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:1000]


def die_with_parent() -> None:
    """The kernel kills this process when the thread that started it ends."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended in between
        os._exit(1)


def end(status: int) -> NoReturn:
    """Exit: run the functions registered with atexit, and skip a second of taking torch apart."""
    atexit._run_exitfuncs()
    with suppress(OSError):  # the log may be on a disk that is full
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    end(main(Path(sys.argv[1])))

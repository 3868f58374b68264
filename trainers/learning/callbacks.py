"""Callbacks of `transformers.Trainer`: reports to the run, checkpoints, stops, divergence.

Imports transformers: import this module inside `train`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from trainers.job.card import describe
from trainers.job.checkpoints import complete
from trainers.job.declaration import AnyTrainer
from trainers.job.options import Options
from trainers.job.run import Run
from trainers.learning.processes import of_first, wait_for_all
from trainers.learning.tracking import curves_of
from trainers.learning.watches import EndWatch, LossWatch

SILENT = ("train_", "total_flos", "num_input_tokens_seen", "num_tokens", "step")
TIMES = ("epoch", "runtime", "samples_per", "steps_per", "model_preparation")  # of a validation
WINDOW = 20  # steps over which speed is measured
REQUESTS = (None, "cancel", "pause", "release", "stop")  # as `control` may say


class Reporting(TrainerCallback):
    """Series, checkpoints, cancel and pause, divergence: the same for every method.

    names   series by the name that this method's library logs them under
    config  settings of the base model's configuration that training depends on, for adapters
    """

    def __init__(
        self,
        run: Run,
        trainer: AnyTrainer,
        options: Options,
        names: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.run = run
        self.trainer = trainer
        self.options = options
        self.names = names or {}
        self.config = config or {}
        self._loss = LossWatch(run.event)
        self._ends = EndWatch(run.event)
        self.curves = curves_of(run)
        self._due = True
        self._marks: deque[tuple[float, int, int]] = deque(maxlen=WINDOW + 1)  # time, step, tokens

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Reports how many steps there will be."""
        self.run.step = int(state.global_step)
        self.run.event("plan", self.run.step, total_steps=int(state.max_steps))
        self._marks.append((time.monotonic(), self.run.step, int(state.num_input_tokens_seen)))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Where a stop is asked for, saves this step's checkpoint as the last one. For "release" it
        is only to go on from, unless it was due: the library has set `should_save` by now."""
        self.run.step = int(state.global_step)
        control.should_evaluate = self._validates(state, control)
        request = self.run.stopping
        number = of_first(REQUESTS.index(request) if request in REQUESTS else 0)
        request = REQUESTS[number]  # the same in all processes: they must stop at the same step
        if request and state.global_step < state.max_steps:
            self.run.stopped_by = request
            self._due = request != "release" or control.should_save
            control.should_save = True
            control.should_training_stop = True

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Reports the step's series. Raises TrainingError where the run has diverged."""
        if logs is not None and "eval_loss" in logs:
            self._series(int(state.global_step), self._validation(logs))
        if logs is None or "loss" not in logs:
            return
        values = {
            self.names.get(name, name): float(value)
            for name, value in logs.items()
            if isinstance(value, int | float) and not name.startswith(SILENT)
        }
        tokens = int(logs.get("num_tokens", state.num_input_tokens_seen))
        values |= self._speed(int(state.global_step), int(state.max_steps), tokens)
        self._series(int(state.global_step), values)
        self._ends.check(int(state.global_step), values)
        self._loss.check(int(state.global_step), logs, self.run.last_checkpoint)

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Waits until every process has written its part; the first describes, marks, reports."""
        wait_for_all()
        if self.run.rank != 0:
            return
        step = int(state.global_step)
        folder = Path(args.output_dir) / f"checkpoint-{step}"
        (folder / "training_args.bin").unlink(missing_ok=True)  # pickled, and nothing reads it
        describe(folder, step, self.run.spec, self.trainer, self.options, self.config)
        digest = complete(folder, step, self._due)
        self.run.checkpoint(step, folder, digest, self._due)

    def _series(self, step: int, values: Mapping[str, float]) -> None:
        self.run.series(step, values)
        if self.curves is not None:
            self.curves.series(step, values)

    def _validates(self, state: Any, control: Any) -> bool:
        """Whether the loss of the held-out set is due; at the last step it is."""
        asked = self.run.spec.validation
        if asked is None:
            return False
        due = control.should_save if asked.steps is None else not state.global_step % asked.steps
        return bool(due or state.global_step >= state.max_steps)

    def _validation(self, logs: Mapping[str, Any]) -> dict[str, float]:
        """Series of the held-out set: what the method logs of it, as `validation/…`."""
        values = {name.removeprefix("eval_"): value for name, value in logs.items()}
        return {
            f"validation/{self.names.get(name, name)}": float(value)
            for name, value in values.items()
            if isinstance(value, int | float) and not name.startswith((*SILENT, *TIMES))
        }

    def _speed(self, step: int, last: int, tokens: int) -> dict[str, float]:
        """Of the last WINDOW steps, saving included: seconds left, tokens a second."""
        self._marks.append((time.monotonic(), step, tokens))
        then, first, before = self._marks[0]
        elapsed = self._marks[-1][0] - then
        if elapsed <= 0 or step == first:
            return {}
        speed = {"seconds_left": (last - step) * elapsed / (step - first)}
        if tokens > before:
            speed["tokens_per_second"] = (tokens - before) / elapsed
        return speed

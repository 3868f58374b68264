"""Callbacks of `transformers.Trainer`: reports to the run, checkpoints, stops, divergence.

Imports transformers: import this module inside `train`.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from trainers.job.card import describe
from trainers.job.checkpoints import complete
from trainers.job.declaration import AnyTrainer
from trainers.job.errors import TrainingError
from trainers.job.options import Options
from trainers.job.run import Run
from trainers.learning.processes import of_first, wait_for_all
from trainers.learning.tracking import curves_of

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
        self.watch = Watch()
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
        self.watch.check(int(state.global_step), logs, self.run.last_checkpoint)

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


class Watch:
    """Tells a run that has diverged from one that is merely noisy.

    Diverged: a loss or gradient norm that is not finite; or EXPLODED steps in a row whose |loss|
    is above FACTOR times the median |loss| of the last HISTORY other steps, plus MARGIN (in nats,
    for a cross-entropy: a model that knows nothing has ln(vocabulary), about 11).
    """

    EXPLODED, FACTOR, MARGIN, HISTORY, LEAST = 5, 10.0, 10.0, 50, 5

    def __init__(self) -> None:
        self._usual: deque[float] = deque(maxlen=self.HISTORY)
        self._high = 0

    def check(self, step: int, logs: Mapping[str, Any], last: Path | None) -> None:
        """Raises TrainingError("diverged") with the step and the last good checkpoint."""
        for name in ("loss", "grad_norm"):
            if not math.isfinite(float(logs.get(name, 0.0))):
                raise _diverged(step, f"{name} is {logs[name]}", last)
        loss = abs(float(logs["loss"]))
        if len(self._usual) >= self.LEAST:
            limit = self.FACTOR * statistics.median(self._usual) + self.MARGIN
            if loss > limit:
                self._high += 1
                if self._high >= self.EXPLODED:
                    why = f"loss has been above {limit:.4g} for {self._high} steps, now {loss:.4g}"
                    raise _diverged(step, why, last)
                return
        self._high = 0
        self._usual.append(loss)


def _diverged(step: int, why: str, last: Path | None) -> TrainingError:
    good = f"the last good checkpoint is {last.name}" if last else "there is no checkpoint before"
    message = (
        f"training diverged at step {step}: {why}; {good}. "
        "A smaller learning_rate, warmup_steps or a smaller max_grad_norm may help"
    )
    return TrainingError("diverged", message)

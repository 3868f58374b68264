"""What a run's own numbers give away while it trains: divergence, spikes, endless completions.

Divergence ends the run; the others are events for whoever looks. Loads no torch.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trainers.job.errors import TrainingError

Tell = Callable[..., None]  # name, step, **data: `Run.event`


class LossWatch:
    """Tells a run that has diverged from one that is merely noisy.

    Diverged: a loss or gradient norm that is not finite; or EXPLODED steps in a row whose |loss|
    is above FACTOR times the median |loss| of the last HISTORY other steps, plus MARGIN (in nats,
    for a cross-entropy: a model that knows nothing has ln(vocabulary), about 11).

    A spike, told once each time the loss goes there: above SPIKE times that median plus
    SPIKE_MARGIN. A loss that explodes and comes back may have destroyed what the model knew.
    """

    EXPLODED, FACTOR, MARGIN, HISTORY, LEAST = 5, 10.0, 10.0, 50, 5
    SPIKE, SPIKE_MARGIN = 3.0, 2.0

    def __init__(self, tell: Tell | None = None) -> None:
        self._tell = tell
        self._usual: deque[float] = deque(maxlen=self.HISTORY)
        self._high = 0
        self._in_spike = False

    def check(self, step: int, logs: Mapping[str, Any], last: Path | None) -> None:
        """Raises TrainingError("diverged") with the step and the last good checkpoint."""
        for name in ("loss", "grad_norm"):
            if not math.isfinite(float(logs.get(name, 0.0))):
                raise _diverged(step, f"{name} is {logs[name]}", last)
        loss = abs(float(logs["loss"]))
        self._tell_spike(step, loss)
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

    def _tell_spike(self, step: int, loss: float) -> None:
        usual = statistics.median(self._usual) if self._usual else loss
        spiked = loss > self.SPIKE * usual + self.SPIKE_MARGIN
        if spiked and not self._in_spike and self._tell is not None:
            message = (
                f"the loss jumped to {loss:.4g} from a usual {usual:.4g}: even where it comes "
                "back, look at completions. A smaller learning_rate or warmup_steps may help"
            )
            self._tell("loss_spike", step, message=message, loss=loss, usual=usual)
        self._in_spike = spiked


class EndWatch:
    """Tells, once, that completions do not come to an end: in REPORTS rollouts in a row at most
    SHARE of them came to a stop token before `max_completion_length`."""

    REPORTS, SHARE = 5, 0.02

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._endless = 0

    def check(self, step: int, values: Mapping[str, float]) -> None:
        """`values` of a step; without `completions/ended` they are of no rollout."""
        ended = values.get("completions/ended")
        if ended is None:
            return
        self._endless = self._endless + 1 if ended <= self.SHARE else 0
        if self._endless == self.REPORTS:
            message = (
                f"in {self.REPORTS} rollouts in a row {1 - ended:.0%} of the completions were cut "
                "at max_completion_length: they never end, and rewards see what is cut. A greater "
                "max_completion_length, a chat template or a reward for ending may help"
            )
            self._tell("endless_completions", step, message=message, ended=ended)


def _diverged(step: int, why: str, last: Path | None) -> TrainingError:
    good = f"the last good checkpoint is {last.name}" if last else "there is no checkpoint before"
    message = (
        f"training diverged at step {step}: {why}; {good}. "
        "A smaller learning_rate, warmup_steps or a smaller max_grad_norm may help"
    )
    return TrainingError("diverged", message)

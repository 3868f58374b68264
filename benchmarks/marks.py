"""How long each step of a bare `transformers.Trainer` took."""

import json
import time
from itertools import pairwise
from typing import Any

import transformers


class Marks(transformers.TrainerCallback):
    """`times`, in seconds since the epoch: training begins; each step's loss is logged; it ends."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.times.append(time.time())

    def on_log(self, *_: Any, **told: Any) -> None:
        if "loss" in told["logs"]:
            self.times.append(time.time())

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.times.append(time.time())

    def tell(self, state: transformers.TrainerState) -> None:
        """One line of JSON: seconds of each step and of the last save, and the losses."""
        losses = [one["loss"] for one in state.log_history if "loss" in one]
        print(json.dumps({"losses": losses, "steps": [b - a for a, b in pairwise(self.times)]}))

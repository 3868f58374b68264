"""How often a handler loaded models and ran them, for the counters that Prometheus reads."""

from __future__ import annotations

from service.jobs.context import Context


class ModelCounters:
    """Loads and forward passes since it was made."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.before = self._now()

    def spent(self) -> dict[tuple[str, str], float]:
        """Since it was made, or since the last call; by name and device, as `counters.add` takes
        them."""
        now = self._now()
        device = self.context.resources.device
        amounts = {(name, device): float(now[name] - self.before[name]) for name in now}
        self.before = now
        return amounts

    def _now(self) -> dict[str, int]:
        models = self.context.models
        return {"model_loads": models.loads, "model_calls": models.calls}

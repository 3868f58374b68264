"""What a handler is given beside its ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from service.db.engine import connect
from service.devices.policy import keys
from service.devices.turns import ScoringTurn
from service.settings import Settings
from service.training import checkpoints_store as checkpoints

if TYPE_CHECKING:
    from inference.pool import ModelPool


class Released(Exception):
    """The job's state is saved, and whoever takes the job next goes on from there."""


class Permanent(Exception):
    """Trying again will not help; the message is for people. (Every ReportedError is such, too.)"""


def _never() -> bool:
    return False


def _nowhere(**counters: float | str) -> None:
    return None


class Resources:
    """What a compute process keeps warm from job to job; made when first asked for."""

    def __init__(self, settings: Settings, device: str) -> None:
        self.settings = settings
        self.device = device

    @cached_property
    def engine(self) -> Engine:
        return connect(self.settings.url, pool_size=2)

    @cached_property
    def turn(self) -> ScoringTurn:
        """Where the device is used by turns, its part in it."""
        names = keys(self.settings, self.device)
        return ScoringTurn(names[0] if names else None, self._free)

    def _free(self) -> None:
        self.models.clear()

    @cached_property
    def models(self) -> ModelPool:
        from service.devices.pool import DevicePool

        return DevicePool(
            self.turn.enter,
            roots=self.settings.model_roots,
            cache_dir=self.settings.data_dir / "models",
            device=self.device,
            memory_budget_bytes=self.settings.model_memory_bytes,
            checkpoints=self._checkpoint,
            offline=not self.settings.hub_allowed,
        )

    def _checkpoint(self, name: str) -> Path | None:
        """The folder of a complete checkpoint."""
        with self.engine.connect() as db:
            folder = checkpoints.folder(db, name)
        return Path(folder) if folder is not None else None


@dataclass(frozen=True, slots=True)
class Context:
    """One attempt at one job."""

    resources: Resources
    job: int = 0
    attempt: int = 1  # counts from 1
    cancelled: Callable[[], bool] = field(default=_never)  # ask between batches, then stop
    report: Callable[..., None] = field(default=_nowhere)  # counters, for the worker's log
    released: Callable[[], bool] = field(default=_never)  # the worker is to end: save, then stop

    @property
    def engine(self) -> Engine:
        return self.resources.engine

    @property
    def models(self) -> ModelPool:
        return self.resources.models

    @property
    def settings(self) -> Settings:
        return self.resources.settings

"""What a compute process keeps warm from task to task: connections, models, its device's turn."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from service.db.engine import connect
from service.devices.policy import lock_paths
from service.devices.turns import ScoringTurn
from service.jobs import context
from service.models import registered
from service.models import store as models
from service.models.replies import StoredReplies
from service.models.slots import PostgresSlots
from service.settings import Settings

if TYPE_CHECKING:
    from inference.pool import ModelPool
    from inference.remote.registered import Registered


class Resources(context.Resources):
    """Each is made when it is first asked for: a task without a model loads no model library.

    at_once  tasks that share them; where these are many, they run no model here, and take no turn
    """

    def __init__(self, settings: Settings, device: str, at_once: int = 1) -> None:
        self.settings = settings
        self.device = device
        self.at_once = at_once
        if at_once > 1:
            _ = self.models  # now: several threads may ask first

    @cached_property
    def engine(self) -> Engine:
        """Connections to the database."""
        return connect(self.settings.url, pool_size=max(2, self.at_once))

    @cached_property
    def turn(self) -> ScoringTurn:
        """This process's part in a device that scoring and training use by turns."""
        paths = lock_paths(self.settings, self.device) if self.at_once == 1 else []
        return ScoringTurn(paths[0] if paths else None, self._free)

    @cached_property
    def models(self) -> ModelPool:
        """Models on the device; asking for one waits for the device's turn."""
        from service.devices.pool import DevicePool

        return DevicePool(
            self.turn.enter,
            roots=self.settings.model_roots,
            cache_dir=self.settings.data_dir / "models",
            device=self.device,
            memory_budget_bytes=self.settings.model_memory_bytes,
            checkpoints=self._checkpoint,
            offline=not self.settings.hub_allowed,
            registered=self._registered,
            replies=StoredReplies(self.engine),
            slots=PostgresSlots(self.settings.url),
            engine_kind=self.settings.engine,
            private_urls=self.settings.private_urls_allowed,
        )

    def _free(self) -> None:
        self.models.clear()

    def _registered(self, name: str) -> Registered | None:
        if not registered.nameable(name):
            return None
        with self.engine.connect() as db:
            row = registered.find(db, name)
        return registered.opened(self.settings, row) if row is not None else None

    def _checkpoint(self, name: str) -> Path | None:
        with self.engine.connect() as db:
            return models.checkpoint_folder(db, self.settings, name)

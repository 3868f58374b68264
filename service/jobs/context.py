"""What a handler is given beside its ids."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Engine

from service.settings import Settings

if TYPE_CHECKING:
    from inference.pool import ModelPool


class Released(Exception):
    """The task's state is saved, and whoever takes the task next goes on from there."""


class Turn(Protocol):
    """A device that several processes use by turns."""

    def working(self, cancelled: Callable[[], bool]) -> AbstractContextManager[None]:
        """Surrounds one task; `cancelled` ends a wait for the device."""


class Resources(Protocol):
    """What a compute process keeps warm from task to task; `tasks.RESOURCES` names the class."""

    settings: Settings
    device: str

    @property
    def engine(self) -> Engine:
        """Connections to the database."""

    @property
    def models(self) -> ModelPool:
        """Models on the process's device."""

    @property
    def turn(self) -> Turn:
        """The process's part in a device that is used by turns."""


def _never() -> bool:
    return False


def _nobody() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Context:
    """One attempt at one task."""

    resources: Resources
    task: int = 0  # its number in the queue
    attempt: int = 1  # counts from 1
    cancelled: Callable[[], bool] = field(default=_never)  # ask between batches, then stop
    released: Callable[[], bool] = field(default=_never)  # the worker is to end: save, then stop
    # say that there is progress: without it the worker ends the process, after ASSAY_STALL_SECONDS
    advance: Callable[[], None] = field(default=_nobody)

    @property
    def engine(self) -> Engine:
        """Connections to the database."""
        return self.resources.engine

    @property
    def models(self) -> ModelPool:
        """Models on this process's device."""
        return self.resources.models

    @property
    def settings(self) -> Settings:
        """The process's settings."""
        return self.resources.settings

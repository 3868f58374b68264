"""The GPUs of a training job: leased before its first attempt, given back after its last.

On a CPU, whose cores the system shares out, nothing is leased.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from service.db import events
from service.db.identifiers import new
from service.devices import leases, memory
from service.jobs.context import Context
from service.training import store as training

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds between looks at who holds what
RENEW_EVERY = leases.EXPIRY / 6  # seconds


class TooFewDevices(Exception):
    """The machine has fewer GPUs than the job has processes; the message says how many."""


class Lease:
    """Devices that are this run's, kept from expiring by a thread; `devices` may be none at all.

    needed  whether the job has to have devices to train on
    """

    def __init__(self, engine: Engine, holder: str, devices: list[str], needed: bool) -> None:
        self.devices = tuple(devices)
        self.missing = needed and not devices
        self._engine = engine
        self._holder = holder
        self._renewed = time.monotonic()
        self._lost = self._over = False
        self._end = threading.Event()
        if devices:
            threading.Thread(target=self._renew, name="lease", daemon=True).start()

    @property
    def lost(self) -> bool:
        """Whether somebody else may have the devices by now."""
        late = time.monotonic() - self._renewed > leases.EXPIRY - RENEW_EVERY
        return self._lost or (bool(self.devices) and late)

    def close(self) -> None:
        """Give the devices back."""
        self._end.set()
        if self.devices:
            with self._engine.begin() as db:
                leases.release(db, self._holder)

    def _renew(self) -> None:
        while not self._end.wait(RENEW_EVERY):
            begun = time.monotonic()
            try:
                with self._engine.begin() as db:
                    self._lost = leases.renew(db, self._holder) < len(self.devices)
            except SQLAlchemyError as error:
                log.warning("the lease of %s was not renewed: %r", self.devices, error)
            else:
                self._renewed = begun


@contextmanager
def leased(context: Context, job: str, unwanted: Callable[[], bool]) -> Iterator[Lease]:
    """Waits until the job's devices are free, all at once; no longer than they are wanted.

    A single process trains on the worker's own device, several on any of the machine's. Raises
    TooFewDevices.
    """
    lease = _wait(context, job, unwanted)
    try:
        yield lease
    finally:
        lease.close()


def _wait(context: Context, job: str, unwanted: Callable[[], bool]) -> Lease:
    device, holder, told = context.resources.device, new("lease"), False
    needed = device.startswith("cuda")
    with context.engine.connect() as db:
        row = training.get(db, job)
    if not needed or row is None:
        return Lease(context.engine, holder, [], needed=False)
    names = memory.gpus() or [device]
    preferred = device if ":" in device else f"{device}:0"
    if row.processes > len(names):
        raise TooFewDevices(
            f"{row.processes} processes need a GPU each, and this worker sees {len(names)}: "
            f"ask for at most {len(names)}"
        )
    keys = {name: memory.device_key(name) for name in names}
    while not unwanted():
        with context.engine.begin() as db:
            found = leases.take(db, keys, preferred, row.processes, job, holder)
            if found is None and not told:
                told = True
                others = leases.holders(db, list(keys.values()))
                training.lock(db, job)
                events.append(db, job, "waits_for_devices", {"held_by": others})
        if found is not None:
            return Lease(context.engine, holder, found, needed)
        time.sleep(LOOK_EVERY)
    return Lease(context.engine, holder, [], needed)

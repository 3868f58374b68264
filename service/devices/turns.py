"""A device by turns: scoring and training never have something on it at the same time.

Only where the device policy is "turns" (`service.devices.policy`). A scoring process takes part
from the first model a task asks for, and keeps its models until training wants the device; so tasks
that run no model never wait. Training's turn ends once it is `ASSAY_DEVICE_TURN_SECONDS` old and
scoring waits: after the step at work, with everything saved, its process ends. Scoring's turn ends
once nothing is queued, or as much time has passed: after the tasks at work.

Locks are files, which the kernel releases when their processes end, however they do:

    KEY.models    shared by scoring processes that have models on the device; or training's alone
    KEY.scoring   shared by scoring processes that wait
    KEY.training  of the one training job that takes turns with scoring
    KEY.claim     its wish to be next: no new scoring begins
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from inference.errors import Cancelled

POLL = 0.1  # seconds between attempts at a lock


class Lock:
    """An flock of this process and those that inherit it; never waits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    @property
    def file(self) -> int | None:
        """The open file while the lock is held."""
        return self._file

    def acquire(self, mode: int = fcntl.LOCK_EX) -> bool:
        """Whether the lock is held now, by this call or an earlier one."""
        if self._file is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Give the lock up, for processes that inherited it too."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            os.close(self._file)
            self._file = None

    def is_held(self, mode: int) -> bool:
        """Whether anybody holds the lock in a way that excludes `mode`."""
        if self._file is None and self.acquire(mode):
            self.release()
            return False
        return True


class Locks:
    """The locks of one device."""

    def __init__(self, key: Path) -> None:
        self.models = Lock(key.with_name(f"{key.name}.models"))
        self.scoring = Lock(key.with_name(f"{key.name}.scoring"))
        self.training = Lock(key.with_name(f"{key.name}.training"))
        self.claim = Lock(key.with_name(f"{key.name}.claim"))


class ScoringTurn:
    """A scoring process's part; without a key, it never waits.

    free  drops the models, so that the device's memory is there for others
    """

    def __init__(self, key: Path | None, free: Callable[[], None]) -> None:
        self._locks = Locks(key) if key is not None else None
        self._free = free
        self._at_work = threading.Lock()
        self._cancelled: Callable[[], bool] = lambda: False
        if self._locks is not None:
            threading.Thread(target=self._watch, name="device", daemon=True).start()

    @contextmanager
    def working(self, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Surrounds a task, whose models stay on the device afterwards unless training waits."""
        if self._locks is None:
            yield
            return
        with self._at_work:
            self._cancelled = cancelled
            try:
                yield
            finally:
                self._leave_if_claimed()

    def enter(self) -> None:
        """Before a model is used: wait for the turn. Raises Cancelled when the task is."""
        locks = self._locks
        if locks is None or locks.models.file is not None:
            return
        try:
            while locks.claim.is_held(fcntl.LOCK_SH) or not locks.models.acquire(fcntl.LOCK_SH):
                locks.scoring.acquire(fcntl.LOCK_SH)
                if self._cancelled():
                    raise Cancelled("stopped while it waited for the device")
                time.sleep(POLL)
        finally:
            locks.scoring.release()

    def _watch(self) -> None:
        """Leave the device to training between tasks, too."""
        while True:
            time.sleep(POLL)
            if self._at_work.acquire(blocking=False):
                try:
                    self._leave_if_claimed()
                finally:
                    self._at_work.release()

    def _leave_if_claimed(self) -> None:
        locks = self._locks
        if locks is None or locks.models.file is None:
            return
        if locks.claim.is_held(fcntl.LOCK_SH):
            self._free()
            locks.models.release()


class TrainingTurn:
    """A training job's part, on every device it uses; without a key, the turn is always its own.

    seconds  how long either side keeps the device while the other waits
    """

    def __init__(self, keys: Sequence[Path], seconds: float) -> None:
        self._locks = [Locks(key) for key in sorted(keys)]
        self._seconds = seconds
        self._began: float | None = None

    @property
    def inherited(self) -> list[int]:
        """Open files for the process that trains: the device is not free before that has ended."""
        return [lock.models.file for lock in self._locks if lock.models.file is not None]

    def take(self, idle: Callable[[], bool], unwanted: Callable[[], bool]) -> bool:
        """Wait until scoring is idle or has had its time. False: the turn is no longer wanted."""
        waiting_since: float | None = None
        while not unwanted():
            if self._may_claim():
                waiting_since = waiting_since or time.monotonic()
                patient = time.monotonic() - waiting_since < self._seconds
                if (not self._locks or not patient or idle()) and self._claim():
                    return True
            time.sleep(POLL)
        self.let_go()
        return False

    def begin(self) -> None:
        """Count the turn's time from here: loading a model is no training."""
        self._began = time.monotonic()

    def over(self) -> bool:
        """Whether scoring waits, and this turn has been long enough."""
        if self._began is None or time.monotonic() - self._began < self._seconds:
            return False
        return any(lock.scoring.is_held(fcntl.LOCK_EX) for lock in self._locks)

    def let_go(self) -> None:
        """End the turn; the job goes on taking turns."""
        self._began = None
        for lock in self._locks:
            lock.claim.release()
            lock.models.release()

    def close(self) -> None:
        """End the turn; the job takes no more of them."""
        self.let_go()
        for lock in self._locks:
            lock.training.release()

    def _may_claim(self) -> bool:
        """Whether this is the one job that takes turns with scoring, on all its devices."""
        return all(lock.training.acquire() for lock in self._locks)  # in order: no deadlock

    def _claim(self) -> bool:
        """Claim all devices; True once scoring has left them."""
        claimed = all(lock.claim.acquire() for lock in self._locks)
        if not (claimed and all(lock.models.acquire() for lock in self._locks)):
            return False
        for lock in self._locks:
            lock.claim.release()
        return True

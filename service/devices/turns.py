"""A device by turns: scoring and training never have something on it at the same time.

Only where `ASSAY_DEVICE_SHARING` comes to "turns" (`service.devices.policy`). A scoring process
takes part from the first model a job asks for, and keeps its models until training wants the
device; so jobs that run no model never wait. Training's turn ends once it is
`ASSAY_DEVICE_TURN_SECONDS` old and scoring waits: after the step at work, with everything saved,
its process ends. Scoring's turn ends once nothing is queued, or as much time has passed: after the
jobs at work.

Locks are files, which the kernel lets go of when their processes end, however they do:

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

LOOK_EVERY = 0.1  # seconds


class Lock:
    """An flock of this process and those that inherit it; never waits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    @property
    def held(self) -> int | None:
        """The open file while it is ours."""
        return self._file

    def take(self, how: int = fcntl.LOCK_EX) -> bool:
        """Whether it is ours now."""
        if self._file is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def let_go(self) -> None:
        """Of those that inherited it, too."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            os.close(self._file)
            self._file = None

    def is_anybodys(self, how: int) -> bool:
        """Whether somebody holds it in a way that excludes this one."""
        if self._file is None and self.take(how):
            self.let_go()
            return False
        return True


class Locks:
    """Those of one device."""

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
            threading.Thread(target=self._look, name="device", daemon=True).start()

    @contextmanager
    def working(self, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Around a job. What it asked for stays on the device afterwards unless training waits."""
        with self._at_work:
            self._cancelled = cancelled
            try:
                yield
            finally:
                self._leave_if_claimed()

    def enter(self) -> None:
        """Before a model is used: waits for the turn. Raises Cancelled when the job is."""
        locks = self._locks
        if locks is None or locks.models.held is not None:
            return
        try:
            while locks.claim.is_anybodys(fcntl.LOCK_SH) or not locks.models.take(fcntl.LOCK_SH):
                locks.scoring.take(fcntl.LOCK_SH)
                if self._cancelled():
                    raise Cancelled("stopped while it waited for the device")
                time.sleep(LOOK_EVERY)
        finally:
            locks.scoring.let_go()

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_EVERY)
            if self._at_work.acquire(blocking=False):
                try:
                    self._leave_if_claimed()
                finally:
                    self._at_work.release()

    def _leave_if_claimed(self) -> None:
        locks = self._locks
        if locks is None or locks.models.held is None:
            return
        if locks.claim.is_anybodys(fcntl.LOCK_SH):
            self._free()
            locks.models.let_go()


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
        return [lock.models.held for lock in self._locks if lock.models.held is not None]

    def take(self, idle: Callable[[], bool], unwanted: Callable[[], bool]) -> bool:
        """Waits until scoring is idle or has had its time. False: the turn is no longer wanted."""
        waiting_since: float | None = None
        while not unwanted():
            if all(lock.training.take() for lock in self._locks):  # in order: no two wait in a ring
                waiting_since = waiting_since or time.monotonic()
                patient = time.monotonic() - waiting_since < self._seconds
                if not self._locks or not patient or idle():
                    claimed = all(lock.claim.take() for lock in self._locks)
                    if claimed and all(lock.models.take() for lock in self._locks):
                        for lock in self._locks:
                            lock.claim.let_go()
                        return True
            time.sleep(LOOK_EVERY)
        self.let_go()
        return False

    def begin(self) -> None:
        """The turn's time counts from here: loading a model is no training."""
        self._began = time.monotonic()

    def over(self) -> bool:
        """Scoring waits, and this turn has been long enough."""
        if self._began is None or time.monotonic() - self._began < self._seconds:
            return False
        return any(lock.scoring.is_anybodys(fcntl.LOCK_EX) for lock in self._locks)

    def let_go(self) -> None:
        """The turn is over; the job goes on taking turns."""
        self._began = None
        for lock in self._locks:
            lock.claim.let_go()
            lock.models.let_go()

    def close(self) -> None:
        """The job takes no more turns."""
        self.let_go()
        for lock in self._locks:
            lock.training.let_go()

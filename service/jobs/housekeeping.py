"""Housekeeping: features delete what nobody comes back for, now and then, in every worker.

Each function of the table runs in a transaction of its own, which another process's housekeeping
keeps out of. One that fails is logged and tried again the next time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from service.db.engine import connect
from service.jobs import sql, tasks
from service.settings import Settings

EVERY = 300.0  # seconds
LOCK = 0x41535341_594B  # one process at a time

log = logging.getLogger(__name__)


def start(settings: Settings) -> None:
    """Keep house from now on, for as long as this process lives, whatever it waits for."""
    arguments = {"settings": settings}
    threading.Thread(target=_keep, kwargs=arguments, name="housekeeping", daemon=True).start()


def keep_house(settings: Settings, paths: Sequence[str] = tasks.HOUSEKEEPING) -> None:
    """Run every function of the table once, unless another process is at it."""
    engine = connect(settings.url, pool_size=1)
    try:
        for path in paths:
            try:
                with engine.begin() as db:
                    if db.scalar(sql.TRY_LOCK, {"key": LOCK}):
                        tasks.housekeeper(path)(db, settings)
            except Exception:
                log.exception("housekeeping failed: %s", path)
    finally:
        engine.dispose()


def _keep(settings: Settings) -> None:
    while True:
        keep_house(settings)
        time.sleep(EVERY)

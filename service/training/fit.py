"""Before a training process is launched: does the job fit the device that is to run it?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

import trainers
from service.devices import policy
from service.jobs.context import Context
from service.training import memory
from service.training import store as training


def fits(context: Context, db: Connection, row: Any) -> bool:
    """The estimate goes into the job's report; a job that does not fit is settled as failed.

    The caller holds the row's lock. Where the model's files are not here yet, nothing is known,
    and nothing refused.
    """
    device = policy.register(db, context.settings, context.resources.device)
    trainer = trainers.find(row.method)
    options = trainers.parse(trainer, row.options)
    found = memory.job_estimate(
        db, context.settings, trainer, options, row.model, row.dataset_id, row.resources
    )
    if found is None:
        return True
    processes = row.resources.get("processes", 1)
    shown = memory.report(found, processes, device.device, device.memory, device.kept)
    training.change(db, row.id, report=row.report | {"memory": dict(shown)})
    if device.memory is None:
        return True
    message = memory.refusal(found, options, processes, device.device, device.memory, device.kept)
    if message is None:
        return True
    error = {"code": "does_not_fit", "message": message, "param": "resources"}
    training.settle(db, row.id, "failed", {"error": error}, error)
    return False

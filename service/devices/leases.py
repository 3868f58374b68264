"""GPUs that training jobs hold: leased in the database, so that no two jobs use the same one.

A lease is renewed by whoever holds it, and is anybody's once it has not been for EXPIRY: its holder
has died, or has lost the database for so long that it stops by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from service.db.tables import device_leases
from service.devices import memory

EXPIRY = 60  # seconds


def take(
    db: Connection, keys: Mapping[str, str], preferred: str, count: int, job: str, holder: str
) -> list[str] | None:
    """The devices that the job has now, all of them or none (None); in the order of `keys`.

    keys       of the devices that its processes could use, by name: cuda:0
    preferred  the worker's own device: the only one for a single process, else the first choice

    What earlier runs of the job held is free: their processes have ended, or are about to.
    """
    table = device_leases
    db.execute(text("LOCK TABLE device_leases IN SHARE ROW EXCLUSIVE MODE"))
    outdated = table.c.seen_at < func.now() - text(f"interval '{EXPIRY} seconds'")
    db.execute(delete(table).where((table.c.job_id == job) | outdated))
    held = set(db.scalars(select(table.c.key).where(table.c.key.in_(list(keys.values())))))
    free = [name for name in keys if keys[name] not in held]
    chosen = [name for name in free if name == preferred]
    if count > 1:
        chosen += [name for name in free if name != preferred]
    if len(chosen) < count:
        return None
    chosen = [name for name in keys if name in chosen[:count]]
    db.execute(insert(table), [_row(name, keys[name], job, holder) for name in chosen])
    return chosen


def renew(db: Connection, holder: str) -> int:
    """How many devices the holder still has."""
    statement = update(device_leases).where(device_leases.c.holder == holder)
    return db.execute(statement.values(seen_at=func.now())).rowcount


def release(db: Connection, holder: str) -> None:
    """The holder's devices are free."""
    db.execute(delete(device_leases).where(device_leases.c.holder == holder))


def holders(db: Connection, keys: Sequence[str]) -> list[str]:
    """The jobs that hold any of these devices, for people."""
    query = select(device_leases.c.job_id).where(device_leases.c.key.in_(list(keys))).distinct()
    return sorted(db.scalars(query))


def _row(name: str, key: str, job: str, holder: str) -> dict[str, str]:
    device = memory.device_name(name)
    return {"key": key, "device": device, "job_id": job, "holder": holder}

"""Room on the disks: below a floor nothing new is taken in, so that what was can be finished."""

from __future__ import annotations

import shutil
from pathlib import Path

from service.errors import ApiError
from service.settings import MIB, Settings

RETRY_AFTER = 30  # seconds, for clients

# below the data folder: where the embedded server's files are, as `service.serve.postgres` has them
CLUSTER = "postgres"


def shortage(settings: Settings) -> str | None:
    """What lacks room, in words; None where the disks have `ASSAY_MIN_FREE_BYTES` free."""
    places = {"the data folder": settings.data_dir}
    if (settings.data_dir / CLUSTER).exists():  # as root perhaps a link to another disk
        places["the embedded database"] = settings.data_dir / CLUSTER
    for name, folder in places.items():
        free = shutil.disk_usage(_existing(folder)).free
        if free < settings.min_free_bytes:
            return (
                f"the disk of {name} has {free // MIB} MiB free, less than the "
                f"{settings.min_free_bytes // MIB} MiB that ASSAY_MIN_FREE_BYTES asks for"
            )
    return None


def require(settings: Settings) -> None:
    """Raises 503 where a disk lacks room."""
    if (reason := shortage(settings)) is not None:
        headers = {"Retry-After": str(RETRY_AFTER)}
        raise ApiError(503, "no_space", f"nothing new is taken in: {reason}", headers=headers)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.exists())

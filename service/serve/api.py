"""The API process: `python -m service.serve.api`. Imports no torch."""

from __future__ import annotations

import gc
import logging

import uvicorn

from service import logs
from service.processes import conceal
from service.serve.connections import limited
from service.settings import Settings, get_settings

GRACE = 5  # seconds that open requests have to end

OPEN = (
    "listening on %s without keys: whoever reaches this address can run code here and read what "
    "is stored; listen on 127.0.0.1, or put a proxy in front that asks who they are"
)

log = logging.getLogger("assay.api")


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT."""
    gc.disable()  # nothing that is loaded now is garbage; the application looks for it afterwards
    logs.configure(settings)
    conceal()
    if not settings.only_here:
        log.warning(OPEN, settings.host)
    uvicorn.run(
        "service.app:create_app",
        factory=True,
        http=limited(settings.max_connections, settings.request_seconds),
        host=settings.host,
        port=settings.port,
        log_config=None,  # ours
        access_log=False,  # the app logs requests, with their ids
        timeout_graceful_shutdown=GRACE,
        server_header=False,
    )


if __name__ == "__main__":
    run(get_settings())

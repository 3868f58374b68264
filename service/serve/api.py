"""The API process: `python -m service.serve.api`. Imports no torch: it is up in a second."""

from __future__ import annotations

import uvicorn

from service import logs
from service.settings import Settings, get_settings

GRACE = 5  # seconds that open requests have to end


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT."""
    logs.configure(settings)
    uvicorn.run(
        "service.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        log_config=None,  # ours
        access_log=False,  # the app logs requests, with their ids
        timeout_graceful_shutdown=GRACE,
        server_header=False,
    )


if __name__ == "__main__":
    run(get_settings())

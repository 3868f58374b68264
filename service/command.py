"""The console script `assay`: the command line, or what to install where it cannot run."""

from __future__ import annotations

import sys

LACKING = (
    "assay: {} is not installed. The Python client works without it; for the service and this "
    "command: pip install '.[service]' in the checkout"
)


def main() -> None:
    """Run the command line. Exits with 1 where a package of the extra `service` is not there."""
    try:
        from service.cli import main as run

        run()
    except ModuleNotFoundError as error:
        sys.exit(LACKING.format(error.name))

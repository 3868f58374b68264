"""Data folders for tests that run a server."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def data_folder(prefix: str = "assay test ") -> Iterator[Path]:
    """A data folder that any account can reach; pytest's own are closed to all but their owner."""
    top = Path(tempfile.mkdtemp(prefix=prefix))
    top.chmod(0o755)
    try:
        yield top / "my data"
    finally:
        shutil.rmtree(top)

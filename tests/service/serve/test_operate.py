"""docs/operate.md: its commands, on real data folders."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from service.db.engine import connect, is_current
from service.db.migrations import migrate
from service.serve.postgres import OPTIONS, EmbeddedPostgres
from tests.checkout import ROOT
from tests.service.folders import data_folder

BLOCKS = dict(
    re.findall(r"^```bash (\w+)\n(.*?)^```$", (ROOT / "docs/operate.md").read_text(), re.M | re.S)
)
CHECKPOINT = Path("training/job_1/attempt-1/checkpoint-2/model.safetensors")


@pytest.fixture(scope="module")
def fast() -> Iterator[None]:
    """Nothing here outlives the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OPTIONS, "fsync", "off")
        yield


@pytest.fixture(scope="module")
def new(fast: None) -> Iterator[Path]:
    """A service's data folder as it is at first, as a tar: it takes seconds to make."""
    with data_folder() as folder:
        folder.mkdir()
        with EmbeddedPostgres(folder / ".assay") as server:
            migrate(server.url)
        run("stopped", folder)
        yield folder / "assay.tar"


@pytest.fixture
def place(new: Path) -> Iterator[Path]:
    """A folder to work in, with a new service's data folder."""
    with data_folder() as folder:
        folder.mkdir()
        shutil.copy(new, folder)
        run("whole", folder)
        yield folder


def run(block: str, folder: Path) -> None:
    """The page's commands, after those that find PostgreSQL's programs."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-euc", BLOCKS["programs"] + BLOCKS[block]],
        cwd=folder,
        env=os.environ | {"PATH": path},
        check=True,
    )


def fill(server: EmbeddedPostgres) -> None:
    """A dataset, a checkpoint's file."""
    with psycopg.connect(server.url) as db:
        db.execute(
            "INSERT INTO datasets (id, name, version, kind, digest, size)"
            " VALUES ('ds_1', 'kept', 1, 'eval', '', 1)"
        )
    file = server.data_dir / CHECKPOINT
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")


def check(server: EmbeddedPostgres) -> None:
    """What `fill` made is there, and the service could go on."""
    migrate(server.url)
    engine = connect(server.url)
    with engine.connect() as db:
        assert is_current(db)
    engine.dispose()
    with psycopg.connect(server.url) as db:
        assert db.execute("SELECT name FROM datasets").fetchall() == [("kept",)]
        db.execute("ALTER TABLE datasets ADD COLUMN later int")  # it is the owner
    assert (server.data_dir / CHECKPOINT).read_bytes() == b"weights"


@pytest.mark.slow
def test_a_stopped_service_is_backed_up_moved_and_restored(place: Path) -> None:
    with EmbeddedPostgres(place / ".assay") as server:
        fill(server)
    run("stopped", place)
    (place / ".assay").rename(place / "moved")
    with EmbeddedPostgres(place / "moved") as server:
        check(server)
    run("whole", place)
    with EmbeddedPostgres(place / ".assay") as server:
        check(server)


def test_a_running_service_is_backed_up_and_restored(place: Path) -> None:
    with EmbeddedPostgres(place / ".assay") as server:
        fill(server)
        run("running", place)
    (place / ".assay").rename(place / "lost")
    run("whole", place)
    with EmbeddedPostgres(place / ".assay") as server:
        run("dump", place)
        check(server)

"""A disk that is really full: a small file system of its own, filled to the last byte."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from assay import AssayError, Client
from service import errors
from service.http import space
from service.settings import Settings
from tests.service.live import ROOT, Live
from tests.service.texts import samples
from tests.waiting import until

MIB = 1024**2


@pytest.fixture
def disk() -> Iterator[Path]:
    """A file system of 320 MiB, which takes root to make."""
    folder = Path(tempfile.mkdtemp(prefix="assay-disk-"))
    mount = shutil.which("mount")
    size = ["-o", "size=320m,mode=0755"]
    command = [mount or "false", "-t", "tmpfs", *size, "none", str(folder)]
    if subprocess.run(command, check=False).returncode:
        folder.rmdir()
        pytest.skip("a file system can only be mounted by root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
    folder.rmdir()


def full(disk: Path, seconds: float) -> Path:
    """Fill the disk again and again: what is freed is taken, a little is left for a moment."""
    ballast = fill(disk)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.5)
        with ballast.open("ab", buffering=0) as file, suppress(OSError):
            file.truncate(max(file.tell() - 64 * 1024, 0))
            time.sleep(0.5)
            while True:
                file.write(bytes(4096))
    return ballast


def fill(disk: Path, leave: int = 0) -> Path:
    """A file that leaves so many bytes free."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while (free := shutil.disk_usage(disk).free - leave) > 0:
            file.write(bytes(min(free, MIB)))
    return ballast


@pytest.mark.slow
def test_below_the_floor_nothing_new_is_taken_in(fresh_url: str, disk: Path) -> None:
    service = Live(fresh_url, disk, min_free_bytes=str(64 * MIB))
    try:
        service.api()
        with Client(service.base, retries=0) as assay:
            ballast = fill(disk, leave=10 * MIB)
            refused = httpx.get(f"{service.base}/readyz")
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "no_space"
            told = "the disk of the data folder has 10 MiB free, less than the 64 MiB"
            assert told in refused.json()["error"]["message"]
            assert int(refused.headers["retry-after"]) > 0
            with pytest.raises(AssayError) as error:
                assay.evaluate(system="x", dataset="d", samples=samples(), metrics=["chrf"])
            assert (error.value.status, error.value.code) == (503, "no_space")
            assert list(assay.evaluations()) == []
            ballast.unlink()
            assert httpx.get(f"{service.base}/readyz").status_code == 200
            assay.evaluate(system="x", dataset="d", samples=samples(), metrics=["chrf"])
    finally:
        service.close()


def test_the_embedded_databases_disk_counts_too(tmp_path: Path, disk: Path) -> None:
    (tmp_path / "postgres").symlink_to(disk)
    settings = Settings(data_dir=tmp_path, min_free_bytes=64 * MIB)
    assert space.shortage(settings) is None
    fill(disk, leave=10 * MIB)
    assert "the embedded database has 10 MiB free" in (space.shortage(settings) or "")


def test_a_request_whose_file_finds_no_room_can_come_again() -> None:
    app = FastAPI()
    errors.install(app)

    @app.post("/spooled")
    def spooled() -> None:
        with Path("/dev/full").open("wb") as file:
            file.write(bytes(MIB))

    with TestClient(app) as client:
        refused = client.post("/spooled")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_space")
    assert "TMPDIR" in refused.json()["error"]["message"]
    assert int(refused.headers["retry-after"]) > 0


@pytest.mark.chaos
def test_a_full_disk_fails_no_evaluation(disk: Path) -> None:
    """The database's own disk has no room for 30 s while evaluations are at work."""
    service = Live("", disk / "data", shard_size="50", evidence_cache_bytes="0", min_free_bytes="0")
    del service.env["ASSAY_DATABASE_URL"]
    serve = [sys.executable, "-m", "service.cli", "serve", "--device", "cpu"]
    process = subprocess.Popen(serve, cwd=ROOT, env=service.env)
    try:
        until(service._answers, 40)
        with service.client() as assay:
            given = samples(1000, tag="f")
            made = [
                assay.evaluate(
                    system=str(number),
                    dataset="full",
                    samples=given,
                    metrics=["bleu", "chrf", "distinct_n"],
                ).id
                for number in range(8)
            ]
            until(lambda: assay.evaluation(made[0]).progress.done > 0, 60, pause=0.01)
        full(disk, 30).unlink()
        until(service._answers, 60)
        with service.client() as assay:
            done = [assay.wait(one, timeout=240) for one in made]
        assert {one.status for one in done} == {"succeeded"}
        assert [score.error for one in done for score in one.scores if score.error] == []
        assert len({tuple(score.value for score in one.scores) for one in done}) == 1
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)

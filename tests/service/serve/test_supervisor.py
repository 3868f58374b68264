"""`assay serve`, whole: real server, API and worker, and real kills."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from service.processes import dies_with_parent
from service.serve.devices import UnknownDevice, check, devices
from service.serve.supervisor import PAUSES, Child
from tests.service.folders import data_folder
from tests.waiting import until


class Service:
    """A running `assay serve`."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.errors = folder.parent / "errors"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "service.cli", "serve", "--port", "0", *arguments],
                env=os.environ | {"ASSAY_DATA_DIR": str(folder), "ASSAY_WORKERS": "cpu"},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                preexec_fn=dies_with_parent(signal.SIGTERM),
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "listens on" in line, self.errors.read_text()
        self.address = line.split()[3]

    def children(self) -> dict[str, int]:
        """Process ids of serve's own children: api, worker, postgres."""
        names = {"service.serve.api": "api", "worker": "worker", "bin/postgres": "postgres"}
        found = {}
        for pid in _children(self.process.pid):
            arguments = _arguments(pid)
            for mark, name in names.items():
                if any(argument.endswith(mark) for argument in arguments):
                    found[name] = pid
        return found

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/readyz", timeout=1).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def serving() -> Iterator[Service]:
    with data_folder() as folder:
        service = Service(folder)
        try:
            yield service
        finally:
            service.process.terminate()
            service.process.wait(60)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving() as running:
        yield running


def gone(pids: Sequence[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() and _arguments(pid) for pid in pids)


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [int(child) for child in listed.read_text().split()]
    except FileNotFoundError:
        return []


def _descendants(pid: int) -> list[int]:
    return [pid, *(below for child in _children(pid) for below in _descendants(child))]


def _arguments(pid: int) -> list[str]:
    """Empty for a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def test_it_runs_database_api_and_worker(service: Service) -> None:
    assert service.ready()
    assert set(service.children()) == {"api", "worker", "postgres"}
    assert httpx.get(f"{service.address}/docs").status_code == 200


def test_the_api_is_small(service: Service) -> None:
    status = Path(f"/proc/{service.children()['api']}/status").read_text()
    (resident,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    assert int(resident.split()[1]) / 1024 < 200  # MiB


@pytest.mark.parametrize("name", ["api", "worker", "postgres"])
def test_what_is_killed_starts_again(service: Service, name: str) -> None:
    before = service.children()
    os.kill(before[name], signal.SIGKILL)
    until(lambda: service.children().get(name, before[name]) != before[name])
    until(service.ready)
    assert set(service.children()) == set(before)


def test_a_second_service_on_the_folder_says_one_line(service: Service) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "service.cli", "serve", "--port", "0"],
        env=os.environ | {"ASSAY_DATA_DIR": str(service.folder)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert f"in use by process {service.process.pid}" in line
    assert service.ready()


def test_a_port_in_use_says_one_line() -> None:
    with socket.socket() as taken, data_folder() as folder:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "service.cli", "serve", "--port", port],
            env=os.environ | {"ASSAY_DATA_DIR": str(folder)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert not folder.exists()  # it looked before it made anything
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert f"127.0.0.1:{port}" in line
    assert "--port" in line


def test_an_unreachable_database_says_so_without_the_password() -> None:
    with data_folder() as folder:
        url = "postgresql://me:hush-hush@127.0.0.1:1/none"
        ended = subprocess.run(
            [sys.executable, "-m", "service.cli", "serve", "--port", "0"],
            env=os.environ | {"ASSAY_DATA_DIR": str(folder), "ASSAY_DATABASE_URL": url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert "ASSAY_DATABASE_URL" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hush-hush" not in ended.stderr


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_clean_and_in_order(sent: signal.Signals) -> None:
    with serving() as service:
        everything = _descendants(service.process.pid)
        began = time.monotonic()
        service.process.send_signal(sent)
        assert service.process.wait(30) == 0
        assert time.monotonic() - began < 12
        assert gone(everything)
        # had API or worker still been connected, the database would have said that it ended them
        assert "terminating connection" not in (service.folder / "postgres.log").read_text()
        assert "Traceback" not in service.errors.read_text()


@pytest.mark.slow
def test_nothing_outlives_a_killed_service() -> None:
    with serving() as service:
        everything = _descendants(service.process.pid)
        assert len(everything) >= 5  # itself, three children, the worker's compute process, …
        service.process.kill()
        service.process.wait()
        until(lambda: gone(everything), 15)
        again = Service(service.folder)  # and the folder is free
        assert again.ready()
        again.process.terminate()
        assert again.process.wait(30) == 0


def test_what_ends_at_once_is_tried_less_and_less_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    child = Child("the thing", lambda: subprocess.Popen(["false"]))
    now = 0.0
    starts = []
    for _ in range(5):
        child.look(now)
        process = child.process
        assert process is not None
        starts.append(now)
        process.wait()
        child.look(now + 0.5)
        assert child.process is None
        child.look(child.due - 0.01)
        assert child.process is None
        now = child.due
    assert starts == pytest.approx([0, 1.5, 4, 9.5, 20])
    assert child.quick == 5 == len(PAUSES) - 1
    assert "the thing ended (status 1); restarting" in caplog.messages
    assert "the thing ends as soon as it starts (status 1, 3 times now)" in caplog.text


def test_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices("auto") == ["cpu"]
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\n"
        "echo 'GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1)'\n"
        "echo '  MIG 1g.10gb Device 0: (UUID: MIG-1)'\n"
        "echo 'GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-2)'\n"
    )
    tool.chmod(0o755)
    assert devices("auto") == ["cuda:0", "cuda:1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert devices("auto") == ["cuda:0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices("auto") == ["cpu"]
    tool.write_text("#!/bin/sh\nexit 9\n")  # a driver that is not there
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert devices("auto") == ["cpu"]
    assert devices("cpu, cpu") == ["cpu", "cpu"]


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "cuda:-1", "CPU"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(UnknownDevice, match=f"no device '{name}'; this machine has cpu, "):
        check(["cpu", name])


@pytest.mark.parametrize("command", ["serve", "worker", "score"])
def test_commands_refuse_a_device_that_is_not_there(command: str, tmp_path: Path) -> None:
    file = tmp_path / "outputs.jsonl"
    file.write_text('{"output": "a b c", "references": ["a b"]}\n')
    given = [str(file), "--metrics", "chrf"] if command == "score" else []
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", command, *given, "--device", "gpu"],
        env=os.environ
        | {"ASSAY_DATA_DIR": str(tmp_path / "data"), "ASSAY_DATABASE_URL": ""}
        | ({"ASSAY_DATABASE_URL": "postgresql://localhost/none"} if command == "worker" else {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "no device 'gpu'; this machine has cpu, " in line

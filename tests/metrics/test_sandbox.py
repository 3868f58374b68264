"""The sandbox: what untrusted code must not be able to do, and that nothing of it stays."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.errors import Unavailable
from metrics.sandbox import Ending, Limits, run, run_many, running

SHORT = Limits(timeout_s=1)


def alive() -> set[int]:
    """Sandboxes and what runs inside one, but for those of tests in other processes; zombies are
    dead."""
    found, parents = set(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it ended meanwhile
            continue
        parents[int(folder.name)] = int(parent)
        if (b"bwrap " in line or b"Runs inside the sandbox" in line) and state != "Z":
            found.add(int(folder.name))
    return {process for process in found if not _of_another(process, parents)}


def _of_another(process: int, parents: dict[int, int]) -> bool:
    """Whether another of the processes that share the tests out has started it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return False
    while process in parents and process != os.getpid():
        if parents[process] == os.getppid():
            return True
        process = parents[process]
    return False


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    before = alive()
    yield
    deadline = time.monotonic() + 2
    while (left := alive() - before) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


@pytest.mark.parametrize(
    "program",
    [
        "assert 1 + 1 == 2",
        "",
        "# кириллица, 漢字, 😀\nassert 'Ёж'.lower() == 'ёж'",
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int = 1\nassert A().x == 1",
        "import sys\nprint('x' * 1_000_000)\nprint('y' * 1_000_000, file=sys.stderr)",
        "open('/tmp/mine', 'w').write('x')\nassert open('/tmp/mine').read() == 'x'",
        "open('/dev/null', 'w').write('x')\nassert open('/dev/urandom', 'rb').read(1)",
        "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()",
        "if __name__ == '__main__':\n    ran = True\nassert ran",
    ],
)
def test_honest_programs_pass(program: str) -> None:
    outcome = run(program)
    assert outcome.passed, outcome.stderr


UNITTEST = """
import unittest
class Tests(unittest.TestCase):
    def test(self):
        self.assertEqual(1 + 1, {sum})
if __name__ == "__main__":
    unittest.main({arguments})
"""
PROCESSES = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
def square(x):
    return x * x
def put(queue):
    queue.put("done")
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        assert pool.map(square, range(4)) == [0, 1, 4, 9]
    with ProcessPoolExecutor(2) as pool:
        assert list(pool.map(square, range(4))) == [0, 1, 4, 9]
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=put, args=(queue,))
    process.start()
    assert queue.get(timeout=5) == "done"
    process.join()
    shared = multiprocessing.Value("i", 3)
    with shared.get_lock():
        assert shared.value == 3
"""


@pytest.mark.parametrize("arguments", ["", "verbosity=2", "argv=['x'], exit=False"])
def test_unittest(arguments: str) -> None:
    outcome = run(UNITTEST.format(sum=2, arguments=arguments))
    assert outcome.passed, outcome.stderr


@pytest.mark.parametrize(
    "program",
    [
        UNITTEST.format(sum=3, arguments=""),
        UNITTEST.format(sum=2, arguments="") + "assert False",  # what stands behind it is run
        "import unittest\nunittest.main()",  # none
        "from unittest import main\nmain(module='nothing')",
    ],
)
def test_unittest_that_fails(program: str) -> None:
    assert run(program).ending is Ending.FAILED


def test_multiprocessing() -> None:
    outcome = run(PROCESSES, Limits(timeout_s=30))
    assert outcome.passed, outcome.stderr


@pytest.mark.parametrize(
    ("program", "ending"),
    [
        ("assert False", Ending.FAILED),
        ("def broken(:", Ending.FAILED),
        ("x = 1\x00", Ending.FAILED),
        ("'\ud800'.encode()", Ending.FAILED),
        ("def f(): return f()\nf()", Ending.FAILED),
        ("import sys\nsys.exit(0)\nassert False", Ending.EXITED),
        ("raise SystemExit", Ending.EXITED),
        ("import os\nprint('passed')\nos._exit(0)", Ending.EXITED),
        ("import os\nif os.fork(): os._exit(0)\nimport time\ntime.sleep(9)", Ending.EXITED),
        ("import os\nos._exit(7)", Ending.FAILED),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", Ending.KILLED),
        ("while True: pass", Ending.TIMEOUT),
        ("import time\ntime.sleep(60)", Ending.TIMEOUT),
        ("import sys\nwhile True: print('x' * 4096, file=sys.stderr)", Ending.TIMEOUT),
        ("x = bytearray(10 << 30)", Ending.MEMORY),
        ("x = []\nwhile True: x.append(bytearray(1 << 24))", Ending.MEMORY),
    ],
)
def test_failures_are_told_apart(program: str, ending: Ending) -> None:
    limits = SHORT if ending is Ending.TIMEOUT else Limits(timeout_s=20)
    assert run(program, limits).ending is ending


def test_output_proves_nothing() -> None:
    """Every line the watcher could say, on every descriptor that could be open."""
    program = """
import os
for said in (b"passed\\n", b"started\\npassed\\n", bytes(16), os.urandom(16)):
    for descriptor in range(128):
        try:
            os.write(descriptor, said)
        except OSError:
            pass
os._exit(0)
"""
    assert run(program).ending is Ending.EXITED


def test_the_token_is_in_no_frame_and_no_object() -> None:
    """A program that prints its callers' variables and the heap's bytes, then ends, still ended
    by itself: what it saw held no 16 random bytes."""
    program = """
import gc, sys
frame = sys._getframe()
seen = []
while frame := frame.f_back:
    seen += list(frame.f_locals.values()) + list(frame.f_globals.values())
seen += gc.get_objects()
assert not [x for x in seen if isinstance(x, bytes) and len(x) == 16]
"""
    assert run(program).passed


def test_fork_bomb_is_contained() -> None:
    bomb = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    started = time.monotonic()
    assert not run(bomb, SHORT).passed
    assert time.monotonic() - started < 20
    count = """
import os, time
children = 0
try:
    while os.fork():
        children += 1
    time.sleep(9)
except OSError:
    assert children == 7, children
"""
    assert run(count, Limits(timeout_s=5, processes=8)).passed


def test_ended_orphans_do_not_count() -> None:
    program = """
import os, time
for _ in range(40):
    if (child := os.fork()) == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    os.waitpid(child, 0)
    time.sleep(0.01)
"""
    outcome = run(program, Limits(processes=4))
    assert outcome.passed, outcome.stderr


def test_orphans_die_with_the_program() -> None:
    program = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
"""
    assert run(program).passed  # the fixture sees that nobody stays


def test_stopping_or_killing_the_watcher_is_no_way_out() -> None:
    for name in ("SIGKILL", "SIGSTOP"):
        program = f"import os, signal, time\nos.kill(os.getppid(), signal.{name})\ntime.sleep(9)"
        assert not run(program, SHORT).passed


def test_host_files_are_not_there(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o644)
    here = Path(__file__).resolve()
    paths = ["/etc/passwd", "/etc/shadow", "/proc/1/environ", "/proc/self/maps", "/bin/sh"]
    paths += ["/usr/bin/env", "/sys/kernel", "/dev/mem", str(secret), str(here), os.getcwd()]
    program = f"import os\nassert [p for p in {paths!r} if os.path.exists(p)] == []"
    outcome = run(program)
    assert outcome.passed, outcome.stderr
    assert run("open('/etc/passwd')").ending is Ending.FAILED


def test_no_packages_no_environment_no_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_SECRET", "x")
    program = """
import importlib.util, os
assert importlib.util.find_spec("numpy") is None
assert "ASSAY_SECRET" not in os.environ
assert os.getuid() != 0
try:
    os.setuid(0)
except OSError:
    pass
else:
    raise AssertionError("root again")
"""
    outcome = run(program)
    assert outcome.passed, outcome.stderr


def test_nothing_outside_tmp_can_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    target = tmp_path / "written"
    for path in (str(target), "/written", "/usr/lib/written", "/dev/written", os.__file__):
        assert run(f"open({path!r}, 'a').write('x')").ending is Ending.FAILED
    assert not target.exists()


def test_disk_is_bounded() -> None:
    flood = "for i in range(99): open(f'/tmp/{i}', 'wb').write(bytes(1 << 20))"
    assert run(flood, Limits(disk_mb=4)).ending is Ending.FAILED
    assert (
        run("open('/tmp/x', 'wb').write(bytes(9 << 20))", Limits(disk_mb=4)).ending is Ending.FAILED
    )


def test_no_network() -> None:
    reached = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def listen() -> None:
            try:
                server.accept()
                reached.set()
            except OSError:
                pass

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        connect = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)"
        assert run(connect).ending is Ending.FAILED
        outside = (
            "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))"
        )
        assert run(outside).ending is Ending.FAILED
    assert not reached.is_set()


def test_many_keep_their_order() -> None:
    programs = [f"assert {number} % 3" for number in range(12)]
    passed = [outcome.passed for outcome in run_many(programs)]
    assert passed == [number % 3 != 0 for number in range(12)]


def test_without_bubblewrap_nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    running._route.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    try:
        with pytest.raises(Unavailable, match="bubblewrap"):
            run("pass")
        broken = tmp_path / "bwrap"
        broken.write_text("#!/bin/sh\necho no permission >&2\nexit 1\n")
        broken.chmod(0o755)
        with pytest.raises(Unavailable, match="no permission"):
            run("pass")
    finally:
        running._route.cache_clear()


def test_starts_fast() -> None:
    """About 40 ms with the interpreter's own start, more on a busy machine."""
    run("pass")
    times = []
    for _ in range(10):
        started = time.perf_counter()
        run("pass")
        times.append(time.perf_counter() - started)
    assert min(times) < 0.5

"""The command line that starts a sandbox: bubblewrap, or nothing at all.

What a program finds inside: the interpreter and its standard library, read-only; shared libraries;
`/dev/null`, `/dev/zero`, `/dev/urandom`; an empty `/tmp` of bounded size, which is `/dev/shm` too.
No other file of the host, no installed packages, no shell, no `/proc`, no network but its own
loopback, no environment, no terminal, no capability, no unusual system call, and a process tree
that dies with the one who asked. A program in another language finds that language's interpreter
and modules besides, one in bash small tools as `sort` (metrics.sandbox.languages).

Two ways in. An ordinary user gets a user namespace. Root does not: there the kernel exempts root's
processes from the limit on their number, so each program becomes a user id of its own instead. Root
of a container's user namespace has no such ids to give, and goes the ordinary user's way.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from inference.errors import Unavailable
from inference.sentences import Sentence
from metrics.sandbox.languages import LANGUAGES, interpreter, tools
from metrics.sandbox.limits import Limits, Program

_LIBRARIES = ("/lib", "/lib64", "/lib32", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 - the sandbox's own
    "LANG": "C.UTF-8",
    "PATH": "/nonexistent",
    "PYTHONHASHSEED": "0",  # the same program ends the same way
    "OPENBLAS_NUM_THREADS": "1",
}
_INSIDE = ("units", "marks", "watching", "job", "kinds", "launcher")


@dataclass(frozen=True, slots=True)
class Route:
    """A way into a sandbox; which one works is found out by trying."""

    start: tuple[str, ...]  # the command up to its mounts
    own_user: bool  # each program becomes a user id of its own


def routes() -> tuple[Route, ...]:
    """The ways in, best first; raises Unavailable without bubblewrap."""
    found = shutil.which("bwrap")
    if found is None:
        raise Unavailable(
            Sentence(
                "this metric runs code, which needs bubblewrap: install it (Debian, Ubuntu: "
                "apt-get install bubblewrap); nothing runs unsandboxed"
            )
        )
    flags = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    flags += ["--unshare-cgroup-try", "--new-session", "--die-with-parent", "--clearenv"]
    flags += ["--hostname", "sandbox", "--cap-drop", "ALL", "--as-pid-1"]
    namespace = [found, *flags, "--unshare-user", "--uid", "65534", "--gid", "65534"]
    options = subprocess.run([found, "--help"], capture_output=True, text=True, check=False)
    if "--disable-userns" in options.stdout + options.stderr:  # since 0.8
        namespace.append("--disable-userns")
    ordinary = Route(tuple(namespace), own_user=False)
    if os.geteuid() != 0:
        return (ordinary,)
    rights = ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return Route((found, *flags, *rights), own_user=True), ordinary


def command(
    route: Route, limits: Limits, program: Program, sizes: Sequence[int], report: int, rules: int
) -> list[str]:
    """Arguments that run the launcher in a sandbox.

    sizes   bytes of each part of the program: its own, those before every test, the tests
    report  the descriptor that the launcher reports on
    rules   one with the filter of system calls (metrics.sandbox.seccomp)
    """
    language = program.language
    head = [*route.start, "--seccomp", str(rules), *_files(), *_other(language), *_room(limits)]
    numbers = [len(program.parts), len(program.shared), len(sizes), *sizes]
    asked = [program.kind, *map(str, numbers), *_interpreted(language)]
    return [*head, *_interpreter(), *_launcher(route, limits, language, report), *asked]


@cache
def _files() -> tuple[str, ...]:
    """Mounts: this interpreter and what it links to, without its installed packages."""
    base = Path(sys.base_prefix)
    runtime = [str(base / "lib"), str(base / sys.platlibdir), _executable()]
    bound = [path for path in dict.fromkeys([*_LIBRARIES, *runtime]) if os.path.exists(path)]
    flags = _folders([*bound, *_DEVICES])
    for path in bound:
        flags += ["--ro-bind", path, path]
    paths = sysconfig.get_paths(vars={"base": str(base), "platbase": str(base)})
    standard = {Path(paths["stdlib"]), Path(paths["platstdlib"])}
    packages = {folder / name for folder in standard for name in ("site-packages", "dist-packages")}
    packages |= {Path("/usr/lib/python3/dist-packages"), base / "lib/python3/dist-packages"}
    for hidden in sorted(packages):
        if hidden.is_dir():
            flags += ["--tmpfs", str(hidden), "--remount-ro", str(hidden)]
    for device in _DEVICES:
        flags += ["--dev-bind", device, device]
    for name, value in _ENVIRONMENT.items():
        flags += ["--setenv", name, value]
    return tuple(flags)


def _folders(paths: Iterable[str]) -> list[str]:
    """The folders that these paths lie in; else bubblewrap's own would have mode 0700."""
    folders = {str(parent) for path in paths for parent in Path(path).parents} - {"/"}
    return [word for folder in sorted(folders) for word in ("--perms", "0755", "--dir", folder)]


def _room(limits: Limits) -> list[str]:
    scratch = "/tmp"  # noqa: S108 - the sandbox's own
    size = str(limits.disk_mb << 20)
    mount = ["--perms", "1777", "--size", size, "--tmpfs", scratch]
    mount += ["--symlink", scratch, "/dev/shm"]  # noqa: S108 - where multiprocessing has its locks
    mount += ["--perms", "0755", "--dir", "/dev/fd"]
    for name in ("/dev/stdin", "/dev/fd/0"):
        mount += ["--symlink", "/tmp/.stdin", name]  # noqa: S108 - see metrics.sandbox.kinds
    return [*mount, "--remount-ro", "/", "--chdir", scratch, "--"]


def _interpreter() -> list[str]:
    return [_executable(), "-s", "-S", "-P", "-B", "-X", "utf8"]


@cache
def _other(language: str) -> tuple[str, ...]:
    """Mounts of another language's interpreter, and where its programs find their tools."""
    if language == "python":
        return ()
    path = interpreter(language)
    reads = [path, *LANGUAGES[language].reads]
    bound = {read: read for read in reads if os.path.exists(read)} | tools(language)
    flags = _folders(bound)
    for inside, outside in bound.items():
        flags += ["--ro-bind", outside, inside]
    return (*flags, "--setenv", "PATH", "/usr/bin")


def _interpreted(language: str) -> list[str]:
    """The program's file, and the words that run it; none for Python."""
    if language == "python":
        return []
    return ["/tmp/program", interpreter(language), *LANGUAGES[language].options]  # noqa: S108


def _launcher(route: Route, limits: Limits, language: str, report: int) -> list[str]:
    user = 0x40000000 + secrets.randbelow(0x20000000) if route.own_user else 0
    # an ordinary user's count includes the watcher
    processes = limits.processes if route.own_user else limits.processes + 1
    bounded = language == "python" or LANGUAGES[language].addresses
    numbers = [
        report,
        limits.timeout_s,
        limits.memory_mb << 20 if bounded else 0,
        processes,
        limits.disk_mb << 20,
        user,
    ]
    return ["-c", _launcher_source(), *map(str, numbers)]


@cache
def _launcher_source() -> str:
    """The launcher after the sources of the modules that it imports, which are not inside."""
    sources = [
        Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8") for name in _INSIDE
    ]
    lines = "".join(sources).splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("from metrics."))


@cache
def _executable() -> str:
    """The interpreter itself, not a virtual environment's link to it."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)

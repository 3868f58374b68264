"""System calls: what a program may not ask of the kernel, on each machine that we know."""

from __future__ import annotations

import errno
import os
import re
import struct
from pathlib import Path

import pytest

from inference.errors import Unavailable
from metrics.sandbox import run, seccomp

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
ALLOW, ERROR = 0x7FFF0000, 0x00050000


def verdict(rules: bytes, arch: int, number: int, *arguments: int) -> int:
    """What the kernel's machine for such filters would return."""
    data = struct.pack("=IIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    steps = list(struct.iter_unpack("=HBBI", rules))
    at = held = 0
    while True:
        code, then, otherwise, value = steps[at]
        if code == 0x06:
            return int(value)
        if code == 0x20:
            held = struct.unpack_from("=I", data, value)[0]
            at += 1
        else:
            met = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[code]
            at += 1 + (then if met else otherwise)


def numbers(machine: str) -> dict[str, int]:
    """System calls by name, as this system's headers have them."""
    if not HEADERS[machine].exists():
        pytest.skip(f"no {HEADERS[machine]}")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\s", HEADERS[machine].read_text())
    return {name: int(number) for name, number in found}


@pytest.mark.parametrize("machine", list(ARCH))
def test_refused_by_number(machine: str) -> None:
    known, rules, arch = numbers(machine), seccomp.rules(machine), ARCH[machine]
    refused = {name for name, number in known.items() if verdict(rules, arch, number) != ALLOW}
    assert refused >= {"keyctl", "io_uring_setup", "bpf", "userfaultfd", "perf_event_open"}
    assert refused >= {"unshare", "setns", "shmget", "semop", "msgrcv", "mount", "ptrace", "clone3"}
    named = set(seccomp._REFUSED) | {"clone3", "socket", "socketpair"}  # family 0 is none
    assert refused == named & set(known)
    for family in range(64):
        for call in ("socket", "socketpair"):
            allowed = verdict(rules, arch, known[call], family) == ALLOW
            assert allowed == (family in {1, 2, 10})
    assert verdict(rules, arch, known["clone"], 0x01200011) == ALLOW  # a fork
    assert verdict(rules, arch, known["clone"], 0x003D0F00) == ALLOW  # a thread
    for bit in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 1 << 28, 1 << 29, 1 << 30):
        assert verdict(rules, arch, known["clone"], bit | 17) == ERROR | errno.EPERM
    for call, (*_, places) in seccomp._OF_ITSELF.items():
        for place in places:
            others = [int(at == place) for at in range(2)]
            assert verdict(rules, arch, known[call], *others) == ERROR | errno.EPERM, call
        assert verdict(rules, arch, known[call], 0, 0, 7, 7, 7, 7) == ALLOW, call


def test_other_tables_of_numbers_are_closed() -> None:
    """32-bit calls, and x32's on x86_64, would go round the numbers."""
    rules = seccomp.rules("x86_64")
    assert verdict(rules, 0x40000003, 20) == ERROR | errno.ENOSYS
    assert verdict(rules, ARCH["x86_64"], 0x40000000 | 39) == ERROR | errno.ENOSYS
    with pytest.raises(Unavailable, match="riscv64"):
        seccomp.rules("riscv64")


def test_refused_in_the_sandbox() -> None:
    column = seccomp._MACHINES[os.uname().machine][0]
    calls = {name: both[column] for name, both in seccomp._REFUSED.items()}
    program = f"""
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
for name, number in {calls!r}.items():
    for arguments in ((0, 0, 0, 0), (-1, -1, -1, -1)):
        ctypes.set_errno(0)
        assert libc.syscall(number, *arguments) == -1, name
        assert ctypes.get_errno() == errno.EPERM, (name, ctypes.get_errno())
"""
    outcome = run(program)
    assert outcome.passed, outcome.stderr


def test_sockets() -> None:
    program = """
import errno, socket
for family in (16, 17, 31, 38, 40, 44):  # netlink, packet, bluetooth, alg, vsock, xdp
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind)
        except OSError as error:
            assert error.errno == errno.EAFNOSUPPORT, (family, kind, error)
        else:
            raise AssertionError(family)
with socket.create_server(("127.0.0.1", 0)) as server:  # the program's own
    socket.create_connection(server.getsockname()).close()
socket.socket(socket.AF_INET6).close()
one, other = socket.socketpair()
one.send(b"x")
assert other.recv(1) == b"x"
"""
    outcome = run(program)
    assert outcome.passed, outcome.stderr


def test_no_program_leaves_another_something() -> None:
    """A key in the ring of the session, a piece of shared memory: both outlive a process."""
    leave = """
import ctypes
libc = ctypes.CDLL(None)
add_key = {"x86_64": 248, "aarch64": 217}[__import__("os").uname().machine]
for ring in (-1, -2, -3, -4, -5):  # thread, process, session, user, user's session
    assert libc.syscall(add_key, b"user", b"left", b"data", 4, ring) == -1
assert libc.shmget(7, 4096, 0o1666) == -1
"""
    outcome = run(leave)
    assert outcome.passed, outcome.stderr

"""docker-compose.yml and what it mounts, without Docker."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.checkout import ROOT

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
OURS = ("migrate", "api", "worker", "worker-gpu")
# what bubblewrap calls that Docker's own profile keeps for CAP_SYS_ADMIN
SANDBOX = {"clone", "unshare", "mount", "umount2", "pivot_root", "seccomp", "prctl", "setns"}
KEPT_OUT = {
    *("add_key", "bpf", "clock_settime", "delete_module", "finit_module", "init_module"),
    *("io_uring_setup", "kexec_load", "keyctl", "open_by_handle_at", "perf_event_open"),
    *("process_vm_readv", "ptrace", "reboot", "request_key", "settimeofday", "swapon"),
    "userfaultfd",
}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())[
        "services"
    ]
    return found


@pytest.fixture(scope="module")
def profile() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "seccomp-worker.json").read_text())
    return found


def test_every_service_is_limited(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert "seccomp=unconfined" not in service["security_opt"], name
    assert {name for name in OURS if services[name]["cap_drop"] == ["ALL"]} == set(OURS)
    for name in ("worker", "worker-gpu"):
        assert "seccomp=seccomp-worker.json" in services[name]["security_opt"]


def test_no_password_and_no_image_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    named = re.findall(r"\$\{(ASSAY_\w*(?:PASSWORD|_IMAGE))(:?.)", text)
    assert {kind for _, kind in named} == {":?"}
    listed = re.findall(r"^(ASSAY_\w+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert {name for name, _ in named} == set(listed)
    assert re.findall(r"^\s*image: (.*)$", text, re.MULTILINE)[0] == "assay"  # built here
    assert re.findall(r"^FROM (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == [
        "${PYTHON_IMAGE}"
    ]


def test_the_service_is_no_superuser(services: dict[str, dict[str, Any]]) -> None:
    assert "POSTGRES_USER" not in services["postgres"]["environment"]
    assert (
        "./postgres-role.sh:/docker-entrypoint-initdb.d/role.sh:ro"
        in (services["postgres"]["volumes"])
    )
    made = re.findall(r"^CREATE ROLE (.*)$", (ROOT / "postgres-role.sh").read_text(), re.MULTILINE)
    assert made == ["assay LOGIN CREATEDB PASSWORD :'password';"]


def test_the_profile_refuses_what_it_does_not_list(profile: dict[str, Any]) -> None:
    assert set(profile) == {"defaultAction", "defaultErrnoRet", "archMap", "syscalls"}
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {one["architecture"] for one in profile["archMap"]} == {
        "SCMP_ARCH_X86_64",
        "SCMP_ARCH_AARCH64",
    }
    (rule,) = profile["syscalls"]
    assert rule["action"] == "SCMP_ACT_ALLOW"
    names = rule["names"]
    assert names == sorted(set(names))
    assert set(names) >= SANDBOX
    assert not KEPT_OUT & set(names)


@pytest.mark.skipif(
    not HEADER.exists() or os.uname().machine != "x86_64" or shutil.which("bwrap") is None,
    reason="needs bubblewrap, and the numbers of system calls",
)
def test_bubblewrap_works_under_the_profile(profile: dict[str, Any]) -> None:
    """The kernel's own filter, made of the profile; what is left out is refused by it."""
    numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)", HEADER.read_text()))
    allowed = [int(numbers[name]) for name in profile["syscalls"][0]["names"] if name in numbers]
    isolated = ["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    inside = [*isolated, "--tmpfs", "/tmp", "--die-with-parent", "true"]
    assert status(inside, allowed) == 0
    assert status(inside, [one for one in allowed if one != int(numbers["pivot_root"])]) == 1


def status(arguments: list[str], allowed: list[int]) -> int:
    """bubblewrap's, where only these calls are allowed."""
    filtered = under(allowed)
    done = subprocess.run(
        ["bwrap", *arguments], preexec_fn=filtered, capture_output=True, check=False
    )
    return done.returncode


def under(allowed: list[int]) -> Callable[[], None]:
    """For `preexec_fn`: a filter that refuses all other calls with EPERM."""
    load, same, give = 0x20, 0x15, 0x06
    steps = [struct.pack("=HBBI", load, 0, 0, 0)]
    for number in allowed:
        steps += [struct.pack("=HBBI", same, 0, 1, number)]
        steps += [struct.pack("=HBBI", give, 0, 0, 0x7FFF0000)]
    steps += [struct.pack("=HBBI", give, 0, 0, 0x00050001)]
    program = ctypes.create_string_buffer(b"".join(steps))
    libc = ctypes.CDLL(None, use_errno=True)

    def install() -> None:
        described = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        if libc.prctl(22, 2, described, 0, 0):  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
            os._exit(99)

    return install

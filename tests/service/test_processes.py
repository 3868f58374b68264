"""What a process may keep to itself."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

HOLDS = """
import re
from pathlib import Path
from service.processes import give_back_memory

def resident():
    return int(re.findall(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[0])

blocks = [bytes(1000) for _ in range(100_000)]
kept = blocks[::100]  # pieces between what is freed
del blocks
before = resident()
give_back_memory()
print(before, resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library does as it likes")
def test_freed_memory_goes_back_to_the_system() -> None:
    told = subprocess.run([sys.executable, "-c", HOLDS], capture_output=True, text=True, check=True)
    before, after = map(int, told.stdout.split())  # KiB
    assert after < before - 80_000

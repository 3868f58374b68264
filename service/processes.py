"""Child processes that never outlive the one who started them, and what they may not see of it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress

PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
_libc = ctypes.CDLL(None, use_errno=True)  # loaded here: nothing is loaded between fork and exec


def dies_with_parent(sent: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """For `preexec_fn`: the kernel sends the child `sent` when the thread that started it ends.

    A thread, not a process, so call it on the main thread. Between fork and exec the child makes
    one system call and takes no lock, so other threads do no harm.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a child that dies with its parent must be started by the main thread")
    parent = os.getpid()

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(sent), 0, 0, 0)
        if os.getppid() != parent:  # it ended between fork and here
            os._exit(1)

    return prepare


def conceal() -> None:
    """Keep this process's environment and memory from others of the same user: `/proc` shows them
    to none but root. Children are as open as ever."""
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def give_back_memory() -> None:
    """Memory that was freed goes back to the system, where the C library can do that (glibc). It
    keeps it otherwise, in pieces between what is still used: a process of many sizes of tensors
    grows by far more than it holds."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)


def stop(child: subprocess.Popen[bytes], how: signal.Signals, patience: float) -> int:
    """Sends `how`, waits `patience` seconds, kills what is left. Returns the exit status."""
    with suppress(ProcessLookupError):
        child.send_signal(how)
    try:
        return child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()

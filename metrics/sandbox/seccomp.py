"""The system calls that a sandboxed program may not make, as a filter for the kernel.

bubblewrap installs it (`--seccomp`) just before the launcher starts. What is refused has no use in
a test and was the way into many kernels, or out of the sandbox: key rings and System V's objects
outlive a program, AF_VSOCK reaches the host of a virtual machine, and `ptrace` and its like reach
the watcher, as do limits and priorities set for another process than the caller; what
`memfd_create` makes is memory that no process is seen to hold. A refused call fails with an error,
as one does for which rights are lacking; `clone3`, whose flags a filter cannot see, is said not to
exist, so that the C library takes `clone` instead.

Numbers are of Linux's `unistd.h`; the program's format is of `linux/filter.h`.
"""

from __future__ import annotations

import errno
import os
import struct
from functools import cache

from inference.errors import Unavailable
from inference.sentences import Sentence

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column below, AUDIT_ARCH

_REFUSED = {  # (x86_64, aarch64)
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "unshare": (272, 97),
    "setns": (308, 268),
    "shmget": (29, 194),
    "shmctl": (31, 195),
    "shmat": (30, 196),
    "shmdt": (67, 197),
    "semget": (64, 190),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "semop": (65, 193),
    "msgget": (68, 186),
    "msgctl": (71, 187),
    "msgrcv": (70, 188),
    "msgsnd": (69, 189),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
}
_OF_ITSELF = {  # (x86_64, aarch64, places of the arguments that say whom: 0 is the caller)
    "prlimit64": (302, 261, (0,)),
    "setpriority": (141, 140, (0, 1)),
    "sched_setaffinity": (203, 122, (0,)),
    "sched_setscheduler": (144, 119, (0,)),
    "sched_setparam": (142, 118, (0,)),
    "sched_setattr": (314, 274, (0,)),
    "migrate_pages": (256, 238, (0,)),
    "move_pages": (279, 239, (0,)),
}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_SOCKETS = {"socket": (41, 198), "socketpair": (53, 199)}
_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
_OTHER_ABI = 0x40000000  # x86_64's numbers with this bit are the x32 ABI's

_LOAD, _SAME, _AT_LEAST, _ANY_OF, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # places in seccomp_data; of arguments the lower halves
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000


@cache
def rules(machine: str | None = None) -> bytes:
    """The filter's program for a machine as `uname -m` calls it, by default this one.

    Raises Unavailable for one whose numbers are not known here.
    """
    machine = machine or os.uname().machine
    if machine not in _MACHINES:
        known = ", ".join(_MACHINES)
        form = "the sandbox filters system calls on {known}, not yet on {machine}"
        raise Unavailable(Sentence(form, known=known, machine=machine))
    column, arch = _MACHINES[machine]
    program = [
        _step(_LOAD, _ARCH),
        _step(_SAME, arch, 1, 0),
        _refuse(errno.ENOSYS),
        _step(_LOAD, _NUMBER),
        *_if(_AT_LEAST, _OTHER_ABI, [_refuse(errno.ENOSYS)]),
        *_if(_SAME, _CLONE3[column], [_refuse(errno.ENOSYS)]),
    ]
    for numbers in _REFUSED.values():
        program += _if(_SAME, numbers[column], [_refuse(errno.EPERM)])
    argument, allow = _step(_LOAD, _ARGUMENTS), _step(_RETURN, _ALLOW)
    for x86_64, aarch64, places in _OF_ITSELF.values():
        program += _if(_SAME, (x86_64, aarch64)[column], [*_all_zero(places), allow])
    namespaces = _if(_ANY_OF, _NEW_NAMESPACES, [_refuse(errno.EPERM)])
    program += _if(_SAME, _CLONE[column], [argument, *namespaces, allow])
    families = [step for family in _FAMILIES for step in _if(_SAME, family, [allow])]
    for numbers in _SOCKETS.values():
        refused = _refuse(errno.EAFNOSUPPORT)
        program += _if(_SAME, numbers[column], [argument, *families, refused])
    return b"".join([*program, allow])


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """One instruction; `then` and `otherwise` are how many to skip."""
    return struct.pack("=HBBI", code, then, otherwise, value)


def _if(code: int, value: int, steps: list[bytes]) -> list[bytes]:
    return [_step(code, value, 0, len(steps)), *steps]


def _all_zero(places: tuple[int, ...]) -> list[bytes]:
    """Refuse the call unless these of its arguments are 0."""
    steps: list[bytes] = []
    for place in places:
        steps += [_step(_LOAD, _ARGUMENTS + 8 * place), _step(_SAME, 0, 1, 0), _refuse(errno.EPERM)]
    return steps


def _refuse(error: int) -> bytes:
    return _step(_RETURN, _ERROR | error)

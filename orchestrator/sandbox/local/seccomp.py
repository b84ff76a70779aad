"""The system calls a command may not make, as a classic BPF program for the kernel.

A deny list: what reaches into other processes, mounts, new namespaces, kernel keyrings, io_uring
and other parts of the kernel that a program in a workspace has no business with.
"""

from __future__ import annotations

import errno
import struct

from orchestrator.errors import SandboxUnavailable

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_* of linux/audit.h."""

_DENIED: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "create_module": (174, None),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "get_kernel_syms": (177, None),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "mbind": (237, 235),
    "migrate_pages": (256, 238),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "query_module": (178, None),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "sysctl": (156, None),
    "sysfs": (139, None),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "ustat": (136, None),
    "vhangup": (153, 58),
}
"""Name: number on x86_64 and on aarch64; None where the architecture lacks it."""

_CLONE = (56, 220)
_CLONE3 = (435, 435)
_SOCKET = (41, 198)
_IOCTL = (16, 29)

_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of linux/sched.h."""

_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: those a network namespace confines."""

_TERMINAL_INJECTION = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX."""

_X32 = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCH, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
"""Offsets in struct seccomp_data; arguments are read by their low 32 bits."""

Instruction = tuple[int, int, int, int]


def program(machine: str) -> bytes:
    """The filter for `os.uname().machine`, as struct sock_filter records; raises
    SandboxUnavailable for an architecture whose numbers are not known here.
    """
    if machine not in _ARCHITECTURES:
        raise SandboxUnavailable(
            f"the local sandbox has no system-call filter for {machine}; "
            f"it knows {' and '.join(_ARCHITECTURES)}"
        )
    column = list(_ARCHITECTURES).index(machine)
    code: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        *_unless(_EQUAL, _ARCHITECTURES[machine], _end(_KILL)),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        code += _when(_AT_LEAST, _X32, _fail(errno.ENOSYS))
    for numbers in _DENIED.values():
        number = numbers[column]
        if number is not None:
            code += _when(_EQUAL, number, _fail(errno.EPERM))
    code += _when(_EQUAL, _CLONE3[column], _fail(errno.ENOSYS))
    code += _when(_EQUAL, _CLONE[column], _clone())
    code += _when(_EQUAL, _SOCKET[column], _socket())
    code += _when(_EQUAL, _IOCTL[column], _ioctl())
    code += _end(_ALLOW)
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def _clone() -> list[Instruction]:
    """`clone3` hides its flags behind a pointer, which is why it is refused as unknown: libraries
    then fall back to `clone`.
    """
    return [
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        *_when(_ANY_BIT, _NEW_NAMESPACES, _fail(errno.EPERM)),
        *_end(_ALLOW),
    ]


def _socket() -> list[Instruction]:
    code: list[Instruction] = [(_LOAD, 0, 0, _FIRST_ARGUMENT)]
    for family in _FAMILIES:
        code += _when(_EQUAL, family, _end(_ALLOW))
    return code + _fail(errno.EAFNOSUPPORT)


def _ioctl() -> list[Instruction]:
    code: list[Instruction] = [(_LOAD, 0, 0, _SECOND_ARGUMENT)]
    for request in _TERMINAL_INJECTION:
        code += _when(_EQUAL, request, _fail(errno.EPERM))
    return code + _end(_ALLOW)


def _when(test: int, value: int, then: list[Instruction]) -> list[Instruction]:
    return [(test, 0, len(then), value), *then]


def _unless(test: int, value: int, then: list[Instruction]) -> list[Instruction]:
    return [(test, len(then), 0, value), *then]


def _end(verdict: int) -> list[Instruction]:
    return [(_RETURN, 0, 0, verdict)]


def _fail(error: int) -> list[Instruction]:
    return _end(_ERRNO | error)

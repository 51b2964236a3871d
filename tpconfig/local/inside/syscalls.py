"""The system calls that Python 3.11 does not offer, each with the kernel's own name.

``os.unshare`` and ``os.setns`` came with Python 3.12; mounts, capabilities and inotify never did.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000

MS_RDONLY: Final = 0x1
MS_NOEXEC: Final = 0x8
MS_REMOUNT: Final = 0x20
MS_NOATIME: Final = 0x400
MS_BIND: Final = 0x1000
MS_MOVE: Final = 0x2000
MS_RELATIME: Final = 0x200000
MS_REC: Final = 0x4000
MS_SLAVE: Final = 0x80000
MS_NOSUID: Final = 0x2
MS_NODEV: Final = 0x4
_MNT_DETACH: Final = 0x2

CAP_NET_ADMIN: Final = 12
CAP_SYS_ADMIN: Final = 21

IN_MOVED_TO: Final = 0x80
IN_CREATE: Final = 0x100
IN_DELETE: Final = 0x200
_IN_CLOEXEC: Final = 0x80000
_IN_NONBLOCK: Final = 0x800

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_RAISE: Final = 2
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITY_VERSION_3: Final = 0x20080522

LINUX: Final = sys.platform == "linux"


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySet(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *args: object) -> int:
    result = int(getattr(_libc, name)(*args))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Move this process into new namespaces of the kinds in ``flags``."""
    _call("unshare", ctypes.c_int(flags))


def setns(descriptor: int, kind: int) -> None:
    """Move this process into the namespace that ``descriptor`` refers to."""
    _call("setns", ctypes.c_int(descriptor), ctypes.c_int(kind))


def mount(source: str, target: str, flags: int, *, kind: str = "", options: str = "") -> None:
    """See mount(2)."""
    _call(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        kind.encode(),
        ctypes.c_ulong(flags),
        options.encode(),
    )


def detach(target: str) -> None:
    """Take a mount off the tree at once; what is open in it stays usable."""
    _call("umount2", os.fsencode(target), ctypes.c_int(_MNT_DETACH))


def sethostname(name: str) -> None:
    """Set the host name of this UTS namespace."""
    raw = os.fsencode(name)
    _call("sethostname", raw, ctypes.c_size_t(len(raw)))


def become_subreaper() -> None:
    """Adopt every orphan among the descendants, where the kernel knows how (Linux)."""
    if LINUX:
        _call("prctl", _PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), *_zeros(3))


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send ``signal_number`` to this process when its parent ends (Linux)."""
    if LINUX:
        _call("prctl", _PR_SET_PDEATHSIG, ctypes.c_ulong(signal_number), *_zeros(3))


def has_capability(capability: int) -> bool:
    """Tell whether this process has ``capability`` in its user namespace, effective now."""
    _, sets = _capabilities()
    return bool(sets[capability // 32].effective >> (capability % 32) & 1)


def hand_on_capability(capability: int) -> None:
    """Let programs that this process starts keep ``capability``, though they are not root."""
    header, sets = _capabilities()
    sets[capability // 32].inheritable |= 1 << (capability % 32)
    _call("capset", ctypes.byref(header), sets)
    raised = ctypes.c_ulong(capability)
    _call("prctl", _PR_CAP_AMBIENT, ctypes.c_ulong(_PR_CAP_AMBIENT_RAISE), raised, *_zeros(2))


def keep_capabilities_to_oneself() -> None:
    """Undo `hand_on_capability`: programs started from now on get none."""
    _call("prctl", _PR_CAP_AMBIENT, ctypes.c_ulong(_PR_CAP_AMBIENT_CLEAR_ALL), *_zeros(3))
    header, sets = _capabilities()
    for part in sets:
        part.inheritable = 0
    _call("capset", ctypes.byref(header), sets)


def watch_directory(path: str, mask: int) -> int:
    """Return an inotify descriptor that reports changes of the entries of ``path``."""
    descriptor = _call("inotify_init1", ctypes.c_int(_IN_CLOEXEC | _IN_NONBLOCK))
    try:
        _call("inotify_add_watch", descriptor, os.fsencode(path), ctypes.c_uint32(mask))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _capabilities() -> tuple[_CapabilityHeader, ctypes.Array[_CapabilitySet]]:
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    sets = (_CapabilitySet * 2)()
    _call("capget", ctypes.byref(header), sets)
    return header, sets


def _zeros(count: int) -> list[ctypes.c_ulong]:
    return [ctypes.c_ulong(0)] * count

"""The files through which a process learns names, covered by the workload's own.

Covered in a mount namespace of the processes' own; nothing changes outside. A file that the
machine replaces by renaming (``resolv.conf`` at every change of network) loses its cover without a
word, so the keeper looks after it: `Cover.renew`.
"""

from __future__ import annotations

import glob
import os
import select
import stat
from typing import Final

from tpconfig.local.inside import places, syscalls
from tpconfig.local.inside.netns import SetupError

ETC: Final = "/etc"

HIDDEN_SOCKETS: Final = ("/run/systemd/resolve/io.systemd.Resolve",)
"""Services of the machine that would answer names from outside the network namespace."""

HIDDEN_DIRECTORIES: Final = ("/run/nscd", "/var/run/nscd")

CHECKED_BY_SSH: Final = (
    "/etc/ssh/ssh_config.d/*",
    "/usr/etc/ssh/ssh_config.d/*",
    "/etc/crypto-policies/back-ends/openssh.config",
)
"""What ``/etc/ssh/ssh_config`` includes; ssh wants it to belong to root or to the user."""

_MAX_COPY: Final = 256 * 1024
_EVENTS_BYTES: Final = 64 * 1024
_CHANGES: Final = syscalls.IN_MOVED_TO | syscalls.IN_CREATE | syscalls.IN_DELETE


class Cover:
    """The covered files; ``scratch`` is an empty folder that gets a file system in memory."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch
        self._covered: list[tuple[str, str]] = []
        self._copies = 0
        self._etc_watch = -1

    def arrange(
        self,
        files: dict[str, str],
        *,
        only_own_user: bool,
        binds: list[places.Bind],
        own: list[str],
    ) -> None:
        """Cover ``files`` (names in ``/etc``) and hide what would answer in their place.

        ``binds`` are the Pod's files; ``own`` are paths in them that stay the machine's.

        ``only_own_user``: this user namespace knows nobody but the user, so that root's files seem
        to be nobody's.
        """
        try:
            syscalls.mount("", "/", syscalls.MS_REC | syscalls.MS_SLAVE)
            safe = syscalls.MS_NOSUID | syscalls.MS_NODEV
            syscalls.mount("tmpfs", self._scratch, safe, kind="tmpfs", options="mode=0755,size=8m")
            self._arrange_etc(files)
            self._hide()
            if only_own_user:
                self._own_ssh_files()
            places.Places(self._scratch).arrange(binds, own)
        except OSError as error:
            words = f"{error.strerror} ({error.filename})" if error.filename else error.strerror
            raise SetupError("mounts", words or str(error), error.errno or 0) from error

    def watches(self) -> list[tuple[int, int]]:
        """Descriptors, and what to poll them for, that tell when a cover may have come off."""
        descriptor = os.open("/proc/self/mountinfo", os.O_RDONLY)
        watches = [(descriptor, select.POLLPRI)]
        try:
            self._etc_watch = syscalls.watch_directory(ETC, _CHANGES)
            watches.append((self._etc_watch, select.POLLIN))
        except OSError:
            pass  # the user has no inotify instance left; mountinfo tells of the usual case
        return watches

    def renew(self, descriptor: int) -> None:
        """Put back every cover that came off, after ``descriptor`` of `watches` said something."""
        if descriptor == self._etc_watch:
            os.read(descriptor, _EVENTS_BYTES)
        for source, target in self._covered:
            if not _same(source, target):
                try:
                    syscalls.mount(source, target, syscalls.MS_BIND)
                except OSError:
                    pass  # its target is being replaced at this moment: the next event is near

    def _arrange_etc(self, files: dict[str, str]) -> None:
        if not all(os.path.isfile(f"{ETC}/{name}") for name in files):
            self._replace_etc(files)
        for name, text in files.items():
            self._cover(f"{ETC}/{name}", text.encode(errors="surrogateescape"))

    def _replace_etc(self, files: dict[str, str]) -> None:
        """Make another ``/etc`` of the same entries, because a file to cover is not there."""
        new = f"{self._scratch}/etc"
        os.mkdir(new, 0o755)
        for entry in os.scandir(ETC):
            place = f"{new}/{entry.name}"
            if entry.name in files and not os.path.isfile(entry.path):
                continue
            places.mirror(entry, place)
        for name in files:
            if not os.path.lexists(f"{new}/{name}"):
                _create(f"{new}/{name}", b"")
        syscalls.mount(new, ETC, syscalls.MS_BIND | syscalls.MS_REC)

    def _hide(self) -> None:
        for path in HIDDEN_SOCKETS:
            if os.path.exists(path):
                self._cover(path, b"")
        nothing = f"{self._scratch}/nothing"
        os.mkdir(nothing, 0o755)
        for path in {os.path.realpath(path) for path in HIDDEN_DIRECTORIES}:
            if os.path.isdir(path):
                syscalls.mount(nothing, path, syscalls.MS_BIND)

    def _own_ssh_files(self) -> None:
        for pattern in CHECKED_BY_SSH:
            for path in glob.glob(pattern):
                try:
                    content = _read_regular(path)
                except OSError:
                    continue  # unreadable to the user, and so to ssh
                self._cover(path, content)

    def _cover(self, target: str, content: bytes) -> None:
        self._copies += 1
        source = f"{self._scratch}/{self._copies}-{os.path.basename(target)}"
        _create(source, content)
        syscalls.mount(source, target, syscalls.MS_BIND)
        self._covered.append((source, target))


def _read_regular(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no file")
        return os.read(descriptor, _MAX_COPY)
    finally:
        os.close(descriptor)


def _create(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.fchmod(descriptor, 0o644)
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def _same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False

"""Shows folders and files at paths that this machine may not have, without writing to it.

Where a path is missing, the folder that it would be in is built again in memory: every entry of it
is bound to its original, and the missing one is made. For a path directly below ``/`` that is a new
root. Nothing of it is seen outside of this mount namespace.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from tpconfig.local.inside import syscalls
from tpconfig.local.inside.netns import SetupError

_KEPT_FLAGS = {
    os.ST_NOSUID: syscalls.MS_NOSUID,
    os.ST_NODEV: syscalls.MS_NODEV,
    os.ST_NOEXEC: syscalls.MS_NOEXEC,
    os.ST_NOATIME: syscalls.MS_NOATIME,
    os.ST_RELATIME: syscalls.MS_RELATIME,
}
"""What an unprivileged namespace may not take off again, and so has to name."""


@dataclass(frozen=True, slots=True)
class Bind:
    """``source``, a file or folder of this machine, seen at ``target``."""

    source: str
    target: str
    read_only: bool

    @staticmethod
    def of(message: dict[str, Any]) -> Bind:
        """Read one from a message."""
        return Bind(message["source"], message["target"], bool(message["read_only"]))


class Places:
    """Puts binds in their places; ``scratch`` is a folder of a file system in memory."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch
        self._device = os.stat(scratch).st_dev
        self._rebuilt = 0

    def arrange(self, binds: list[Bind], own: list[str]) -> None:
        """Bind all; ``own`` are paths below them that stay this machine's own.

        Raises:
            SetupError: the kernel refuses.
        """
        try:
            kept = [(path, os.open(path, os.O_PATH)) for path in own if os.path.exists(path)]
            for bind in sorted(binds, key=lambda one: one.target.count("/")):
                self._bind(bind)
            for path, descriptor in kept:
                if os.path.exists(path):
                    place = f"/proc/self/fd/{descriptor}"
                    syscalls.mount(place, path, syscalls.MS_BIND | syscalls.MS_REC)
                os.close(descriptor)
        except OSError as error:
            words = f"{error.strerror} ({error.filename})" if error.filename else error.strerror
            raise SetupError("mounts", words or str(error), error.errno or 0) from error

    def _bind(self, bind: Bind) -> None:
        folder = os.path.isdir(bind.source)
        target = os.path.realpath(bind.target)
        if not os.path.exists(target) or os.path.isdir(target) != folder:
            self._make_room(target)
            if folder:
                os.mkdir(target, 0o755)
            else:
                os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        syscalls.mount(bind.source, target, syscalls.MS_BIND | syscalls.MS_REC)
        if bind.read_only:
            flags = os.statvfs(target).f_flag
            kept = sum(ours for theirs, ours in _KEPT_FLAGS.items() if flags & theirs)
            again = syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY
            syscalls.mount("", target, again | kept)

    def _make_room(self, target: str) -> None:
        """Have the parent of ``target`` in memory, and nothing at ``target``."""
        folder = os.path.dirname(target)
        missing = []
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        if os.stat(folder).st_dev != self._device:
            self._rebuild(folder, without=os.path.basename(missing[-1] if missing else target))
        for path in reversed(missing):
            os.mkdir(path, 0o755)

    def _rebuild(self, folder: str, *, without: str) -> None:
        self._rebuilt += 1
        new = f"{self._scratch}/rebuilt-{self._rebuilt}"
        os.mkdir(new, 0o755)
        for entry in os.scandir(folder):
            if entry.name != without:
                mirror(entry, f"{new}/{entry.name}")
        if folder != "/":
            syscalls.mount(new, folder, syscalls.MS_BIND | syscalls.MS_REC)
            return
        syscalls.mount(new, new, syscalls.MS_BIND | syscalls.MS_REC)
        os.chdir(new)
        syscalls.mount(new, "/", syscalls.MS_MOVE)
        os.chroot(".")
        os.chdir("/")


def mirror(entry: os.DirEntry[str], place: str) -> None:
    """Show an entry of a folder at another place."""
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), place)
        return
    if entry.is_dir(follow_symlinks=False):
        os.mkdir(place, 0o755)
    else:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
    syscalls.mount(entry.path, place, syscalls.MS_BIND | syscalls.MS_REC)

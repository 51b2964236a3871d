"""Mounts of Pods' files on this machine, outside of any namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MOUNTS: Final = Path("/proc/self/mounts")
_PROGRAMS: Final = ("fusermount3", "fusermount")


def mounts_below(folder: Path, *, table: Path = _MOUNTS) -> list[Path]:
    """Return the mount points in a folder, the deepest first."""
    return sorted((p for p in _points(table) if p.is_relative_to(folder)), reverse=True)


def unmount(point: Path) -> bool:
    """Take a FUSE mount off, however busy it is; return whether it is off."""
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    command = [program, "-u", "-z", "-q"] if program else ["umount", "-l"]
    done = subprocess.run([*command, str(point)], capture_output=True, check=False)
    return done.returncode == 0


def unmount_all(folder: Path) -> list[Path]:
    """Take every mount in a folder off; return those that were."""
    return [point for point in mounts_below(folder) if unmount(point)]


def remove_tree(folder: Path) -> bool:
    """Remove a folder of ours; never what is mounted in it, which is somebody else's.

    Returns:
        Whether nothing is mounted in it any more.
    """
    unmount_all(folder)
    if mounts_below(folder):
        return False
    if folder.is_dir():
        for path, folders, _ in os.walk(folder):
            for name in folders:
                place = os.path.join(path, name)
                if not os.path.islink(place):
                    os.chmod(place, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _points(table: Path) -> Iterator[Path]:
    try:
        lines = table.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        raw = line.split(b" ")[1]
        yield Path(raw.decode("unicode_escape").encode("latin-1").decode(errors="surrogateescape"))

"""Notices that something in a source tree has changed, and overlooks what git ignores."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

QUIET_S: Final = 0.1
"""How long after the last event of a burst it is told of."""

LONGEST_BURST_S: Final = 2.0
GIT_TIMEOUT_S: Final = 5.0

_WRITING: Final = frozenset({"created", "modified", "moved", "deleted"})
_NEVER: Final = ("*~", ".#*", "#*#", "*.sw?", "*.tmp", "4913", "*___jb_tmp___", "*___jb_old___")
"""What editors put beside a file while they save it."""

_FOLDERS: Final = frozenset({".git", ".hg", ".svn", "__pycache__", "node_modules"})


async def changes(paths: Sequence[Path]) -> AsyncGenerator[list[str], None]:
    """Yield what has changed in files and folders, as deep as they go, a burst at a time.

    A path that is not there is noticed when it comes, if its folder is there.
    """
    loop = asyncio.get_running_loop()
    changed: set[str] = set()
    rung = asyncio.Event()

    def take(path: str) -> None:
        changed.add(path)
        rung.set()

    wanted = [os.path.abspath(path) for path in paths]
    observer = Observer()
    observer.daemon = True
    handler = _Handler(lambda path: loop.call_soon_threadsafe(take, path))
    for folder, deep in _watches(wanted).items():
        with suppress(OSError):
            observer.schedule(handler, folder, recursive=deep)
    await asyncio.to_thread(observer.start)
    try:
        while True:
            await rung.wait()
            await _quiet(rung)
            burst, changed = {one for one in changed if _is_of(one, wanted)}, set()
            found = await asyncio.to_thread(not_ignored, burst)
            if found:
                yield found
    finally:
        observer.stop()


def not_ignored(paths: Iterable[str]) -> list[str]:
    """Return those that are sources: no editor's own files, and nothing that git ignores."""
    kept = sorted(path for path in paths if not _is_noise(path))
    by_folder: dict[str, list[str]] = {}
    for path in kept:
        by_folder.setdefault(_existing(os.path.dirname(path)), []).append(path)
    ignored: set[str] = set()
    for folder, some in by_folder.items():
        ignored |= _ignored(folder, some)
    return [path for path in kept if path not in ignored]


class _Handler(FileSystemEventHandler):
    """Hands on every path that was written."""

    def __init__(self, take: Callable[[str], object]) -> None:
        self._take = take

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Take what an event is about; a folder's own time stamp is nothing."""
        if event.event_type not in _WRITING:
            return
        if event.is_directory and event.event_type == "modified":
            return
        for path in (event.src_path, event.dest_path):
            if path:
                self._take(os.fsdecode(path))


async def _quiet(rung: asyncio.Event) -> None:
    ends_s = asyncio.get_running_loop().time() + LONGEST_BURST_S
    while rung.is_set() and asyncio.get_running_loop().time() < ends_s:
        rung.clear()
        await asyncio.sleep(QUIET_S)
    rung.clear()


def _watches(wanted: Iterable[str]) -> dict[str, bool]:
    """Return the folders to watch, and whether with all that is in them."""
    found: dict[str, bool] = {}
    for path in wanted:
        if os.path.isdir(path):
            found[path] = True
        else:
            found.setdefault(_existing(os.path.dirname(path)), False)
    return found


def _is_of(path: str, wanted: Iterable[str]) -> bool:
    return any(path == one or path.startswith(one + os.sep) for one in wanted)


def _is_noise(path: str) -> bool:
    name = os.path.basename(path)
    if any(fnmatchcase(name, pattern) for pattern in _NEVER):
        return True
    return not _FOLDERS.isdisjoint(path.split(os.sep))


def _existing(folder: str) -> str:
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _ignored(folder: str, paths: Sequence[str]) -> set[str]:
    """Ask git; where there is none, or no repository, nothing is ignored."""
    given = b"\0".join(map(os.fsencode, paths))
    try:
        done = subprocess.run(
            ["git", "-C", folder, "check-ignore", "-z", "--stdin"],
            input=given,
            capture_output=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return set()
    return {os.fsdecode(one) for one in done.stdout.split(b"\0") if one}

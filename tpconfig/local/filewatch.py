"""Notices that files have changed, however an editor or git goes about it.

The folders are watched, since most programs replace a file instead of writing to it, and a link's
real folder as well. What counts is the content: a second save of the same text is no change. A slow
look from time to time finds what no event tells of (network file systems, a folder that was removed
and came back, no inotify instance left).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

DEBOUNCE_S: Final = 0.05
"""How long after the last event the files are read: editors write, rename and sync in a burst."""

LONGEST_BURST_S: Final = 0.5
LOOK_S: Final = 1.0

_READING: Final = frozenset({"opened", "closed_no_write"})

Contents = dict[Path, bytes | None]


async def changes(paths: Callable[[], Iterable[Path]]) -> AsyncGenerator[None, None]:
    """Yield at once, and whenever the content of a file has changed, or whether it is there.

    The first time is for what changed between reading the files and now.

    ``paths`` is asked anew each time: what a file includes may be different after a change.
    """
    loop = asyncio.get_running_loop()
    rung = asyncio.Event()
    with _watcher(lambda: loop.call_soon_threadsafe(rung.set)) as watcher:
        watcher.follow(folders(paths()))
        seen = contents(paths())
        yield
        seen = {**contents(paths()), **seen}
        while True:
            watcher.follow(folders(paths()))
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await rung.wait()
            await _quiet(rung)
            found = contents(paths())
            known = {path: seen.get(path, found[path]) for path in found}
            seen = found
            if known != found:
                yield
                seen = {**contents(paths()), **seen}  # what is watched from now on


async def _quiet(rung: asyncio.Event) -> None:
    """Wait for the end of a burst of events, though not for ever."""
    ends_s = asyncio.get_running_loop().time() + LONGEST_BURST_S
    while rung.is_set() and asyncio.get_running_loop().time() < ends_s:
        rung.clear()
        await asyncio.sleep(DEBOUNCE_S)
    rung.clear()


def contents(paths: Iterable[Path]) -> Contents:
    """Return a digest of each file; None where it cannot be read."""
    found: Contents = {}
    for path in paths:
        try:
            found[path] = hashlib.sha256(path.read_bytes()).digest()
        except OSError:
            found[path] = None
    return found


def folders(paths: Iterable[Path]) -> set[str]:
    """Return the folders in which changes of the files show: their own, and those behind links."""
    near = {os.path.abspath(path.parent) for path in paths}
    real = {os.path.dirname(os.path.realpath(path)) for path in paths}
    return near | real


class _Watcher(FileSystemEventHandler):
    """Rings a bell for every event in the folders that it follows."""

    def __init__(self, observer: BaseObserver, ring: Callable[[], object]) -> None:
        self._observer = observer
        self._ring = ring
        self._watches: dict[tuple[str, int], ObservedWatch] = {}

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Ring, unless somebody only reads."""
        if event.event_type not in _READING:
            self._ring()

    def follow(self, wanted: set[str]) -> None:
        """Watch exactly these folders; one that was removed and made again is another."""
        there = {(folder, inode) for folder in wanted if (inode := _inode(folder)) is not None}
        for key in self._watches.keys() - there:
            with suppress(KeyError, OSError):
                self._observer.unschedule(self._watches[key])
            del self._watches[key]
        for key in there - self._watches.keys():
            with suppress(OSError):  # no instance or watch is left: the slow look remains
                self._watches[key] = self._observer.schedule(self, key[0])


@contextmanager
def _watcher(ring: Callable[[], object]) -> Iterator[_Watcher]:
    observer = Observer()
    observer.daemon = True
    observer.start()
    try:
        yield _Watcher(observer, ring)
    finally:
        observer.stop()


def _inode(folder: str) -> int | None:
    try:
        return os.stat(folder).st_ino
    except OSError:
        return None

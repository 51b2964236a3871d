"""Writes the copies of a Pod's volumes, so that a process sees the old file or the new one.

What arrives comes from a Pod, and a Pod may be anybody's: no name leaves the folder, and no link in
it is followed. What the process has changed in its copy stays until the Pod changes the same file.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

Header = dict[str, Any]

_DRAFT: Final = ".tp-draft"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class Copied:
    """One volume and how its last copy went; ``over`` is its size where that was too much."""

    place: Path
    known: dict[str, Header] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    over: int | None = None


@dataclass(slots=True)
class _Draft:
    header: Header
    descriptor: int
    left: int


@dataclass(slots=True)
class CopiedVolumes:
    """Volumes under one folder, each at its own path there; ``tunnel.files`` feeds it."""

    root: Path
    volumes: dict[str, Copied] = field(default_factory=dict)
    _now: Copied | None = None
    _whole: bool = False
    _seen: set[str] = field(default_factory=set)
    _links: list[Header] = field(default_factory=list)
    _draft: _Draft | None = None

    def header(self, header: Header) -> None:
        """Take a record's header.

        Raises:
            ValueError: a name that leads out of the volume.
            OSError: it cannot be written.
        """
        self.close()
        if "begin" in header:
            self._begin(str(header["begin"]), whole=bool(header["whole"]))
            return
        if self._now is None:
            raise ValueError("an entry of no volume")
        if "end" in header:
            self._end(self._now, header)
            return
        name = str(header["name"])
        self._seen.add(name)
        if header["kind"] == "file":
            self._begin_file(self._now, header)
        elif self._now.known.get(name) == header:
            return
        elif header["kind"] == "folder":
            self._make_folder(self._now, header)
        elif header["kind"] == "link":
            self._links.append(header)
        else:
            raise ValueError(f"an entry of an unknown kind: {header['kind']!r}")

    def data(self, piece: bytes) -> None:
        """Take bytes of the file whose header came last."""
        draft = self._draft
        if draft is None or self._now is None:
            return  # the same as is here already
        view = memoryview(piece)
        while view:
            view = view[os.write(draft.descriptor, view) :]
        draft.left -= len(piece)
        if draft.left <= 0:
            self._finish_file(self._now, draft)

    def close(self) -> None:
        """Give up what is half received."""
        draft, self._draft = self._draft, None
        if draft is not None:
            os.close(draft.descriptor)

    def _begin(self, volume: str, *, whole: bool) -> None:
        if volume != os.path.normpath(volume) or not volume.startswith("/"):
            raise ValueError(f"not a volume: {volume!r}")
        place = self.root / volume.lstrip("/")
        self._now = self.volumes.setdefault(volume, Copied(place))
        self._whole, self._seen, self._links = whole, set(), []

    def _end(self, copied: Copied, header: Header) -> None:
        copied.over = header.get("over")
        if copied.over is not None:
            return
        for link in self._links:
            with _parent(copied.place, link["name"]) as (folder, name):
                _discard(_DRAFT, folder)
                os.symlink(str(link["to"]), _DRAFT, dir_fd=folder)
                _move_into_place(folder, name)
            copied.known[link["name"]] = link
        gone = {str(name) for name in header["gone"]}
        if self._whole:
            gone |= copied.known.keys() - self._seen
        for gone_name in sorted(gone & copied.known.keys(), reverse=True):
            # The folder that it was in may be a file by now, or gone before it.
            with (
                suppress(NotADirectoryError, FileNotFoundError),
                _parent(copied.place, gone_name) as (folder, name),
            ):
                _discard(name, folder)
            del copied.known[gone_name]
        copied.skipped = tuple(f"{name}: {why}" for name, why in header["skipped"])

    def _make_folder(self, copied: Copied, header: Header) -> None:
        with _parent(copied.place, header["name"]) as (folder, name):
            if not _is_folder(name, folder):
                _discard(name, folder)
                os.mkdir(name, 0o700, dir_fd=folder)
            descriptor = os.open(name, _FOLDER, dir_fd=folder)
            try:
                os.fchmod(descriptor, (int(header["mode"]) & 0o777) | 0o700)
            finally:
                os.close(descriptor)
        copied.known[header["name"]] = header

    def _begin_file(self, copied: Copied, header: Header) -> None:
        if copied.known.get(header["name"]) == header:
            return
        with _parent(copied.place, header["name"]) as (folder, _):
            _discard(_DRAFT, folder)
            descriptor = os.open(_DRAFT, _NEW | os.O_EXCL, 0o600, dir_fd=folder)
        self._draft = _Draft(header, descriptor, int(header["size"]))
        if not self._draft.left:
            self._finish_file(copied, self._draft)

    def _finish_file(self, copied: Copied, draft: _Draft) -> None:
        header = draft.header
        os.fchmod(draft.descriptor, (int(header["mode"]) & 0o777) | 0o400)
        os.utime(draft.descriptor, ns=(int(header["mtime_ns"]),) * 2)
        with _parent(copied.place, header["name"]) as (folder, name):
            _move_into_place(folder, name)
        copied.known[header["name"]] = header
        self.close()


@contextmanager
def _parent(place: Path, name: str) -> Iterator[tuple[int, str]]:
    """Open the folder that an entry is in, through no link; yield it and the entry's own name.

    The empty name is the volume itself, where it is one file.
    """
    *folders, last = name.split("/") if name else [place.name]
    if any(part in ("", ".", "..") or "\0" in part for part in (*folders, last)):
        raise ValueError(f"a name that leads out of the volume: {name!r}")
    start = place if name else place.parent
    start.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(start, _FOLDER)
    try:
        for part in folders:
            inner = os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor, last
    finally:
        os.close(descriptor)


def _move_into_place(folder: int, name: str) -> None:
    """Put the draft where the entry is to be, in one step where that is no folder."""
    if _is_folder(name, folder):
        _discard(name, folder)
    os.rename(_DRAFT, name, src_dir_fd=folder, dst_dir_fd=folder)


def _discard(name: str, folder: int) -> None:
    if _is_folder(name, folder):
        shutil.rmtree(name, dir_fd=folder)
        return
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass


def _is_folder(name: str, folder: int) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False

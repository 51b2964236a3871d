"""The Pod's volumes: which there are, what is in them, and what has changed since the last look."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any, Final

from tpconfig.mux import filerecords

SFTP_SERVERS: Final = (
    "/usr/lib/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/libexec/sftp-server",
)
CHUNK: Final = 256 * 1024

_SYSTEM: Final = ("/proc", "/sys", "/dev")
_NAME_FILES: Final = ("/", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run/.containerenv")

Signature = tuple[Any, ...]


def mounts(mountinfo: str = "/proc/self/mountinfo") -> list[dict[str, Any]]:
    """Return what the kubelet has mounted for the container, as JSON values.

    ``atomic``: written as a whole and read-only, as ConfigMaps, Secrets and tokens are.
    """
    try:
        with open(mountinfo, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        fields = line.split(b" ")
        path = _unescaped(fields[4]).decode("utf-8", "surrogateescape")
        if path in _NAME_FILES or any(path == one or path.startswith(one + "/") for one in _SYSTEM):
            continue
        folder = os.path.isdir(path)
        if folder or os.path.isfile(path):
            found[path] = {
                "path": path,
                "folder": folder,
                "read_only": b"ro" in fields[5].split(b","),
                "atomic": os.path.islink(os.path.join(path, "..data")),
            }
    return list(found.values())


def sftp_server() -> str | None:
    """Return the image's sftp-server, if it has one."""
    return next((path for path in SFTP_SERVERS if os.access(path, os.X_OK)), None)


class Volume:
    """One mounted path and what its peer has seen of it.

    ``inner`` are the mount points below it, which are volumes of their own.
    """

    def __init__(self, path: str, inner: frozenset[str] = frozenset()) -> None:
        self.path = path
        self._inner = inner
        self._seen: dict[str, Signature] = {}
        self._token: str | None = None
        self._looked = False

    def changes(self, limit: int) -> Iterator[bytes]:
        """Yield the records of what has changed since the last look; nothing where nothing has."""
        token = self._atomic_token()
        if self._looked and token is not None and token == self._token:
            return
        now, skipped = self._look()
        gone = [name for name in self._seen if name not in now]
        new = [name for name, signature in now.items() if self._seen.get(name) != signature]
        first, self._looked = not self._looked, True
        if not (first or gone or new):
            return
        self._seen, self._token = now, token
        yield filerecords.pack({"begin": self.path, "whole": first})
        bytes_all = sum(now[name][2] for name in new if now[name][0] == "file")
        if bytes_all > limit:
            yield filerecords.pack({"end": self.path, "over": bytes_all})
            return
        for name in new:
            try:
                yield from self._entry(name, now[name])
            except OSError as error:
                skipped.append((name, error.strerror or str(error)))
        yield filerecords.pack({"end": self.path, "gone": gone, "skipped": skipped})

    def _atomic_token(self) -> str | None:
        try:
            return os.readlink(os.path.join(self.path, "..data"))
        except OSError:
            return None

    def _look(self) -> tuple[dict[str, Signature], list[tuple[str, str]]]:
        """Return all entries, parents first, and what cannot be looked at."""
        found: dict[str, Signature] = {}
        skipped: list[tuple[str, str]] = []
        folders = [""]
        if not os.path.isdir(self.path):
            found[""] = _signature(self.path)
            return found, skipped
        while folders:
            folder = folders.pop()
            try:
                entries = sorted(os.scandir(os.path.join(self.path, folder)), key=lambda e: e.name)
            except OSError as error:
                skipped.append((folder, error.strerror or str(error)))
                continue
            for entry in entries:
                name = os.path.join(folder, entry.name)
                if entry.path in self._inner:
                    continue
                try:
                    signature = _signature(entry.path)
                except OSError:
                    continue  # gone since it was listed
                if signature[0] == "other":
                    continue
                found[name] = signature
                if signature[0] == "folder":
                    folders.append(name)
        return found, skipped

    def _entry(self, name: str, signature: Signature) -> Iterator[bytes]:
        path = os.path.join(self.path, name) if name else self.path
        kind, mode = signature[:2]
        if kind == "folder":
            yield filerecords.pack({"name": name, "kind": kind, "mode": mode})
        elif kind == "link":
            yield filerecords.pack({"name": name, "kind": kind, "to": signature[2]})
        else:
            with open(path, "rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                head = {"name": name, "kind": kind, "mode": stat.S_IMODE(status.st_mode)}
                head |= {"mtime_ns": status.st_mtime_ns, "size": status.st_size}
                yield filerecords.pack(head, status.st_size)
                left = status.st_size
                while left:
                    # Shorter than it was: the next look sends it again.
                    piece = _read(file, min(left, CHUNK)) or bytes(min(left, CHUNK))
                    left -= len(piece)
                    yield piece


def _read(file: Any, size: int) -> bytes:
    """Read; what fails in the middle of a file is filled up, since its size is announced."""
    try:
        return bytes(file.read(size))
    except OSError:
        return b""


def _signature(path: str) -> Signature:
    status = os.stat(path, follow_symlinks=False)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        return ("folder", mode)
    if stat.S_ISLNK(status.st_mode):
        return ("link", mode, os.readlink(path))
    if stat.S_ISREG(status.st_mode):
        return ("file", mode, status.st_size, status.st_mtime_ns, status.st_ino)
    return ("other", mode)


def _unescaped(raw: bytes) -> bytes:
    """Undo the kernel's octal escapes of blanks in mount points."""
    parts = raw.split(b"\\")
    return parts[0] + b"".join(bytes([int(p[:3], 8)]) + p[3:] for p in parts[1:])

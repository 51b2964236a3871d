"""Who listens on this machine, as the kernel's own tables tell it."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tpconfig.local import sockdiag
from tpconfig.local.sockdiag import Listener

PROC: Final = Path("/proc")

_LISTEN: Final = "0A"
_UNCONNECTED: Final = "07"
_TABLES: Final = (
    ("tcp", "tcp", _LISTEN),
    ("tcp", "tcp6", _LISTEN),
    ("udp", "udp", _UNCONNECTED),
    ("udp", "udp6", _UNCONNECTED),
)
_MAX_COMMAND: Final = 60


_REACHED_BY_LOOPBACK: Final = frozenset(
    ipaddress.ip_address(address).packed
    for address in ("127.0.0.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0")
)


@dataclass(frozen=True, slots=True)
class Owner:
    """A process with a socket; all ``None`` where it may not be seen."""

    pid: int | None = None
    command: str | None = None

    def __str__(self) -> str:
        if self.pid is None:
            return "a process of another user"
        return f"{self.command} (pid {self.pid})"


def listening(
    proc: Path = PROC, *, wanted: Collection[tuple[str, int]] | None = None
) -> dict[tuple[str, int], Owner]:
    """Return the owners of all bound ports, by protocol and number.

    Args:
        proc: a process file system; outside Linux there is none, and nothing is known.
        wanted: which ports are of interest; to find an owner, every process is looked at.
    """
    inodes = {
        one.inode: (protocol, one.port)
        for protocol, one in _bound(proc)
        if wanted is None or (protocol, one.port) in wanted
    }
    owners = dict.fromkeys(inodes.values(), Owner())
    for inode, pid in _socket_owners(proc, inodes.keys()) if inodes else ():
        owners[inodes[inode]] = Owner(pid, _command(proc / str(pid)))
    return owners


def loopback_ports(process: Path, diag: socket.socket | None) -> set[int]:
    """Return the TCP ports that a process would reach somebody on at its own localhost.

    Args:
        process: its folder under ``/proc``; nothing where it has ended.
        diag: asks the kernel about its network, where that can be had: much quicker.
    """
    found = _asked(diag) if diag is not None else None
    if found is None:
        tables = [process / "net" / table for table in ("tcp", "tcp6")]
        found = [one for table in tables for one in _entries(table, _LISTEN)]
    return {one.port for one in found if one.address in _REACHED_BY_LOOPBACK}


def _bound(proc: Path) -> Iterator[tuple[str, Listener]]:
    """Yield every bound socket with its protocol."""
    asked = None
    if proc == PROC:
        with suppress(OSError), sockdiag.open_diag() as diag:
            asked = _asked(diag)
    yield from (("tcp", one) for one in asked or ())
    for protocol, table, state in _TABLES:
        if protocol != "tcp" or asked is None:
            yield from ((protocol, one) for one in _entries(proc / "net" / table, state))


def _asked(diag: socket.socket) -> list[Listener] | None:
    try:
        return sockdiag.listeners(diag)
    except OSError:
        return None


def _entries(table: Path, state: str) -> list[Listener]:
    """Return the sockets of a table that are in a state."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    found = []
    for line in lines:
        fields = line.split()
        if fields[3] == state:
            address, _, number = fields[1].rpartition(":")
            found.append(Listener(_unwritten(address), int(number, 16), int(fields[9])))
    return found


def _unwritten(address: str) -> bytes:
    """Return the address that a table writes as words of this machine's order."""
    words = [address[at : at + 8] for at in range(0, len(address), 8)]
    return b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words)


def _socket_owners(proc: Path, inodes: Collection[int]) -> Iterator[tuple[int, int]]:
    """Yield each socket of interest with the process that holds it open."""
    links = {f"socket:[{inode}]": inode for inode in inodes}
    for process in os.scandir(proc):
        if not process.name.isdigit():
            continue
        try:
            descriptors = list(os.scandir(f"{process.path}/fd"))
        except OSError:
            continue  # another user's, or gone
        for descriptor in descriptors:
            try:
                inode = links.get(os.readlink(descriptor.path))
            except OSError:
                continue
            if inode is not None:
                yield inode, int(process.name)


def _command(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        words = []
    line = " ".join(word.decode(errors="replace") for word in words)
    return line if len(line) <= _MAX_COMMAND else line[: _MAX_COMMAND - 1] + "…"

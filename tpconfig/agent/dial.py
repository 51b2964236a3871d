"""Connections out of the Pod: every address of the name, the first one that answers."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from typing import Final

from tpconfig.agent.lookup import Address, Lookup
from tpconfig.mux.opening import RefusalCode

TIMEOUT_S: Final = 10.0
STAGGER_S: Final = 0.25

_CODES: Final[dict[int, RefusalCode]] = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.EADDRNOTAVAIL: "unreachable",
    errno.EAFNOSUPPORT: "unreachable",
    errno.ETIMEDOUT: "timeout",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.EMFILE: "limit",
    errno.ENFILE: "limit",
    errno.ENOBUFS: "limit",
    errno.ENOMEM: "limit",
}


def code_of(error: OSError) -> RefusalCode:
    """Return the word that tells the peer why something could not be reached."""
    if isinstance(error, socket.gaierror):
        return "name"
    if isinstance(error, TimeoutError):
        return "timeout"
    return _CODES.get(error.errno or 0, "unknown")


async def tcp(
    lookup: Lookup, host: str, *, port: int, timeout_s: float = TIMEOUT_S
) -> socket.socket:
    """Return a connected, non-blocking socket.

    Raises:
        OSError: nobody could be reached (``TimeoutError``: in time); see ``code_of``.
    """
    async with asyncio.timeout(timeout_s):
        addresses = await lookup.addresses(host, port, kind=socket.SOCK_STREAM)
        if len(addresses) == 1:
            return await _connect(addresses[0])
        race = _Race()
        try:
            return await race.run(addresses)
        except BaseException:
            if race.won is not None:
                race.won.close()
            raise


async def udp(
    lookup: Lookup, host: str, *, port: int, timeout_s: float = TIMEOUT_S
) -> socket.socket:
    """Return a non-blocking UDP socket that is connected to the first address with a route.

    Raises:
        OSError: there is none; see ``code_of``.
    """
    async with asyncio.timeout(timeout_s):
        addresses = await lookup.addresses(host, port, kind=socket.SOCK_DGRAM)
    failed: OSError | None = None
    for family, address in addresses:
        try:
            sock = socket.socket(family, socket.SOCK_DGRAM)
        except OSError as error:
            failed = error
            continue
        try:
            sock.setblocking(False)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failed = error
            continue
        return sock
    raise failed or OSError(errno.EADDRNOTAVAIL, "the name has no address")


async def _connect(address: Address) -> socket.socket:
    family, target = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, target)
    except BaseException:
        sock.close()
        raise
    return sock


class _Race:
    """Attempts one after the other, each with a head start (RFC 8305, 5); the first one wins."""

    def __init__(self) -> None:
        self.won: socket.socket | None = None
        self._failures: list[OSError] = []
        self._news = asyncio.Event()

    async def run(self, addresses: Sequence[Address]) -> socket.socket:
        """Return the first connected socket.

        Raises:
            OSError: what the preferred address said.
        """
        async with asyncio.TaskGroup() as tasks:
            attempts = []
            for address in addresses:
                self._news.clear()
                attempts.append(tasks.create_task(self._attempt(address)))
                try:
                    async with asyncio.timeout(STAGGER_S):
                        await self._news.wait()
                except TimeoutError:
                    continue
                if self.won is not None:
                    break
            while self.won is None and len(self._failures) < len(attempts):
                self._news.clear()
                await self._news.wait()
            for attempt in attempts:
                attempt.cancel()
        if self.won is None:
            raise (
                self._failures[0] if self._failures else OSError(errno.EADDRNOTAVAIL, "no address")
            )
        return self.won

    async def _attempt(self, address: Address) -> None:
        try:
            sock = await _connect(address)
        except OSError as error:
            self._failures.append(error)
        else:
            if self.won is None:
                self.won = sock
            else:
                sock.close()
        self._news.set()

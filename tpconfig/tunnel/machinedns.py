"""Asks this machine's own nameservers, for the names that the policy gives to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

RESOLV_CONF: Final = Path("/etc/resolv.conf")
ATTEMPT_S: Final = 2.0
MAX_DATAGRAM: Final = 65535
_TRUNCATED: Final = 0x02
_DNS_PORT: Final = 53


class MachineResolver:
    """Forwards raw DNS messages; the next nameserver where one does not answer."""

    def __init__(self, resolv_conf: Path = RESOLV_CONF, *, port: int = _DNS_PORT) -> None:
        self._resolv_conf = resolv_conf
        self._port = port

    async def ask(self, query: bytes) -> bytes:
        """Return the answer to a raw query; over TCP where it does not fit a datagram.

        Raises:
            OSError: no nameserver answered in time.
        """
        error: OSError = OSError("this machine has no nameserver")
        for server in nameservers(self._resolv_conf):
            try:
                async with asyncio.timeout(ATTEMPT_S):
                    answer = await self._by_datagram(server, query)
                    if len(answer) > 2 and answer[2] & _TRUNCATED:
                        return await self._by_stream(server, query)
                    return answer
            except OSError as refused:  # a TimeoutError is one
                error = refused
        raise error

    async def _by_datagram(self, server: str, query: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bytes] = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Question(query, answered), remote_addr=(server, self._port)
        )
        try:
            return await answered
        finally:
            transport.close()

    async def _by_stream(self, server: str, query: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(server, self._port)
        try:
            writer.write(len(query).to_bytes(2, "big") + query)
            size = int.from_bytes(await reader.readexactly(2), "big")
            return await reader.readexactly(size)
        except asyncio.IncompleteReadError as cut:
            raise ConnectionResetError("the nameserver ended the conversation") from cut
        finally:
            writer.close()


def nameservers(resolv_conf: Path) -> Sequence[str]:
    """Return the nameservers of a ``resolv.conf``, in order; none where it is not there."""
    try:
        lines = resolv_conf.read_text().splitlines()
    except OSError:
        return ()
    words = [line.split() for line in lines]
    return [two[1] for two in words if len(two) > 1 and two[0] == "nameserver"]


class _Question(asyncio.DatagramProtocol):
    def __init__(self, query: bytes, answered: asyncio.Future[bytes]) -> None:
        self._query = query
        self._answered = answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.DatagramTransport, transport).sendto(self._query)  # never a subclass of it

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data[:2] == self._query[:2] and not self._answered.done():
            self._answered.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(exc)

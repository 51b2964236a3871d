"""SOCKS5 (RFC 1928), the server's part: CONNECT without authentication, names left to the Pod."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Final

from tpconfig.mux.opening import RefusalCode

REQUEST_S: Final = 10.0
"""Seconds that a client may take to say where it wants to go."""

VERSION: Final = 5

_NO_AUTHENTICATION: Final = 0
_NO_METHOD: Final = 0xFF
_CONNECT: Final = 1
_IPV4: Final = 1
_FAILED, _DENIED, _UNREACHABLE, _REFUSED, _EXPIRED, _NO_COMMAND, _NO_ADDRESS = 1, 2, 4, 5, 6, 7, 8

_REPLIES: Final[dict[RefusalCode, int]] = {
    "refused": _REFUSED,
    "unreachable": _UNREACHABLE,
    "name": _UNREACHABLE,
    "timeout": _EXPIRED,
    "denied": _DENIED,
}


class SocksError(Exception):
    """What a client says cannot be served; ``answer`` is what it is told, if anything."""

    def __init__(self, text: str, answer: bytes = b"") -> None:
        super().__init__(text)
        self.answer = answer


def reply(code: RefusalCode | None) -> bytes:
    """Return the answer to a request: it is connected, or why not."""
    return _reply(0 if code is None else _REPLIES.get(code, _FAILED))


async def request(sock: socket.socket) -> tuple[str, int]:
    """Read where a client wants to go; not a byte more than that.

    Raises:
        SocksError: it is no client of SOCKS5, or wants what is not served.
        OSError, EOFError: it left.
    """
    version, count = await _read(sock, 2)
    if version != VERSION:
        raise SocksError(f"not SOCKS5 but {version}")
    methods = await _read(sock, count)
    offered = _NO_AUTHENTICATION in methods
    await asyncio.get_running_loop().sock_sendall(
        sock, bytes((VERSION, _NO_AUTHENTICATION if offered else _NO_METHOD))
    )
    if not offered:
        raise SocksError("the client wants to authenticate itself")
    version, command, _, kind = await _read(sock, 4)
    host = await _host(sock, kind)
    port = int.from_bytes(await _read(sock, 2), "big")
    if version != VERSION or command != _CONNECT:
        raise SocksError(f"command {command}", _reply(_NO_COMMAND))
    if not host or port == 0:
        raise SocksError("no destination", _reply(_NO_ADDRESS))
    return host, port


async def _host(sock: socket.socket, kind: int) -> str:
    match kind:
        case 1:
            return str(ipaddress.IPv4Address(await _read(sock, 4)))
        case 4:
            return str(ipaddress.IPv6Address(await _read(sock, 16)))
        case 3:
            name = await _read(sock, (await _read(sock, 1))[0])
            try:
                return name.decode("ascii")
            except UnicodeDecodeError as error:
                raise SocksError("a name that is not ASCII", _reply(_NO_ADDRESS)) from error
        case _:
            raise SocksError(f"address of type {kind}", _reply(_NO_ADDRESS))


async def _read(sock: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < size:
        more = await loop.sock_recv(sock, size - len(data))
        if not more:
            raise EOFError("the client left")
        data += more
    return data


def _reply(code: int) -> bytes:
    """Return an answer; the address that it was connected from is the Pod's, and of no use here."""
    return bytes((VERSION, code, 0, _IPV4)) + bytes(6)

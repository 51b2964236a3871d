"""A nameserver on this machine's loopback that does as it is told."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from real_agent import free_port

Reply = Callable[[bytes], bytes | None]
"""Given a query, returns the answer, or None for silence."""


def question(name: str, kind: int = 1, ident: int = 0x1234) -> bytes:
    """Return a query."""
    labels = b"".join(bytes((len(one),)) + one.encode() for one in name.split("."))
    head = ident.to_bytes(2, "big") + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    return head + labels + b"\0" + kind.to_bytes(2, "big") + b"\x00\x01"


def answer(query: bytes, *addresses: str, code: int = 0, truncated: bool = False) -> bytes:
    """Return an answer to ``query``."""
    flags = bytes((0x81 | (0x02 if truncated else 0), 0x80 | code))
    head = query[:2] + flags + b"\x00\x01" + len(addresses).to_bytes(2, "big") + b"\0\0\0\0"
    records = b""
    for address in addresses:
        packed = ipaddress.ip_address(address).packed
        kind = 1 if len(packed) == 4 else 28
        records += b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\x00\x01\x00\x00\x00\x3c"
        records += len(packed).to_bytes(2, "big") + packed
    return head + query[12:] + records


def two_addresses() -> tuple[str, str, int]:
    """Return two loopback addresses for nameservers, and a port that both have free."""
    return "127.0.0.1", "127.0.0.2", free_port()


@asynccontextmanager
async def nameserver(
    host: str, port: int, *, udp: Reply, tcp: Reply = lambda query: None
) -> AsyncIterator[list[bytes]]:
    """Answer on UDP and TCP; what is asked over UDP is collected."""
    asked: list[bytes] = []
    loop = asyncio.get_running_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2), "big")
        reply = tcp(await reader.readexactly(size))
        if reply is not None:
            writer.write(len(reply).to_bytes(2, "big") + reply)
        writer.close()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind((host, port))

        def readable() -> None:
            query, source = sock.recvfrom(65535)
            asked.append(query)
            reply = udp(query)
            if reply is not None:
                sock.sendto(reply, source)

        loop.add_reader(sock, readable)
        try:
            async with await asyncio.start_server(serve, host, port):
                yield asked
        finally:
            loop.remove_reader(sock)

"""Both ends of a measured conversation; one file, standard library only, runs anywhere.

``peer.py serve PORT`` answers; ``peer.py measure HOST PORT`` asks and prints one JSON object:
``request_ms`` (a byte there and back on an open connection), ``connect_ms`` (connection and first
answer), ``down_mbs`` and ``up_mbs`` (megabytes a second to the asker and from it). Medians.
"""

import asyncio
import json
import socket
import statistics
import sys
import time

REQUESTS = 400
CONNECTIONS = 100
BULK_BYTES = 128 * 1024 * 1024
BULK_RUNS = 3
CHUNK = b"\0" * 262144


async def serve(port: int) -> None:
    """Answer ``p`` with ``p``, ``d<N>`` with N bytes, and ``u<N>`` and N bytes with ``k``."""
    server = await asyncio.start_server(_answer, "0.0.0.0", port, limit=4 * 1024 * 1024)
    async with server:
        await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while kind := await reader.read(1):
            if kind == b"p":
                writer.write(b"p")
                continue
            left = int(await reader.readline())
            if kind == b"d":
                for _ in range(left // len(CHUNK)):
                    writer.write(CHUNK)
                    await writer.drain()
            else:
                while left > 0:
                    left -= len(await reader.read(min(left, 1 << 20)))
                writer.write(b"k")
    except (ConnectionError, ValueError):
        pass
    finally:
        writer.close()


def measure(host: str, port: int) -> dict[str, float]:
    """Ask a peer and return the medians; its name is looked up once, before."""
    host = socket.gethostbyname(host)
    connect_ms = []
    for _ in range(CONNECTIONS):
        began_s = time.perf_counter()
        with _connect(host, port) as sock:
            _ping(sock)
            connect_ms.append((time.perf_counter() - began_s) * 1000)
    request_ms = []
    with _connect(host, port) as sock:
        for _ in range(REQUESTS):
            began_s = time.perf_counter()
            _ping(sock)
            request_ms.append((time.perf_counter() - began_s) * 1000)
    return {
        "request_ms": round(statistics.median(request_ms), 3),
        "connect_ms": round(statistics.median(connect_ms), 3),
        "down_mbs": round(statistics.median(_down(host, port) for _ in range(BULK_RUNS)), 1),
        "up_mbs": round(statistics.median(_up(host, port) for _ in range(BULK_RUNS)), 1),
    }


def _connect(host: str, port: int) -> socket.socket:
    sock = socket.create_connection((host, port), timeout=60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _ping(sock: socket.socket) -> None:
    sock.sendall(b"p")
    if sock.recv(1) != b"p":
        raise ConnectionError("no answer")


def _down(host: str, port: int) -> float:
    with _connect(host, port) as sock:
        began_s = time.perf_counter()
        sock.sendall(b"d%d\n" % BULK_BYTES)
        left = BULK_BYTES
        while left > 0:
            got = len(sock.recv(1 << 20))
            if got == 0:
                raise ConnectionError("cut")
            left -= got
        return BULK_BYTES / 1e6 / (time.perf_counter() - began_s)


def _up(host: str, port: int) -> float:
    with _connect(host, port) as sock:
        began_s = time.perf_counter()
        sock.sendall(b"u%d\n" % BULK_BYTES)
        for _ in range(BULK_BYTES // len(CHUNK)):
            sock.sendall(CHUNK)
        sock.recv(1)
        return BULK_BYTES / 1e6 / (time.perf_counter() - began_s)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(int(sys.argv[2])))
    else:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))

"""Both ends of a measured conversation; one file, standard library only, runs anywhere.

``peer.py serve PORT`` answers; ``peer.py measure HOST PORT`` asks and prints one JSON object:
``request_ms`` (a byte there and back on an open connection), ``connect_ms`` (connection and first
answer), ``down_mbs`` and ``up_mbs`` (megabytes a second to the asker and from it). Medians.
``peer.py loaded HOST PORT`` prints how long requests take alone (``idle_p50_ms``, ``idle_p99_ms``),
and beside streams of bulk each way (``down_p50_ms`` … ``down_load_mbs``, ``up_p50_ms`` …).
"""

import asyncio
import json
import os
import select
import signal
import socket
import statistics
import sys
import time

REQUESTS = 400
CONNECTIONS = 100
BULK_BYTES = 128 * 1024 * 1024
BULK_RUNS = 3
CHUNK = b"\0" * 262144

LOAD_STREAMS = 8
LOADED_REQUESTS = 1000
WARM_S = 1.0
ENDLESS_BYTES = 1 << 50


async def serve(port: int) -> None:
    """Answer ``p`` with ``p``, ``d<N>`` with N bytes, and ``u<N>`` and N bytes with ``k``."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that go on alone
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
            if left == ENDLESS_BYTES:
                _go_on_alone(sock, down=kind == b"d")
                writer.transport.abort()
                return
            if kind == b"d":
                for _ in range(left // len(CHUNK)):
                    writer.write(CHUNK)
                    await writer.drain()
            else:
                while left > 0:
                    got = len(await reader.read(min(left, 1 << 20)))
                    if got == 0:
                        raise ConnectionError("cut")
                    left -= got
                writer.write(b"k")
    except (ConnectionError, ValueError):
        pass
    finally:
        writer.close()


def _go_on_alone(sock: socket.socket, *, down: bool) -> None:
    """Serve an endless stream in a process of its own: requests must not wait for it here."""
    if os.fork():
        return
    mine = socket.socket(fileno=os.dup(sock.fileno()))
    mine.setblocking(True)
    try:
        while mine.send(CHUNK) if down else mine.recv(1 << 18):
            pass
    except OSError:
        pass
    os._exit(0)


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


def loaded(host: str, port: int) -> dict[str, float]:
    """Ask a peer alone, and beside bulk streams in each direction; percentiles of the requests."""
    host = socket.gethostbyname(host)
    found = _percentiles("idle", host, port)
    for way in ("down", "up"):
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(told)
            try:
                _load(host, port, tell, down=way == "down")
            finally:
                os._exit(1)
        os.close(tell)
        try:
            time.sleep(WARM_S)
            found |= _percentiles(way, host, port)
        finally:
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
        with open(told, "rb") as rates:
            taken = [float(rate) for rate in rates.read().split()]
            found[f"{way}_load_mbs"] = round(statistics.mean(taken[1:] or taken or [0.0]), 1)
    return found


def _percentiles(name: str, host: str, port: int) -> dict[str, float]:
    took_ms = []
    with _connect(host, port) as sock:
        _ping(sock)
        for _ in range(LOADED_REQUESTS):
            began_s = time.perf_counter()
            _ping(sock)
            took_ms.append((time.perf_counter() - began_s) * 1000)
    cuts = statistics.quantiles(took_ms, n=100)
    return {f"{name}_p50_ms": round(cuts[49], 3), f"{name}_p99_ms": round(cuts[98], 3)}


def _load(host: str, port: int, tell: int, *, down: bool) -> None:
    """Move bytes on many streams until killed; write the megabytes of each quarter second."""
    socks = [_connect(host, port) for _ in range(LOAD_STREAMS)]
    poll = select.poll()
    for sock in socks:
        sock.sendall(b"%s%d\n" % (b"d" if down else b"u", ENDLESS_BYTES))
        sock.setblocking(False)
        poll.register(sock, select.POLLIN if down else select.POLLOUT)
    by_fd = {sock.fileno(): sock for sock in socks}
    moved, since_s = 0, time.perf_counter()
    while True:
        for fd, _ in poll.poll():
            moved += len(by_fd[fd].recv(1 << 18)) if down else by_fd[fd].send(CHUNK)
        took_s = time.perf_counter() - since_s
        if took_s >= 0.25:
            os.write(tell, b"%.1f\n" % (moved / 1e6 / took_s))
            moved, since_s = 0, time.perf_counter()


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
        take = loaded if sys.argv[1] == "loaded" else measure
        print(json.dumps(take(sys.argv[2], int(sys.argv[3]))))

"""Servers on this machine that remember who asked: what leaves from here arrives at them."""

from __future__ import annotations

import http.server
import socket
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FOUND, _NOT_FOUND = 0, 3


@contextmanager
def web(host: str) -> Iterator[tuple[int, list[str]]]:
    """Serve ``hello`` over HTTP; yields the port, and the callers' addresses."""
    callers: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            callers.append(self.client_address[0])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, format: str, *args: Any) -> None:
            """The test's own output is enough."""

    with http.server.ThreadingHTTPServer((host, 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, callers
        server.shutdown()


@contextmanager
def nameserver(host: str, suffix: str, address: str) -> Iterator[list[str]]:
    """Answer with one address for every name that ends so; yields the names that were asked."""
    asked: list[str] = []

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, sock = self.request
            name, end = _question(query)
            asked.append(name)
            sock.sendto(_answer(query, end, address, known=name.endswith(suffix)), _caller(self))

    with socketserver.ThreadingUDPServer((host, 53), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield asked
        server.shutdown()


@contextmanager
def resolv_conf(host: str) -> Iterator[str]:
    """Yield the path of a resolv.conf with one nameserver."""
    with tempfile.NamedTemporaryFile("w", dir="/tmp", prefix="tp-resolv-") as file:
        file.write(f"nameserver {host}\n")
        file.flush()
        Path(file.name).chmod(0o644)
        yield file.name


def own_address() -> str:
    """Return this machine's address on the way to others; nothing is sent."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("192.0.2.1", 9))
        found: str = sock.getsockname()[0]
        return found


def _caller(conversation: socketserver.BaseRequestHandler) -> Any:
    return conversation.client_address


def _question(query: bytes) -> tuple[str, int]:
    labels, at = [], 12
    while size := query[at]:
        labels.append(query[at + 1 : at + 1 + size].decode().lower())
        at += 1 + size
    return ".".join(labels), at + 5


def _answer(query: bytes, end: int, address: str, *, known: bool) -> bytes:
    """Answer A with the address, another type with nothing, another name with NXDOMAIN."""
    wants_address = query[end - 4 : end - 2] == b"\0\1"
    records = b""
    if known and wants_address:
        records = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address)
    code = _FOUND if known else _NOT_FOUND
    head = query[:2] + bytes((0x81, 0x80 | code)) + b"\0\1\0" + bytes((bool(records),))
    return head + b"\0\0\0\0" + query[12:end] + records

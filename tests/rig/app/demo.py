"""The application that the tests put into the cluster; standard library only, one file.

``demo.py`` serves: JSON on every HTTP port of PORT (several: "8080,9090"), an echo on TCP_PORT and
UDP_PORT. ``demo.py load URL`` is the client: a new connection a request, losses counted by reason.
``demo.py sleep`` does nothing until it is told to end.

DRAIN=1 ends as Kubernetes asks: keep serving for DRAIN_SECONDS (5) while endpoints go away, then
stop accepting and finish what is in flight. Without it SIGTERM ends the process at once.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import socketserver
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHOWN = ("NAME", "PORT", "SERVED_BY", "HOSTNAME", "POD_NAME", "POD_NAMESPACE", "DRAIN")
PROXY_LIMIT_S = 10
open_requests = 0
open_requests_change = threading.Lock()
draining = threading.Event()


def _count(change: int) -> None:
    global open_requests
    with open_requests_change:
        open_requests += change


class Answer(BaseHTTPRequestHandler):
    """One keep-alive connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def do_GET(self) -> None:  # the base class asks for these names
        """Answers /healthz, /proxy?url=, /slow?seconds=, /bytes?count= and, with JSON, the rest."""
        _count(+1)
        try:
            self._route(urllib.parse.urlsplit(self.path))
        finally:
            _count(-1)

    do_HEAD = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815

    def do_POST(self) -> None:
        """Like GET; the answer says how many bytes came in."""
        self.do_GET()

    def _route(self, url: urllib.parse.SplitResult) -> None:
        query = dict(urllib.parse.parse_qsl(url.query))
        received = len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        if url.path == "/healthz":
            self._send(200, b"ok\n", "text/plain")
        elif url.path == "/bytes":
            self._send(200, b"x" * int(query.get("count", "1024")), "application/octet-stream")
        elif url.path == "/proxy":
            self._proxy(query["url"])
        else:
            if url.path == "/slow":
                time.sleep(float(query.get("seconds", "1")))
            self._describe(received)

    def _describe(self, received: int) -> None:
        wanted = [*SHOWN, *os.environ.get("SHOW_ENV", "").split(",")]
        name = os.environ.get("NAME", "demo")
        body = {
            "name": name,
            "hostname": socket.gethostname(),
            "method": self.command,
            "path": self.path,
            "host": self.headers.get("Host"),
            "headers": {key.lower(): value for key, value in self.headers.items()},
            "received": received,
            "env": {key: os.environ[key] for key in wanted if key in os.environ},
            "served_by": os.environ.get("SERVED_BY", name),
            "port": self.connection.getsockname()[1],
            "client": self.client_address[0],
        }
        self._send(200, json.dumps(body).encode() + b"\n", "application/json")

    def _proxy(self, url: str) -> None:
        try:
            with urllib.request.urlopen(url, timeout=PROXY_LIMIT_S) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        except OSError as error:
            status, body = 502, json.dumps({"error": str(error)}).encode()
        self._send(status, body, "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if draining.is_set():
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Logs only when QUIET is not set; the lines are what ``kubectl logs`` shows."""
        if not os.environ.get("QUIET"):
            print(f"{self.client_address[0]} {format % args}", flush=True)


class Web(ThreadingHTTPServer):
    """Both families where there are two; a burst of connections waits instead of being refused."""

    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True


class TcpEcho(socketserver.BaseRequestHandler):
    """Sends back what it receives until the peer has nothing more to say."""

    def handle(self) -> None:
        """Serves one connection; half-close works."""
        while chunk := self.request.recv(65536):
            self.request.sendall(chunk)


class UdpEcho(socketserver.BaseRequestHandler):
    """Sends every datagram back where it came from."""

    def handle(self) -> None:
        """Serves one datagram."""
        data, sock = self.request
        sock.sendto(data, self.client_address)


class TcpServer(socketserver.ThreadingTCPServer):
    """The echo's listener."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


def _servers() -> list[socketserver.BaseServer]:
    host = os.environ.get("BIND", "")
    servers: list[socketserver.BaseServer] = [
        Web((host, int(port)), Answer) for port in os.environ.get("PORT", "8080").split(",") if port
    ]
    if os.environ.get("TCP_PORT"):
        servers.append(TcpServer((host, int(os.environ["TCP_PORT"])), TcpEcho))
    if os.environ.get("UDP_PORT"):
        servers.append(
            socketserver.ThreadingUDPServer((host, int(os.environ["UDP_PORT"])), UdpEcho)
        )
    return servers


def serve() -> int:
    """Serves until a signal says to end."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    servers = _servers()
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print(f"serving {os.environ.get('NAME', 'demo')} as {os.getpid()}", flush=True)
    asked.wait()
    if os.environ.get("DRAIN", "") in ("", "0"):
        return 0
    time.sleep(float(os.environ.get("DRAIN_SECONDS", "5")))
    draining.set()
    for server in servers:
        server.shutdown()
        server.server_close()
    deadline = time.monotonic() + 20
    while open_requests and time.monotonic() < deadline:
        time.sleep(0.01)
    return 0


def _once(url: urllib.parse.SplitResult, timeout_s: float) -> tuple[str, str]:
    """One request on a connection of its own: the reason of its loss (or ""), and who served it."""
    link = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=timeout_s)
    try:
        path = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
        link.request("GET", path, headers={"Connection": "close"})
        answer = link.getresponse()
        body = answer.read()
        if answer.status >= 400:
            return f"status {answer.status}", ""
        try:
            return "", str(json.loads(body).get("served_by", ""))
        except (ValueError, AttributeError):
            return "", ""
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__, ""
    finally:
        link.close()


def load(target: str, *, rate: float, seconds: float, timeout_s: float) -> int:
    """Requests at a fixed rate, late or not (an open loop); prints the counts as JSON."""
    url = urllib.parse.urlsplit(target)
    failed: Counter[str] = Counter()
    served: Counter[str] = Counter()
    slowest: list[float] = []

    def one() -> None:
        began = time.monotonic()
        reason, name = _once(url, timeout_s)
        slowest.append(time.monotonic() - began)
        if reason:
            failed[reason] += 1
        else:
            served[name] += 1

    began = time.monotonic()
    threads = []
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        threads.append(threading.Thread(target=one, daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join(timeout_s + 5)
    counts = {
        "sent": len(threads),
        "ok": sum(served.values()),
        "failed": sum(failed.values()),
        "reasons": dict(failed),
        "served_by": dict(served),
        "slowest_ms": round(max(slowest, default=0.0) * 1000, 1),
    }
    print(json.dumps(counts), flush=True)
    return 0 if not failed else 1


def main() -> int:
    """Chooses what to be by the first word."""
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="kind")
    kinds.add_parser("serve")
    kinds.add_parser("sleep")
    client = kinds.add_parser("load")
    client.add_argument("url")
    client.add_argument("--rate", type=float, default=50)
    client.add_argument("--seconds", type=float, default=10)
    client.add_argument("--timeout", type=float, default=5)
    words = parser.parse_args()
    if words.kind == "load":
        return load(words.url, rate=words.rate, seconds=words.seconds, timeout_s=words.timeout)
    if words.kind == "sleep":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        while True:
            signal.pause()
    return serve()


if __name__ == "__main__":
    sys.exit(main())

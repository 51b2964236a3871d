"""The event loop's side of the redirection: takes what processes send and gives it to the tunnel.

What the tunnel has to offer is injected; its shapes are defined here, so that neither side has to
import the other.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from tpconfig import names
from tpconfig.errors import TpError
from tpconfig.local import dnsmessage
from tpconfig.local.inside.netns import IP_RECVORIGDSTADDR
from tpconfig.local.keeper import Keeper
from tpconfig.local.udp import UdpFlow, UdpOpener, UdpSwitch, say

Address = tuple[str, int]

__all__ = ["DnsAnswerer", "Redirect", "TcpOpener", "UdpFlow", "UdpOpener", "open_redirect"]

RESOLVER: Final = (names.RESOLVER_ADDRESS, 53)
_ORIGINAL_DESTINATION: Final = IP_RECVORIGDSTADDR
_SOCKADDR_IN: Final = struct.Struct("=H2s4s8x")
_BATCH: Final = 64
_MAX_DATAGRAM: Final = 65535
_MAX_QUERIES: Final = 512
_MAX_DNS_CONNECTIONS: Final = 64
_DNS_IDLE_S: Final = 10.0
_SWEEP_S: Final = 5.0
_NO_DESCRIPTORS_PAUSE_S: Final = 0.1
_NO_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class TcpOpener(Protocol):
    """Takes over a connection that a process made; to refuse it, closes it with a reset."""

    def __call__(self, sock: socket.socket, destination: Address) -> None:
        """Own ``sock``, a connected non-blocking socket whose process wanted ``destination``."""
        ...


class DnsAnswerer(Protocol):
    """Answers one DNS message with another, both without a length in front."""

    def __call__(self, query: bytes, /) -> Awaitable[bytes]:
        """Return the answer, of whatever size."""
        ...


class Redirect:
    """The redirected traffic of one keeper; see `open_redirect`."""

    def __init__(
        self,
        keeper: Keeper,
        start: Callable[[Coroutine[Any, Any, None]], None],
        *,
        tcp: TcpOpener,
        udp: UdpOpener,
        dns: DnsAnswerer,
    ) -> None:
        assert keeper.tcp_listener is not None
        assert keeper.udp_listener is not None
        assert keeper.voice is not None
        self._tcp_listener = keeper.tcp_listener
        self._udp_listener = keeper.udp_listener
        self._start = start
        self._tcp = tcp
        self._dns = dns
        self._loop = asyncio.get_running_loop()
        self._voice = keeper.voice
        self._udp = UdpSwitch(keeper.voice, udp)
        self._queries = 0
        self._dns_connections = 0
        self._timer: asyncio.TimerHandle | None = None
        self._pause: asyncio.TimerHandle | None = None

    @property
    def udp_flows(self) -> int:
        """How many UDP conversations there are."""
        return len(self._udp)

    def open(self) -> None:
        """Start to listen."""
        self._loop.add_reader(self._tcp_listener, self._accept)
        self._loop.add_reader(self._udp_listener, self._receive)
        self._sweep()

    def close(self) -> None:
        """Stop listening; conversations over UDP end."""
        for timer in (self._timer, self._pause):
            if timer is not None:
                timer.cancel()
        self._loop.remove_reader(self._tcp_listener)
        self._loop.remove_reader(self._udp_listener)
        self._udp.close()

    def _sweep(self) -> None:
        self._udp.expire()
        self._timer = self._loop.call_later(_SWEEP_S, self._sweep)

    def _accept(self) -> None:
        for _ in range(_BATCH):
            try:
                sock, _peer = self._tcp_listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in _NO_DESCRIPTORS:
                    self._pause_accepting()
                    return
                raise
            sock.setblocking(False)
            self._connected(sock)

    def _pause_accepting(self) -> None:
        """Leave the callers in the queue until there are descriptors again."""
        self._loop.remove_reader(self._tcp_listener)
        self._pause = self._loop.call_later(
            _NO_DESCRIPTORS_PAUSE_S, self._loop.add_reader, self._tcp_listener, self._accept
        )

    def _connected(self, sock: socket.socket) -> None:
        destination: Address = sock.getsockname()
        if destination[0].startswith("127."):
            reset(sock)  # somebody found the listener itself
        elif destination != RESOLVER:
            self._tcp(sock, destination)
        elif self._dns_connections < _MAX_DNS_CONNECTIONS:
            self._dns_connections += 1
            self._start(self._serve_dns(sock))
        else:
            reset(sock)

    async def _serve_dns(self, sock: socket.socket) -> None:
        try:
            with sock:
                while True:
                    async with asyncio.timeout(_DNS_IDLE_S):
                        query = await self._read_dns(sock)
                    answer = await self._answer(query)
                    async with asyncio.timeout(_DNS_IDLE_S):
                        length = len(answer).to_bytes(2, "big")
                        await self._loop.sock_sendall(sock, length + answer)
        except (OSError, EOFError, TimeoutError):
            pass  # the asker has gone, or has nothing more to ask
        finally:
            self._dns_connections -= 1

    async def _read_dns(self, sock: socket.socket) -> bytes:
        length = int.from_bytes(await self._read_exactly(sock, 2), "big")
        if length < dnsmessage.SHORTEST:
            raise EOFError
        return await self._read_exactly(sock, length)

    async def _read_exactly(self, sock: socket.socket, count: int) -> bytes:
        received = bytearray()
        while len(received) < count:
            chunk = await self._loop.sock_recv(sock, count - len(received))
            if not chunk:
                raise EOFError
            received += chunk
        return bytes(received)

    def _receive(self) -> None:
        for _ in range(_BATCH):
            try:
                datagram, controls, _, source = self._udp_listener.recvmsg(
                    _MAX_DATAGRAM, socket.CMSG_SPACE(_SOCKADDR_IN.size)
                )
            except BlockingIOError:
                return
            destination = _original_destination(controls)
            if destination is None or destination[0].startswith("127."):
                continue
            if destination != RESOLVER:
                self._udp.send(datagram, source, destination)
            elif len(datagram) >= dnsmessage.SHORTEST and self._queries < _MAX_QUERIES:
                self._queries += 1
                self._start(self._answer_datagram(datagram, source))

    async def _answer_datagram(self, query: bytes, source: Address) -> None:
        try:
            answer = dnsmessage.fit(query, await self._answer(query))
            say(self._voice, answer, speaker=RESOLVER, listener=source)
        finally:
            self._queries -= 1

    async def _answer(self, query: bytes) -> bytes:
        try:
            answer = await self._dns(query)
        except Exception as error:  # one odd question must not end everybody's session
            if not isinstance(error, OSError | TpError):
                context = {"message": "a DNS query could not be answered", "exception": error}
                self._loop.call_exception_handler(context)
            return dnsmessage.failure(query)
        return answer if len(answer) >= dnsmessage.SHORTEST else dnsmessage.failure(query)


@asynccontextmanager
async def open_redirect(
    keeper: Keeper, *, tcp: TcpOpener, udp: UdpOpener, dns: DnsAnswerer
) -> AsyncIterator[Redirect]:
    """Give what a keeper's processes send to the injected openers while the block runs.

    When ``dns`` raises, the process is told SERVFAIL.
    """
    running: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as tasks:

        def start(work: Coroutine[Any, Any, None]) -> None:
            task = tasks.create_task(work)
            running.add(task)
            task.add_done_callback(running.discard)

        redirect = Redirect(keeper, start, tcp=tcp, udp=udp, dns=dns)
        redirect.open()
        try:
            yield redirect
        finally:
            redirect.close()
            for task in tuple(running):
                task.cancel()


def reset(sock: socket.socket) -> None:
    """Close a connection so that its other end sees a reset: refused, as far as it can tell."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _original_destination(controls: list[tuple[int, int, bytes]]) -> Address | None:
    for level, kind, payload in controls:
        if (level, kind) == (socket.IPPROTO_IP, _ORIGINAL_DESTINATION):
            _, port, host = _SOCKADDR_IN.unpack_from(payload)
            return socket.inet_ntoa(host), int.from_bytes(port, "big")
    return None

"""What processes here connect to: through the Pod, or out of this machine where the policy says so.

The shapes are those of whoever redirects the traffic: it hands over accepted sockets and datagrams
with the destination that the process wanted.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Literal, Protocol

from tpconfig import names
from tpconfig.mux import serving, udpflow
from tpconfig.mux.opening import OpeningError, Refusal, RefusalCode, TcpTo, UdpTo
from tpconfig.mux.splice import Splice
from tpconfig.tunnel.link import Link

Address = tuple[str, int]
Way = Literal["pod", "machine"]
Route = Callable[[str, int], Way]
"""Says for an address and a port which way it goes."""

OnRefused = Callable[[Address, Refusal], None]

LINK_WAIT_S: Final = 10.0
"""Seconds that a new connection waits for a link that is lost."""

DIAL_TIMEOUT_S: Final = 10.0

_CODES: Final[dict[int, RefusalCode]] = {
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.ETIMEDOUT: "timeout",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.EMFILE: "limit",
    errno.ENFILE: "limit",
}


class Conversation(Protocol):
    """One UDP conversation, as whoever started it sees it."""

    def send(self, datagram: bytes) -> None:
        """Send a datagram to the far end, or drop it."""
        ...

    def close(self) -> None:
        """End it; ``closed`` is not called any more."""
        ...


class Outbound:
    """Carries connections and datagrams out; made by ``open_outbound``."""

    def __init__(
        self, link: Link, tasks: asyncio.TaskGroup, *, route: Route, on_refused: OnRefused
    ) -> None:
        self._link = link
        self._tasks = tasks
        self._route = route
        self._on_refused = on_refused
        self._working: set[asyncio.Task[None]] = set()
        self._splices: set[Splice] = set()

    def tcp(self, sock: socket.socket, destination: Address) -> None:
        """Own ``sock``, an accepted non-blocking one whose process wanted ``destination``.

        What cannot be reached is reset towards the process, and told ``on_refused``.
        """
        splice = Splice()
        splice.on_done = lambda: self._splices.discard(splice)
        self._splices.add(splice)
        if self._route(*destination) == "machine":
            self._spawn(self._tcp_machine(sock, splice, destination=destination))
        elif self._link.carries:
            self._open(splice, destination)
            self._spawn(self._join(sock, splice))
        else:
            self._spawn(self._tcp_later(sock, splice, destination=destination))

    def udp(
        self,
        destination: Address,
        *,
        deliver: Callable[[bytes], None],
        closed: Callable[[], None],
    ) -> Conversation:
        """Start a conversation with ``destination``.

        Args:
            destination: where the process sends.
            deliver: is given each datagram that comes back.
            closed: is called when no more will come, unless it is closed from here.
        """
        if self._route(*destination) == "machine":
            return _machine_conversation(destination, deliver=deliver, closed=closed)
        conversation = _PodConversation(destination, deliver=deliver, closed=closed)
        reader = serving.AnswerReader(
            conversation, lambda refusal: self._on_refused(destination, refusal)
        )
        try:
            self._link.open(reader, UdpTo(*destination))
        except (ConnectionResetError, OpeningError) as error:
            conversation.connection_lost(error)
        return conversation

    def close(self) -> None:
        """Reset every connection and give up what is being connected."""
        for task in self._working:
            task.cancel()
        for splice in list(self._splices):
            splice.abort()

    # Through the Pod.

    def _open(self, splice: Splice, destination: Address) -> None:
        """Open the stream; when it cannot be, the process will see a reset."""
        reader = serving.AnswerReader(
            splice.b, lambda refusal: self._on_refused(destination, refusal)
        )
        try:
            self._link.open(reader, TcpTo(*destination))
        except (ConnectionResetError, OpeningError) as error:
            self._on_refused(destination, Refusal("unknown", str(error)))
            splice.b.connection_lost(error)

    async def _tcp_later(
        self, sock: socket.socket, splice: Splice, *, destination: Address
    ) -> None:
        try:
            await self._link.wait_up(timeout_s=LINK_WAIT_S)
        except TimeoutError:
            pass
        except BaseException:
            serving.drop(sock)
            raise
        self._open(splice, destination)
        await self._join(sock, splice)

    async def _join(self, sock: socket.socket, splice: Splice) -> None:
        if not await serving.join(sock, splice.a):
            splice.abort()
            self._splices.discard(splice)

    # Out of this machine.

    async def _tcp_machine(
        self, sock: socket.socket, splice: Splice, *, destination: Address
    ) -> None:
        await self._join(sock, splice)
        if splice.a.transport is None:
            return
        try:
            async with asyncio.timeout(DIAL_TIMEOUT_S):
                await _connect(splice, *destination)
        except OSError as error:
            text = _words(error)
            self._on_refused(destination, Refusal(_code(error), text))
            splice.b.connection_lost(error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks.create_task(serving.contained(work))
        self._working.add(task)
        task.add_done_callback(self._working.discard)


class _PodConversation(udpflow.Flow):
    """A conversation over a stream."""

    def __init__(
        self, destination: Address, *, deliver: Callable[[bytes], None], closed: Callable[[], None]
    ) -> None:
        self._closed: Callable[[], None] | None = closed
        super().__init__(deliver, ended=self._tell, idle_s=udpflow.idle_s(destination[1]))

    def close(self) -> None:
        """End it without telling."""
        self._closed = None
        super().close()

    def _tell(self) -> None:
        closed, self._closed = self._closed, None
        if closed is not None:
            closed()


class _Nothing:
    """A conversation that cannot be had."""

    def send(self, datagram: bytes) -> None:
        """Drop it."""

    def close(self) -> None:
        """Nothing is open."""


async def _connect(splice: Splice, host: str, port: int) -> None:
    """Connect a splice out of this machine; its localhost is IPv4's and IPv6's."""
    loop = asyncio.get_running_loop()
    if host == names.HOST_ADDRESS:
        with suppress(ConnectionRefusedError):
            await loop.create_connection(lambda: splice.b, "127.0.0.1", port)
            return
        host = "::1"
    await loop.create_connection(lambda: splice.b, host, port)


def _machine_conversation(
    destination: Address, *, deliver: Callable[[bytes], None], closed: Callable[[], None]
) -> Conversation:
    """Return a conversation over a UDP socket of this machine."""
    if destination[0] == names.HOST_ADDRESS:
        destination = ("127.0.0.1", destination[1])
    family = socket.AF_INET6 if ":" in destination[0] else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM)
    except OSError:
        closed()
        return _Nothing()
    try:
        sock.setblocking(False)
        sock.connect(destination)
    except OSError:
        sock.close()
        closed()
        return _Nothing()
    return udpflow.ConnectedUdp(sock, deliver)


@asynccontextmanager
async def open_outbound(
    link: Link,
    *,
    route: Route = lambda address, port: "pod",
    on_refused: OnRefused = lambda destination, refusal: None,
) -> AsyncIterator[Outbound]:
    """Carry out what processes send while the block runs.

    Args:
        link: the link to the Pod.
        route: which way an address goes.
        on_refused: is told what could not be reached, and why.
    """
    async with asyncio.TaskGroup() as tasks:
        outbound = Outbound(link, tasks, route=route, on_refused=on_refused)
        try:
            yield outbound
        finally:
            outbound.close()


def _code(error: OSError) -> RefusalCode:
    if isinstance(error, TimeoutError):
        return "timeout"
    return _CODES.get(error.errno or 0, "unknown")


def _words(error: OSError) -> str:
    if error.errno:
        return os.strerror(error.errno)
    return str(error) or "not reached in time"

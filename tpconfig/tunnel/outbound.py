"""What processes here connect to: through the Pod, or out of this machine where the policy says so.

The shapes are those of whoever redirects the traffic: it hands over accepted sockets and datagrams
with the destination that the process wanted.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Literal, Protocol

from tpconfig import names
from tpconfig.mux import serving
from tpconfig.mux.aio import MuxStream
from tpconfig.mux.opening import Opening, OpeningError, Refusal, RefusalCode, TcpTo, UdpTo
from tpconfig.mux.splice import Splice
from tpconfig.tunnel.conversations import (
    Address,
    Conversation,
    PodConversation,
    machine_conversation,
)

Way = Literal["pod", "machine"]
Route = Callable[[str, int], Way]
"""Says for an address and a port which way it goes."""

Dial = Callable[[], Awaitable[socket.socket | None]]
Near = Callable[[Address], Dial | None]
"""Knows the addresses that somebody on this machine stands in for, and connects to them; ``None``
is nobody's, or nobody who listens."""

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


class Streams(Protocol):
    """Where streams are opened: a link, or whichever link there is."""

    @property
    def carries(self) -> bool:
        """Whether streams can be opened now."""
        ...

    def open(self, protocol: asyncio.Protocol, opening: Opening) -> MuxStream:
        """Open a stream; see ``Link.open``."""
        ...

    async def wait_up(self, *, timeout_s: float) -> None:
        """Wait until streams can be opened; see ``Link.wait_up``."""
        ...


class Outbound:
    """Carries connections and datagrams out; made by ``open_outbound``."""

    def __init__(
        self,
        link: Streams,
        tasks: asyncio.TaskGroup,
        *,
        route: Route,
        near: Near,
        on_refused: OnRefused,
    ) -> None:
        self._link = link
        self._tasks = tasks
        self._route = route
        self._near = near
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
            self.spawn(self._tcp_machine(sock, splice, destination=destination))
        elif dial := self._near(destination):
            self.spawn(self._tcp_near(sock, splice, dial, destination=destination))
        elif self._link.carries:
            self._open(splice, destination)
            self.spawn(self._join(sock, splice))
        else:
            self.spawn(self._tcp_later(sock, splice, destination=destination))

    @property
    def connections(self) -> int:
        """TCP connections that are open or being opened."""
        return len(self._splices)

    async def tcp_answered(
        self,
        sock: socket.socket,
        destination: Address,
        *,
        accepted: Callable[[], Awaitable[None]],
    ) -> Refusal | None:
        """Own ``sock``, but tell its process first whether ``destination`` was reached.

        Args:
            sock: a connected non-blocking socket.
            destination: where it wants to go, through the Pod.
            accepted: is awaited before the first byte flows.

        Returns:
            Why it was not reached; the socket is the caller's again then.
        """
        answered: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()
        splice = Splice()
        splice.on_done = lambda: self._splices.discard(splice)
        self._splices.add(splice)
        try:
            await self._open_answered(splice, destination, answered)
            refusal = await answered
            if refusal is None:
                await accepted()
        except OSError as error:
            refusal = Refusal("unknown", str(error))
        except BaseException:
            serving.drop(sock)
            splice.abort()
            raise
        if refusal is not None:
            splice.abort()
            self._splices.discard(splice)
            return refusal
        await self._join(sock, splice)
        return None

    async def _open_answered(
        self, splice: Splice, destination: Address, answered: asyncio.Future[Refusal | None]
    ) -> None:
        def settle(refusal: Refusal | None) -> None:
            if not answered.done():
                answered.set_result(refusal)

        def refused(refusal: Refusal) -> None:
            self._on_refused(destination, refusal)
            settle(refusal)

        reader = _Answered(splice.b, refused, settle)
        if not self._link.carries:
            await self._link.wait_up(timeout_s=LINK_WAIT_S)
        try:
            self._link.open(reader, TcpTo(*destination))
        except OpeningError as error:
            refused(Refusal("name", str(error)))

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
            return machine_conversation(destination, deliver=deliver, closed=closed)
        conversation = PodConversation(destination, deliver=deliver, closed=closed)
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

    # To another workload here.

    async def _tcp_near(
        self, sock: socket.socket, splice: Splice, dial: Dial, *, destination: Address
    ) -> None:
        """Connect to who stands in for ``destination``; where nobody listens, the Pod says so."""
        try:
            found = await dial()
        except BaseException:
            serving.drop(sock)
            raise
        if found is None:
            await self._tcp_later(sock, splice, destination=destination)
        elif await serving.join(found, splice.b):
            await self._join(sock, splice)
        else:
            splice.b.connection_lost(None)
            await self._join(sock, splice)

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

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what belongs to one connection, until it ends or ``close``."""
        task = self._tasks.create_task(serving.contained(work))
        self._working.add(task)
        task.add_done_callback(self._working.discard)


class _Answered(serving.AnswerReader):
    """Tells also when the stream is accepted, and when it is lost without an answer."""

    def __init__(
        self,
        protocol: asyncio.Protocol,
        refused: Callable[[Refusal], None],
        settle: Callable[[Refusal | None], None],
    ) -> None:
        super().__init__(protocol, refused, accepted=lambda: settle(None))
        self._settle = settle

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on; without an answer it will not come any more."""
        self._settle(Refusal("unknown", str(exc or "the stream was closed")))
        super().connection_lost(exc)


async def _connect(splice: Splice, host: str, port: int) -> None:
    """Connect a splice out of this machine; its localhost is IPv4's and IPv6's."""
    loop = asyncio.get_running_loop()
    if host == names.HOST_ADDRESS:
        with suppress(ConnectionRefusedError):
            await loop.create_connection(lambda: splice.b, "127.0.0.1", port)
            return
        host = "::1"
    await loop.create_connection(lambda: splice.b, host, port)


@asynccontextmanager
async def open_outbound(
    link: Streams,
    *,
    route: Route = lambda address, port: "pod",
    near: Near = lambda address: None,
    on_refused: OnRefused = lambda destination, refusal: None,
) -> AsyncIterator[Outbound]:
    """Carry out what processes send while the block runs.

    Args:
        link: the link to the Pod.
        route: which way an address goes.
        near: who on this machine stands in for an address that goes through the Pod.
        on_refused: is told what could not be reached, and why.
    """
    async with asyncio.TaskGroup() as tasks:
        outbound = Outbound(link, tasks, route=route, near=near, on_refused=on_refused)
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

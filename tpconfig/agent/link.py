"""One authenticated link: what its streams ask for, and what the Pod's callers open towards it.

It outlives the connections that carry it: while none does, ports stay open and streams wait.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final, assert_never

from tpconfig.agent import accepting, control, copying, describe, dial, listen, questions, sftp
from tpconfig.agent import volumes as pod_volumes
from tpconfig.agent.accepting import Peer
from tpconfig.agent.pod import OverError, Pod
from tpconfig.mux import serving, udpflow
from tpconfig.mux import splice as splices
from tpconfig.mux.aio import Mux, MuxStream, Role
from tpconfig.mux.carrying import PipeConnection
from tpconfig.mux.hello import Standing
from tpconfig.mux.lasting import LastingPipe, Pulse
from tpconfig.mux.opening import (
    Control,
    Dns,
    Files,
    Opening,
    Refusal,
    Sftp,
    TcpFrom,
    TcpTo,
    UdpFrom,
    UdpTo,
    encode,
)
from tpconfig.mux.splice import Splice

MAX_FLOWS: Final = 512
"""UDP flows of one link, both ways."""

MAX_CONNECTIONS: Final = 7168
"""TCP connections of one link, both ways: ``session.MAX_STREAMS`` less what UDP, names and files
may need."""

QUIET_S: Final = 10.0
"""Seconds between two log lines about callers of one port that the peer refuses."""

_NOT_YOURS: Final = Refusal("denied", "only the agent opens such streams")


class PeerLink:
    """Serves one peer until the peer, the control stream, ``end`` or a long silence ends it.

    Args:
        pod: what the links share.
        ident: the link's id, for the peer to resume it.

    Attributes:
        reason: why the link is over; None while it is not.
    """

    def __init__(self, pod: Pod, ident: str) -> None:
        self._pod = pod
        self._lasting = LastingPipe(self._lost, pulse=Pulse(pod.settings.heartbeat_s))
        self._mux: Mux | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._over = asyncio.Event()
        self._controlled = False
        self._ports: dict[tuple[int, str], listen.OpenPort] = {}
        self._connections: set[Splice] = set()
        self._flows = udpflow.Budget(MAX_FLOWS)
        self._quiet_until_s: dict[int, float] = {}
        self._keep_s = pod.settings.reconnect_s
        self._forget: asyncio.TimerHandle | None = None
        self._wanted_ready: bool | None = None
        self._attempt = 0
        self.ident = ident
        self.reason: str | None = None

    @property
    def connections(self) -> int:
        """TCP connections that are open or being opened, both ways."""
        return len(self._connections)

    @property
    def attached(self) -> bool:
        """Whether a connection carries the link right now."""
        return self._lasting.attached

    def part(self, wanted: Standing) -> int | None:
        """Take the link from the connection that it has, for the peer's next one.

        Returns:
            The bytes of the link that have arrived; None where it cannot go on from where the
            peer stands, or the peer asks for less than it did before.
        """
        if wanted.attempt <= self._attempt or not self._lasting.reaches(wanted.received):
            return None
        self._attempt = wanted.attempt
        if self._lasting.attached:
            self._lasting.detach()
            self._lost("the peer makes another connection")
        return self._lasting.received

    def is_late(self, wanted: Standing) -> bool:
        """Whether the peer has made a later attempt than this one."""
        return wanted.link == self.ident and wanted.attempt <= self._attempt

    def attach(self, pipe: PipeConnection, *, peer_received: int, early: bytes) -> None:
        """Go on over a connection whose handshake is done; one that is over closes it."""
        if self.reason is not None:
            pipe.close()
            return
        if self._forget is not None:
            self._forget.cancel()
            self._forget = None
        if self._wanted_ready is not None:
            self._pod.attended(ready=self._wanted_ready)
        self._lasting.attach(pipe, peer_received=peer_received, early=early)

    async def run(self, pipe: PipeConnection, early: bytes) -> None:
        """Serve the peer, first over ``pipe`` and with what came behind its handshake."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                mux = Mux(Role.SERVER, self._lasting, accept=self._accept, lost=self.end)
                self._mux = mux
                self._lasting.serve(mux)
                self.attach(pipe, peer_received=0, early=early)
                await self._over.wait()
                raise OverError
        except* OverError:
            pass
        finally:
            self.end("the agent ends")

    def end(self, reason: str) -> None:
        """Close the ports, reset the streams, tell the peer; done when this returns."""
        if self.reason is not None:
            return
        self.reason = reason
        for port in self._ports.values():
            port.close()
        self._ports.clear()
        self._lasting.reason = reason
        if self._mux is not None:
            self._mux.close(reason)
        self._lasting.close()
        if self._forget is not None:
            self._forget.cancel()
        self._over.set()

    # What the control stream asks for.

    def listen(self, port: int, protocol: str) -> None:
        """Open a port of the Pod; one that is open for this link already is no error.

        Raises:
            control.RefusedError: it cannot be had.
        """
        if (port, protocol) not in self._ports:
            if protocol == "tcp":
                opened: listen.OpenPort = listen.TcpPort(port, self._connection_to(port))
            else:
                opened = listen.UdpPort(port, self._flow_to(port), budget=self._flows)
            self._ports[port, protocol] = opened

    def unlisten(self, port: int, protocol: str) -> None:
        """Close a port of the Pod."""
        opened = self._ports.pop((port, protocol), None)
        if opened is not None:
            opened.close()

    def ready(self, value: bool) -> None:
        """Say whether the Pod should get traffic.

        Raises:
            control.RefusedError: the Pod is on its way out.
        """
        if value and self._pod.readiness.final:
            raise control.RefusedError("denied", "the Pod is terminating")
        self._wanted_ready = value
        self._pod.attended(ready=value)
        self._pod.log.write("ready", value=value)

    def grace(self, seconds: float) -> None:
        """Say how long the Pod stays ready without a link."""
        self._pod.grace_s = seconds

    def keep(self, seconds: float) -> None:
        """Say how long the streams wait for the next connection."""
        self._keep_s = seconds

    # Streams that the peer opens.

    def _accept(self, stream: MuxStream) -> asyncio.Protocol:
        return serving.OpeningReader(self._serve)

    def _serve(self, opening: Opening, stream: MuxStream) -> asyncio.Protocol:
        match opening:
            case Control():
                return self._control(stream)
            case Dns():
                assert self._tasks is not None
                stream.write(serving.OK)
                return questions.DnsStream(self._pod.forwarder, self._tasks)
            case Files():
                assert self._tasks is not None
                stream.write(serving.OK)
                return copying.CopyStream(pod_volumes.mounts(), self._tasks)
            case Sftp():
                splice = self._new_splice()
                self._spawn(stream, lambda: sftp.serve(stream, splice))
                return splice.a
            case TcpTo():
                return self._tcp_to(stream, opening)
            case UdpTo():
                return self._udp_to(stream, opening)
            case TcpFrom() | UdpFrom():
                raise serving.StreamRefusedError(_NOT_YOURS)
            case _:
                assert_never(opening)

    def _control(self, stream: MuxStream) -> asyncio.Protocol:
        if self._controlled:
            raise serving.StreamRefusedError(Refusal("limit", "the link has its control stream"))
        self._controlled = True
        stream.write(serving.OK)
        description = describe.describe(self._pod.settings)
        return control.ControlStream(self, description=description, ended=self.end)

    def _tcp_to(self, stream: MuxStream, to: TcpTo) -> asyncio.Protocol:
        splice = self._new_splice()

        async def connect() -> None:
            try:
                sock = await dial.tcp(self._pod.lookup, to.host, port=to.port)
                if splice.a.lost:
                    sock.close()
                    return
                stream.write(serving.OK)
                if not await serving.join(sock, splice.b):
                    splices.reset(stream)
            finally:
                if splice.b.transport is None:
                    self._connections.discard(splice)

        self._spawn(stream, connect)
        return splice.a

    def _udp_to(self, stream: MuxStream, to: UdpTo) -> asyncio.Protocol:
        if not self._flows.take():
            raise serving.StreamRefusedError(Refusal("limit", f"{MAX_FLOWS} UDP flows are open"))
        new = udpflow.SocketFlow(ended=self._flows.give_back, idle_s=udpflow.idle_s(to.port))

        async def connect() -> None:
            sock = await dial.udp(self._pod.lookup, to.host, port=to.port)
            stream.write(serving.OK)
            new.attach(sock)

        self._spawn(stream, connect)
        return new

    def _spawn(self, stream: MuxStream, connect: Callable[[], Awaitable[None]]) -> None:
        """Run ``connect``; what it raises is the answer to the stream's opening."""

        async def answered() -> None:
            try:
                await connect()
            except OSError as error:
                text = error.strerror or str(error) or "not reached in time"
                serving.refuse(stream, Refusal(dial.code_of(error), text))

        assert self._tasks is not None
        self._tasks.create_task(serving.contained(answered()))

    # Streams that are opened towards the peer.

    def _connection_to(self, port: int) -> accepting.Accepted:
        def arrived(sock: socket.socket, peer: Peer) -> None:
            assert self._mux is not None
            assert self._tasks is not None
            try:
                splice = self._new_splice()
            except serving.StreamRefusedError:
                serving.drop(sock)
                return
            reader = serving.AnswerReader(splice.a, self._refused(port))
            try:
                pod_host, _ = accepting.peer_of(sock.getsockname())
                self._mux.open(reader, opening=encode(TcpFrom(port, *peer, pod_host)))
            except ConnectionResetError:
                self._connections.discard(splice)
                serving.drop(sock)
            else:
                self._tasks.create_task(serving.contained(self._join(sock, splice)))

        return arrived

    async def _join(self, sock: socket.socket, splice: Splice) -> None:
        try:
            if not await serving.join(sock, splice.b):
                splice.abort()
        finally:
            if splice.b.transport is None:
                self._connections.discard(splice)

    def _flow_to(self, port: int) -> Callable[[Peer, udpflow.Flow], None]:
        def begin(peer: Peer, new: udpflow.Flow) -> None:
            assert self._mux is not None
            reader = serving.AnswerReader(new, self._refused(port))
            self._mux.open(reader, opening=encode(UdpFrom(port, *peer)))

        return begin

    def _refused(self, port: int) -> Callable[[Refusal], None]:
        """Return what says that the peer refuses callers of ``port``, now and then."""

        def refused(refusal: Refusal) -> None:
            now_s = asyncio.get_running_loop().time()
            if now_s >= self._quiet_until_s.get(port, 0.0):
                self._quiet_until_s[port] = now_s + QUIET_S
                self._pod.log.write("refused", port=port, code=refusal.code, text=refusal.text)

        return refused

    # The inside.

    def _new_splice(self) -> Splice:
        if len(self._connections) >= MAX_CONNECTIONS:
            text = f"{MAX_CONNECTIONS} connections are open"
            raise serving.StreamRefusedError(Refusal("limit", text))
        splice = Splice()
        splice.on_done = lambda: self._connections.discard(splice)
        self._connections.add(splice)
        return splice

    def _lost(self, reason: str) -> None:
        """Wait for the next connection, for a while."""
        self._pod.log.write("link-waits", reason=reason)
        self._pod.unattended(gone_s=self._lasting.overdue_s)
        gone = f"the peer did not come back for {self._keep_s:g} s"
        self._forget = asyncio.get_running_loop().call_later(self._keep_s, self.end, gone)

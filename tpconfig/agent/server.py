"""Where connections arrive: each resumes the link there is, or takes over with a new one."""

from __future__ import annotations

import asyncio
import secrets
import socket
from dataclasses import dataclass
from typing import Final

from tpconfig.agent import accepting, binding, describe
from tpconfig.agent.link import PeerLink
from tpconfig.agent.pod import Pod
from tpconfig.mux import serving
from tpconfig.mux.carrying import TcpPipe
from tpconfig.mux.greeting import greet
from tpconfig.mux.hello import HelloError, ServerHello

MAX_HALF_OPEN: Final = 16
"""Connections that may stand in the handshake at once; the next is reset."""


@dataclass(slots=True)
class _Answer:
    """What a peer's connection carries: a link that exists, or the id of a new one."""

    link: PeerLink | None = None
    ident: str = ""


class LinkServer:
    """Accepts links, one at a time.

    Args:
        pod: what the links share.
    """

    def __init__(self, pod: Pod) -> None:
        self._pod = pod
        self._half_open = 0
        self._links = 0
        self._instance = secrets.token_hex(8)
        self._acceptors: list[accepting.Acceptor] = []
        self.current: PeerLink | None = None

    def listen(self, tasks: asyncio.TaskGroup, early: socket.socket | None = None) -> None:
        """Start to accept links; on ``early``, where that listens already.

        Raises:
            OSError: the port cannot be had.
        """

        def accepted(sock: socket.socket, peer: accepting.Peer) -> None:
            if self._half_open >= MAX_HALF_OPEN:
                serving.drop(sock)
                return
            self._half_open += 1
            tasks.create_task(serving.contained(self._connection(sock)))

        if early is not None:
            early.setblocking(False)
            early.listen(binding.BACKLOG)
            self._acceptors.append(accepting.Acceptor(early, accepted))
            return
        port = self._pod.settings.link_port
        for sock in binding.bind(port, socket.SOCK_STREAM, where=binding.LOOPBACK):
            self._acceptors.append(accepting.Acceptor(sock, accepted))

    def close(self) -> None:
        """Accept no more, and end the link there is."""
        for acceptor in self._acceptors:
            acceptor.close()
        if self.current is not None:
            self.current.end("the agent ends")

    async def _connection(self, sock: socket.socket) -> None:
        settings = self._pod.settings
        hello = ServerHello(
            settings.secret, settings.session, settings.version, describe.CAPABILITIES
        )
        pipe, answer = TcpPipe(), _Answer()
        try:
            early = await self._handshake(sock, pipe, hello, answer=answer)
        finally:
            self._half_open -= 1
        if early is None:
            return
        if answer.link is not None and answer.link is self.current:
            self._pod.log.write("link-resumed", received=hello.peer.received)
            answer.link.attach(pipe, peer_received=hello.peer.received, early=early)
        elif answer.link is None:
            await self._new_link(PeerLink(self._pod, answer.ident), pipe, early)
        else:
            pipe.close()  # while it shook hands, another peer has taken over

    async def _new_link(self, link: PeerLink, pipe: TcpPipe, early: bytes) -> None:
        before, self.current = self.current, link
        if before is not None:
            before.end("a new link has taken over")
        self._pod.log.write("link-up")
        try:
            await link.run(pipe, early)
        finally:
            self._pod.log.write("link-lost", reason=link.reason)
            if self.current is link:
                self.current = None
                self._pod.unattended()

    async def _handshake(
        self, sock: socket.socket, pipe: TcpPipe, hello: ServerHello, *, answer: _Answer
    ) -> bytes | None:
        """Return what came behind the handshake, or None when the peer is not ours."""
        if not await serving.join(sock, pipe):
            return None
        try:
            async with asyncio.timeout(self._pod.settings.handshake_s):
                return await greet(pipe, hello, asked=lambda: self._answer(hello, answer))
        except (HelloError, EOFError, TimeoutError) as error:
            reason = str(error) or "the handshake took too long"
            self._pod.log.write("link-refused", reason=reason)
            pipe.close()
            return None

    def _answer(self, hello: ServerHello, answer: _Answer) -> None:
        """Say which link a proven peer's connection carries.

        Raises:
            HelloError: the connection is late: the peer has made another one since.
        """
        link, wanted = self.current, hello.peer
        if link is not None and link.is_late(wanted):
            raise hello.refuse_stale()
        if link is not None and link.ident == wanted.link:
            received = link.part(wanted)
            if received is not None:
                answer.link = link
                hello.welcome(link.ident, received)
                return
        self._links += 1
        answer.ident = f"{self._instance}-{self._links}"
        hello.welcome(answer.ident, 0)

"""Where links arrive: one peer at a time, and a new one that proves itself takes over."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from tpconfig.agent import accepting, binding, describe
from tpconfig.agent.link import PeerLink
from tpconfig.agent.pipe import LinkPipe
from tpconfig.agent.pod import Pod
from tpconfig.mux import serving
from tpconfig.mux.hello import HelloError, ServerHello

HANDSHAKE_S: Final = 10.0
MAX_HALF_OPEN: Final = 16


class LinkServer:
    """Accepts links, one at a time.

    Args:
        pod: what the links share.
    """

    def __init__(self, pod: Pod) -> None:
        self._pod = pod
        self._half_open = 0
        self._acceptors: list[accepting.Acceptor] = []
        self.current: PeerLink | None = None

    def listen(self, tasks: asyncio.TaskGroup) -> None:
        """Start to accept links.

        Raises:
            OSError: the port cannot be had.
        """

        def accepted(sock: socket.socket, peer: accepting.Peer) -> None:
            if self._half_open >= MAX_HALF_OPEN:
                serving.drop(sock)
                return
            self._half_open += 1
            tasks.create_task(serving.contained(self._connection(sock)))

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
        pipe = LinkPipe()
        try:
            leftover = await self._handshake(sock, pipe)
        finally:
            self._half_open -= 1
        if leftover is None:
            return
        link = PeerLink(self._pod, pipe)
        before, self.current = self.current, link
        if before is not None:
            before.end("a new link has taken over")
        self._pod.log.write("link-up")
        try:
            await link.run(leftover)
        finally:
            self._pod.log.write("link-lost", reason=link.reason)
            if self.current is link:
                self.current = None
                self._pod.unattended()

    async def _handshake(self, sock: socket.socket, pipe: LinkPipe) -> bytes | None:
        """Return what came behind the handshake, or None when the peer is not ours."""
        settings = self._pod.settings
        hello = ServerHello(
            settings.secret, settings.session, settings.version, describe.CAPABILITIES
        )
        if not await serving.join(sock, pipe):
            return None
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                pipe.write(hello.data_to_send())
                while not hello.done:
                    data = await pipe.read()
                    try:
                        hello.receive_data(data)
                    finally:
                        pipe.write(hello.data_to_send())
        except (HelloError, EOFError, TimeoutError) as error:
            reason = str(error) or "the handshake took too long"
            self._pod.log.write("link-refused", reason=reason)
            pipe.close()
            return None
        return hello.leftover

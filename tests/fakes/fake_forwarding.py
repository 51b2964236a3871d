"""pods/portforward of the fake API server: a WebSocket to any TCP port of this machine.

Built on aiohttp's own WebSocket, so that ours meets another implementation.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from tests.fakes import fake_status
from tests.fakes.fake_store import Store

PROTOCOL = "v4.channel.k8s.io"


@dataclass
class Forwarding:
    """Where the ports of the Pods really are: ``ports[namespace, pod, port] = (host, port)``.

    ``any_pod`` answers for those that are not named. ``frame`` is the largest message sent.
    """

    store: Store
    ports: dict[tuple[str, str, int], tuple[str, int]] = field(default_factory=dict)
    any_pod: dict[int, tuple[str, int]] = field(default_factory=dict)
    frame: int = 32 * 1024
    sockets: set[web.WebSocketResponse] = field(default_factory=set)

    async def close(self) -> None:
        """End every port-forward at once."""
        for socket in tuple(self.sockets):
            await socket.close(code=1001, message=b"")

    def cut(self) -> None:
        """Break every port-forward without a word."""
        for socket in tuple(self.sockets):
            transport = socket.get_extra_info("socket")
            if transport is not None:
                transport.shutdown(2)

    async def serve(self, request: web.Request, namespace: str, name: str) -> web.StreamResponse:
        """Join a WebSocket and the TCP port that stands for the Pod's."""
        pod = self.store.get("pod", namespace, name)
        phase = (pod.get("status") or {}).get("phase")
        if phase != "Running":
            why = "unable to forward port because pod is not running. Current status="
            raise fake_status.bad_request(f"{why}{phase}")
        port = int(request.query["ports"])
        socket = web.WebSocketResponse(
            protocols=(PROTOCOL,), max_msg_size=0, compress=False, autoping=True
        )
        await socket.prepare(request)
        self.sockets.add(socket)
        try:
            for channel in (0, 1):
                await socket.send_bytes(struct.pack("<BH", channel, port))
            await self._join(socket, self._address(namespace, name, port), port, name)
        except ConnectionError:
            pass
        finally:
            self.sockets.discard(socket)
            await socket.close()
        return socket

    def _address(self, namespace: str, name: str, port: int) -> tuple[str, int] | None:
        return self.ports.get((namespace, name, port)) or self.any_pod.get(port)

    async def _join(
        self,
        socket: web.WebSocketResponse,
        address: tuple[str, int] | None,
        port: int,
        name: str,
    ) -> None:
        try:
            if address is None:
                raise ConnectionRefusedError
            reader, writer = await asyncio.open_connection(*address)
        except OSError:
            words = f"error forwarding port {port} to pod {name}: connect: connection refused"
            await socket.send_bytes(b"\1" + words.encode())
            return

        async def down() -> None:
            while data := await reader.read(self.frame):
                await socket.send_bytes(b"\0" + data)
            await socket.close()

        async with asyncio.TaskGroup() as group:
            copying = group.create_task(down())
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY and message.data[:1] == b"\0":
                    writer.write(message.data[1:])
                    await writer.drain()
            copying.cancel()
            writer.close()

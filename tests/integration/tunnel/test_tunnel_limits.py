"""What the agent bears on its ports: limits that are reached, and what happens past them."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Iterator

import pytest
from real_agent import Agent, StartAgent, free_port

from tpconfig.agent import link as agent_link
from tpconfig.agent import probe
from tpconfig.agent.readiness import Readiness
from tpconfig.mux import serving
from tpconfig.mux.aio import MuxStream
from tpconfig.mux.opening import Opening


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """As many descriptors as may be had, while the test runs."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < 2 * agent_link.MAX_CONNECTIONS:
        pytest.skip("too few descriptors for so many connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def drip(port: int, data: bytes) -> float:
    """Send a byte now and then until hung up on; return the seconds that it took."""
    began_s = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = asyncio.get_running_loop().create_task(_until_end(reader))
    for byte in data:
        if reading.done():
            break
        writer.write(bytes((byte,)))
        await asyncio.sleep(0.05)
    await reading
    writer.close()
    return time.monotonic() - began_s


async def _until_end(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(1024):
            pass
    except ConnectionResetError:
        pass


async def test_a_slow_handshake_is_hung_up_on(start_agent: StartAgent) -> None:
    """Who sends a byte now and then gets no more time for it than who is silent."""
    agent = await start_agent(handshake_s=0.5)
    async with asyncio.timeout(30):
        assert await drip(agent.link_port, b"hello " + b"x" * 900) < 25
    refused = await agent.event("link-refused")
    assert refused["reason"] == "the handshake took too long"
    async with agent.link() as link:
        assert link.state == "up"


async def test_a_slow_request_to_the_readiness_port_is_hung_up_on() -> None:
    """A head that comes byte by byte does not hold its connection."""
    port = free_port()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        probes = probe.Probes(Readiness(), head_s=0.5)
        probes.listen(port, tasks)
        assert await drip(port, b"GET /" + b"x" * 900) < 25
        probes.close()


class _Held(asyncio.Protocol):
    """Accepts a caller and says nothing more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, MuxStream)
        transport.write(serving.OK)


async def test_thousands_of_idle_connections_and_not_one_too_many(
    agent: Agent, many_descriptors: None
) -> None:
    """A link holds ``MAX_CONNECTIONS`` callers; the next is reset, until one has left."""
    held = 0

    def hold(opening: Opening, stream: MuxStream) -> asyncio.Protocol:
        nonlocal held
        held += 1
        return _Held()

    loop = asyncio.get_running_loop()
    port, callers = free_port(), list[socket.socket]()

    async def call() -> socket.socket:
        sock = socket.socket()
        sock.setblocking(False)
        callers.append(sock)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        return sock

    try:
        async with asyncio.timeout(110), agent.link(serve=hold) as link:
            await link.listen(port)
            for number in range(agent_link.MAX_CONNECTIONS):
                await call()
                while number - held > 50:
                    await asyncio.sleep(0.005)
            while held < agent_link.MAX_CONNECTIONS:
                await asyncio.sleep(0.01)
            with pytest.raises(ConnectionResetError):
                await loop.sock_recv(await call(), 1)
            callers.pop(0).close()
            while held == agent_link.MAX_CONNECTIONS:
                await call()
                await asyncio.sleep(0.05)
            assert link.state == "up"
    finally:
        for sock in callers:
            sock.close()

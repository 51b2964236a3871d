"""UDP out of a process, through a link, to what the real agent can reach."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from real_agent import Agent, free_port
from real_process import processes

from tpconfig.tunnel.link import Link
from tpconfig.tunnel.outbound import Way


@asynccontextmanager
async def udp_echo(port: int = 0) -> AsyncIterator[int]:
    """Send back every datagram, empty ones too."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind(("127.0.0.1", port))

        def readable() -> None:
            datagram, address = sock.recvfrom(65535)
            sock.sendto(datagram, address)

        loop.add_reader(sock, readable)
        try:
            yield sock.getsockname()[1]
        finally:
            loop.remove_reader(sock)


class Talk:
    """The process's side of a conversation."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.over = asyncio.Event()

    async def next(self) -> bytes:
        """Return the next datagram."""
        async with asyncio.timeout(5):
            return await self.heard.get()


@pytest.mark.parametrize("way", ["pod", "machine"])
async def test_datagrams_keep_their_boundaries(agent: Agent, way: Way) -> None:
    """Each datagram arrives as one, empty and large ones too, on either way."""
    sizes = [0, 1, 1400, 60_000]
    async with (
        udp_echo() as port,
        agent.link() as link,
        processes(link, route=lambda address, number: way) as inside,
    ):
        talk = Talk()
        conversation = inside.outbound.udp(
            ("127.0.0.1", port), deliver=talk.heard.put_nowait, closed=talk.over.set
        )
        for size in sizes:
            conversation.send(b"x" * size)
            assert len(await talk.next()) == size
        conversation.close()
        assert not talk.over.is_set()


async def test_a_name_is_resolved_in_the_pod(agent: Agent) -> None:
    """Datagrams that are sent before the name is resolved are not lost."""
    async with udp_echo() as port, agent.link() as link, processes(link) as inside:
        talk = Talk()
        conversation = inside.outbound.udp(
            ("localhost", port), deliver=talk.heard.put_nowait, closed=talk.over.set
        )
        conversation.send(b"one")
        conversation.send(b"two")
        assert [await talk.next(), await talk.next()] == [b"one", b"two"]
        conversation.close()


async def test_a_name_that_does_not_exist(agent: Agent) -> None:
    """A conversation with nobody is closed, and the reason is told."""
    async with agent.link() as link, processes(link) as inside:
        talk = Talk()
        inside.outbound.udp(
            ("no-such-name.invalid", 9), deliver=talk.heard.put_nowait, closed=talk.over.set
        )
        async with asyncio.timeout(10):
            await talk.over.wait()
        assert [refusal.code for _, refusal in inside.refused] == ["name"]


async def test_nobody_there_is_no_end(agent: Agent) -> None:
    """A server that is not there yet can be there for the next datagram."""
    port = free_port()
    async with agent.link() as link, processes(link) as inside:
        talk = Talk()
        conversation = inside.outbound.udp(
            ("127.0.0.1", port), deliver=talk.heard.put_nowait, closed=talk.over.set
        )
        conversation.send(b"nobody there")
        await asyncio.sleep(0.1)
        async with udp_echo(port):
            conversation.send(b"there now")
            assert await talk.next() == b"there now"
        conversation.close()


async def test_a_conversation_outlives_a_connection(agent: Agent) -> None:
    """It goes on over the next one, and ends with the link."""
    talk = Talk()
    async with udp_echo() as port, agent.link() as link, processes(link) as inside:
        conversation = inside.outbound.udp(
            ("127.0.0.1", port), deliver=talk.heard.put_nowait, closed=talk.over.set
        )
        conversation.send(b"hello")
        assert await talk.next() == b"hello"
        link.drop("a test")
        conversation.send(b"patience")
        assert await talk.next() == b"patience"
        assert not talk.over.is_set()
        link_ended = await agent_forgets(agent, link)
        async with asyncio.timeout(5):
            await talk.over.wait()
        assert link_ended


async def agent_forgets(agent: Agent, link: Link) -> bool:
    """Have another peer take the agent over, so that it forgets the link."""
    async with agent.link():
        await agent.event("link-lost")
    await link.wait_up(timeout_s=5)
    return link.renewals > 0

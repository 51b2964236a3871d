"""What another workload of the session answers is connected to here, and does not need the link."""

from __future__ import annotations

import asyncio
import socket
from functools import partial

from real_agent import Agent, echo, free_port, tcp_server
from real_process import outcome, processes, reset_on_close

from tpconfig.tunnel.conversations import Address
from tpconfig.tunnel.outbound import Dial

SERVICE = ("10.96.0.77", 80)


async def dial(port: int) -> socket.socket | None:
    """Connect to who listens on a port here."""
    sock = socket.socket()
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except OSError:
        sock.close()
        return None
    return sock


def near(address: Address, *, at: Address, port: int) -> Dial | None:
    """Know one address."""
    return partial(dial, port) if address == at else None


async def test_a_neighbour_is_reached_without_the_link(agent: Agent) -> None:
    """The address is one that nobody has; half-close and all bytes arrive, as through the Pod."""

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = len(await reader.read(-1))
        writer.write(str(size).encode())
        writer.close()

    async with (
        tcp_server(count) as port,
        agent.link() as link,
        processes(link, near=partial(near, at=SERVICE, port=port)) as inside,
    ):
        await agent.stop()
        reader, writer = await inside.open(SERVICE)
        writer.write(b"x" * 3_000_000)
        writer.write_eof()
        assert await reader.read(-1) == b"3000000"
        writer.close()


async def test_where_nobody_listens_the_pod_is_asked(agent: Agent) -> None:
    """What a neighbour does not answer goes where it would go without one."""
    async with tcp_server(echo) as port, agent.link() as link:
        known = partial(near, at=("127.0.0.1", port), port=free_port())
        async with processes(link, near=known) as inside:
            reader, writer = await inside.open(("127.0.0.1", port))
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            writer.close()


async def test_the_file_says_more_than_a_neighbour(agent: Agent) -> None:
    """What `outbound` sends out of this machine goes out of this machine."""
    async with tcp_server(echo) as port, agent.link() as link:
        at = ("127.0.0.1", port)
        known = partial(near, at=at, port=free_port())
        async with processes(link, route=lambda *_: "machine", near=known) as inside:
            reader, writer = await inside.open(at)
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            writer.close()


async def test_a_neighbours_reset_is_a_reset(agent: Agent) -> None:
    """As it is through the Pod."""

    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reset_on_close(writer.get_extra_info("socket"))
        writer.close()

    async with (
        tcp_server(refuse) as port,
        agent.link() as link,
        processes(link, near=partial(near, at=SERVICE, port=port)) as inside,
    ):
        assert await outcome(await inside.connect(SERVICE)) == "reset"

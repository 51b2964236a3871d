"""TCP out of a process, through a link, to what the real agent can reach."""

from __future__ import annotations

import asyncio
import hashlib
import socket

import pytest
from real_agent import Agent, echo, free_port, tcp_server
from real_process import outcome, processes, reset_on_close

from tpconfig import names
from tpconfig.clock import SystemClock
from tpconfig.model.desired import Outbound
from tpconfig.mux import serving
from tpconfig.mux.opening import Refusal, TcpTo
from tpconfig.tunnel.dns import Remembered
from tpconfig.tunnel.policy import Policy


async def test_bytes_go_there_and_back(agent: Agent) -> None:
    """A process reaches a server that the agent can reach."""
    async with tcp_server(echo) as port, agent.link() as link, processes(link) as inside:
        reader, writer = await inside.open(("127.0.0.1", port))
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()


async def test_ipv6(agent: Agent) -> None:
    """An IPv6 address is a destination like any other."""
    server = tcp_server(echo, host="::1")
    async with server as port, agent.link() as link, processes(link) as inside:
        reader, writer = await inside.open(("::1", port))
        writer.write(b"six")
        assert await reader.readexactly(3) == b"six"
        writer.close()


async def test_a_name_is_resolved_in_the_pod(agent: Agent) -> None:
    """A destination may be a name; the agent looks it up."""
    async with tcp_server(echo) as port, agent.link() as link, processes(link) as inside:
        reader, writer = await inside.open(("localhost", port))
        writer.write(b"by name")
        assert await reader.readexactly(7) == b"by name"
        writer.close()


async def test_a_process_that_finishes_still_gets_its_answer(agent: Agent) -> None:
    """Half-close reaches the server, and what the server says after it comes back."""

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = len(await reader.read(-1))
        writer.write(str(size).encode())
        writer.close()

    async with tcp_server(count) as port, agent.link() as link, processes(link) as inside:
        reader, writer = await inside.open(("127.0.0.1", port))
        writer.write(b"x" * 100_000)
        writer.write_eof()
        assert await reader.read(-1) == b"100000"
        writer.close()


async def test_a_server_that_finishes_first_still_hears(agent: Agent) -> None:
    """After the server's half-close, what the process says still arrives."""
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def finish_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        writer.write_eof()
        heard.set_result(await reader.read(-1))
        writer.close()

    async with tcp_server(finish_first) as port, agent.link() as link, processes(link) as inside:
        reader, writer = await inside.open(("127.0.0.1", port))
        assert await reader.read(-1) == b"bye"
        writer.write(b"one more thing")
        writer.write_eof()
        assert await heard == b"one more thing"
        writer.close()


async def test_a_reset_by_the_server_is_a_reset(agent: Agent) -> None:
    """A process sees ECONNRESET where the server resets."""

    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        reset_on_close(writer.get_extra_info("socket"))
        writer.close()

    async with tcp_server(slam) as port, agent.link() as link, processes(link) as inside:
        sock = await inside.connect(("127.0.0.1", port))
        await asyncio.get_running_loop().sock_sendall(sock, b"!")
        assert await outcome(sock) == "reset"


async def test_a_reset_by_the_process_is_a_reset(agent: Agent) -> None:
    """A server sees ECONNRESET where the process resets."""
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"hi")
            await reader.read(-1)
            ended.set_result("closed")
        except ConnectionResetError:
            ended.set_result("reset")
        finally:
            writer.close()

    async with tcp_server(watch) as port, agent.link() as link, processes(link) as inside:
        sock = await inside.connect(("127.0.0.1", port))
        assert await asyncio.get_running_loop().sock_recv(sock, 2) == b"hi"
        reset_on_close(sock)
        sock.close()
        assert await ended == "reset"


async def test_nobody_listens(agent: Agent) -> None:
    """Where nobody listens, the process is reset and the reason is told."""
    port = free_port()
    async with agent.link() as link, processes(link) as inside:
        assert await outcome(await inside.connect(("127.0.0.1", port))) == "reset"
        [(destination, refusal)] = inside.refused
        assert destination == ("127.0.0.1", port)
        assert refusal.code == "refused"


async def test_a_name_that_does_not_exist(agent: Agent) -> None:
    """A name without an address is refused as such."""
    async with agent.link() as link, processes(link) as inside:
        assert await outcome(await inside.connect(("no-such-name.invalid", 80))) == "reset"
        assert [refusal.code for _, refusal in inside.refused] == ["name"]


async def test_a_destination_that_cannot_be_written_down(agent: Agent) -> None:
    """A host that does not fit into an opening resets the process and nothing else."""
    async with tcp_server(echo) as port, agent.link() as link, processes(link) as inside:
        assert await outcome(await inside.connect(("two words", 80))) == "reset"
        _, writer = await inside.open(("127.0.0.1", port))
        writer.close()
        assert link.state == "up"


async def test_much_data_both_ways(agent: Agent) -> None:
    """Some megabytes arrive as they were sent, in both directions at once."""
    payload = hashlib.shake_128(b"payload").digest(4 * 1024 * 1024)
    async with tcp_server(echo) as port, agent.link() as link, processes(link) as inside:
        reader, writer = await inside.open(("127.0.0.1", port))

        async def send() -> None:
            writer.write(payload)
            await writer.drain()
            writer.write_eof()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send())
            received = await reader.read(-1)
        assert received == payload
        writer.close()


async def test_who_does_not_read_stops_nobody(agent: Agent) -> None:
    """A process that does not read leaves the other connections of the link alone."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            writer.close()

    async with (
        tcp_server(flood) as flooding,
        tcp_server(echo) as port,
        agent.link() as link,
        processes(link) as inside,
    ):
        stuck = await inside.connect(("127.0.0.1", flooding))
        reader, writer = await inside.open(("127.0.0.1", port))
        for _ in range(20):
            writer.write(b"still here")
            assert await reader.readexactly(10) == b"still here"
        writer.close()
        reset_on_close(stuck)
        stuck.close()


async def test_many_connections_at_once(agent: Agent) -> None:
    """A hundred connections share a link."""
    async with tcp_server(echo) as port, agent.link() as link, processes(link) as inside:

        async def one(number: int) -> None:
            reader, writer = await inside.open(("127.0.0.1", port))
            writer.write(b"%d" % number)
            writer.write_eof()
            assert await reader.read(-1) == b"%d" % number
            writer.close()

        async with asyncio.TaskGroup() as tasks:
            for number in range(100):
                tasks.create_task(one(number))


async def test_the_machine_s_own_way(agent: Agent) -> None:
    """What the policy gives to the machine does not go through the agent."""
    async with (
        tcp_server(echo) as port,
        agent.link() as link,
        processes(link, route=lambda address, port: "machine") as inside,
    ):
        reader, writer = await inside.open(("127.0.0.1", port))
        assert await agent.stop() == 0
        writer.write(b"without it")
        assert await reader.readexactly(10) == b"without it"
        writer.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_this_machines_localhost_has_an_address(agent: Agent, host: str) -> None:
    """What listens on loopback here, of either kind, is reached at one address inside."""
    policy = Policy(Outbound(), Remembered(SystemClock()))
    async with (
        tcp_server(echo, host=host) as port,
        agent.link() as link,
        processes(link, route=policy.of_address) as inside,
    ):
        reader, writer = await inside.open((names.HOST_ADDRESS, port))
        writer.write(b"from inside")
        assert await reader.readexactly(11) == b"from inside"
        writer.close()


async def test_nobody_listens_on_the_machine(agent: Agent) -> None:
    """A refusal on the machine's own way is a reset too, with the reason."""
    async with (
        agent.link() as link,
        processes(link, route=lambda address, port: "machine") as inside,
    ):
        assert await outcome(await inside.connect(("127.0.0.1", free_port()))) == "reset"
        assert [refusal.code for _, refusal in inside.refused] == ["refused"]


async def test_data_before_the_answer(agent: Agent) -> None:
    """What is written right behind the opening arrives, whatever the dial takes."""
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    class Reader(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            got.set_result(data)

    def refused(refusal: Refusal) -> None:
        raise AssertionError(refusal)

    async with tcp_server(echo) as port, agent.link() as link:
        stream = link.open(serving.AnswerReader(Reader(), refused), TcpTo("localhost", port))
        stream.write(b"early")
        assert await got == b"early"
        stream.close()


async def test_a_black_hole_is_given_up_with_the_stream(agent: Agent) -> None:
    """A process that gives up while the agent still dials leaves nothing behind in the agent."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        async with agent.link() as link, processes(link) as inside:
            sock = await inside.connect(address)
            await asyncio.sleep(0.1)
            reset_on_close(sock)
            sock.close()
            assert link.state == "up"
        for filler in fillers:
            filler.close()

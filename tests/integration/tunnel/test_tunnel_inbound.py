"""What callers send to the Pod's ports arrives here, over the real agent."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from real_agent import Agent, StartAgent, echo, eventually, free_port, tcp_server, wait_lost
from real_process import Served, open_inbound, outcome, reset_on_close

from tpconfig.model.target import PodPort
from tpconfig.tunnel.link import Link, LinkError
from tpconfig.tunnel.proxyprotocol import header


@asynccontextmanager
async def exposed(agent: Agent, served: Served) -> AsyncIterator[Link]:
    """A link whose inbound streams go to ``served``."""
    async with open_inbound(served.dial) as inbound, agent.link(serve=inbound.serve) as link:
        yield link


async def call(port: int, host: str = "127.0.0.1") -> socket.socket:
    """Connect to a port of the Pod, as a caller in the cluster would."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (host, port))
    return sock


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_caller_is_answered_here(agent: Agent, host: str) -> None:
    """A connection to the Pod's port, over either family, is joined to one here."""
    pod_port = free_port()
    async with tcp_server(echo) as here:
        served = Served({PodPort(pod_port): here})
        async with exposed(agent, served) as link:
            await link.listen(pod_port)
            reader, writer = await asyncio.open_connection(sock=await call(pod_port, host))
            writer.write(b"ping")
            writer.write_eof()
            assert await reader.read(-1) == b"ping"
            writer.close()
        assert served.asked == [PodPort(pod_port)]


async def test_who_serves_is_told_who_calls(agent: Agent) -> None:
    """What is said in front of a call names the caller and the Pod, and comes before its bytes."""
    pod_port = free_port()
    async with (
        tcp_server(echo) as here,
        open_inbound(
            Served({PodPort(pod_port): here}).dial, preface=lambda call: header("v1", call)
        ) as inbound,
        agent.link(serve=inbound.serve) as link,
    ):
        await link.listen(pod_port)
        sock = await call(pod_port)
        told = f"PROXY TCP4 127.0.0.1 127.0.0.1 {sock.getsockname()[1]} {pod_port}\r\n".encode()
        reader, writer = await asyncio.open_connection(sock=sock)
        writer.write(b"ping")
        writer.write_eof()
        assert await reader.read(-1) == told + b"ping"
        writer.close()


async def test_nobody_serves_here(agent: Agent) -> None:
    """A caller is reset where nobody listens here, and the agent's log says why."""
    pod_port = free_port()
    async with exposed(agent, Served()) as link:
        await link.listen(pod_port)
        assert await outcome(await call(pod_port)) == "reset"
        assert (await agent.event("refused"))["code"] == "refused"


async def test_a_reset_here_is_a_reset_there(agent: Agent) -> None:
    """A caller sees ECONNRESET where the process here resets."""

    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        reset_on_close(writer.get_extra_info("socket"))
        writer.close()

    pod_port = free_port()
    async with (
        tcp_server(slam) as here,
        exposed(agent, Served({PodPort(pod_port): here})) as link,
    ):
        await link.listen(pod_port)
        sock = await call(pod_port)
        await asyncio.get_running_loop().sock_sendall(sock, b"!")
        assert await outcome(sock) == "reset"


async def test_a_reset_there_is_a_reset_here(agent: Agent) -> None:
    """The process here sees ECONNRESET where the caller resets."""
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

    pod_port = free_port()
    async with (
        tcp_server(watch) as here,
        exposed(agent, Served({PodPort(pod_port): here})) as link,
    ):
        await link.listen(pod_port)
        sock = await call(pod_port)
        assert await asyncio.get_running_loop().sock_recv(sock, 2) == b"hi"
        reset_on_close(sock)
        sock.close()
        assert await ended == "reset"


async def test_a_port_that_is_taken(agent: Agent) -> None:
    """A port that another container of the Pod holds is refused by name."""
    with socket.create_server(("127.0.0.1", 0)) as sidecar:
        taken = sidecar.getsockname()[1]
        async with agent.link() as link:
            with pytest.raises(LinkError, match=f"port {taken} is in use by another container"):
                await link.listen(taken)
            assert link.state == "up"


async def test_a_udp_port_that_is_taken(agent: Agent) -> None:
    """The same number is free for TCP when only UDP is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sidecar:
        taken = free_port()
        sidecar.bind(("0.0.0.0", taken))
        async with agent.link() as link:
            with pytest.raises(LinkError, match="in use"):
                await link.listen(taken, "udp")
            await link.listen(taken, "tcp")


async def test_a_low_port(agent: Agent) -> None:
    """A port below 1024 opens where the kernel lets this user, and is refused by name elsewhere."""
    start = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    low = next(port for port in range(1023, 500, -1) if _is_free(port))
    async with agent.link() as link:
        if os.geteuid() == 0 or start <= low:
            await link.listen(low)
            (await call(low)).close()
        else:
            with pytest.raises(LinkError, match="may not open"):
                await link.listen(low)


async def test_unlisten_frees_the_port_at_once(agent: Agent) -> None:
    """A port that is no longer asked for is closed, and can be opened again at once."""
    pod_port = free_port()
    async with agent.link() as link:
        for _ in range(3):
            await link.listen(pod_port)
            (await call(pod_port)).close()
            await link.unlisten(pod_port)
            with pytest.raises(ConnectionRefusedError):
                await call(pod_port)


async def test_listening_twice_is_no_error(agent: Agent) -> None:
    """Asking again for a port that is open changes nothing."""
    pod_port = free_port()
    async with agent.link() as link:
        await link.listen(pod_port)
        await link.listen(pod_port)
        (await call(pod_port)).close()


async def test_connections_outlive_unlisten(agent: Agent) -> None:
    """Closing the port leaves the connections that came through it."""
    pod_port = free_port()
    async with (
        tcp_server(echo) as here,
        exposed(agent, Served({PodPort(pod_port): here})) as link,
    ):
        await link.listen(pod_port)
        reader, writer = await asyncio.open_connection(sock=await call(pod_port))
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        await link.unlisten(pod_port)
        writer.write(b"b")
        assert await reader.readexactly(1) == b"b"
        writer.close()


async def test_callers_wait_for_the_link(agent: Agent) -> None:
    """While the connection is lost, who is here stays and who comes waits; both are served then."""
    pod_port = free_port()
    async with tcp_server(echo) as here:
        served = Served({PodPort(pod_port): here})
        async with exposed(agent, served) as link:
            await link.listen(pod_port)
            early, early_writer = await asyncio.open_connection(sock=await call(pod_port))
            await eventually(lambda: len(served.asked) == 1)
            link.drop("a test")
            await wait_lost(link)
            early_writer.write(b"still here")
            late, late_writer = await asyncio.open_connection(sock=await call(pod_port))
            late_writer.write(b"patience")
            assert await early.readexactly(10) == b"still here"
            assert await late.readexactly(8) == b"patience"
            early_writer.close()
            late_writer.close()


async def test_an_agent_that_is_started_anew_listens_again(start_agent: StartAgent) -> None:
    """Callers of the old one are reset, the ports are opened again, and the user is told why."""
    pod_port = free_port()
    told: list[str] = []
    agent = await start_agent()
    async with tcp_server(echo) as here, open_inbound(Served({PodPort(pod_port): here}).dial) as to:
        on_state = lambda state, reason: told.append(f"{state}: {reason}")  # noqa: E731
        async with agent.link(serve=to.serve, on_state=on_state) as link:
            await link.listen(pod_port)
            sock = await call(pod_port)
            await agent.stop()
            assert await outcome(sock) == "reset"
            again = await start_agent(
                link_port=agent.link_port, probe_port=agent.probe_port, secret=agent.secret
            )
            await link.wait_up(timeout_s=5)
            reader, writer = await asyncio.open_connection(sock=await call(pod_port))
            writer.write(b"again")
            assert await reader.readexactly(5) == b"again"
            writer.close()
            assert link.renewals == 1
            assert link.describe.pid == again.process.pid
    assert "every stream was reset" in told[-1]


async def test_the_end_of_the_link_closes_the_ports(agent: Agent) -> None:
    """Without a link nothing of the Pod's is open but what the agent needs itself."""
    pod_port = free_port()
    async with agent.link() as link:
        await link.listen(pod_port)
    await agent.event("link-lost")
    with pytest.raises(ConnectionRefusedError):
        await call(pod_port)


async def test_udp_peers_have_flows_of_their_own(agent: Agent) -> None:
    """Each peer's datagrams arrive here as from one socket, and the answers find their way."""
    pod_port = free_port()
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("127.0.0.1", 0))
        here.setblocking(False)
        served = Served({PodPort(pod_port, "udp"): here.getsockname()[1]})
        async with exposed(agent, served) as link:
            await link.listen(pod_port, "udp")
            callers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
            sources = set()
            for number, caller in enumerate(callers):
                caller.setblocking(False)
                caller.connect(("127.0.0.1", pod_port))
                caller.send(b"from %d" % number)
                async with asyncio.timeout(5):
                    datagram, source = await loop.sock_recvfrom(here, 100)
                    assert datagram == b"from %d" % number
                    here.sendto(b"to %d" % number, source)
                    assert await loop.sock_recv(caller, 100) == b"to %d" % number
                sources.add(source)
                caller.close()
            assert len(sources) == 2


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0

"""Forwards and the SOCKS5 proxy, through a link to the real agent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from real_agent import Agent, echo, eventually, free_port, tcp_server, wait_lost

from tpconfig.errors import TpError
from tpconfig.model.desired import Forward
from tpconfig.mux.opening import Refusal
from tpconfig.tunnel.forwards import open_forward
from tpconfig.tunnel.link import Link

Refused = list[tuple[tuple[str, int], Refusal]]
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def forwarded(agent: Agent, forward: Forward) -> AsyncIterator[tuple[Link, Refused]]:
    """A forward over a link."""
    refused: Refused = []
    async with agent.link() as link:
        told = lambda where, why: refused.append((where, why))  # noqa: E731
        async with open_forward(link, forward, on_refused=told):
            yield link, refused


async def socks(port: int, destination: bytes, *, command: int = 1) -> tuple[int, Pair]:
    """Ask a SOCKS5 proxy for a destination; return its answer's code and the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\5\2\0\2")
    assert await reader.readexactly(2) == b"\5\0"
    writer.write(bytes((5, command, 0)) + destination)
    answer = await reader.readexactly(10)
    assert answer[0] == 5
    return answer[1], (reader, writer)


def name(host: str, port: int) -> bytes:
    """Write a destination by name."""
    return bytes((3, len(host))) + host.encode() + port.to_bytes(2, "big")


async def test_a_forward_leads_to_a_name_that_the_pod_knows(agent: Agent) -> None:
    """The name is resolved where the agent is; bytes and both ends of a connection pass."""
    port = free_port()
    async with tcp_server(echo) as far, forwarded(agent, Forward(port, "localhost", far)):
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello")
            writer.write_eof()
            assert await reader.read(-1) == b"hello"
            writer.close()


async def test_a_forward_waits_for_the_link(agent: Agent) -> None:
    """Who connects while the link is lost is served when it is back, who is connected goes on."""
    port = free_port()
    async with (
        tcp_server(echo) as far,
        forwarded(agent, Forward(port, "127.0.0.1", far)) as (link, _),
    ):
        early, early_writer = await asyncio.open_connection("127.0.0.1", port)
        early_writer.write(b"a")
        assert await early.readexactly(1) == b"a"
        link.drop("a test")
        await wait_lost(link)
        late, late_writer = await asyncio.open_connection("127.0.0.1", port)
        late_writer.write(b"late")
        early_writer.write(b"early")
        assert await late.readexactly(4) == b"late"
        assert await early.readexactly(5) == b"early"
        late_writer.close()
        early_writer.close()


async def test_where_nobody_listens_the_connection_is_reset_and_told(agent: Agent) -> None:
    """The caller sees a reset, the user the reason."""
    port, nobody = free_port(), free_port()
    async with forwarded(agent, Forward(port, "127.0.0.1", nobody)) as (_, refused):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        writer.close()
        assert [(where, why.code) for where, why in refused] == [(("127.0.0.1", nobody), "refused")]


@pytest.mark.parametrize(("bind", "hosts"), [("127.0.0.2", ["127.0.0.2"]), ("::1", ["::1"])])
async def test_it_listens_where_it_is_told_to(agent: Agent, bind: str, hosts: list[str]) -> None:
    """On one address of this machine, and on no other."""
    port = free_port()
    async with (
        tcp_server(echo) as far,
        forwarded(agent, Forward(port, "127.0.0.1", far, bind)),
    ):
        for host in hosts:
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_everywhere_is_both_families(agent: Agent) -> None:
    """``*`` listens on every address, IPv6 too."""
    port = free_port()
    async with tcp_server(echo) as far, forwarded(agent, Forward(port, "127.0.0.1", far, "*")):
        for host in ("127.0.0.1", "127.0.0.3", "::1"):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()


async def test_a_port_that_is_taken_is_an_error(agent: Agent) -> None:
    """Its message names the forward."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ExceptionGroup) as raised:
            async with forwarded(agent, Forward(port, "db", 5432)):
                pass
        found = raised.value.exceptions[0]
        while isinstance(found, ExceptionGroup):
            found = found.exceptions[0]
        assert isinstance(found, TpError)
        assert f"127.0.0.1:{port} -> db:5432: Address already in use" in found.message


async def test_the_end_frees_the_port_and_resets_its_connections(agent: Agent) -> None:
    """The next one may have the number at once."""
    port = free_port()
    async with tcp_server(echo) as far:
        for _ in range(2):
            async with forwarded(agent, Forward(port, "127.0.0.1", far)):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"x")
                assert await reader.readexactly(1) == b"x"
            with pytest.raises(ConnectionResetError):
                await reader.readexactly(1)
            writer.close()


@pytest.mark.parametrize("destination", ["name", "IPv4"])
async def test_socks_connects_from_the_pod(agent: Agent, destination: str) -> None:
    """By name, which the Pod resolves, and by address."""
    port = free_port()
    async with tcp_server(echo) as far, forwarded(agent, Forward(port)):
        wanted = name("localhost", far)
        if destination == "IPv4":
            wanted = b"\1\x7f\0\0\1" + far.to_bytes(2, "big")
        code, (reader, writer) = await socks(port, wanted)
        assert code == 0
        writer.write(b"through")
        writer.write_eof()
        assert await reader.read(-1) == b"through"
        writer.close()


async def test_socks_says_why_not(agent: Agent) -> None:
    """Refused and unknown names have codes of their own, and so has what is not served."""
    port = free_port()
    async with forwarded(agent, Forward(port)) as (_, refused):
        codes = []
        for wanted in (name("localhost", free_port()), name("no-such-name.invalid", 80)):
            code, (reader, writer) = await socks(port, wanted)
            codes.append(code)
            assert await reader.read(-1) == b""
            writer.close()
        assert codes == [5, 4]
        assert [why.code for _, why in refused] == ["refused", "name"]
        for command in (2, 3):
            code, (_, writer) = await socks(port, name("localhost", 80), command=command)
            assert code == 7
            writer.close()


@pytest.mark.parametrize("words", [b"GET / HTTP/1.1\r\n\r\n", b"\4\1\0\x50\1\2\3\4\0", b"\5\1\2"])
async def test_what_is_no_socks5_is_hung_up_on(agent: Agent, words: bytes) -> None:
    """Another protocol, SOCKS4, or a client that insists on a password."""
    port = free_port()
    async with forwarded(agent, Forward(port)):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(words)
        try:
            assert await reader.read(-1) in (b"", b"\5\xff")
        except ConnectionResetError:
            pass
        writer.close()


async def test_a_socks_client_that_leaves_is_no_harm(agent: Agent) -> None:
    """In the middle of its request, or before the answer."""
    port = free_port()
    async with tcp_server(echo) as far, forwarded(agent, Forward(port)) as (link, _):
        for words in (b"\5", b"\5\1\0", b"\5\1\0\5\1\0" + name("localhost", far)):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(words)
            writer.close()
        code, (_, writer) = await socks(port, name("localhost", far))
        assert code == 0
        writer.close()
        await eventually(lambda: link.state == "up")

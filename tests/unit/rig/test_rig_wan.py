"""The bad network does to bytes what it says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.rig.wan import Wan, endpoint, kubeconfig_through, open_wan

Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def _through(
    *, delay_s: float = 0.0, bytes_per_s: float = 0.0
) -> AsyncIterator[tuple[Wan, Link]]:
    """An echo server behind a network, and one connection to it."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with open_wan("127.0.0.1", port, delay_s=delay_s, bytes_per_s=bytes_per_s) as wan:
        link = await asyncio.open_connection("127.0.0.1", wan.port)
        yield wan, link
        link[1].close()
    server.close()


async def _round_trip(link: Link, data: bytes) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    link[1].write(data)
    assert await asyncio.wait_for(link[0].readexactly(len(data)), 5) == data
    return loop.time() - began


async def test_a_delay_counts_in_both_directions() -> None:
    """One round trip is twice the delay; the first byte also pays for the handshake."""
    async with _through(delay_s=0.02) as (_, link):
        first, second = await _round_trip(link, b"x"), await _round_trip(link, b"x")
    assert 0.08 <= first < 0.2
    assert 0.04 <= second < 0.1


async def test_a_delay_does_not_limit_the_bandwidth() -> None:
    """What is on the way does not wait for what arrived."""
    async with _through(delay_s=0.02) as (_, link):
        assert await _round_trip(link, bytes(2_000_000)) < 1


async def test_a_bandwidth_is_kept() -> None:
    """200 kB at 1 MB/s take 0.2 s each way."""
    async with _through(bytes_per_s=1_000_000) as (_, link):
        assert await _round_trip(link, bytes(200_000)) > 0.2


async def test_a_cut_is_a_reset() -> None:
    """The client sees a reset, not an end."""
    async with _through() as (wan, link):
        await _round_trip(link, b"x")
        assert wan.cut() == 2
        with pytest.raises(ConnectionResetError):
            await link[0].readexactly(1)


async def test_a_black_hole_is_silent_and_forgets_nothing() -> None:
    """Nothing comes back, nobody is told, and after mending all arrives."""
    async with _through() as (wan, link):
        await _round_trip(link, b"x")
        wan.black_hole()
        link[1].write(b"late")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(link[0].read(1), 0.1)
        wan.mend()
        assert await asyncio.wait_for(link[0].readexactly(4), 5) == b"late"


async def test_half_close_passes() -> None:
    """The end of one direction is not the end of the other."""
    async with _through() as (_, link):
        link[1].write(b"last")
        link[1].write_eof()
        assert await asyncio.wait_for(link[0].read(), 5) == b"last"


def test_a_kubeconfig_keeps_the_servers_own_name(tmp_path: Path) -> None:
    """The certificate is checked as before, although the address is the proxy's."""
    source = tmp_path / "before"
    cluster = {"server": "https://cluster.test:6443"}
    body = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k"}}],
        "clusters": [{"name": "k", "cluster": cluster}],
    }
    source.write_text(json.dumps(body))
    target = kubeconfig_through(Wan(port=5), source, to=tmp_path / "after")
    changed = json.loads(target.read_text())["clusters"][0]["cluster"]
    assert endpoint(target) == ("127.0.0.1", 5)
    assert changed["tls-server-name"] == "cluster.test"

"""Who serves a port of the Pod here, now or in a moment."""

from __future__ import annotations

import asyncio
import socket

from tpconfig.model.target import PodPort, PortPair
from tpconfig.session.traffic import Dialer

POD = PodPort(8080)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def dialer(port: int, wait_s: float) -> Dialer:
    """A dialer without a network of its own."""
    return Dialer(lambda: None, {POD: PortPair(port, POD, wait_s)})


async def test_who_listens_in_time_is_waited_for() -> None:
    """The caller is connected as soon as somebody listens."""
    port = free_port()
    dialling = asyncio.create_task(dialer(port, 30).await_listener(POD))
    await asyncio.sleep(0.1)
    assert not dialling.done()
    with socket.create_server(("127.0.0.1", port)):
        async with asyncio.timeout(20):
            found = await dialling
    assert found is not None
    found.close()


async def test_without_a_wait_nobody_is_nobody() -> None:
    """And past the wait, too; a port that is not exposed is never waited for."""
    assert await dialer(free_port(), 0).await_listener(POD) is None
    assert await dialer(free_port(), 0.05).await_listener(POD) is None
    assert await dialer(free_port(), 30).await_listener(PodPort(1)) is None

"""The readiness probe of the real agent, held as the kubelet sees it."""

from __future__ import annotations

import asyncio

import pytest
from real_agent import Agent, StartAgent, wait_lost

from tpconfig.tunnel.link import LinkError


async def held(agent: Agent) -> asyncio.Task[int]:
    """Return a probe that the agent holds."""
    task = asyncio.get_running_loop().create_task(agent.probe())
    await asyncio.sleep(0.2)
    assert not task.done()
    return task


async def test_the_first_probe_is_answered_at_once(agent: Agent) -> None:
    """Nobody has said that the Pod is ready: 503."""
    assert await agent.probe() == 503


async def test_a_held_probe_is_answered_by_the_change(agent: Agent) -> None:
    """The second probe waits, and is answered when the state changes, in both directions."""
    assert await agent.probe() == 503
    async with agent.link() as link:
        probe = await held(agent)
        await link.ready(True)
        assert await probe == 200
        probe = await held(agent)
        await link.ready(False)
        assert await probe == 503


async def test_a_change_between_two_probes_is_not_missed(agent: Agent) -> None:
    """A probe that arrives after a change is answered at once."""
    assert await agent.probe() == 503
    async with agent.link() as link:
        await link.ready(True)
        assert await agent.probe() == 200


async def test_all_held_probes_are_answered(agent: Agent) -> None:
    """Several probes at once all learn of the change."""
    assert await agent.probe() == 503
    async with agent.link() as link:
        probes = [await held(agent) for _ in range(3)]
        await link.ready(True)
        assert [await probe for probe in probes] == [200, 200, 200]


async def test_a_prober_that_went_away_was_not_told(agent: Agent) -> None:
    """An answer counts only where somebody was there to hear it."""
    assert await agent.probe() == 503
    async with agent.link() as link:
        probe = await held(agent)
        probe.cancel()
        await asyncio.sleep(0.1)
        await link.ready(True)
        assert await agent.probe() == 200


async def test_ipv6_probes(agent: Agent) -> None:
    """The kubelet may ask over IPv6."""
    reader, writer = await asyncio.open_connection("::1", agent.probe_port)
    writer.write(b"GET /ready HTTP/1.1\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"503"
    writer.close()


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /other HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /ready HTTP/1.1\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /ready HTTP/1.1\r\nX: " + b"x" * 9000, b"431"),
        (b"HEAD /ready?x=1 HTTP/1.0\r\n\r\n", b"503"),
    ],
)
async def test_other_requests(agent: Agent, request_head: bytes, status: bytes) -> None:
    """What is no probe gets the status that says so."""
    reader, writer = await asyncio.open_connection("127.0.0.1", agent.probe_port)
    writer.write(request_head)
    assert (await reader.readline()).split()[1] == status
    writer.close()


async def test_connections_of_one_prober_are_limited(agent: Agent) -> None:
    """Who opens many connections is cut off, and the agent goes on."""
    many = [await asyncio.open_connection("127.0.0.1", agent.probe_port) for _ in range(17)]
    refused, _ = many[-1]
    try:
        assert await refused.read(1) == b""
    except ConnectionResetError:
        pass
    for _, writer in many:
        writer.close()
    await asyncio.sleep(0.1)
    assert await agent.probe() == 503


async def test_without_grace_a_lost_link_is_not_ready(agent: Agent) -> None:
    """The end of the link is the end of the traffic."""
    async with agent.link() as link:
        await link.ready(True)
        assert await agent.probe() == 200
        probe = await held(agent)
    assert await probe == 503


async def test_grace_outlives_a_lost_link(agent: Agent) -> None:
    """Within the grace the Pod stays ready, and the link that comes back keeps it so."""
    async with agent.link() as link:
        await link.grace(1.0)
        await link.ready(True)
        assert await agent.probe() == 200
        probe = await held(agent)
        link.drop("a test")
        await wait_lost(link)
        await link.wait_up(timeout_s=5)
        await asyncio.sleep(1.2)
        assert not probe.done()
    assert await probe == 503


async def test_after_the_grace_the_pod_is_not_ready(agent: Agent) -> None:
    """When nobody comes back within the grace, the traffic goes elsewhere."""
    async with agent.link() as link:
        await link.grace(0.3)
        await link.ready(True)
        assert await agent.probe() == 200
    await agent.event("grace-over")
    assert await agent.probe() == 503


async def test_sigterm_is_not_ready_at_once(start_agent: StartAgent) -> None:
    """A Pod on its way out says so to the probe that waits, and cannot be made ready again."""
    agent = await start_agent(drain_s=2.0)
    async with agent.link() as link:
        await link.ready(True)
        assert await agent.probe() == 200
        probe = await held(agent)
        agent.process.terminate()
        assert await probe == 503
        with pytest.raises(LinkError, match="terminating"):
            await link.ready(True)

"""Streams over connections that are cut: not a byte lost, doubled or moved, whatever is cut."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from checked import Checked
from cutting import CUTS, Cut, Relay, open_relay
from real_agent import FAST, Agent, echo, eventually, free_port, tcp_server
from real_process import Served, open_inbound, processes

from tests.rig.wan import Wan, open_wan
from tpconfig.model.target import PodPort
from tpconfig.tunnel import pipe
from tpconfig.tunnel.link import Link

EACH_WAY = 8


@asynccontextmanager
async def traffic(
    agent: Agent, port: int, *, pace_s: float, wait_s: float = 5.0
) -> AsyncIterator[tuple[Link, list[Checked]]]:
    """Sixteen checked streams, eight out of a process here and eight to it, until the block ends.

    They run through what is at ``port``; when the block ends every byte of them has been checked.
    """
    pod_port = free_port()
    stop = asyncio.Event()
    timing = replace(FAST, attempt_s=wait_s, first_s=30, heartbeat_s=0.3 + wait_s / 10)
    async with (
        tcp_server(echo) as here,
        open_inbound(Served({PodPort(pod_port): here}).dial) as inbound,
        agent.link(connect=pipe.tcp("127.0.0.1", port), serve=inbound.serve, timing=timing) as link,
        processes(link) as inside,
    ):
        await link.listen(pod_port)
        ends = [await inside.open(("127.0.0.1", here)) for _ in range(EACH_WAY)]
        ends += [await asyncio.open_connection("127.0.0.1", pod_port) for _ in range(EACH_WAY)]
        streams = [Checked(*end, seed=seed) for seed, end in enumerate(ends)]
        async with asyncio.TaskGroup() as tasks:
            for one in streams:
                tasks.create_task(one.run(stop, pace_s=pace_s))
            yield link, streams
            stop.set()
        for one in streams:
            one.check()
            assert one.sent > 0
        assert link.renewals == 0


async def moved(streams: list[Checked]) -> None:
    """Wait until some stream has received something more."""
    before = sum(one.received for one in streams)
    await eventually(lambda: sum(one.received for one in streams) > before)


async def test_a_hundred_cuts(agent: Agent) -> None:
    """Connections closed, reset, gone silent and cut within a frame, at random moments."""
    rng = random.Random(4711)
    async with (
        open_relay(agent.link_port, seed=1) as relay,
        traffic(agent, relay.port, pace_s=0.02) as (link, streams),
    ):
        for number in range(100):
            await moved(streams)
            await asyncio.sleep(rng.random() * 0.03)
            how: Cut = "black hole" if number % 25 == 24 else rng.choice(CUTS)
            await _cut(relay, link, how)
        assert link.reconnects >= 100


@pytest.mark.parametrize("loop_of_agent", ["uvloop"], indirect=True)
@pytest.mark.parametrize("delay_ms", [20, 100, 300])
async def test_cuts_on_a_wide_network(agent: Agent, delay_ms: int) -> None:
    """The same with a delay each way and one chunk in a hundred stalled."""
    rng = random.Random(delay_ms)
    delay_s = delay_ms / 1000 / 2
    async with (
        open_wan("127.0.0.1", agent.link_port, delay_s=delay_s, stalled=0.01) as wan,
        traffic(agent, wan.port, pace_s=0.2, wait_s=10.0) as (link, streams),
    ):
        for number in range(6):
            await moved(streams)
            await asyncio.sleep(rng.random() * 3 * delay_s)
            await _cut_wan(wan, link, hole=number == 3)
        assert link.reconnects >= 6


async def _cut(relay: Relay, link: Link, how: Cut) -> None:
    opened = relay.opened
    relay.cut(how)
    await _back(link, lambda: relay.opened > opened)


async def _cut_wan(wan: Wan, link: Link, *, hole: bool) -> None:
    opened = wan.opened
    if hole:
        wan.black_hole()
        await eventually(lambda: link.state == "lost")
        wan.cut()
        wan.mend()
    else:
        wan.cut()
    await _back(link, lambda: wan.opened > opened)


async def _back(link: Link, again: Callable[[], bool]) -> None:
    """Wait until the link runs over another connection than before."""
    await eventually(again)
    await link.wait_up(timeout_s=20)

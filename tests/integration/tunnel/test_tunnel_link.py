"""The link itself, against the real agent: who may have it, and what becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
from dataclasses import replace

import pytest
from real_agent import FAST, Agent, StartAgent, echo, eventually, tcp_server, wait_lost
from real_process import outcome, processes

from tpconfig.mux import serving
from tpconfig.mux.hello import Standing
from tpconfig.mux.opening import Control, Refusal, TcpFrom
from tpconfig.tunnel import connection, pipe
from tpconfig.tunnel.connection import Credentials
from tpconfig.tunnel.link import LinkError


async def test_the_pod_is_described(start_agent: StartAgent) -> None:
    """The environment arrives byte-exactly, without what is the agent's own."""
    env = {
        "MULTI_LINE": "one\ntwo\n",
        "UNICODE": "naïve ☃",
        "NOT_UTF8": b"\xff\xfe raw".decode("utf-8", "surrogateescape"),
        "EMPTY": "",
        "WITH_EQUALS": "a=b=c",
    }
    agent = await start_agent(env=env)
    async with agent.link() as link:
        assert {key: link.describe.env[key] for key in env} == env
        assert not [key for key in link.describe.env if key.startswith("TPCONFIG_")]
        assert "LC_CTYPE" not in link.describe.env
        assert link.describe.pid == agent.process.pid


async def test_the_pod_s_names_are_described(start_agent: StartAgent, tmp_path: object) -> None:
    """``resolv.conf`` and ``hosts`` arrive as they are; a missing one is empty."""
    agent = await start_agent(resolv_conf="/proc/version", hosts="/no/such/file")
    async with agent.link() as link:
        assert link.describe.resolv_conf.startswith("Linux version")
        assert link.describe.hosts == ""
        assert "tcp" in link.describe.capabilities


async def test_a_wrong_secret_is_refused(agent: Agent) -> None:
    """Who does not know the secret gets nothing, and the agent goes on serving who does."""
    with pytest.raises(LinkError, match="secret"):
        async with agent.link(secret=secrets.token_bytes(32)):
            pass
    await agent.event("link-refused")
    async with agent.link() as link:
        assert link.state == "up"


async def test_another_session_is_refused(agent: Agent) -> None:
    """The right secret for another session is refused too."""
    with pytest.raises(LinkError, match="another session"):
        async with agent.link(session="other"):
            pass


async def test_another_version_is_an_error_with_the_cure(start_agent: StartAgent) -> None:
    """Client and agent of different versions do not talk, and the message says what to do."""
    agent = await start_agent(version="0.0.9")
    with pytest.raises(LinkError, match=r"0\.0\.9.*tp down"):
        async with agent.link():
            pass


async def test_what_answers_is_no_agent() -> None:
    """A server of another kind is recognised as such."""

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with tcp_server(web) as port:
        credentials = Credentials(secrets.token_bytes(32), "abc123")
        with pytest.raises(connection.GivenUpError, match="not an agent"):
            await connection.shake_hands(pipe.tcp("127.0.0.1", port), credentials, Standing())


async def test_garbage_is_refused(agent: Agent) -> None:
    """What does not speak the handshake is told so and hung up on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", agent.link_port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert (await reader.read(-1)).startswith(b"tp-link ")
    writer.close()


async def test_half_open_handshakes_are_limited(agent: Agent) -> None:
    """The seventeenth connection that does not shake hands is hung up on; none of them harms."""
    half_open = [await asyncio.open_connection("127.0.0.1", agent.link_port) for _ in range(16)]
    for reader, _ in half_open:
        await reader.readline()
    with pytest.raises(ConnectionResetError):
        await _hung_up(agent.link_port)
    for _, other in half_open:
        other.close()
    async with agent.link() as link:
        assert link.state == "up"


async def test_a_new_link_takes_over(agent: Agent) -> None:
    """The agent serves the newest peer; the old link is over, and its streams are reset."""
    told: list[str] = []
    async with tcp_server(echo) as port:
        slow = type(FAST)(backoff_s=30.0, backoff_max_s=30.0)
        old = agent.link(timing=slow, on_state=lambda state, reason: told.append(reason))
        async with old as link, processes(link) as inside:
            sock = await inside.connect(("127.0.0.1", port))
            async with agent.link() as newer:
                assert await outcome(sock) == "reset"
                await agent.event("link-lost")
                assert newer.state == "up"
                assert not link.carries
    assert told == ["", "a new link has taken over"]


async def test_the_link_comes_back(agent: Agent) -> None:
    """A lost connection is replaced by itself, and its streams notice a pause."""
    told: list[str] = []
    async with tcp_server(echo) as port:
        link_up = agent.link(on_state=lambda state, reason: told.append(f"{state} {reason}"))
        async with link_up as link, processes(link) as inside:
            reader, writer = await inside.open(("127.0.0.1", port))
            writer.write(b"before")
            assert await reader.readexactly(6) == b"before"
            link.drop("a test")
            assert link.lost_s is not None
            writer.write(b"after")
            assert await reader.readexactly(5) == b"after"
            writer.close()
            assert (link.reconnects, link.renewals, link.lost_s) == (1, 0, None)
    assert told[:2] == ["up ", "lost a test"]
    assert told[2].startswith("up back after 0.")


async def test_streams_are_reset_when_nobody_comes_back(agent: Agent) -> None:
    """After ``reconnect_s`` a process is told; the link itself goes on trying."""
    told: list[str] = []
    async with tcp_server(echo) as port:
        timing = replace(FAST, reconnect_s=0.3)
        link_up = agent.link(timing=timing, on_state=lambda state, reason: told.append(reason))
        async with link_up as link, processes(link) as inside:
            sock = await inside.connect(("127.0.0.1", port))
            agent.process.send_signal(signal.SIGSTOP)
            assert await outcome(sock) == "reset"
            assert not link.carries
            agent.process.send_signal(signal.SIGCONT)
            await link.wait_up(timeout_s=10)
            assert link.renewals == 1
    assert told[-1].endswith("every stream was reset: the link was lost for 0.3 s")


async def test_the_agent_keeps_streams_as_long_as_it_was_told(agent: Agent) -> None:
    """A peer that does not come back in time is forgotten, and its connections with it."""
    accepted, closed = asyncio.Event(), asyncio.Event()

    async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set()
        with contextlib.suppress(ConnectionError):
            await reader.read(-1)
        closed.set()

    async with tcp_server(until_closed) as port:
        slow = replace(FAST, reconnect_s=0.2, backoff_s=30.0, backoff_max_s=30.0)
        async with agent.link(timing=slow) as link, processes(link) as inside:
            sock = await inside.connect(("127.0.0.1", port))
            async with asyncio.timeout(5):
                await accepted.wait()
                link.drop("a test")
                await closed.wait()
            assert "did not come back" in (await agent.event("link-lost"))["reason"]
            sock.close()


async def test_a_nudge_brings_a_lost_link_back_at_once(agent: Agent) -> None:
    """News of the network end the wait between two attempts."""
    timing = replace(FAST, backoff_s=60.0, backoff_max_s=60.0)
    async with agent.link(timing=timing) as link:
        link.drop("a test")
        await wait_lost(link)
        link.nudge("a test")
        await link.wait_up(timeout_s=5)


async def test_a_nudge_is_no_loss(agent: Agent) -> None:
    """A connection that answers stays."""
    async with agent.link(timing=replace(FAST, doubt_s=2.0)) as link:
        link.nudge("a test")
        await eventually(lambda: link.rtt_s is not None)
        assert (link.state, link.reconnects) == ("up", 0)


async def test_a_late_connection_does_not_take_over(agent: Agent) -> None:
    """Who shakes hands for an attempt that another one has overtaken is refused."""
    credentials = Credentials(agent.secret, agent.session)
    first = await connection.shake_hands(agent.connect, credentials, Standing())
    ident = first.agent.link
    await connection.shake_hands(agent.connect, credentials, Standing(ident, 0, 2))
    for attempt in (1, 2):
        with pytest.raises(connection.GivenUpError, match="later connection"):
            await connection.shake_hands(agent.connect, credentials, Standing(ident, 0, attempt))


async def test_a_count_that_cannot_be_is_a_new_link(agent: Agent) -> None:
    """A peer that claims bytes which were never sent gets no part of the old link."""
    credentials = Credentials(agent.secret, agent.session)
    first = await connection.shake_hands(agent.connect, credentials, Standing())
    wanted = Standing(first.agent.link, 1 << 40, 1)
    second = await connection.shake_hands(agent.connect, credentials, wanted)
    assert second.agent.link != first.agent.link
    assert second.agent.received == 0


async def test_a_new_connection_waits_for_the_link(agent: Agent) -> None:
    """What a process opens while the link is lost goes through when it is back."""
    async with tcp_server(echo) as port, agent.link() as link, processes(link) as inside:
        link.drop("a test")
        await wait_lost(link)
        reader, writer = await inside.open(("127.0.0.1", port))
        writer.write(b"patience")
        assert await reader.readexactly(8) == b"patience"
        writer.close()


class Freezing(pipe.TcpPipe):
    """A pipe that can stay open and carry nothing, as some port-forwards do."""

    frozen = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, or swallow."""
        if not self.frozen:
            super().write(data)

    def data_received(self, data: bytes) -> None:
        """Hand on, or swallow."""
        if not self.frozen:
            super().data_received(data)


async def test_silence_is_loss(agent: Agent) -> None:
    """A pipe that carries nothing any more is given up for a new one."""
    pipes: list[Freezing] = []

    async def connect() -> pipe.PipeConnection:
        loop = asyncio.get_running_loop()
        _, one = await loop.create_connection(Freezing, "127.0.0.1", agent.link_port)
        pipes.append(one)
        return one

    async with agent.link(connect=connect) as link:
        pipes[0].frozen = True
        await wait_lost(link)
        await link.wait_up(timeout_s=5)
        assert len(pipes) == 2


async def test_doubt_shortens_the_silence(agent: Agent) -> None:
    """After news of the network a dead connection is not waited for."""
    pipes: list[Freezing] = []

    async def connect() -> pipe.PipeConnection:
        loop = asyncio.get_running_loop()
        _, one = await loop.create_connection(Freezing, "127.0.0.1", agent.link_port)
        pipes.append(one)
        return one

    timing = replace(FAST, heartbeat_s=60.0, doubt_s=0.2)
    async with agent.link(connect=connect, timing=timing) as link:
        pipes[0].frozen = True
        link.nudge("a test")
        await wait_lost(link)
        await link.wait_up(timeout_s=5)


async def test_the_agent_notices_silence_too(start_agent: StartAgent) -> None:
    """A peer that says nothing any more has lost its connection; the agent's log says so."""
    agent = await start_agent(heartbeat_s=0.2)
    credentials = Credentials(agent.secret, agent.session)
    await connection.shake_hands(agent.connect, credentials, Standing())
    assert "nothing heard" in (await agent.event("link-waits"))["reason"]


async def test_a_quiet_link_stays(start_agent: StartAgent) -> None:
    """Heartbeats alone keep a link up on both ends, and measure the round trip."""
    agent = await start_agent(heartbeat_s=0.45)
    states: list[str] = []
    async with agent.link(on_state=lambda state, reason: states.append(state)) as link:
        await asyncio.sleep(2.5 * 0.9)
        assert link.rtt_s is not None
    assert states == ["up"]


async def test_the_agent_may_still_be_starting(start_agent: StartAgent) -> None:
    """The first connection is tried until the agent listens."""
    agent = await start_agent(wait=False)
    async with agent.link() as link:
        assert link.state == "up"


async def test_no_agent_at_all(agent: Agent) -> None:
    """The first connection is given up after a while, with the reason."""
    await agent.stop()
    with pytest.raises(LinkError, match=r"within 0\.3 s.*refused|Connect call failed"):
        async with agent.link(timing=type(FAST)(first_s=0.3)):
            pass


async def test_requests_fail_while_there_is_no_link(agent: Agent) -> None:
    """A request waits for the link, but not for ever."""
    async with agent.link(timing=type(FAST)(request_s=0.3, heartbeat_s=0.2)) as link:
        await agent.stop()
        await wait_lost(link)
        with pytest.raises(LinkError, match="could not be asked to ready"):
            await link.ready(True)
        await link.unlisten(8080)


async def test_a_stream_that_only_the_agent_opens_is_denied(agent: Agent) -> None:
    """The agent refuses openings that are not the client's, and a second control stream."""
    refusals: list[Refusal] = []
    async with agent.link() as link:
        for opening in (TcpFrom(80, "10.0.0.1", 4000, "10.0.0.2"), Control()):
            reader = serving.AnswerReader(asyncio.Protocol(), refusals.append)
            link.open(reader, opening)
        await eventually(lambda: len(refusals) == 2)
        assert [refusal.code for refusal in refusals] == ["denied", "limit"]


async def test_a_paused_agent_is_a_lost_link(agent: Agent) -> None:
    """An agent that is stopped and continued later loses the link, and then gets it back."""
    async with agent.link() as link:
        agent.process.send_signal(signal.SIGSTOP)
        await wait_lost(link)
        agent.process.send_signal(signal.SIGCONT)
        await link.wait_up(timeout_s=10)


async def _hung_up(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await reader.read(-1)
    finally:
        writer.close()

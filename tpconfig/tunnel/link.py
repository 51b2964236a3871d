"""The link to one agent: connections come and go, streams stay.

A lost connection is replaced, and the link goes on at the exact byte; what waits longer than
``reconnect_s`` for that, or meets an agent that has forgotten the link, is reset. Then the ports
that listen, the readiness and the grace are asked for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tpconfig.errors import UnreachableError
from tpconfig.mux.aio import MuxStream
from tpconfig.mux.opening import Opening, encode
from tpconfig.tunnel.connection import Credentials, Serve, refuse_all
from tpconfig.tunnel.control import Description, RequestRefusedError
from tpconfig.tunnel.nudges import open_nudges
from tpconfig.tunnel.pipe import Connect
from tpconfig.tunnel.timing import PATIENT
from tpconfig.tunnel.timing import Timing as Timing
from tpconfig.tunnel.upkeep import LinkError as LinkError
from tpconfig.tunnel.upkeep import OnState, Party, State, Upkeep
from tpconfig.tunnel.wishes import Wishes


class Link:
    """A link that is up or about to come back; made by ``open_link``.

    Args:
        upkeep: replaces its connections.
        wishes: what the agent is asked for, again where it has forgotten us.
        timing: how patient the link is.
    """

    def __init__(self, upkeep: Upkeep, wishes: Wishes, timing: Timing) -> None:
        self._upkeep = upkeep
        self._wishes = wishes
        self._timing = timing

    @property
    def state(self) -> State:
        """Whether a connection carries the link now."""
        return "up" if self._upkeep.up.is_set() else "lost"

    @property
    def carries(self) -> bool:
        """Whether streams can be opened: where the connection is lost, they wait for the next."""
        return self._upkeep.living is not None

    @property
    def describe(self) -> Description:
        """How the Pod looks, as its agent said when it first met us."""
        connection = self._upkeep.connection
        return Description() if connection is None else connection.description

    @property
    def rtt_s(self) -> float | None:
        """The last ping's round trip."""
        connection = self._upkeep.connection
        return None if connection is None else connection.pipe.rtt_s

    @property
    def lost_s(self) -> float | None:
        """Seconds since the connection was lost; None while there is one."""
        return self._upkeep.lost_s

    @property
    def reconnects(self) -> int:
        """How many connections have been replaced."""
        return self._upkeep.reconnects

    @property
    def renewals(self) -> int:
        """How often the agent had forgotten the link, and every stream was reset."""
        return self._upkeep.renewals

    async def wait_up(self, *, timeout_s: float) -> None:
        """Wait until there is a connection.

        Raises:
            TimeoutError: the link did not come back in time.
        """
        async with asyncio.timeout(timeout_s):
            await self._upkeep.up.wait()

    def open(self, protocol: asyncio.Protocol, opening: Opening) -> MuxStream:
        """Open a stream; what is written to it in this tick leaves with the opening.

        The answer is the protocol's to read: see ``serving.AnswerReader``.

        Raises:
            ConnectionResetError: the link is over at this moment.
            OpeningError: the opening cannot be written down.
        """
        connection = self._upkeep.living
        if connection is None:
            raise ConnectionResetError(f"the link to the agent is lost: {self._upkeep.reason}")
        return connection.mux.open(protocol, opening=encode(opening))

    async def listen(self, port: int, protocol: str = "tcp") -> None:
        """Have the Pod listen on ``port``; what arrives there is given to ``serve``.

        Raises:
            LinkError: the agent cannot, and why; or the link did not come back in time.
        """
        await self._ask("listen", port=port, protocol=protocol)
        self._wishes.ports[port, protocol] = None

    async def unlisten(self, port: int, protocol: str = "tcp") -> None:
        """Have the Pod no longer listen on ``port``; a lost link says so when it comes back.

        Raises:
            LinkError: the agent says no.
        """
        self._wishes.ports.pop((port, protocol), None)
        connection = self._upkeep.living
        if self.state == "up":
            await self._ask("unlisten", port=port, protocol=protocol)
        elif connection is not None:
            answered = connection.control.request("unlisten", port=port, protocol=protocol)
            answered.add_done_callback(lambda done: done.exception())

    async def ready(self, value: bool) -> None:
        """Say whether the Pod should get traffic; a link that comes back says so again.

        Raises:
            LinkError: the Pod is on its way out; or the link did not come back in time.
        """
        self._wishes.ready = value
        await self._ask("ready", value=value)

    async def grace(self, seconds: float) -> None:
        """Say how long the Pod stays ready without a link.

        Raises:
            LinkError: the link did not come back in time.
        """
        self._wishes.grace_s = seconds
        await self._ask("grace", seconds=seconds)

    def drop(self, reason: str) -> None:
        """Give the connection up; the link goes on over a new one."""
        if self._upkeep.living is not None:
            self._upkeep.living.pipe.drop(reason)

    def nudge(self, reason: str) -> None:
        """Doubt the connection there is; where there is none, try again at once."""
        self._upkeep.nudge()

    # What ``open_link`` calls.

    async def first(self) -> None:
        """Connect for the first time; the agent may still be starting.

        Raises:
            TpError: it cannot be reached in time, or it is not ours.
        """
        reason = "no attempt was made"
        try:
            async with asyncio.timeout(self._timing.first_s):
                for wait_s in self._timing.first_waits_s():
                    try:
                        await self._upkeep.establish()
                        return
                    except (OSError, EOFError, UnreachableError) as error:
                        reason = str(error) or "no answer in time"
                    await asyncio.sleep(wait_s)
        except TimeoutError:
            took = f"{self._timing.first_s:g} s"
            raise LinkError(f"no link to the agent within {took}: {reason}") from None

    # The inside.

    async def _ask(self, do: str, **values: object) -> None:
        """Ask the agent, on the next link when this one is lost meanwhile.

        Raises:
            LinkError: it says no, or there is no link in time.
        """
        try:
            async with asyncio.timeout(self._timing.request_s):
                while True:
                    connection = self._upkeep.living
                    if connection is None:
                        await self._upkeep.up.wait()
                        continue
                    try:
                        await connection.control.request(do, **values)
                        return
                    except ConnectionResetError:
                        continue
        except TimeoutError:
            what = self._upkeep.reason if self.state == "lost" else "no answer in time"
            raise LinkError(f"the agent could not be asked to {do}: {what}") from None
        except RequestRefusedError as error:
            raise LinkError(str(error)) from error


@asynccontextmanager
async def open_link(
    connect: Connect,
    *,
    secret: bytes,
    session: str,
    serve: Serve = refuse_all,
    on_state: OnState = lambda state, reason: None,
    timing: Timing = PATIENT,
) -> AsyncIterator[Link]:
    """Keep a link to one agent; up when it yields, closed when the block ends.

    Args:
        connect: gives a fresh pipe to the agent.
        secret: the session's secret.
        session: the session's id.
        serve: is given every stream that the agent opens.
        on_state: is told when a connection is there (what has changed by it, if anything), and
            when it is lost.
        timing: how patient the link is.

    Raises:
        TpError: the first connection could not be made.
    """
    wishes = Wishes(timing.reconnect_s)
    party = Party(connect, Credentials(secret, session), serve)
    upkeep = Upkeep(party, wishes, on_state=on_state, timing=timing)
    link = Link(upkeep, wishes, timing)
    await link.first()
    try:
        async with open_nudges(link.nudge), asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(upkeep.keep())
            yield link
            keeping.cancel()
    finally:
        upkeep.close()

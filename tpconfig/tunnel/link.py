"""The link to one agent: pipes come and go, what was asked for stays.

Streams end with the pipe that carried them; the ports that listen, the readiness and the grace are
asked for again on the next one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal

from tpconfig.errors import TpError, UnreachableError
from tpconfig.mux.aio import MuxStream
from tpconfig.mux.opening import Opening, encode
from tpconfig.tunnel.connection import (
    Connection,
    Credentials,
    GivenUpError,
    Serve,
    establish,
    refuse_all,
)
from tpconfig.tunnel.control import Description, RequestRefusedError
from tpconfig.tunnel.pipe import Connect

State = Literal["up", "lost"]
OnState = Callable[[State, str], None]

_GROWTH: Final = 2.0


class LinkError(TpError):
    """The link cannot be had, or the agent cannot do what is asked of it."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient a link is, in seconds.

    Attributes:
        first_s: how long the first connection may take, the agent's start included.
        attempt_s: how long one attempt may take, connection and handshake.
        request_s: how long a request to the agent may take, a lost link included.
        heartbeat_s: between two pings.
        silent_beats: heartbeats without a byte after which the link is lost.
        backoff_s: the first wait before a new attempt; it doubles.
        backoff_max_s: the longest wait.
    """

    first_s: float = 30.0
    attempt_s: float = 10.0
    request_s: float = 10.0
    heartbeat_s: float = 5.0
    silent_beats: int = 2
    backoff_s: float = 0.05
    backoff_max_s: float = 5.0


class Link:
    """A link that is up or about to come back; made by ``open_link``.

    Attributes:
        state: whether streams can be opened now.
        describe: how the Pod looks, as of the last connection.
        rtt_s: the last ping's round trip.
    """

    def __init__(
        self,
        connect: Connect,
        credentials: Credentials,
        *,
        serve: Serve,
        on_state: OnState,
        timing: Timing,
    ) -> None:
        self._connect = connect
        self._credentials = credentials
        self._serve = serve
        self._on_state = on_state
        self._timing = timing
        self._connection: Connection | None = None
        self._up = asyncio.Event()
        self._reason = "not connected yet"
        self._ports: dict[tuple[int, str], None] = {}
        self._ready: bool | None = None
        self._grace_s: float | None = None
        self.describe = Description()
        self.rtt_s: float | None = None

    @property
    def state(self) -> State:
        """Whether streams can be opened now."""
        return "up" if self._up.is_set() else "lost"

    async def wait_up(self, *, timeout_s: float) -> None:
        """Wait until streams can be opened.

        Raises:
            TimeoutError: the link did not come back in time.
        """
        async with asyncio.timeout(timeout_s):
            await self._up.wait()

    def open(self, protocol: asyncio.Protocol, opening: Opening) -> MuxStream:
        """Open a stream; what is written to it in this tick leaves with the opening.

        The answer is the protocol's to read: see ``streams.AnswerReader``.

        Raises:
            ConnectionResetError: the link is lost at this moment.
            OpeningError: the opening cannot be written down.
        """
        if self._connection is None or not self._up.is_set():
            raise ConnectionResetError(f"the link to the agent is lost: {self._reason}")
        return self._connection.mux.open(protocol, opening=encode(opening))

    async def listen(self, port: int, protocol: str = "tcp") -> None:
        """Have the Pod listen on ``port``; what arrives there is given to ``serve``.

        Raises:
            LinkError: the agent cannot, and why; or the link did not come back in time.
        """
        await self._ask("listen", port=port, protocol=protocol)
        self._ports[port, protocol] = None

    async def unlisten(self, port: int, protocol: str = "tcp") -> None:
        """Have the Pod no longer listen on ``port``; without a link it does not anyway.

        Raises:
            LinkError: the agent says no.
        """
        self._ports.pop((port, protocol), None)
        if self._up.is_set():
            await self._ask("unlisten", port=port, protocol=protocol)

    async def ready(self, value: bool) -> None:
        """Say whether the Pod should get traffic; a link that comes back says so again.

        Raises:
            LinkError: the Pod is on its way out; or the link did not come back in time.
        """
        self._ready = value
        await self._ask("ready", value=value)

    async def grace(self, seconds: float) -> None:
        """Say how long the Pod stays ready without a link.

        Raises:
            LinkError: the link did not come back in time.
        """
        self._grace_s = seconds
        await self._ask("grace", seconds=seconds)

    def drop(self, reason: str) -> None:
        """Give the connection up; the link comes back on a new one."""
        if self._connection is not None:
            self._connection.close(reason)

    # What ``open_link`` calls.

    async def first(self) -> None:
        """Connect for the first time; the agent may still be starting.

        Raises:
            TpError: it cannot be reached in time, or it is not ours.
        """
        delay_s = self._timing.backoff_s
        reason = "no attempt was made"
        try:
            async with asyncio.timeout(self._timing.first_s):
                while True:
                    try:
                        await self._establish()
                        return
                    except (OSError, EOFError, UnreachableError) as error:
                        reason = str(error) or "no answer in time"
                    await asyncio.sleep(delay_s)
                    delay_s = min(delay_s * _GROWTH, self._timing.backoff_max_s / 5)
        except TimeoutError:
            took = f"{self._timing.first_s:g} s"
            raise LinkError(f"no link to the agent within {took}: {reason}") from None

    async def keep(self) -> None:
        """Watch the connection there is, and make a new one whenever it is lost; never returns."""
        while True:
            connection = self._connection
            assert connection is not None
            await self._attend(connection)
            await self._come_back()

    def close(self) -> None:
        """End the connection there is."""
        self._up.clear()
        self._reason = "it was closed"
        if self._connection is not None:
            self._connection.close("the link was closed")

    # The inside.

    async def _establish(self) -> None:
        """Make a connection and bring the agent up to date.

        Raises:
            OSError, EOFError, TpError: it did not work out.
        """
        async with asyncio.timeout(self._timing.attempt_s):
            try:
                connection = await establish(
                    self._connect, self._credentials, serve=self._serve, lost=self._lost
                )
            except GivenUpError as error:
                raise LinkError(str(error)) from error
            try:
                problem = await self._bring_up_to_date(connection)
            except BaseException:
                connection.close("the link could not be set up")
                raise
        self._connection = connection
        self.describe = connection.description
        self._up.set()
        self._on_state("up", problem)

    async def _bring_up_to_date(self, connection: Connection) -> str:
        """Ask again for everything; return what the agent would not do any more."""
        request = connection.control.request
        asked: list[tuple[str, asyncio.Future[None]]] = []
        if self._grace_s is not None:
            asked.append(("grace", request("grace", seconds=self._grace_s)))
        for port, protocol in self._ports:
            what = f"port {port}/{protocol}"
            asked.append((what, request("listen", port=port, protocol=protocol)))
        if self._ready is not None:
            asked.append(("ready", request("ready", value=self._ready)))
        if asked:
            await asyncio.wait([answer for _, answer in asked])
        problems = []
        for what, answer in asked:
            error = answer.exception()
            if isinstance(error, RequestRefusedError):
                problems.append(f"{what}: {error}")
            elif error is not None:
                raise error
        return "; ".join(problems)

    def _lost(self, connection: Connection, reason: str) -> None:
        """Note that a connection is over."""
        if connection is self._connection and self._up.is_set():
            self._up.clear()
            self._reason = reason
            self._on_state("lost", reason)

    async def _attend(self, connection: Connection) -> None:
        """Ping until the connection is lost."""
        beat_s = self._timing.heartbeat_s
        silence_s = beat_s * (self._timing.silent_beats - 0.5)  # the last beat counts in full
        while not connection.over.is_set():
            try:
                async with asyncio.timeout(beat_s):
                    self.rtt_s = await connection.mux.ping()
                    await connection.over.wait()
            except TimeoutError:
                if connection.silent_s >= silence_s:
                    heard = f"nothing heard from the agent for {connection.silent_s:.0f} s"
                    connection.close(heard)
            except ConnectionResetError:
                await connection.over.wait()

    async def _come_back(self) -> None:
        """Connect again, however long it takes."""
        delay_s = self._timing.backoff_s
        while True:
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))
            try:
                await self._establish()
                return
            except (OSError, EOFError, TpError) as error:
                self._reason = str(error) or "no answer in time"
            delay_s = min(delay_s * _GROWTH, self._timing.backoff_max_s)

    async def _ask(self, do: str, **values: object) -> None:
        """Ask the agent, on the next link when this one is lost meanwhile.

        Raises:
            LinkError: it says no, or there is no link in time.
        """
        try:
            async with asyncio.timeout(self._timing.request_s):
                while True:
                    await self._up.wait()
                    assert self._connection is not None
                    try:
                        await self._connection.control.request(do, **values)
                        return
                    except ConnectionResetError:
                        continue
        except TimeoutError:
            what = self._reason if self.state == "lost" else "no answer in time"
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
    timing: Timing = Timing(),
) -> AsyncIterator[Link]:
    """Keep a link to one agent; up when it yields, closed when the block ends.

    Args:
        connect: gives a fresh pipe to the agent.
        secret: the session's secret.
        session: the session's id.
        serve: is given every stream that the agent opens.
        on_state: is told when the link came up (and what could not be asked for again) or was lost.
        timing: how patient the link is.

    Raises:
        TpError: the first connection could not be made.
    """
    link = Link(
        connect, Credentials(secret, session), serve=serve, on_state=on_state, timing=timing
    )
    await link.first()
    try:
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(link.keep())
            yield link
            keeping.cancel()
    finally:
        link.close()

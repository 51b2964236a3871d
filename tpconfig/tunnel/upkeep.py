"""Keeps a link to an agent: replaces lost connections, and links that the agent has forgotten."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tpconfig.errors import TpError
from tpconfig.mux.hello import Standing
from tpconfig.mux.resume import ResumeError
from tpconfig.tunnel.connection import (
    Connection,
    Credentials,
    GivenUpError,
    Greeted,
    Serve,
    shake_hands,
)
from tpconfig.tunnel.pipe import Connect
from tpconfig.tunnel.timing import GROWTH, Timing
from tpconfig.tunnel.wishes import Wishes

State = Literal["up", "lost"]
OnState = Callable[[State, str], None]


class LinkError(TpError):
    """The link cannot be had, or the agent cannot do what is asked of it."""


@dataclass(frozen=True, slots=True)
class Party:
    """Who is to be linked: how the agent is reached, what both know, who serves its streams."""

    connect: Connect
    credentials: Credentials
    serve: Serve


class Upkeep:
    """The connections of one link.

    Args:
        party: who is to be linked.
        wishes: what an agent that does not know us is asked for.
        on_state: is told when a connection is there, and when it is lost.
        timing: how patient the link is.

    Attributes:
        connection: what the agent remembers of us, with its streams; None before the first.
        up: set while a connection carries it.
        reason: why it does not.
        reconnects: how many connections have been replaced.
        renewals: how often the agent had forgotten the link, and every stream was reset.
    """

    def __init__(self, party: Party, wishes: Wishes, *, on_state: OnState, timing: Timing) -> None:
        self._party = party
        self._wishes = wishes
        self._on_state = on_state
        self._timing = timing
        self._gone = asyncio.Event()
        self._hurry = asyncio.Event()
        self._attempt: asyncio.Timeout | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._lost_at_s: float | None = None
        self.connection: Connection | None = None
        self.up = asyncio.Event()
        self.reason = "not connected yet"
        self.reconnects = 0
        self.renewals = 0

    @property
    def living(self) -> Connection | None:
        """What streams can be opened on: where its pipe is lost, they wait for the next."""
        connection = self.connection
        return None if connection is None or connection.over.is_set() else connection

    @property
    def lost_s(self) -> float | None:
        """Seconds since the connection was lost; None while there is one."""
        return None if self._lost_at_s is None else self._loop.time() - self._lost_at_s

    def nudge(self) -> None:
        """Doubt the connection there is; where there is none, try again at once."""
        if self.up.is_set() and self.connection is not None:
            self.connection.pipe.expect(self._timing.doubt_s)
            return
        self._hurry.set()
        if self._attempt is not None and not self._attempt.expired():
            soon_s = self._loop.time() + self._timing.doubt_s
            self._attempt.reschedule(min(soon_s, self._attempt.when() or soon_s))

    async def establish(self) -> None:
        """Make a connection that carries the link, or a new link on it.

        Raises:
            OSError, EOFError, TpError: it did not work out.
        """
        try:
            async with asyncio.timeout(self._timing.attempt_s) as self._attempt:
                before = self.living
                standing = before.standing() if before is not None else Standing()
                greeted = await shake_hands(self._party.connect, self._party.credentials, standing)
                if before is not None and before.ident == greeted.agent.link:
                    _resume(before, greeted)
                    self._came_up("")
                else:
                    await self._renew(greeted)
        except GivenUpError as error:
            raise LinkError(str(error)) from error
        finally:
            self._attempt = None

    async def keep(self) -> None:
        """Replace every connection that is lost; never returns."""
        while True:
            await self._gone.wait()
            await self._come_back()

    def close(self) -> None:
        """End the link."""
        self.up.clear()
        self.reason = "it was closed"
        self._stop_expiry()
        if self.connection is not None:
            self.connection.close("the link was closed")

    # The inside.

    async def _renew(self, greeted: Greeted) -> None:
        """Start a new link, and bring the agent up to date."""
        before = self.connection
        if before is not None and not before.over.is_set():
            self.reason = _forgotten(before.ident, greeted.agent.link)
            before.close(self.reason)
        connection = Connection(
            greeted.agent.link,
            serve=self._party.serve,
            lost=lambda reason: self._pipe_lost(connection, reason),
            ended=self._ended,
            pulse=self._timing.pulse,
        )
        try:
            _resume(connection, greeted)
            await connection.described()
            problem = await self._wishes.tell(connection.control)
        except BaseException:
            connection.close("the link could not be set up")
            raise
        _check(connection)
        reset = f"every stream was reset: {self.reason}" if before is not None else ""
        self.renewals += before is not None
        self.connection = connection
        self._came_up("; ".join(filter(None, (reset, problem))))

    def _came_up(self, more: str) -> None:
        words = [more] if more else []
        if self._lost_at_s is not None:
            self.reconnects += 1
            words.insert(0, f"back after {self._loop.time() - self._lost_at_s:.1f} s")
        self._lost_at_s = None
        self._stop_expiry()
        self._gone.clear()
        self.up.set()
        self._on_state("up", "; ".join(words))

    def _pipe_lost(self, connection: Connection, reason: str) -> None:
        """Have the connection's streams wait for the next pipe."""
        if connection is not self.connection:
            connection.close(reason)
            return
        if self.up.is_set():
            wait_s = self._timing.reconnect_s
            gone = f"the link was lost for {wait_s:g} s"
            self._expiry = self._loop.call_later(wait_s, connection.close, gone)
        self._went_down(reason)

    def _ended(self, connection: Connection, reason: str) -> None:
        """Note that a link is over, with its streams."""
        if connection is self.connection:
            self.reason = reason
            self._went_down(reason)

    def _went_down(self, reason: str) -> None:
        if self.up.is_set():
            self.up.clear()
            self.reason = reason
            self._lost_at_s = self._loop.time()
            self._gone.set()
            self._on_state("lost", reason)

    async def _come_back(self) -> None:
        """Connect again, however long it takes."""
        delay_s = self._timing.backoff_s
        while not self.up.is_set():
            try:
                async with asyncio.timeout(delay_s * random.uniform(0.5, 1.0)):
                    await self._hurry.wait()
                delay_s = self._timing.backoff_s
            except TimeoutError:
                pass
            self._hurry.clear()
            try:
                await self.establish()
            except (OSError, EOFError, TpError) as error:
                if self.living is not None:
                    self.reason = str(error) or "no answer in time"
            delay_s = min(delay_s * GROWTH, self._timing.backoff_max_s)

    def _stop_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None


def _resume(connection: Connection, greeted: Greeted) -> None:
    """Have a greeted pipe carry a link.

    Raises:
        ConnectionResetError: the two ends do not agree on where it stands; the link is over.
    """
    try:
        connection.attach(greeted)
    except ResumeError as error:
        greeted.pipe.close()
        connection.close(f"the link cannot go on: {error}")
        raise ConnectionResetError(str(error)) from error
    _check(connection)


def _check(connection: Connection) -> None:
    """Raise where a connection was lost while it was being set up.

    Raises:
        ConnectionResetError: it was.
    """
    if connection.over.is_set() or not connection.pipe.attached:
        raise ConnectionResetError("the connection was lost at once")


def _forgotten(before: str, now: str) -> str:
    """Say why an agent carries another link than the one that was to be resumed."""
    if before.split("-")[0] == now.split("-")[0]:
        return "the agent had given the link up"
    return "the agent was started anew"

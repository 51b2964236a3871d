"""The ports of this machine that one workload's link carries into the cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tpconfig.model.desired import Forward
from tpconfig.model.events import Remark
from tpconfig.mux.aio import MuxStream
from tpconfig.mux.opening import Opening, Refusal
from tpconfig.session.executor import Emit
from tpconfig.session.hold import Held, hold
from tpconfig.tunnel.conversations import Address
from tpconfig.tunnel.forwards import open_forward
from tpconfig.tunnel.link import Link

QUIET_S = 10.0
"""Seconds in which a forward that nobody answers is said once."""

POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class CurrentLink:
    """Opens streams on whichever link the workload has: its agent may be replaced."""

    link: Callable[[], Link | None]

    @property
    def carries(self) -> bool:
        """Whether streams can be opened now."""
        link = self.link()
        return link is not None and link.carries

    def open(self, protocol: asyncio.Protocol, opening: Opening) -> MuxStream:
        """Open a stream.

        Raises:
            ConnectionResetError: there is no link at this moment.
        """
        link = self.link()
        if link is None:
            raise ConnectionResetError("there is no link to an agent")
        return link.open(protocol, opening)

    async def wait_up(self, *, timeout_s: float) -> None:
        """Wait until streams can be opened.

        Raises:
            TimeoutError: there was no link in time.
        """
        async with asyncio.timeout(timeout_s):
            while not self.carries:
                await asyncio.sleep(POLL_S)


@dataclass(slots=True)
class Forwarding:
    """What listens here for one workload's link."""

    group: asyncio.TaskGroup
    link: Callable[[], Link | None]
    emit: Emit
    _open: dict[Forward, Held[None]] = field(default_factory=dict)
    _said_s: dict[Forward, float] = field(default_factory=dict)

    @property
    def forwards(self) -> tuple[Forward, ...]:
        """What is open, in the order that was asked for."""
        return tuple(self._open)

    async def change(self, wanted: tuple[Forward, ...]) -> None:
        """Have exactly these open; those that stay keep their connections.

        Raises:
            TpError: a port cannot be had.
        """
        for one in set(self._open) - set(wanted):
            await self._open.pop(one).close()
        for one in wanted:
            if one not in self._open:
                block = open_forward(CurrentLink(self.link), one, on_refused=self._refused(one))
                self._open[replace(one, source=None)] = await hold(self.group, block)
        self._open = {one: self._open[one] for one in (replace(w, source=None) for w in wanted)}

    def _refused(self, forward: Forward) -> Callable[[Address, Refusal], None]:
        def refused(destination: Address, refusal: Refusal) -> None:
            now_s = time.monotonic()
            if now_s - self._said_s.get(forward, -QUIET_S) >= QUIET_S:
                self._said_s[forward] = now_s
                where = f"{destination[0]}:{destination[1]}"
                self.emit(Remark(f"forward {forward}: {where}: {refusal.text or refusal.code}"))

        return refused

"""Tells when a connection deserves doubt: the network has changed, or this machine has slept.

Both are felt long before a heartbeat is missed, and both are the moment at which a lost link can
come back.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

Nudged = Callable[[str], None]

SETTLE_S: Final = 0.2
"""Seconds that a change of the network takes: an address, then its routes."""

LOOK_S: Final = 2.0
"""Seconds between two looks at the clocks."""

SLEPT_S: Final = 1.5
"""Seconds that one clock must have gained on the other to call it sleep."""

NETWORK: Final = "the network has changed"
SLEPT: Final = "this machine has slept"

_ADDRESSES_AND_ROUTES: Final = 0x10 | 0x40 | 0x100 | 0x400
"""``RTMGRP_IPV4_IFADDR``, ``_IPV4_ROUTE``, ``_IPV6_IFADDR``, ``_IPV6_ROUTE`` (rtnetlink(7))."""

_SIZE: Final = 65536


class Network:
    """Listens to the kernel's news about addresses and routes; not there but on Linux."""

    def __init__(self, nudged: Nudged) -> None:
        self._nudged = nudged
        self._loop = asyncio.get_running_loop()
        self._settling: asyncio.TimerHandle | None = None
        self._sock: socket.socket | None = None
        if sys.platform == "linux":
            sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            sock.setblocking(False)
            sock.bind((0, _ADDRESSES_AND_ROUTES))
            self._loop.add_reader(sock, self._readable)
            self._sock = sock

    def close(self) -> None:
        """Listen no more."""
        if self._settling is not None:
            self._settling.cancel()
        if self._sock is not None:
            self._loop.remove_reader(self._sock)
            self._sock.close()

    def _readable(self) -> None:
        assert self._sock is not None
        while True:
            try:
                self._sock.recv(_SIZE)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # more news than it could keep: news all the same
                    raise
        if self._settling is None:
            self._settling = self._loop.call_later(SETTLE_S, self._settled)

    def _settled(self) -> None:
        self._settling = None
        self._nudged(NETWORK)


def ahead_s() -> float:
    """Return by how much the clock that goes on during sleep is ahead of the one that does not."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    return time.time() - time.monotonic()


class Sleep:
    """Notices that the machine has slept since the last look."""

    def __init__(self, clock: Callable[[], float] = ahead_s) -> None:
        self._clock = clock
        self._ahead_s = clock()

    def has_been(self) -> bool:
        """Tell whether it has."""
        before_s, self._ahead_s = self._ahead_s, self._clock()
        return self._ahead_s - before_s > SLEPT_S


@asynccontextmanager
async def open_nudges(nudged: Nudged, *, sleep: Sleep | None = None) -> AsyncIterator[None]:
    """Call ``nudged`` with the reason whenever there is one, while the block runs."""
    sleep = sleep or Sleep()

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if sleep.has_been():
                nudged(SLEPT)

    network = Network(nudged)
    try:
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(look())
            yield
            looking.cancel()
    finally:
        network.close()

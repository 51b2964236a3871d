"""Ctrl-C as designed: the first one ends in order, the second one leaves the rest to the cluster.

SIGTERM and SIGHUP mean the same as Ctrl-C.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818 - not an error: somebody asked for it
    """The user asked to stop."""


class Interrupts:
    """Counts requests to stop."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = asyncio.Event()

    @property
    def count(self) -> int:
        """How often the user has asked so far."""
        return self._count

    def ask(self) -> None:
        """Ask to stop, once more."""
        self._count += 1
        self._changed.set()

    async def beyond(self, count: int) -> None:
        """Wait until the user has asked more than ``count`` times."""
        while self._count <= count:
            self._changed.clear()
            await self._changed.wait()

    async def guard(self, work: Coroutine[Any, Any, T], *, patience: int = 0) -> T:
        """Do ``work``, cancelled when the user asks more than ``patience`` times.

        Raises:
            Interrupted: it was cancelled.
        """
        task = asyncio.ensure_future(work)
        asked = asyncio.ensure_future(self.beyond(patience))
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled() and task.exception() is None:
                return task.result()
            raise Interrupted
        finally:
            asked.cancel()
            task.cancel()


@contextmanager
def catch_interrupts() -> Iterator[Interrupts]:
    """Count the signals that ask to stop while the block runs."""
    interrupts = Interrupts()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, interrupts.ask)
    try:
        yield interrupts
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)

"""Keeps context managers open in tasks of their own, so that another task may close them.

A block that holds a task group has to be left by the task that entered it; the actions of a plan
are many short tasks. So each long-lived thing gets one task that enters, waits, and leaves.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

T = TypeVar("T")


class Held(Generic[T]):
    """One open context manager; ``value`` is what it yielded."""

    def __init__(self, value: T, closing: asyncio.Event, task: asyncio.Task[None]) -> None:
        self.value = value
        self._closing = closing
        self._task = task

    async def close(self) -> None:
        """Leave the block and wait until it has ended; twice is once."""
        self._closing.set()
        await asyncio.wait({self._task})


async def hold(group: asyncio.TaskGroup, block: AbstractAsyncContextManager[T]) -> Held[T]:
    """Enter a block in a task of ``group``; what entering raises is raised here."""
    entered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    closing = asyncio.Event()
    task = group.create_task(_keep(block, entered, closing))
    try:
        return Held(await asyncio.shield(entered), closing, task)
    except asyncio.CancelledError:
        closing.set()
        if not entered.done():
            task.cancel()
        raise


async def _keep(
    block: AbstractAsyncContextManager[T], entered: asyncio.Future[T], closing: asyncio.Event
) -> None:
    try:
        async with block as value:
            entered.set_result(value)
            await closing.wait()
    except asyncio.CancelledError:
        entered.cancel()
        raise
    except Exception as error:
        if entered.done():
            raise
        entered.set_exception(error)

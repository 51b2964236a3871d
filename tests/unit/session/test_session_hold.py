"""Blocks that stay open in tasks of their own, and that other tasks close."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tpconfig.errors import TpError
from tpconfig.session.hold import hold


@asynccontextmanager
async def noted(log: list[str]) -> AsyncIterator[str]:
    """Note when it is entered and left; a task group is inside, as in a link."""
    async with asyncio.TaskGroup() as group:
        ticking = group.create_task(asyncio.sleep(60))
        log.append("entered")
        try:
            yield "value"
        finally:
            ticking.cancel()
            log.append("left")


async def test_another_task_may_close_it() -> None:
    """Though its block holds a task group, which must be left by who entered it."""
    log: list[str] = []
    async with asyncio.TaskGroup() as group:
        held = await group.create_task(hold(group, noted(log)))
        assert (held.value, log) == ("value", ["entered"])
        await group.create_task(held.close())
        assert log == ["entered", "left"]


async def test_two_who_close_it_both_wait_for_its_end() -> None:
    """It is left once."""
    log: list[str] = []
    async with asyncio.TaskGroup() as group:
        held = await hold(group, noted(log))
        await asyncio.gather(held.close(), held.close())
    assert log == ["entered", "left"]


async def test_a_cancelled_group_leaves_its_blocks() -> None:
    """Whoever ends the group ends what is held in it."""
    log: list[str] = []

    async def life() -> None:
        async with asyncio.TaskGroup() as group:
            await hold(group, noted(log))
            await asyncio.sleep(60)

    task = asyncio.ensure_future(life())
    while "entered" not in log:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["entered", "left"]


async def test_cancelled_while_it_is_entered_it_is_left_again() -> None:
    """Who asked for it does not get it any more."""
    log: list[str] = []

    @asynccontextmanager
    async def slow() -> AsyncIterator[None]:
        log.append("entering")
        try:
            await asyncio.sleep(60)
            yield
        finally:
            log.append("given up")

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(hold(group, slow()))
        while not log:
            await asyncio.sleep(0)
        asking.cancel()
    assert log == ["entering", "given up"]


async def test_what_it_raises_while_it_is_held_ends_the_group() -> None:
    """A link that breaks for good is not overlooked."""

    @asynccontextmanager
    async def breaking() -> AsyncIterator[None]:
        yield
        raise TpError("broken")

    async def life() -> None:
        async with asyncio.TaskGroup() as group:
            held = await hold(group, breaking())
            await held.close()

    with pytest.raises(ExceptionGroup) as raised:
        await life()
    assert raised.value.subgroup(TpError) is not None


async def test_a_block_that_cannot_be_entered_leaves_the_others_alone() -> None:
    """Its error is the asker's; what is held beside it stays."""
    log: list[str] = []

    @asynccontextmanager
    async def failing() -> AsyncIterator[None]:
        async with asyncio.TaskGroup():
            raise TpError("no")
        yield

    async with asyncio.TaskGroup() as group:
        other = await hold(group, noted(log))
        with pytest.raises(ExceptionGroup):
            await hold(group, failing())
        assert log == ["entered"]
        await other.close()

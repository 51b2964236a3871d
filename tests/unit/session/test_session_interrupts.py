"""Ctrl-C, counted: the first one ends in order, the second one leaves the rest."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tpconfig.errors import TpError
from tpconfig.session.interrupts import SIGNALS, Interrupted, Interrupts, catch_interrupts


async def test_work_that_ends_by_itself_gives_its_result() -> None:
    """Nobody asked for anything."""

    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    assert await Interrupts().guard(work()) == 7


async def test_work_that_fails_by_itself_raises_its_error() -> None:
    """Not Interrupted: nobody asked."""

    async def work() -> None:
        raise TpError("no")

    with pytest.raises(TpError, match="no"):
        await Interrupts().guard(work())


async def test_who_asked_before_is_heard() -> None:
    """Work that has not begun is cancelled at its first pause."""
    interrupts = Interrupts()
    interrupts.ask()
    with pytest.raises(Interrupted):
        await interrupts.guard(asyncio.sleep(60))


async def test_work_is_waited_for_until_it_has_cleaned_up() -> None:
    """The error comes after that."""
    interrupts, log = Interrupts(), list[str]()

    async def work() -> None:
        interrupts.ask()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            log.append("cleaned up")

    with pytest.raises(Interrupted):
        await interrupts.guard(work())
    assert log == ["cleaned up"]


async def test_work_that_ends_well_though_it_was_cancelled_has_ended_well() -> None:
    """What is done is done; its result is not thrown away."""
    interrupts = Interrupts()

    async def work() -> str:
        interrupts.ask()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "done anyway"
        return ""

    assert await interrupts.guard(work()) == "done anyway"


async def test_an_error_while_cleaning_up_is_no_reason_to_go_on() -> None:
    """It was interrupted all the same."""
    interrupts = Interrupts()

    async def work() -> None:
        interrupts.ask()
        try:
            await asyncio.sleep(60)
        finally:
            raise TpError("while cleaning up")

    with pytest.raises(Interrupted):
        await interrupts.guard(work())


@pytest.mark.parametrize(("asked", "survives"), [(0, True), (1, True), (2, True), (3, False)])
async def test_patience_is_how_often_one_may_ask_in_vain(asked: int, survives: bool) -> None:
    """The restore goes on through the Ctrl-C that started it."""
    interrupts = Interrupts()
    for _ in range(asked):
        interrupts.ask()

    async def work() -> bool:
        for _ in range(5):
            await asyncio.sleep(0)
        return True

    try:
        assert await interrupts.guard(work(), patience=2) is survives
    except Interrupted:
        assert not survives


async def test_beyond_waits_for_more_than_there_were() -> None:
    """And returns at once where there were more already."""
    interrupts = Interrupts()
    waiting = asyncio.ensure_future(interrupts.beyond(1))
    interrupts.ask()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    interrupts.ask()
    await waiting
    await interrupts.beyond(1)
    assert interrupts.count == 2


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_asks_while_the_block_runs(number: signal.Signals) -> None:
    """Ctrl-C, SIGTERM and a terminal that is closed mean the same."""
    with catch_interrupts() as interrupts:
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await interrupts.beyond(0)
    assert interrupts.count == 1


async def test_signals_are_given_back_after_the_block() -> None:
    """The loop does not listen to them any more."""
    with catch_interrupts():
        pass
    loop = asyncio.get_running_loop()
    assert [loop.remove_signal_handler(number) for number in SIGNALS] == [False] * len(SIGNALS)

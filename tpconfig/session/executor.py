"""Carries a plan out: independent actions side by side, dependent ones in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from tpconfig.errors import TpError
from tpconfig.model.actions import Action
from tpconfig.model.events import ActionDone, ActionFailed, ActionStarted, ActionWaiting, Event
from tpconfig.model.plan import Plan
from tpconfig.planner import order

Emit = Callable[[Event], None]
Apply = Callable[[Action, Callable[[str], None]], Awaitable[str]]


async def execute(plan: Plan, apply: Apply, emit: Emit, *, go_on: bool = False) -> None:
    """Apply every action of the plan.

    Args:
        plan: what to do.
        apply: carries one action out and returns a word about it.
        emit: is told of each action's course.
        go_on: a failed action stops no other, but those that rely on it (the way back goes as far
            as it can).

    Raises:
        TpError: the first failure; with ``go_on``, after everything else was tried.
    """
    finished = [asyncio.Event() for _ in plan.actions]
    failed: dict[int, TpError] = {}

    async def run(index: int, action: Action) -> None:
        for before in order.needs(action, plan.actions):
            await finished[before].wait()
        try:
            if failed.keys() & order.relies_on(action, plan.actions):
                raise TpError("not before the original is back")
            await _run_one(action, apply, emit)
        except TpError as error:
            emit(ActionFailed(action, error.message))
            failed[index] = error
            if not go_on:
                raise
        finished[index].set()

    try:
        async with asyncio.TaskGroup() as group:
            for index, action in enumerate(plan.actions):
                group.create_task(run(index, action))
    except* TpError:
        pass
    if failed:
        raise next(iter(failed.values()))


async def _run_one(action: Action, apply: Apply, emit: Emit) -> None:
    started_s = time.monotonic()
    emit(ActionStarted(action))
    try:
        detail = await apply(action, lambda what: emit(ActionWaiting(action, what)))
    except BaseExceptionGroup as group:  # of what the action did side by side
        raise _first(group) or group from None
    emit(ActionDone(action, time.monotonic() - started_s, detail))


def _first(group: BaseExceptionGroup[BaseException]) -> TpError | None:
    """Return the first error in a group that a user can read, if there is nothing else in it."""
    known, others = group.split(TpError)
    found: BaseException | None = known
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found if others is None and isinstance(found, TpError) else None

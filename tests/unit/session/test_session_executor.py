"""A plan is carried out as it was planned: in order where needed, side by side where not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tpconfig.errors import ConflictError, TpError
from tpconfig.model import actions as a
from tpconfig.model.actions import Action, Reason
from tpconfig.model.events import ActionDone, ActionFailed, ActionStarted, ActionWaiting, Event
from tpconfig.model.observed import Claim
from tpconfig.model.plan import Plan
from tpconfig.model.target import Target
from tpconfig.planner import order
from tpconfig.session.executor import execute

WHY = Reason("because")
WEB, API = Target("shop", "deployment", "web"), Target("shop", "deployment", "api")
CLAIM = Claim("s", "{}", 2, 2)
Waiting = Callable[[str], None]


def up_and_down() -> tuple[Action, ...]:
    """Return the actions of a session's life, as a plan orders them."""
    return order.sort(
        (
            a.OpenSession("shop", WHY),
            a.ClaimTarget(WEB, "web", 2, WHY),
            a.ClaimTarget(API, "api", 2, WHY),
            a.CreateAgent(WEB, "web", "main", "tp-0", "f", low_ports=False, reason=WHY),
            a.Connect("shop", "web", "tp-0", "main", (), WHY),
            a.HandOver("web", "f", (), WHY),
            a.StartProcess("web", "f", ("serve",), (), WHY),
            a.OpenTraffic(WEB, "web", "tp-0", ("web",), WHY),
            a.StopOriginal(WEB, 2, WHY),
            a.StartOriginal(API, CLAIM, (), WHY),
            a.DeleteAgent("shop", "tp-1", "api", WHY),
            a.ReleaseTarget(API, CLAIM, WHY),
        )
    )


async def test_nothing_starts_before_what_it_needs_has_ended() -> None:
    """However long each action takes."""
    actions = up_and_down()
    ended: list[Action] = []

    async def apply(action: Action, waiting: Waiting) -> str:
        needed = {actions[index] for index in order.needs(action, actions)}
        assert needed <= set(ended)
        await asyncio.sleep(0.001 * (actions.index(action) % 3))
        ended.append(action)
        return ""

    await execute(Plan(actions), apply, lambda event: None)
    assert set(ended) == set(actions)


async def test_what_needs_nothing_starts_at_once() -> None:
    """Two targets are claimed side by side, though neither ends before both have begun."""
    both = asyncio.Barrier(2)

    async def apply(action: Action, waiting: Waiting) -> str:
        await both.wait()
        return ""

    plan = Plan((a.ClaimTarget(WEB, "web", 1, WHY), a.ClaimTarget(API, "api", 1, WHY)))
    async with asyncio.timeout(5):
        await execute(plan, apply, lambda event: None)


async def test_an_action_is_told_from_its_start_to_its_end() -> None:
    """With what it waits for, and a word about what came of it."""
    events: list[Event] = []
    action = a.HandOver("web", "f", (), WHY)

    async def apply(action: Action, waiting: Waiting) -> str:
        waiting("the kubelet")
        return "7 variables"

    await execute(Plan((action,)), apply, events.append)
    started, waits, done = events
    assert started == ActionStarted(action)
    assert waits == ActionWaiting(action, "the kubelet")
    assert isinstance(done, ActionDone)
    assert (done.action, done.detail) == (action, "7 variables")


async def test_an_empty_plan_does_nothing() -> None:
    """No event either."""
    events: list[Event] = []

    async def apply(action: Action, waiting: Waiting) -> str:
        raise AssertionError(action)

    await execute(Plan(), apply, events.append)
    assert events == []


async def test_a_failure_is_raised_as_itself_and_told_once() -> None:
    """Not in a group; its type is the exit code."""
    events: list[Event] = []

    async def apply(action: Action, waiting: Waiting) -> str:
        raise ConflictError("held by ben")

    actions = (a.OpenSession("shop", WHY), a.ClaimTarget(WEB, "web", 1, WHY))
    with pytest.raises(ConflictError, match="held by ben"):
        await execute(Plan(actions), apply, events.append)
    failed = [one for one in events if isinstance(one, ActionFailed)]
    assert failed == [ActionFailed(actions[0], "held by ben")]


async def test_a_failure_cancels_what_is_under_way() -> None:
    """On the way up nobody waits for the others' timeouts."""
    cancelled: list[Action] = []
    under_way = asyncio.Event()

    async def apply(action: Action, waiting: Waiting) -> str:
        if action == actions[0]:
            await under_way.wait()
            raise TpError("no")
        under_way.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(action)
            raise
        return ""

    actions = (a.ClaimTarget(WEB, "web", 1, WHY), a.ClaimTarget(API, "api", 1, WHY))
    with pytest.raises(TpError, match="no"):
        await execute(Plan(actions), apply, lambda event: None)
    assert cancelled == [actions[1]]


async def test_on_the_way_back_the_others_go_on() -> None:
    """What is under way ends, and of two failures the first one is raised."""
    ended: list[Action] = []

    async def apply(action: Action, waiting: Waiting) -> str:
        if action == actions[0]:
            raise TpError("first")
        await asyncio.sleep(0.001)
        if action == actions[1]:
            raise TpError("second")
        ended.append(action)
        return ""

    actions = tuple(a.DeleteAgent("shop", f"tp-{n}", f"w{n}", WHY) for n in range(3))
    with pytest.raises(TpError, match="first"):
        await execute(Plan(actions), apply, lambda event: None, go_on=True)
    assert ended == [actions[2]]


async def test_a_bug_is_not_swallowed() -> None:
    """Whatever is no TpError comes out, whatever else there is."""

    async def apply(action: Action, waiting: Waiting) -> str:
        raise RuntimeError("a bug")

    with pytest.raises(ExceptionGroup) as raised:
        await execute(Plan((a.StopProcess("web", WHY),)), apply, lambda event: None, go_on=True)
    assert raised.value.subgroup(RuntimeError) is not None


async def test_cancelled_it_cancels_its_actions_and_waits_for_them() -> None:
    """Ctrl-C leaves nothing behind that still writes."""
    events: list[str] = []
    started = asyncio.Event()

    async def apply(action: Action, waiting: Waiting) -> str:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            events.append("cleaned up")
        return ""

    plan = Plan((a.StopProcess("web", WHY),))
    task = asyncio.ensure_future(execute(plan, apply, lambda event: None))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert events == ["cleaned up"]


async def test_what_an_action_does_side_by_side_fails_like_anything_else() -> None:
    """A failure in a task group of its own is a failure of the action, and is not lost."""
    events: list[Event] = []

    async def refuse() -> None:
        raise ConflictError("held")

    async def apply(action: Action, waiting: Waiting) -> str:
        async with asyncio.TaskGroup() as group:
            group.create_task(refuse())
        return ""

    with pytest.raises(ConflictError, match="held"):
        await execute(Plan((a.OpenSession("shop", WHY),)), apply, events.append)
    assert [type(one) for one in events] == [ActionStarted, ActionFailed]


async def test_no_journal_and_no_lease_goes_before_its_original_is_back() -> None:
    """Where it could not be started the rest goes on, and both stay for whoever tries again."""
    applied: list[Action] = []
    start, close = a.StartOriginal(WEB, CLAIM, (), WHY), a.CloseSession("shop", "s", WHY)
    others = (
        a.StartOriginal(API, CLAIM, (), WHY),
        a.DeleteAgent("shop", "tp-0", "web", WHY),
        a.ReleaseTarget(API, CLAIM, WHY),
        a.CloseSession("far", "s", WHY),
    )
    plan = Plan(order.sort((start, *others, a.ReleaseTarget(WEB, CLAIM, WHY), close)))

    async def apply(action: Action, waiting: Waiting) -> str:
        if action == start:
            raise TpError("refused")
        applied.append(action)
        return ""

    with pytest.raises(TpError, match="refused"):
        await execute(plan, apply, lambda event: None, go_on=True)
    assert set(applied) == set(others)

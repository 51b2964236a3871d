"""What must be finished before what: one place, for plans that build up and that take down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from tpconfig.model import actions as a
from tpconfig.model.actions import Action

UndoAction = (
    a.StartOriginal
    | a.CloseTraffic
    | a.StopProcess
    | a.Disconnect
    | a.DeleteAgent
    | a.ReleaseTarget
    | a.CloseSession
)


def needs(action: Action, others: Sequence[Action]) -> frozenset[int]:
    """Return the indices in ``others`` of what must be finished before ``action`` may start."""
    return frozenset(
        index
        for index, other in enumerate(others)
        if other is not action and _comes_first(other, action)
    )


def relies_on(action: Action, others: Sequence[Action]) -> frozenset[int]:
    """Return the indices in ``others`` of what must have succeeded before ``action`` may start.

    A journal is the only way back, and the Lease is what the janitor lives by: neither goes before
    the original is back.
    """
    return frozenset(index for index, other in enumerate(others) if _is_the_way_back(other, action))


def _is_the_way_back(other: Action, action: Action) -> bool:
    match action:
        case a.ReleaseTarget(target=target):
            return isinstance(other, a.StartOriginal) and other.target == target
        case a.CloseSession(namespace=namespace):
            back = a.StartOriginal | a.ReleaseTarget
            return isinstance(other, back) and other.target.namespace == namespace
        case _:
            return False


def sort(actions: Sequence[Action]) -> tuple[Action, ...]:
    """Return the actions in an order in which they could be carried out one by one.

    The order is stable: independent actions stay as they were given.
    """
    before = [needs(action, actions) for action in actions]
    left = list(range(len(before)))
    done: dict[int, Action] = {}
    while left:
        ready = next((index for index in left if before[index] <= done.keys()), None)
        assert ready is not None, "the actions wait for each other"
        left.remove(ready)
        done[ready] = actions[ready]
    return tuple(done.values())


def _comes_first(other: Action, action: Action) -> bool:
    """Tell whether ``other`` must be finished before ``action`` starts."""
    match action:
        case (
            a.StartOriginal()
            | a.CloseTraffic()
            | a.StopProcess()
            | a.Disconnect()
            | a.DeleteAgent()
            | a.ReleaseTarget()
            | a.CloseSession()
        ):
            return _comes_first_down(other, action)
        case a.OpenSession():
            return False
        case a.GuardTargets(namespace=namespace):
            return _opens(other, namespace)
        case a.StartJanitor(namespace=namespace):
            # Only who may do everything may bind a Role that is not there yet.
            allows = isinstance(other, a.GuardTargets) and other.namespace == namespace
            return allows or _opens(other, namespace)
        case a.ClaimTarget(target=target):
            return _guards(other, target.namespace) or _opens(other, target.namespace)
        case a.CreateAgent():
            return _makes_room(other, action)
        case a.StopOriginal(target=target, first=first):
            if isinstance(other, a.OpenTraffic) and first:
                return False
            before = a.OpenTraffic | a.ClaimTarget | a.StartOriginal
            return isinstance(other, before) and other.target == target
        case a.OpenForwards():
            return _frees_ports(other, action)
        case a.Connect() | a.HandOver() | a.StartProcess() | a.OpenTraffic():
            return _comes_first_here(other, action)
        case _:
            assert_never(action)


def _makes_room(other: Action, action: a.CreateAgent) -> bool:
    """Tell whether an agent's Pod may not be there before ``other`` is done."""
    match other:
        case a.ClaimTarget(target=target):
            return target == action.target
        case a.StopOriginal(target=target, first=first):
            return first and target == action.target
        case a.DeleteAgent(namespace=namespace, pod=pod):
            return namespace == action.target.namespace and pod in action.after
        case _:
            return _opens(other, action.target.namespace)


def _frees_ports(other: Action, action: a.OpenForwards) -> bool:
    """A forward needs its link, and its port, which another workload may have carried."""
    match other:
        case a.Connect(workload=workload):
            return workload == action.workload
        case a.OpenForwards(forwards=forwards):
            return not forwards and bool(action.forwards)
        case a.Disconnect(workload=workload):
            return workload != action.workload
        case _:
            return False


def _comes_first_here(
    other: Action, action: a.Connect | a.HandOver | a.StartProcess | a.OpenTraffic
) -> bool:
    """The same, of what a workload needs on this machine."""
    workload = action.workload
    match action:
        case a.Connect(namespace=namespace):
            before = a.CreateAgent | a.CloseTraffic
            ours = isinstance(other, before) and other.workload == workload
            return ours or _opens(other, namespace)
        case a.HandOver():
            return isinstance(other, a.Connect | a.StopProcess) and other.workload == workload
        case a.StartProcess(after=after):
            if isinstance(other, a.StartProcess):
                return other.workload in after
            prepares = a.HandOver | a.Connect | a.StopProcess
            return isinstance(other, prepares) and other.workload == workload
        case a.OpenTraffic():
            builds = a.Connect | a.HandOver | a.StartProcess
            return isinstance(other, builds) and other.workload == workload
        case _:
            assert_never(action)


def _comes_first_down(other: Action, action: UndoAction) -> bool:
    """The same, of the way back."""
    match action:
        case a.StartOriginal(target=target, after=after):
            if not isinstance(other, a.DeleteAgent):
                return False
            return other.namespace == target.namespace and other.pod in after
        case a.CloseTraffic(first=first):
            return isinstance(other, a.StartOriginal) and not (first and other.after)
        case a.StopProcess(workload=workload):
            return isinstance(other, a.CloseTraffic) and other.workload == workload
        case a.Disconnect(workload=workload):
            stops = a.CloseTraffic | a.StopProcess
            return isinstance(other, stops) and other.workload == workload
        case a.DeleteAgent():
            return _leaves_agent(other, action)
        case a.ReleaseTarget(target=target):
            if isinstance(other, a.StartOriginal):
                return other.target == target
            return isinstance(other, a.DeleteAgent) and other.namespace == target.namespace
        case a.CloseSession(namespace=namespace):
            return _empties(other, namespace)
        case _:
            assert_never(action)


def _opens(other: Action, namespace: str) -> bool:
    """The Lease owns what is created, and the secret of its links."""
    return isinstance(other, a.OpenSession) and other.namespace == namespace


def _guards(other: Action, namespace: str) -> bool:
    """What is changed without a janitor that knows of it would stay changed."""
    return isinstance(other, a.GuardTargets | a.StartJanitor) and other.namespace == namespace


def _leaves_agent(other: Action, action: a.DeleteAgent) -> bool:
    """An agent goes when the original is back, or when another agent has taken its place.

    Where only one of them may be there, it goes first.
    """
    if isinstance(other, a.StartOriginal):
        return not (action.first and other.after)
    if isinstance(other, a.OpenTraffic | a.Connect):
        return not action.first and other.workload == action.workload
    ends = a.CloseTraffic | a.StopProcess | a.Disconnect
    return isinstance(other, ends) and other.workload == action.workload


def _empties(other: Action, namespace: str) -> bool:
    match other:
        case a.ReleaseTarget(target=target):
            return target.namespace == namespace
        case a.DeleteAgent(namespace=where):
            return where == namespace
        case a.Disconnect():
            return True
        case _:
            return False

"""What waits for what, as a table: of the same workload, and of another one beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from tpconfig.model import actions as a
from tpconfig.model.actions import Action, Reason
from tpconfig.model.desired import Forward
from tpconfig.model.observed import Claim
from tpconfig.model.target import Target
from tpconfig.planner import order

WHY = Reason("because")


def all_actions(name: str, namespace: str) -> dict[str, Action]:
    """Return one action of every kind, all about one workload."""
    target, claim = Target(namespace, "deployment", name), Claim("s", "{}", 2)
    found: list[Action] = [
        a.OpenSession(namespace, WHY),
        a.GuardTargets(namespace, (target,), role=True, reason=WHY),
        a.StartJanitor(namespace, "tp", "f", required=False, reason=WHY),
        a.ClaimTarget(target, name, 2, WHY),
        a.CreateAgent(target, name, "main", f"tp-{name}", "f", low_ports=False, reason=WHY),
        a.Connect(namespace, name, f"tp-{name}", "main", (), WHY),
        a.HandOver(name, "f", (), WHY),
        a.StartProcess(name, "f", ("serve",), (), WHY),
        a.OpenForwards(name, (Forward(5432, "db", 5432),), WHY),
        a.OpenTraffic(target, name, f"tp-{name}", (), WHY),
        a.StopOriginal(target, 2, WHY),
        a.StartOriginal(target, claim, (), WHY),
        a.CloseTraffic(name, f"tp-{name}", WHY),
        a.StopProcess(name, WHY),
        a.Disconnect(name, f"tp-{name}", WHY),
        a.DeleteAgent(namespace, f"tp-{name}", name, WHY),
        a.ReleaseTarget(target, claim, WHY),
        a.CloseSession(namespace, "s", WHY),
    ]
    return {type(one).__name__: one for one in found}


WAITS_FOR = {
    "OpenSession": "",
    "GuardTargets": "OpenSession",
    "StartJanitor": "OpenSession GuardTargets",
    "ClaimTarget": "OpenSession GuardTargets StartJanitor",
    "CreateAgent": "OpenSession ClaimTarget",
    "Connect": "OpenSession CreateAgent CloseTraffic",
    "HandOver": "Connect StopProcess",
    "StartProcess": "Connect HandOver StopProcess",
    "OpenForwards": "Connect",
    "OpenTraffic": "Connect HandOver StartProcess",
    "StopOriginal": "ClaimTarget OpenTraffic StartOriginal",
    "StartOriginal": "",
    "CloseTraffic": "StartOriginal",
    "StopProcess": "CloseTraffic",
    "Disconnect": "CloseTraffic StopProcess",
    "DeleteAgent": "StartOriginal CloseTraffic StopProcess Disconnect Connect OpenTraffic",
    "ReleaseTarget": "StartOriginal DeleteAgent",
    "CloseSession": "Disconnect DeleteAgent ReleaseTarget",
}
OF_A_NEIGHBOUR = {
    "GuardTargets": "OpenSession",
    "StartJanitor": "OpenSession GuardTargets",
    "ClaimTarget": "OpenSession GuardTargets StartJanitor",
    "CreateAgent": "OpenSession",
    "Connect": "OpenSession",
    "OpenForwards": "Disconnect",
    "CloseTraffic": "StartOriginal",
    "DeleteAgent": "StartOriginal",
    "ReleaseTarget": "DeleteAgent",
    "CloseSession": "Disconnect DeleteAgent ReleaseTarget",
}
OF_ANOTHER_NAMESPACE = {
    "OpenForwards": "Disconnect",
    "CloseTraffic": "StartOriginal",
    "DeleteAgent": "StartOriginal",
    "CloseSession": "Disconnect",
}


def waited_for(action: Action, others: dict[str, Action]) -> set[str]:
    """Return the kinds among ``others`` that an action waits for."""
    kinds = list(others)
    return {kinds[index] for index in order.needs(action, list(others.values()))}


def test_the_table_has_every_action() -> None:
    """A new one has to be added here."""
    assert set(WAITS_FOR) == {kind.__name__ for kind in get_args(Action)}


@pytest.mark.parametrize("kind", WAITS_FOR)
def test_what_an_action_waits_for(kind: str) -> None:
    """Of its own workload."""
    own = all_actions("web", "shop")
    assert waited_for(own[kind], own) == set(WAITS_FOR[kind].split())


@pytest.mark.parametrize("kind", WAITS_FOR)
def test_what_an_action_waits_for_of_a_neighbour(kind: str) -> None:
    """Its Lease, and on the way back that every original is on its way."""
    own, other = all_actions("web", "shop"), all_actions("api", "shop")
    assert waited_for(own[kind], other) == set(OF_A_NEIGHBOUR.get(kind, "").split())


@pytest.mark.parametrize("kind", WAITS_FOR)
def test_what_an_action_waits_for_of_another_namespace(kind: str) -> None:
    """No Lease of it, no agent of it."""
    own, other = all_actions("web", "shop"), all_actions("api", "far")
    assert waited_for(own[kind], other) == set(OF_ANOTHER_NAMESPACE.get(kind, "").split())


def start(name: str, *after: str) -> a.StartProcess:
    """Return the start of a process behind others."""
    return a.StartProcess(name, "f", ("serve",), after, WHY)


def test_processes_wait_for_those_they_depend_on() -> None:
    """By the workloads' names; one that is not about to start is not waited for."""
    web, api = start("web", "api", "gone"), start("api")
    assert order.sort((web, api)) == (api, web)


def one_after_the_other(name: str) -> dict[str, Action]:
    """Return the actions of a workload whose Pods and agent may not run side by side."""
    found = all_actions(name, "shop")
    changed: dict[str, dict[str, object]] = {
        "CreateAgent": {"after": ("tp-old",), "pod": f"tp-{name}-1"},
        "StopOriginal": {"first": True},
        "CloseTraffic": {"first": True},
        "DeleteAgent": {"first": True, "pod": "tp-old"},
        "StartOriginal": {"after": ("tp-old",)},
    }
    for kind, fields in changed.items():
        found[kind] = replace(found[kind], **fields)  # type: ignore[arg-type]
    return found


ONE_AFTER_THE_OTHER = {
    "CreateAgent": "OpenSession ClaimTarget StopOriginal DeleteAgent",
    "StopOriginal": "ClaimTarget StartOriginal",
    "CloseTraffic": "",
    "DeleteAgent": "CloseTraffic StopProcess Disconnect",
    "StartOriginal": "DeleteAgent",
}


@pytest.mark.parametrize("kind", ONE_AFTER_THE_OTHER)
def test_what_may_not_run_side_by_side_takes_turns(kind: str) -> None:
    """The original stops before the agent is made, and comes back after it is gone."""
    own = one_after_the_other("web")
    assert waited_for(own[kind], own) == set(ONE_AFTER_THE_OTHER[kind].split())


def test_a_neighbour_that_takes_turns_is_waited_for_and_waits_for_nobody_like_it() -> None:
    """Two of them do not wait for each other; an ordinary agent leaves after every original."""
    one, two = one_after_the_other("web"), one_after_the_other("api")
    assert waited_for(one["CloseTraffic"], two) == set()
    ordinary = all_actions("ui", "shop")
    assert waited_for(ordinary["CloseTraffic"], two) == {"StartOriginal"}
    assert waited_for(one["CloseTraffic"], ordinary) == {"StartOriginal"}


def test_what_is_independent_stays_as_it_was_given() -> None:
    """So that a plan reads like the file."""
    given = (start("c"), start("a"), start("b"))
    assert order.sort(given) == given


def test_equal_actions_are_all_kept() -> None:
    """Two that cannot be told apart do not wait for each other."""
    assert order.sort((start("web"), start("web"))) == (start("web"), start("web"))


def test_a_circle_is_a_bug_that_is_noticed() -> None:
    """The loader refuses circles of depends_on; nothing may hang on one."""
    with pytest.raises(AssertionError, match="wait for each other"):
        order.sort((start("web", "api"), start("api", "web")))


def test_a_plan_that_is_given_backwards_is_sorted() -> None:
    """Twenty workloads on the way up."""
    up = [
        action
        for number in range(20)
        for kind, action in all_actions(f"w{number}", "shop").items()
        if kind in list(WAITS_FOR)[:10]
    ]
    found = order.sort(up[::-1])
    assert len(found) == len(up)
    for index, action in enumerate(found):
        assert all(needed < index for needed in order.needs(action, found))

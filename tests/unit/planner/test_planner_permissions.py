"""The verbs of a plan: what is asked of the authorizer, and what an administrator has to give."""

from __future__ import annotations

from typing import get_args

import pytest

from tpconfig.model import actions as a
from tpconfig.model.actions import Action, Reason
from tpconfig.model.observed import Claim, Permission
from tpconfig.model.target import Target
from tpconfig.planner import permissions

WHY = Reason("because")
WEB, CLAIM = Target("shop", "deployment", "web"), Claim("s", "{}", 2)
LEASE = {f"{verb} leases" for verb in ("create", "delete", "get", "list", "patch", "watch")}
LEASE |= {f"{verb} secrets" for verb in ("create", "delete", "get")}
SWAP = {f"{verb} deployments" for verb in ("get", "list", "patch", "watch")}
SLICES = {"list endpointslices", "watch endpointslices"}
AGENT = {f"{verb} pods" for verb in ("create", "delete", "get", "list", "watch")}
LINK = {"create pods/portforward", "get pods/portforward"}
LOOKING = {"list services", "list pods", "list leases"}
READING = {"get deployments", "list deployments"}

ROLE = {"patch leases", "create roles", "patch roles"}
PUT = {"create deployments", "patch deployments"}
ACCOUNT = {
    f"{verb} {one}" for verb in ("create", "patch") for one in ("serviceaccounts", "rolebindings")
}
PREPARED = "tp-janitor"

VERBS: list[tuple[Action, set[str]]] = [
    (a.OpenSession("shop", WHY), LEASE),
    (a.CloseSession("shop", "s", WHY), LEASE),
    (a.GuardTargets("shop", (WEB,), role=True, reason=WHY), ROLE),
    (a.GuardTargets("shop", (WEB,), role=False, reason=WHY), {"patch leases"}),
    (a.StartJanitor("shop", "own", "f", required=False, reason=WHY), PUT | ACCOUNT),
    (a.StartJanitor("shop", PREPARED, "f", required=False, reason=WHY), PUT),
    (a.ClaimTarget(WEB, "web", 2, WHY), SWAP),
    (a.StopOriginal(WEB, 2, WHY), SWAP),
    (a.ReleaseTarget(WEB, CLAIM, WHY), SWAP),
    (a.StartOriginal(WEB, CLAIM, (), WHY), SWAP | SLICES),
    (a.CreateAgent(WEB, "web", "main", "tp", "f", low_ports=False, reason=WHY), AGENT),
    (a.DeleteAgent("shop", "tp", "web", WHY), {"delete pods"}),
    (a.Connect("shop", "web", "tp", "main", (), WHY), LINK),
    (a.OpenTraffic(WEB, "web", "tp", (), WHY), SLICES),
]
HERE: list[Action] = [
    a.HandOver("web", "f", (), WHY),
    a.OpenForwards("web", (), WHY),
    a.StartProcess("web", "f", ("serve",), (), WHY),
    a.StopProcess("web", WHY),
    a.CloseTraffic("web", "tp", WHY),
    a.Disconnect("web", "tp", WHY),
]


def words(found: tuple[Permission, ...]) -> set[str]:
    """Write permissions without their groups."""
    return {
        f"{one.verb} {one.resource}{'/' + one.subresource if one.subresource else ''}"
        for one in found
    }


def test_the_tables_have_every_action() -> None:
    """A new one has to be added here."""
    known = {type(one) for one, _ in VERBS} | {type(one) for one in HERE}
    assert known == set(get_args(Action))


@pytest.mark.parametrize(("action", "verbs"), VERBS, ids=[type(one).__name__ for one, _ in VERBS])
def test_the_verbs_of_an_action(action: Action, verbs: set[str]) -> None:
    """And those of looking, which every command takes."""
    about_a_target = READING if hasattr(action, "target") else set()
    assert words(permissions.needed([action])) == verbs | LOOKING | about_a_target


def test_what_happens_on_this_machine_takes_no_verb() -> None:
    """Not even looking: there is nothing to ask for."""
    assert permissions.needed(HERE) == ()


def test_verbs_are_named_once_and_in_order() -> None:
    """Whatever the order and number of the actions."""
    actions = [action for action, _ in VERBS]
    found = permissions.needed(actions)
    assert found == permissions.needed([*reversed(actions), *actions])
    assert list(found) == sorted(set(found))


def test_a_sessions_verbs_are_those_of_all_its_actions() -> None:
    """No more: an administrator gives nothing for nothing."""
    every = permissions.needed([action for action, _ in VERBS])
    assert permissions.session_verbs("shop") == every


@pytest.mark.parametrize(
    ("permission", "said", "check"),
    [
        (
            Permission("shop", "apps", "deployments", "patch"),
            "patch deployments.apps",
            "kubectl auth can-i patch deployments.apps -n shop",
        ),
        (
            Permission("shop", "", "pods", "create", "portforward"),
            "create pods/portforward",
            "kubectl auth can-i create pods --subresource=portforward -n shop",
        ),
    ],
)
def test_a_verb_is_said_as_kubectl_says_it(permission: Permission, said: str, check: str) -> None:
    """So that a person can ask the same question."""
    assert (str(permission), permission.check) == (said, check)

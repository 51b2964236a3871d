"""Whether and how something in the cluster restores it when this machine is gone.

Where the user may not create Roles, a plan without a janitor says so before it starts (``auto``)
or does not start (``required``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tpconfig import names
from tpconfig.errors import Problem
from tpconfig.model import actions as a
from tpconfig.model import codes
from tpconfig.model.actions import Action, Reason
from tpconfig.model.desired import AgentImage, Desired
from tpconfig.model.observed import LeaseFacts, Observed
from tpconfig.model.plan import Blocker, Fault, Notice
from tpconfig.model.target import Target
from tpconfig.planner import permissions, wish
from tpconfig.planner.wish import ResolvedWorkload

VERSION = 1
"""Of the janitor's manifest; a living janitor of another one is replaced."""


@dataclass(slots=True)
class Guard:
    """What of the plan is about janitors."""

    actions: list[Action] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    blockers: list[Blocker] = field(default_factory=list)


def guard(
    desired: Desired, resolved: list[ResolvedWorkload], observed: Observed, image: AgentImage
) -> Guard:
    """Plan a janitor in every namespace in which something is swapped."""
    found = Guard()
    there = {one.namespace for one in observed.janitors if one.session == observed.session}
    swapped = {one.facts.target for one in resolved if one.workload.mode == "swap"}
    for namespace in sorted({target.namespace for target in swapped}):
        if desired.janitor == "off" and namespace not in there:
            continue  # one that is there has to know what it would put back
        account = _account(namespace, observed)
        if account is None:
            _do_without(found, desired, namespace, observed)
        else:
            found.actions += _namespace(desired, swapped, observed, image, (namespace, account))
    return found


def built_from(image: AgentImage) -> str:
    """Return what tells one janitor from another."""
    return wish.fingerprint(VERSION, image)


def own_account(session: str) -> str:
    """Return the name of a session's own janitor, and of its account, Role and binding."""
    return f"{names.PREFIX}-{session}-janitor"


def _namespace(
    desired: Desired,
    swapped: set[Target],
    observed: Observed,
    image: AgentImage,
    where: tuple[str, str],
) -> list[Action]:
    namespace, account = where
    lease = _lease(namespace, observed)
    known = frozenset(lease.touched) if lease else frozenset()
    targets = known | {
        facts.target
        for facts in observed.workloads
        if facts.target.namespace == namespace
        and (facts.target in swapped or (facts.claim and facts.claim.session == observed.session))
    }
    built = built_from(image)
    there = any(
        (one.namespace, one.session, one.built_from) == (namespace, observed.session, built)
        for one in observed.janitors
    )
    actions: list[Action] = []
    if not there or targets != known:
        text = f"what the janitor may put back: {', '.join(map(str, sorted(targets)))}"
        role = account != names.JANITOR_ACCOUNT
        actions.append(a.GuardTargets(namespace, tuple(sorted(targets)), role, Reason(text)))
    if not there:
        text = "puts it back when this machine is not heard of any more"
        required = desired.janitor == "required"
        actions.append(a.StartJanitor(namespace, account, built, required, Reason(text)))
    return actions


def _account(namespace: str, observed: Observed) -> str | None:
    """Return the account that a janitor could have: its own, else a prepared one."""
    denied = set(observed.denied)
    for account, there in (
        (own_account(observed.session), True),
        (names.JANITOR_ACCOUNT, namespace in observed.accounts),
    ):
        if there and not denied & set(permissions.janitor(namespace, account=account)):
            return account
    return None


def _do_without(found: Guard, desired: Desired, namespace: str, observed: Observed) -> None:
    wanted = permissions.janitor(namespace)
    missing = next(one for one in wanted if one in set(observed.denied))
    cure = f"an administrator, once: tp rbac --janitor -n {namespace} | kubectl apply -f -"
    if desired.janitor == "required":
        message = f"no janitor in namespace {namespace}: you may not {missing} there"
        problem = Problem(codes.JANITOR_DENIED, message, hint=f"{cure}; or session.janitor: auto")
        found.blockers.append(Blocker(Fault.PERMISSION, problem))
        return
    found.notices.append(
        Notice(
            f"no janitor in namespace {namespace}, since you may not {missing} there: when this "
            f"machine is gone, the next `tp` command of anybody puts it back ({cure})"
        )
    )


def _lease(namespace: str, observed: Observed) -> LeaseFacts | None:
    """Return our Lease, living or not: what it names may still be changed."""
    return next(
        (
            one
            for one in observed.leases
            if (one.namespace, one.session) == (namespace, observed.session)
        ),
        None,
    )

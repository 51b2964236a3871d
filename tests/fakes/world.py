"""A cluster and a machine as pure values: what each action makes of what was observed.

It refuses what the real ones would refuse, and what would hurt somebody: a Pod without a Lease to
own it, an original that stops while nobody answers, a journal taken off what is not back. So the
planner's properties hold in every order that ``order.needs`` allows, or a test says which edge is
missing. Below the actions stand the accidents: what crashes and people do to a session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import assert_never

from tpconfig.model import actions as a
from tpconfig.model.actions import Action, ClusterAction
from tpconfig.model.observed import (
    AgentFacts,
    Claim,
    HostedFacts,
    JanitorFacts,
    LeaseFacts,
    Observed,
    WorkloadFacts,
)
from tpconfig.model.target import Target


class RefusedError(AssertionError):
    """The world would not let this happen, or somebody would be hurt by it."""


def apply(world: Observed, action: Action) -> Observed:
    """Return the world after an action.

    Raises:
        RefusedError: the action comes too early, or is none of ours.
    """
    if isinstance(action, ClusterAction):
        return _apply_there(world, action)
    return _apply_here(world, action)


def apply_all(world: Observed, actions: Iterable[Action]) -> Observed:
    """Return the world after actions, one by one."""
    for action in actions:
        world = apply(world, action)
    return world


def lease(namespace: str, session: str, *, age_s: float = 0.0) -> LeaseFacts:
    """Return a Lease of Anna's."""
    return LeaseFacts(
        namespace=namespace,
        session=session,
        uid=f"uid-{session}",
        holder="anna@thinkpad",
        user="anna",
        file_name="shop",
        ttl_s=60.0,
        age_s=age_s,
    )


def answered(world: Observed, target: Target) -> bool:
    """Tell whether callers of a target find somebody: the original, or a process of ours."""
    return _facts(world, target).replicas > 0 or _served_here(world, target)


# --- what happens to a session without its doing


def crash(world: Observed) -> Observed:
    """Return the world after SIGKILL of everything of ours on this machine."""
    return replace(world, machine=replace(world.machine, hosted=()))


def scale(world: Observed, target: Target, replicas: int) -> Observed:
    """Return the world after somebody's ``kubectl scale``."""
    return _change(world, target, replicas=replicas, ready_replicas=replicas)


def edit_template(world: Observed, target: Target, template_hash: str) -> Observed:
    """Return the world after somebody's ``kubectl edit``."""
    return _change(world, target, template_hash=template_hash)


def lose_agents(world: Observed, workload: str, *, slowly: bool = False) -> Observed:
    """Return the world without our agents of a workload; ``slowly``: they are still leaving."""

    def ours(one: AgentFacts) -> bool:
        return (one.session, one.workload) == (world.session, workload)

    if slowly:
        kept = [replace(one, terminating=True) if ours(one) else one for one in world.agents]
    else:
        kept = [one for one in world.agents if not ours(one)]
    return replace(world, agents=tuple(kept))


def lose_leases(world: Observed) -> Observed:
    """Return the world without our Leases, and without what they owned."""
    return replace(
        world,
        leases=tuple(one for one in world.leases if one.session != world.session),
        agents=tuple(one for one in world.agents if one.session != world.session),
        janitors=tuple(one for one in world.janitors if one.session != world.session),
    )


def age_leases(world: Observed, age_s: float) -> Observed:
    """Return the world after our Leases were not renewed for a while."""
    return _change_leases(world, lambda one: replace(one, age_s=age_s))


def mark_ended(world: Observed) -> Observed:
    """Return the world after somebody wrote our session's end on its Leases."""
    return _change_leases(world, lambda one: replace(one, ended='{"by":"ben@desk"}'))


def listen(world: Observed, workload: str, *, listening: bool = True) -> Observed:
    """Return the world after a server was started in a shell, or stopped."""
    hosted = [
        replace(one, listening=listening) if one.workload == workload else one
        for one in world.machine.hosted
    ]
    return replace(world, machine=replace(world.machine, hosted=tuple(hosted)))


# --- actions on the cluster


def _apply_there(world: Observed, action: ClusterAction) -> Observed:
    match action:
        case a.OpenSession(namespace=namespace):
            left = _leases_but(world, namespace, world.session)
            before = [one for one in world.leases if one not in left]
            made = lease(namespace, world.session)
            if before:
                made = replace(made, touched=before[0].touched)
            return replace(world, leases=(*left, made))
        case a.GuardTargets():
            _demand(_has_lease(world, action.namespace), "nothing to name the targets on")
            return _change_leases(
                world,
                lambda one: (
                    replace(one, touched=action.targets)
                    if one.namespace == action.namespace
                    else one
                ),
            )
        case a.StartJanitor(namespace=namespace, built_from=built):
            _demand(_has_lease(world, namespace), "no Lease to own the janitor")
            left = [one for one in world.janitors if one.namespace != namespace]
            made = JanitorFacts(namespace, world.session, built)
            return replace(world, janitors=(*left, made))
        case a.CloseSession(namespace=namespace, session=session):
            return _close_session(world, namespace, session)
        case a.ClaimTarget(target=target):
            _demand(_has_lease(world, target.namespace), "a claim before the Lease")
            facts = _facts(world, target)
            _demand(facts.claim is None, "somebody's journal would be lost")
            _demand(not _unknown_to_a_janitor(world, target), "the janitor does not know of it")
            claim = Claim(
                world.session,
                "{}",
                facts.replicas,
                facts.ready_replicas,
                recreate=action.recreate,
                deletes_claims=facts.deletes_claims,
            )
            return _change(world, target, claim=claim)
        case a.CreateAgent():
            return replace(world, agents=(*world.agents, _agent(world, action)))
        case a.StopOriginal(target=target, first=first):
            _our_claim(world, target)
            _demand(
                first or _served_here(world, target),
                "the original stops before anybody serves here",
            )
            return _change(world, target, replicas=0, ready_replicas=0)
        case a.StartOriginal(target=target, claim=claim):
            _demand(_our_claim(world, target) == claim, "another journal than the target's")
            back = claim.replicas
            left = {one.name for one in world.agents} & set(action.after)
            _demand(not left, "the original comes back where an agent has its place")
            return _change(world, target, replicas=back, ready_replicas=back)
        case a.DeleteAgent():
            return _delete_agent(world, action)
        case a.ReleaseTarget(target=target):
            claim = _our_claim(world, target)
            back = _facts(world, target).replicas == claim.replicas
            _demand(back, "the way back would be lost")
            return _change(world, target, claim=None)
        case _:
            assert_never(action)


def _close_session(world: Observed, namespace: str, session: str) -> Observed:
    _demand(session == world.session, "not our Lease")
    claimed = [
        facts.target
        for facts in world.workloads
        if facts.target.namespace == namespace and facts.claim and facts.claim.session == session
    ]
    _demand(not claimed, "a claim would stay without its Lease")
    gone = (namespace, session)
    return replace(
        world,
        leases=_leases_but(world, namespace, session),
        agents=tuple(one for one in world.agents if (one.namespace, one.session) != gone),
        janitors=tuple(one for one in world.janitors if (one.namespace, one.session) != gone),
    )


def _agent(world: Observed, action: a.CreateAgent) -> AgentFacts:
    _demand(_has_lease(world, action.target.namespace), "no Lease to own the Pod")
    _demand(all(one.name != action.pod for one in world.agents), "there is a Pod of this name")
    facts = _facts(world, action.target)
    if facts.exclusive and not action.beside:
        others = [one for one in world.agents if one.target == action.target]
        _demand(not others and facts.replicas == 0, "two Pods where only one may be")
    return AgentFacts(
        name=action.pod,
        namespace=action.target.namespace,
        session=world.session,
        workload=action.workload,
        built_from=action.built_from,
        target=action.target,
    )


def _delete_agent(world: Observed, action: a.DeleteAgent) -> Observed:
    gone = (action.namespace, action.pod)
    for one in world.agents:
        _demand((one.namespace, one.name) != gone or one.session == world.session, "not our Pod")
    for here in world.machine.hosted:
        _demand(action.first or here.agent != action.pod, "a process here still uses it")
    left = tuple(one for one in world.agents if (one.namespace, one.name) != gone)
    return replace(world, agents=left)


# --- actions on this machine


def _apply_here(world: Observed, action: a.MachineAction) -> Observed:
    known = {one.workload: one for one in world.machine.hosted}
    one = known.get(action.workload)
    if isinstance(action, a.Connect):
        known[action.workload] = _connect(world, action, one)
    elif isinstance(action, a.Disconnect):
        if one is not None:
            _demand(not one.serving and one.process is None, "its callers would be cut off")
        known.pop(action.workload, None)
    else:
        _demand(one is not None, f"{action.workload} is not connected")
        assert one is not None
        known[action.workload] = _change_here(world, action, one)
    return replace(world, machine=replace(world.machine, hosted=tuple(known.values())))


def _connect(world: Observed, action: a.Connect, one: HostedFacts | None) -> HostedFacts:
    there = [
        agent
        for agent in world.agents
        if (agent.namespace, agent.name) == (action.namespace, action.pod)
    ]
    _demand(bool(there) and not there[0].terminating, "no such Pod to connect to")
    _demand(there[0].session == world.session, "not our Pod")
    _demand(_has_lease(world, action.namespace), "no Lease to own the secret")
    if one is None or one.agent != action.pod:
        _demand(one is None or not _strands(world, one, there[0]), "its callers would be cut off")
        one = replace(one or HostedFacts(action.workload, ""), agent=action.pod, serving=False)
    return replace(one, ports=action.ports)


def _strands(world: Observed, one: HostedFacts, new: AgentFacts) -> bool:
    """Tell whether a link that serves one target would be moved to another one's agent."""
    old = [agent for agent in world.agents if agent.name == one.agent and not agent.terminating]
    return one.serving and bool(old) and old[0].target != new.target


def _change_here(
    world: Observed,
    action: a.HandOver
    | a.StartProcess
    | a.OpenForwards
    | a.StopProcess
    | a.OpenTraffic
    | a.CloseTraffic,
    one: HostedFacts,
) -> HostedFacts:
    match action:
        case a.HandOver(fingerprint=fingerprint):
            _demand(one.process is None, "a process would lose its network")
            return replace(one, handed_over=fingerprint)
        case a.StartProcess(fingerprint=fingerprint):
            _demand(one.handed_over is not None, "nothing to run it in")
            _demand(one.process is None, "it would run twice")
            return replace(one, process=fingerprint)
        case a.StopProcess():
            return replace(one, process=None)
        case a.OpenForwards(forwards=forwards):
            others = [x for x in world.machine.hosted if x.workload != one.workload]
            taken = {f.local for x in others for f in x.forwards}
            _demand(not taken & {f.local for f in forwards}, "a port is carried by another link")
            return replace(one, forwards=forwards)
        case a.OpenTraffic(pod=pod):
            _demand(
                one.agent == pod and one.handed_over is not None,
                "traffic comes to what is not there",
            )
            return replace(one, serving=True)
        case a.CloseTraffic(pod=pod, first=first):
            _demand(one.agent == pod, "another agent than the one that serves")
            for agent in world.agents:
                if agent.name == pod and agent.target and not (agent.terminating or first):
                    left = _may_serve(world, agent.target, without=pod)
                    _demand(left, "traffic goes before the original is back")
            return replace(one, serving=False)
        case _:
            assert_never(action)


# --- questions


def _demand(condition: bool, otherwise: str) -> None:
    if not condition:
        raise RefusedError(otherwise)


def _facts(world: Observed, target: Target) -> WorkloadFacts:
    return next(facts for facts in world.workloads if facts.target == target)


def _our_claim(world: Observed, target: Target) -> Claim:
    claim = _facts(world, target).claim
    if claim is None or claim.session != world.session:
        raise RefusedError("it is not ours")
    return claim


def _may_serve(world: Observed, target: Target, *, without: str) -> bool:
    """Tell whether callers find somebody else than an agent, or never found anybody."""
    facts = _facts(world, target)
    stopped = facts.claim is not None and facts.replicas == 0 < facts.claim.replicas
    return not stopped or _served_here(world, target, without=without)


def _served_here(world: Observed, target: Target, *, without: str = "") -> bool:
    serving = {one.agent for one in world.machine.hosted if one.serving} - {without}
    return any(
        one.target == target and one.session == world.session and one.name in serving
        for one in world.agents
    )


def _has_lease(world: Observed, namespace: str) -> bool:
    return any(
        (one.namespace, one.session) == (namespace, world.session)
        and not one.expired
        and one.ended is None
        for one in world.leases
    )


def _unknown_to_a_janitor(world: Observed, target: Target) -> bool:
    here = (target.namespace, world.session)
    guarded = any((one.namespace, one.session) == here for one in world.janitors)
    named = [one.touched for one in world.leases if (one.namespace, one.session) == here]
    return guarded and not any(target in touched for touched in named)


def _leases_but(world: Observed, namespace: str, session: str) -> tuple[LeaseFacts, ...]:
    gone = (namespace, session)
    return tuple(one for one in world.leases if (one.namespace, one.session) != gone)


def _change(world: Observed, target: Target, **fields: object) -> Observed:
    changed = tuple(
        replace(facts, **fields) if facts.target == target else facts  # type: ignore[arg-type]
        for facts in world.workloads
    )
    return replace(world, workloads=changed)


def _change_leases(world: Observed, change: Callable[[LeaseFacts], LeaseFacts]) -> Observed:
    changed = (change(one) if one.session == world.session else one for one in world.leases)
    return replace(world, leases=tuple(changed))

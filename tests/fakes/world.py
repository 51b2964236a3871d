"""A cluster and a machine as pure values: what each action makes of what was observed.

The planner's properties are stated on it: applying a plan makes the next one empty, and every way
there can be cut and taken back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from tpconfig.model import actions as a
from tpconfig.model.actions import Action
from tpconfig.model.observed import (
    AgentFacts,
    Claim,
    HostedFacts,
    LeaseFacts,
    Observed,
    WorkloadFacts,
)
from tpconfig.model.target import Target


def apply(world: Observed, action: Action) -> Observed:
    """Return the world after an action."""
    match action:
        case a.OpenSession(namespace=namespace):
            return replace(world, leases=(*world.leases, lease(namespace, world.session)))
        case a.CloseSession(namespace=namespace, session=session):
            gone = (namespace, session)
            left = tuple(x for x in world.leases if (x.namespace, x.session) != gone)
            return replace(world, leases=left)
        case a.ClaimTarget(target=target):
            return _change(world, target, lambda f: replace(f, claim=_claim(world.session, f)))
        case a.StopOriginal(target=target):
            return _change(world, target, lambda f: replace(f, replicas=0, ready_replicas=0))
        case a.StartOriginal(target=target, claim=claim):
            back = claim.replicas
            return _change(world, target, lambda f: replace(f, replicas=back, ready_replicas=back))
        case a.ReleaseTarget(target=target):
            return _change(world, target, lambda f: replace(f, claim=None))
        case a.CreateAgent():
            return replace(world, agents=(*world.agents, _agent(world, action)))
        case a.DeleteAgent(pod=pod):
            return replace(world, agents=tuple(x for x in world.agents if x.name != pod))
        case (
            a.Connect()
            | a.HandOver()
            | a.StartProcess()
            | a.StopProcess()
            | a.OpenTraffic()
            | a.CloseTraffic()
            | a.Disconnect()
        ):
            return _apply_here(world, action)
        case _:
            assert_never(action)


def crash(world: Observed) -> Observed:
    """Return the world after SIGKILL of everything of ours on this machine."""
    return replace(world, machine=replace(world.machine, hosted=()))


def lease(namespace: str, session: str, *, age_s: float = 0.0) -> LeaseFacts:
    """Return a Lease."""
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


def _apply_here(world: Observed, action: a.MachineAction) -> Observed:
    known = {one.workload: one for one in world.machine.hosted}
    one = known.get(action.workload, HostedFacts(action.workload, ""))
    match action:
        case a.Connect(pod=pod, ports=ports):
            serving = one.serving and one.agent == pod
            known[action.workload] = replace(one, agent=pod, ports=ports, serving=serving)
        case a.HandOver(fingerprint=fingerprint):
            known[action.workload] = replace(one, handed_over=fingerprint, process=None)
        case a.StartProcess(fingerprint=fingerprint):
            known[action.workload] = replace(one, process=fingerprint)
        case a.StopProcess():
            known[action.workload] = replace(one, process=None)
        case a.OpenTraffic():
            known[action.workload] = replace(one, serving=True)
        case a.CloseTraffic():
            known[action.workload] = replace(one, serving=False)
        case a.Disconnect():
            known.pop(action.workload, None)
        case _:
            assert_never(action)
    return replace(world, machine=replace(world.machine, hosted=tuple(known.values())))


def _change(world: Observed, target: Target, change: object) -> Observed:
    assert callable(change)
    changed: list[WorkloadFacts] = [
        change(facts) if facts.target == target else facts for facts in world.workloads
    ]
    return replace(world, workloads=tuple(changed))


def _claim(session: str, facts: WorkloadFacts) -> Claim:
    assert facts.claim is None, "somebody's journal would be lost"
    return Claim(session, "{}", facts.replicas, facts.ready_replicas)


def _agent(world: Observed, action: a.CreateAgent) -> AgentFacts:
    assert all(one.name != action.pod for one in world.agents), "there is a Pod of this name"
    return AgentFacts(
        name=action.pod,
        namespace=action.target.namespace,
        session=world.session,
        workload=action.workload,
        built_from=action.built_from,
        target=action.target,
    )

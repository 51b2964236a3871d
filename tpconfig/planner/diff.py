"""``diff(desired, observed)``: the one function that decides.

Building up, taking down and following a changed file are the same question with another wish.
"""

from __future__ import annotations

from tpconfig.errors import Problem
from tpconfig.model import actions as a
from tpconfig.model.actions import Action, Reason
from tpconfig.model.desired import AgentImage, Desired
from tpconfig.model.observed import AgentFacts, HostedFacts, Observed, WorkloadFacts
from tpconfig.model.plan import Blocker, Fault, Notice, Plan
from tpconfig.model.target import PortPair
from tpconfig.planner import order, permissions, wish
from tpconfig.planner.wish import ResolvedWorkload


def diff(desired: Desired, observed: Observed, image: AgentImage | None = None) -> Plan:
    """Compare wish and world.

    Args:
        desired: what the file asks for; ``Desired()`` asks for nothing, which is ``tp down``.
        observed: one moment of the cluster and of this machine.
        image: what the agents run in; left out, the default image.

    Returns:
        The plan; where it has blockers, it has no actions.
    """
    resolved: list[ResolvedWorkload] = []
    blockers: list[Blocker] = []
    for workload in desired.workloads:
        outcome = wish.resolve(workload, desired, observed, image or AgentImage())
        if isinstance(outcome, list):
            blockers.extend(outcome)
        else:
            resolved.append(outcome)
    blockers.extend(_machine_blockers(desired, resolved, observed))
    actions = order.sort([*_undo(resolved, observed), *_build(desired, resolved, observed)])
    blockers.extend(_denied(actions, observed))
    notices = [notice for r in resolved for notice in r.notices]
    if blockers:
        return Plan(notices=tuple(notices), blockers=tuple(blockers))
    notices += _waiting_notices(desired, resolved, observed)
    return Plan(actions, tuple(notices))


def _build(desired: Desired, resolved: list[ResolvedWorkload], observed: Observed) -> list[Action]:
    actions: list[Action] = []
    reason = Reason("the session's lease: the cluster undoes everything when it runs out")
    have = {
        lease.namespace
        for lease in observed.leases
        if lease.session == observed.session and lease.ended is None
    }
    for namespace in sorted({r.facts.target.namespace for r in resolved} - have):
        actions.append(a.OpenSession(namespace, reason))
    for one in resolved:
        actions += _build_workload(one, desired, observed)
    return actions


def _build_workload(one: ResolvedWorkload, desired: Desired, observed: Observed) -> list[Action]:
    """Plan one workload from where it stands now."""
    actions: list[Action] = []
    workload, facts, source = one.workload, one.facts, one.workload.source
    swapped = workload.mode == "swap"
    if swapped and facts.claim is None:
        text = f"recorded: {facts.replicas} replicas, so that anybody can put them back"
        actions.append(
            a.ClaimTarget(facts.target, workload.name, facts.replicas, Reason(text, source))
        )
    agent = _current_agent(one, observed)
    taken = frozenset(one.name for one in observed.agents)
    pod = agent.name if agent else wish.agent_name(observed.session, workload.name, taken)
    if agent is None:
        text = f"the Pod of {facts.target}, with our agent as container {one.container.name}"
        actions.append(
            a.CreateAgent(
                target=facts.target,
                workload=workload.name,
                container=one.container.name,
                pod=pod,
                built_from=one.built_from,
                low_ports=any(pair.pod.number < 1024 for pair in one.pairs),
                reason=Reason(text, source),
            )
        )
    hosted = _hosted(workload.name, observed)
    actions += _build_hosted(one, hosted, pod)
    if not swapped:
        return actions
    serving = hosted is not None and hosted.agent == pod and hosted.serving
    if not _may_serve(one, hosted, now=desired.now):
        return actions
    if not serving:
        services = tuple(service.name for service in facts.services)
        text = f"callers of {', '.join(services)} come here" if services else "no Service calls it"
        actions.append(
            a.OpenTraffic(facts.target, workload.name, pod, services, Reason(text, source))
        )
    if facts.replicas > 0:
        text = f"replicas {facts.replicas} -> 0: the agent answers in their place"
        actions.append(a.StopOriginal(facts.target, facts.replicas, Reason(text, source)))
    return actions


def _build_hosted(one: ResolvedWorkload, hosted: HostedFacts | None, pod: str) -> list[Action]:
    """Plan what happens on this machine: link and ports, environment, process."""
    actions: list[Action] = []
    workload = one.workload
    fresh = hosted is None or hosted.agent != pod
    if fresh or (hosted is not None and hosted.ports != one.pairs):
        ports = ", ".join(f"{p.pod} arrives at {p.local}" for p in one.pairs) or "no ports"
        namespace = one.facts.target.namespace
        reason = Reason(ports, workload.source)
        actions.append(
            a.Connect(namespace, workload.name, pod, one.container.name, one.pairs, reason)
        )
    changed = hosted is None or hosted.handed_over != one.handed_over
    if fresh or changed:
        exports = tuple(export.path for export in workload.env.exports)
        text = "its names and environment, as the kubelet resolved them"
        actions.append(
            a.HandOver(workload.name, one.handed_over, exports, Reason(text, workload.source))
        )
    running = hosted.process if hosted else None
    if running is not None and (running != one.process or changed):
        actions.append(a.StopProcess(workload.name, Reason("it has changed", workload.source)))
        running = None
    if workload.run is not None and running is None and one.process is not None:
        text = f"in {workload.run.cwd}"
        actions.append(
            a.StartProcess(
                workload=workload.name,
                fingerprint=one.process,
                argv=workload.run.argv,
                after=workload.run.depends_on,
                reason=Reason(text, workload.run.source or workload.source),
            )
        )
    return actions


def _undo(resolved: list[ResolvedWorkload], observed: Observed) -> list[Action]:
    """Plan the way back of everything of this session that is not wished for any more."""
    wanted = {r.facts.target for r in resolved if r.workload.mode == "swap"}
    kept = {agent.name for r in resolved if (agent := _current_agent(r, observed))}
    hosted_wanted = {r.workload.name for r in resolved}
    actions: list[Action] = []
    claimed = [
        facts
        for facts in observed.workloads
        if facts.claim and facts.claim.session == observed.session and facts.target not in wanted
    ]
    for facts in claimed:
        actions += _start_original(facts)
    for hosted in observed.machine.hosted:
        if hosted.workload not in hosted_wanted:
            actions += _close_hosted(hosted)
    for agent in observed.agents:
        if agent.session == observed.session and not agent.terminating and agent.name not in kept:
            text = "its work is done" if agent.workload not in hosted_wanted else "replaced"
            actions.append(a.DeleteAgent(agent.namespace, agent.name, agent.workload, Reason(text)))
    for facts in claimed:
        assert facts.claim is not None
        actions.append(
            a.ReleaseTarget(facts.target, facts.claim, Reason("nothing of ours stays on it"))
        )
    needed = {r.facts.target.namespace for r in resolved}
    for lease in observed.leases:
        if lease.session == observed.session and lease.namespace not in needed:
            actions.append(a.CloseSession(lease.namespace, lease.session, Reason("all is back")))
    return actions


def _start_original(facts: WorkloadFacts) -> list[Action]:
    assert facts.claim is not None
    claim = facts.claim
    waiting = facts.ready_replicas < min(claim.replicas, claim.ready)
    if facts.replicas == claim.replicas and not waiting:
        return []
    text = f"replicas {facts.replicas} -> {claim.replicas}, as recorded"
    services = tuple(service.name for service in facts.services)
    return [a.StartOriginal(facts.target, claim, services, Reason(text))]


def _close_hosted(hosted: HostedFacts) -> list[Action]:
    actions: list[Action] = []
    if hosted.serving:
        text = "the original answers again"
        actions.append(a.CloseTraffic(hosted.workload, hosted.agent, Reason(text)))
    if hosted.process is not None:
        actions.append(a.StopProcess(hosted.workload, Reason("the session ends")))
    text = "nothing comes here any more"
    actions.append(a.Disconnect(hosted.workload, hosted.agent, Reason(text)))
    return actions


def _current_agent(one: ResolvedWorkload, observed: Observed) -> AgentFacts | None:
    for agent in observed.agents:
        ours = agent.session == observed.session and agent.workload == one.workload.name
        if ours and not agent.terminating and agent.built_from == one.built_from:
            return agent
    return None


def _hosted(workload: str, observed: Observed) -> HostedFacts | None:
    return next((h for h in observed.machine.hosted if h.workload == workload), None)


def _may_serve(one: ResolvedWorkload, hosted: HostedFacts | None, *, now: bool) -> bool:
    """Without ``run``, the original serves until somebody listens at the local port."""
    if one.workload.run is not None or now or not one.pairs:
        return True
    return hosted is not None and (hosted.listening or hosted.serving)


def _machine_blockers(
    desired: Desired, resolved: list[ResolvedWorkload], observed: Observed
) -> list[Blocker]:
    blockers = []
    machine = observed.machine
    if desired.workloads and machine.method_problem is not None:
        message, hint = machine.method_problem
        blockers.append(Blocker(Fault.USAGE, Problem("TP310", message, hint=hint)))
    for one in resolved:
        run = one.workload.run
        missing = dict(machine.missing_commands).get(one.workload.name)
        if run is not None and missing is not None:
            problem = Problem(
                "TP311",
                f"workloads.{one.workload.name}: there is no command `{missing}` here",
                run.source,
                hint="install it, or write its path",
            )
            blockers.append(Blocker(Fault.USAGE, problem))
        starts = run is not None and _hosted(one.workload.name, observed) is None
        if starts and machine.method == "none":
            blockers += [
                _port_taken(one, pair, holder)
                for pair in one.pairs
                if (holder := machine.holder_of(pair.local, pair.pod.protocol))
            ]
    return blockers


def _port_taken(one: ResolvedWorkload, pair: PortPair, holder: str) -> Blocker:
    problem = Problem(
        "TP312",
        f"workloads.{one.workload.name}: local port {pair.local} is in use by {holder}",
        one.workload.source,
        hint=f"stop it, or expose another local port: OTHER:{pair.pod}",
    )
    return Blocker(Fault.USAGE, problem)


def _denied(actions: tuple[Action, ...], observed: Observed) -> list[Blocker]:
    denied = set(observed.denied)
    return [
        Blocker(
            Fault.PERMISSION,
            Problem(
                "TP320",
                f"you may not {permission} in namespace {permission.namespace}",
                hint=f"check with: {permission.check}",
            ),
        )
        for permission in permissions.needed(actions)
        if permission in denied
    ]


def _waiting_notices(
    desired: Desired, resolved: list[ResolvedWorkload], observed: Observed
) -> list[Notice]:
    notices = []
    for one in resolved:
        hosted = _hosted(one.workload.name, observed)
        if one.workload.mode == "swap" and not _may_serve(one, hosted, now=desired.now):
            ports = ", ".join(str(pair.local) for pair in one.pairs)
            notices.append(
                Notice(
                    f"workloads.{one.workload.name}: the original goes on serving until port "
                    f"{ports} accepts a connection here (--now: at once)",
                    one.workload.source,
                )
            )
    return notices

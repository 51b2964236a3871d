"""The way up: what is missing of each wished workload, from where it stands now."""

from __future__ import annotations

from tpconfig import names
from tpconfig.model import actions as a
from tpconfig.model import kinds
from tpconfig.model.actions import Action, Reason
from tpconfig.model.observed import Observed
from tpconfig.model.plan import Notice
from tpconfig.model.target import Change, written
from tpconfig.planner import circumstances, strategy, wish
from tpconfig.planner.wish import ResolvedWorkload

SESSION = ("metadata", "labels", names.LABEL_SESSION)


def build(resolved: list[ResolvedWorkload], observed: Observed) -> list[Action]:
    """Plan what is missing of every wished workload."""
    actions = _leases(resolved, observed)
    taken = {agent.name for agent in observed.agents}
    taken |= {one.agent for one in observed.machine.hosted}  # a link knows its Pod by name
    for one in resolved:
        name = one.workload.name
        pod = one.agent.name if one.agent else wish.agent_name(observed.session, name, taken)
        taken.add(pod)
        actions += _workload(one, pod, observed)
    return actions


def _leases(resolved: list[ResolvedWorkload], observed: Observed) -> list[Action]:
    """Plan a Lease where there is none that lives."""
    living = {
        lease.namespace
        for lease in observed.leases
        if lease.session == observed.session and lease.ended is None and not lease.expired
    }
    reason = Reason(
        "the session's lease: once it has run out, anybody's `tp` restores what is left"
    )
    wanted = {one.facts.target.namespace for one in resolved}
    return [a.OpenSession(namespace, reason) for namespace in sorted(wanted - living)]


def _workload(one: ResolvedWorkload, pod: str, observed: Observed) -> list[Action]:
    """Plan one workload from where it stands now; ``pod`` is its agent's."""
    actions: list[Action] = []
    workload, facts, session = one.workload, one.facts, observed.session
    stop = [] if facts.target in observed.yielded else _stop(one, session)
    if workload.mode == "swap" and facts.claim is None:
        actions.append(_claim(one, session))
    if one.recreate:
        actions += stop
    if one.agent is None:
        actions.append(_agent(one, pod))
    actions += _hosting(one, pod)
    if one.serves:
        actions += _traffic(one, pod)
        if not one.recreate:
            actions += stop
    return actions


def _claim(one: ResolvedWorkload, session: str) -> Action:
    facts = one.facts
    recorded = _stopping(one, facts.replicas, session)
    what = ", ".join(f"{change.path} {written(change.before)}" for change in recorded)
    text = f"recorded: {what}, so that anybody can put it back"
    return a.ClaimTarget(
        facts.target,
        one.workload.name,
        facts.replicas,
        Reason(text, one.workload.source),
        recorded=recorded,
        also=(Change(SESSION, None, session), *circumstances.paused_with_it(facts)),
        recreate=one.recreate,
    )


def _agent(one: ResolvedWorkload, pod: str) -> Action:
    workload, facts = one.workload, one.facts
    text = f"the Pod of {facts.target}, with our agent as container {one.container.name}"
    if not workload.init:
        text += ", without its init containers"
    image = ("spec", f"containers[{one.container.name}]", "image")
    return a.CreateAgent(
        target=facts.target,
        workload=workload.name,
        container=one.container.name,
        pod=pod,
        built_from=one.built_from,
        low_ports=any(pair.pod.number < 1024 for pair in one.pairs),
        reason=Reason(text, workload.source),
        init=workload.init,
        beside=strategy.beside(workload, facts),
        after=one.gone_first,
        changes=(Change(image, one.container.image or None, one.image),),
    )


def _traffic(one: ResolvedWorkload, pod: str) -> list[Action]:
    """Plan that callers come here."""
    facts = one.facts
    if one.hosted is not None and one.hosted.agent == pod and one.hosted.serving:
        return []
    services = tuple(service.name for service in facts.services)
    text = f"callers of {', '.join(services)} come here" if services else "no Service calls it"
    reason = Reason(text, one.workload.source)
    return [a.OpenTraffic(facts.target, one.workload.name, pod, services, reason)]


def _stop(one: ResolvedWorkload, session: str) -> list[Action]:
    """Plan that the original stops: when the agent answers, or before it is there."""
    facts, running = one.facts, one.facts.replicas
    if one.changes_hands and facts.claim is not None and not one.recreate:
        running = running or facts.claim.replicas
    if running == 0:
        return []
    changes = _stopping(one, running, session)
    text = "it makes room for the agent" if one.recreate else "the agent answers in its place"
    return [
        a.StopOriginal(
            facts.target,
            running,
            Reason(text, one.workload.source),
            changes=changes,
            first=one.recreate,
        )
    ]


def _stopping(one: ResolvedWorkload, running: int, session: str) -> tuple[Change, ...]:
    deletes = one.facts.deletes_claims
    return kinds.stopping(one.facts.target, running, session=session, deletes_claims=deletes)


def _hosting(one: ResolvedWorkload, pod: str) -> list[Action]:
    """Plan what happens on this machine: link and ports, environment, process."""
    actions: list[Action] = []
    workload, hosted = one.workload, one.hosted
    if hosted is None or hosted.agent != pod or hosted.ports != one.pairs:
        ports = ", ".join(f"{p.pod} arrives at {p.local}" for p in one.pairs) or "no ports"
        namespace = one.facts.target.namespace
        reason = Reason(ports, workload.source)
        actions.append(
            a.Connect(namespace, workload.name, pod, one.container.name, one.pairs, reason)
        )
    changed = hosted is None or hosted.handed_over != one.handed_over
    if changed:
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


def waiting(resolved: list[ResolvedWorkload]) -> list[Notice]:
    """Name the workloads whose original serves until somebody listens here."""
    notices = []
    for one in resolved:
        if one.workload.mode == "swap" and not one.serves and not one.recreate:
            ports = ", ".join(str(p.local) for p in one.pairs if p.pod.protocol == "tcp")
            notices.append(
                Notice(
                    f"workloads.{one.workload.name}: the original goes on serving until port "
                    f"{ports} accepts a connection here (--now: at once)",
                    one.workload.source,
                )
            )
    return notices

"""Ports of this machine that arrive in the cluster: which workload's link carries them."""

from __future__ import annotations

from tpconfig.errors import Problem
from tpconfig.model import actions as a
from tpconfig.model import codes
from tpconfig.model.actions import Action, Reason
from tpconfig.model.desired import Desired
from tpconfig.model.observed import Observed
from tpconfig.model.plan import Blocker, Fault
from tpconfig.planner.wish import ResolvedWorkload


def build(desired: Desired, resolved: list[ResolvedWorkload]) -> list[Action]:
    """Plan that the first workload carries every forward, or the one that does so already."""
    carriers = [one for one in resolved if one.hosted is not None and one.hosted.forwards]
    carrier = next(iter([*carriers, *resolved]), None)
    actions: list[Action] = []
    for one in resolved:
        wanted = desired.forwards if one is carrier else ()
        if wanted == (one.hosted.forwards if one.hosted is not None else ()):
            continue
        name = one.workload.name
        said = ", ".join(map(str, wanted)) or "none any more"
        source = wanted[0].source if wanted else one.workload.source
        actions.append(a.OpenForwards(name, wanted, Reason(said, source)))
    return actions


def blockers(desired: Desired, observed: Observed) -> list[Blocker]:
    """Refuse forwards that nothing could carry, and ports that somebody else listens on."""
    if desired.forwards and not desired.workloads:
        problem = Problem(
            codes.FORWARDS_ALONE,
            "forwards and the SOCKS5 proxy need a workload whose Pod carries them",
            desired.forwards[0].source,
            hint="name one with `mode: none`: its original is left alone",
        )
        return [Blocker(Fault.USAGE, problem)]
    ours = {one.local for here in observed.machine.hosted for one in here.forwards}
    return [
        Blocker(
            Fault.USAGE,
            Problem(
                codes.FORWARD_PORT_TAKEN,
                f"local port {one.local} is in use by {holder}",
                one.source,
                hint="stop it, or forward another local port",
            ),
        )
        for one in desired.forwards
        if one.local not in ours and (holder := observed.machine.holder_of(one.local, "tcp"))
    ]

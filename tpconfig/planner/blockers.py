"""What stands in the way of a plan on this machine, and the verbs that are missing."""

from __future__ import annotations

from tpconfig.errors import Problem
from tpconfig.model import codes
from tpconfig.model.actions import Action
from tpconfig.model.desired import Desired, Export
from tpconfig.model.observed import Observed
from tpconfig.model.plan import Blocker, Fault
from tpconfig.model.target import PortPair
from tpconfig.planner import permissions
from tpconfig.planner.wish import ResolvedWorkload


def of_machine(
    desired: Desired, resolved: list[ResolvedWorkload], observed: Observed
) -> list[Blocker]:
    blockers = []
    machine = observed.machine
    if desired.workloads and machine.method_problem is not None:
        message, hint = machine.method_problem
        blockers.append(Blocker(Fault.USAGE, Problem(codes.METHOD_IMPOSSIBLE, message, hint=hint)))
    for one in resolved:
        run = one.workload.run
        missing = dict(machine.missing_commands).get(one.workload.name)
        if run is not None and missing is not None:
            problem = Problem(
                codes.NO_SUCH_COMMAND,
                f"workloads.{one.workload.name}: there is no command `{missing}` here",
                run.source,
                hint="install it, or write its path",
            )
            blockers.append(Blocker(Fault.USAGE, problem))
        blockers += [
            _tracked(one, export)
            for export in one.workload.env.exports
            if export.path in machine.tracked_exports
        ]
        starts = run is not None and one.hosted is None
        if starts and machine.method == "none":
            blockers += [
                _port_taken(one, pair, holder)
                for pair in one.pairs
                if (holder := machine.holder_of(pair.local, pair.pod.protocol))
            ]
    return blockers


def _tracked(one: ResolvedWorkload, export: Export) -> Blocker:
    problem = Problem(
        codes.EXPORT_TRACKED,
        f"workloads.{one.workload.name}: git tracks {export.path}: its secrets would be committed",
        export.source or one.workload.source,
        hint="export to another file, or `git rm --cached` it and add it to .gitignore",
    )
    return Blocker(Fault.USAGE, problem)


def _port_taken(one: ResolvedWorkload, pair: PortPair, holder: str) -> Blocker:
    problem = Problem(
        codes.LOCAL_PORT_TAKEN,
        f"workloads.{one.workload.name}: local port {pair.local} is in use by {holder}",
        one.workload.source,
        hint=f"stop it, or expose another local port: OTHER:{pair.pod}",
    )
    return Blocker(Fault.USAGE, problem)


def of_permissions(actions: tuple[Action, ...], observed: Observed) -> list[Blocker]:
    denied = set(observed.denied)
    return [
        Blocker(
            Fault.PERMISSION,
            Problem(
                codes.DENIED,
                f"you may not {permission} in namespace {permission.namespace}",
                hint=f"check with: {permission.check}",
            ),
        )
        for permission in permissions.needed(actions)
        if permission in denied
    ]

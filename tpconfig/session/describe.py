"""Actions and hosted workloads in a person's words; one place, for the terminal and for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from tpconfig import names
from tpconfig.model import actions as a
from tpconfig.model.actions import Action
from tpconfig.model.target import Change, written
from tpconfig.session.running import Phase

if TYPE_CHECKING:
    from tpconfig.session.hosted import Hosted


SESSION = ("metadata", "labels", names.LABEL_SESSION)
_STOPS = {"daemonset": "off nodes", "cronjob": "suspend"}
_STARTS = {"daemonset": "on nodes", "cronjob": "resume"}


def subject(action: Action) -> str:
    """Name what an action is about: an object of the cluster, or a workload of the file."""
    match action:
        case a.GuardTargets(namespace=namespace, role=role):
            return f"{'role and ' if role else ''}lease in {namespace}"
        case a.StartJanitor(namespace=namespace):
            return f"janitor in {namespace}"
        case a.OpenSession(namespace=namespace) | a.CloseSession(namespace=namespace):
            return f"lease in {namespace}"
        case (
            a.ClaimTarget(target=target)
            | a.StopOriginal(target=target)
            | a.StartOriginal(target=target)
            | a.ReleaseTarget(target=target)
        ):
            return str(target)
        case a.CreateAgent(pod=pod) | a.DeleteAgent(pod=pod):
            return f"pod/{pod}"
        case (
            a.Connect(workload=workload)
            | a.HandOver(workload=workload)
            | a.StartProcess(workload=workload)
            | a.OpenForwards(workload=workload)
            | a.OpenTraffic(workload=workload)
            | a.CloseTraffic(workload=workload)
            | a.StopProcess(workload=workload)
            | a.Disconnect(workload=workload)
        ):
            return workload
        case _:
            assert_never(action)


def verb(action: Action) -> str:
    """Say in a word what an action does."""
    match action:
        case a.OpenSession() | a.StartJanitor():
            return "create"
        case a.GuardTargets():
            return "guard"
        case a.ClaimTarget():
            return "claim"
        case a.CreateAgent():
            return "create"
        case a.Connect():
            return "connect"
        case a.HandOver():
            return "environment"
        case a.StartProcess():
            return "start"
        case a.OpenForwards():
            return "forward"
        case a.OpenTraffic():
            return "traffic here"
        case a.StopOriginal(target=target):
            return _STOPS.get(target.kind, "scale to 0")
        case a.StartOriginal(target=target):
            return _STARTS.get(target.kind, "scale back")
        case a.CloseTraffic():
            return "traffic back"
        case a.StopProcess():
            return "stop"
        case a.Disconnect():
            return "disconnect"
        case a.DeleteAgent() | a.CloseSession():
            return "delete"
        case a.ReleaseTarget():
            return "release"
        case _:
            assert_never(action)


def sign(action: Action) -> str:
    """Return ``+``, ``-`` or ``~``: created, removed, changed."""
    match action:
        case a.StartJanitor():
            return "+"
        case a.OpenSession() | a.CreateAgent() | a.Connect() | a.HandOver() | a.StartProcess():
            return "+"
        case a.DeleteAgent() | a.CloseSession() | a.StopProcess() | a.Disconnect():
            return "-"
        case _:
            return "~"


def changes(action: Action) -> list[str]:
    """Say which fields of which object an action changes, ``FIELD: OLD -> NEW`` each."""
    match action:
        case a.ClaimTarget(also=found):
            pass
        case a.StopOriginal(changes=found) | a.StartOriginal(changes=found):
            pass
        case a.CreateAgent(changes=found):
            pass
        case a.ReleaseTarget(claim=claim):
            found = (Change(SESSION, claim.session, None),)
        case _:
            found = ()
    return [f"{one.path}: {written(one.before)} -> {written(one.after)}" for one in found]


def line(action: Action) -> str:
    """Describe an action in one line."""
    return f"{sign(action)} {verb(action):<12} {subject(action)}: {action.reason.text}"


def hosted(one: Hosted, insists: str | None = None) -> dict[str, Any]:
    """Describe a hosted workload for ``tp status``; ``insists`` is who keeps the original up."""
    here = "here" if insists is None else f"here and original (by {insists})"
    return {
        "name": one.workload.name,
        "target": str(one.workload.target),
        "namespace": one.workload.target.namespace,
        "pod": one.pod.pod if one.pod else None,
        "ports": [str(pair) for pair in one.ports],
        "traffic": here if one.serving else "original",
        "link": "up" if one.link_up else "lost",
        "rtt_ms": round(one.rtt_s * 1000, 2) if one.rtt_s is not None else None,
        "lost_s": round(one.lost_s, 1) if one.lost_s is not None else None,
        "reconnects": one.reconnects,
        "forwards": [str(forward) for forward in one.forwards],
        "process": _process(one),
        "pid": one.running.pid,
        "restarts": one.running.restarts,
        "started_at": one.running.started_at,
    }


def _process(one: Hosted) -> str | None:
    """Say what the workload's command is about."""
    if one.workload.run is None:
        return None
    if one.exit_code is not None:
        return f"ended ({one.exit_code})"
    return "stopped" if one.running.phase is Phase.NONE else str(one.running.phase)

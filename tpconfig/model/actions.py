"""What can be done: a closed union of values, carried out by the two ``apply`` modules alone.

Adding one makes ``assert_never`` name every place that must learn it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tpconfig.model.desired import Forward
from tpconfig.model.observed import Claim
from tpconfig.model.target import Change, PortPair, Target
from tpconfig.source import Source


@dataclass(frozen=True, slots=True)
class Reason:
    """What an action is for, in the user's words, and the line that asked for it."""

    text: str
    source: Source | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Write the session's Lease, and the Secret that it owns, into a namespace."""

    namespace: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class GuardTargets:
    """Name on the Lease what the janitor has to give back, and allow it to; before any claim.

    ``role``: with a Role of its own, limited to these objects; else an administrator has prepared
    the account.
    """

    namespace: str
    targets: tuple[Target, ...]
    role: bool
    reason: Reason


@dataclass(frozen=True, slots=True)
class StartJanitor:
    """Have a janitor for the session; ``required``: wait until it has read the Lease."""

    namespace: str
    account: str
    built_from: str
    required: bool
    reason: Reason


@dataclass(frozen=True, slots=True)
class ClaimTarget:
    """Mark the target as ours, the way back in the same request.

    ``recorded`` is what stopping it will change, ``also`` what changes in this very request, and
    ``recreate`` says that its Pods and the agent may not run side by side.
    """

    target: Target
    workload: str
    replicas: int
    reason: Reason
    recorded: tuple[Change, ...] = ()
    also: tuple[Change, ...] = ()
    recreate: bool = False


@dataclass(frozen=True, slots=True)
class CreateAgent:
    """Create the agent's Pod: the original's template, one container changed.

    ``init``: with its init containers. ``beside``: the original goes on and keeps its host ports.
    ``after`` names agents that have to be gone before. ``changes`` tells what differs.
    """

    target: Target
    workload: str
    container: str
    pod: str
    built_from: str
    low_ports: bool
    reason: Reason
    init: bool = True
    beside: bool = False
    after: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Connect:
    """Have a link to the agent, and exactly these ports of the Pod arrive here."""

    namespace: str
    workload: str
    pod: str
    container: str
    ports: tuple[PortPair, ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class HandOver:
    """Make the Pod's names and environment the workload's here, and write the exports."""

    workload: str
    fingerprint: str
    exports: tuple[str, ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class StartProcess:
    """Start the workload's command and wait until it is ready."""

    workload: str
    fingerprint: str
    argv: tuple[str, ...]
    after: tuple[str, ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class OpenForwards:
    """Have exactly these ports of this machine arrive in the cluster, over a workload's link."""

    workload: str
    forwards: tuple[Forward, ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class OpenTraffic:
    """Make the agent Ready and wait until every EndpointSlice shows it."""

    target: Target
    workload: str
    pod: str
    services: tuple[str, ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class StopOriginal:
    """Stop the target; the way back is on it already.

    ``first``: before the agent is there, and until the last of its Pods is gone.
    """

    target: Target
    replicas: int
    reason: Reason
    changes: tuple[Change, ...] = ()
    first: bool = False


@dataclass(frozen=True, slots=True)
class StartOriginal:
    """Send what was recorded when the target was claimed, and wait for ``pods`` ready Pods.

    ``after`` names agents that have to be gone before.
    """

    target: Target
    claim: Claim
    services: tuple[str, ...]
    reason: Reason
    changes: tuple[Change, ...] = ()
    pods: int = 0
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CloseTraffic:
    """Make the agent not Ready, and go on answering until every node has noticed.

    ``first``: before the original is back, because both cannot be there.
    """

    workload: str
    pod: str
    reason: Reason
    first: bool = False


@dataclass(frozen=True, slots=True)
class StopProcess:
    """Stop the workload's command."""

    workload: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the workload's link, network namespace and exports."""

    workload: str
    pod: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class DeleteAgent:
    """Delete an agent's Pod; ``first``: wait until it is gone, somebody needs its place."""

    namespace: str
    pod: str
    workload: str
    reason: Reason
    first: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseTarget:
    """Take the journal off the target and give the ownership of its fields back."""

    target: Target
    claim: Claim
    reason: Reason


@dataclass(frozen=True, slots=True)
class CloseSession:
    """Delete a session's Lease, and what it owns with it."""

    namespace: str
    session: str
    reason: Reason


Action = (
    OpenSession
    | GuardTargets
    | StartJanitor
    | ClaimTarget
    | CreateAgent
    | Connect
    | HandOver
    | StartProcess
    | OpenForwards
    | OpenTraffic
    | StopOriginal
    | StartOriginal
    | CloseTraffic
    | StopProcess
    | Disconnect
    | DeleteAgent
    | ReleaseTarget
    | CloseSession
)

ClusterAction = (
    OpenSession
    | GuardTargets
    | StartJanitor
    | ClaimTarget
    | CreateAgent
    | StopOriginal
    | StartOriginal
    | DeleteAgent
    | ReleaseTarget
    | CloseSession
)

MachineAction = (
    Connect
    | HandOver
    | StartProcess
    | OpenForwards
    | OpenTraffic
    | CloseTraffic
    | StopProcess
    | Disconnect
)

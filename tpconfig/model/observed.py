"""What is there: facts about the cluster and about this machine, as one moment showed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tpconfig.model.desired import Forward
from tpconfig.model.target import PortPair, Target

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NamedPort:
    """A port that a container declares."""

    number: int
    name: str | None = None
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """One container of a pod template."""

    name: str
    ports: tuple[NamedPort, ...] = ()
    image: str = ""


@dataclass(frozen=True, slots=True)
class ServicePort:
    """``number`` of a Service goes to ``target``, a port of the Pod by number or name."""

    number: int
    target: int | str
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A Service whose selector matches the workload's Pods; a headless one has no addresses."""

    name: str
    ports: tuple[ServicePort, ...] = ()
    publishes_unready: bool = False
    local_traffic_only: bool = False
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """The journal that a session left on an object: whose it is and the way back.

    ``restore`` is the annotation's text; ``replicas`` what it brings back; ``ready`` how many Pods
    were ready when it was written; ``recreate`` that original and agent may not run side by side;
    ``deletes_claims`` that a StatefulSet's ``whenScaled: Delete`` is brought back, too.
    """

    session: str
    restore: str
    replicas: int
    ready: int = 0
    recreate: bool = False
    deletes_claims: bool = False


class What(StrEnum):
    """A circumstance of a workload that a person should know of before it is swapped."""

    PAUSED = "paused"
    ROLLING_OUT = "rolling out"
    FRESH_VOLUME = "fresh volume"
    RUNNING_JOB = "running job"
    UNKNOWN_USER = "unknown user"
    HOST_NETWORK = "host network"
    WINDOWS = "windows"
    HPA = "horizontal pod autoscaler"
    KEDA = "KEDA"
    KEDA_PAUSED = "paused KEDA"
    PDB = "pod disruption budget"
    ARGO_CD = "Argo CD"
    ARGO_CD_HEALS = "Argo CD with self-heal"
    FLUX = "Flux"
    FLUX_HELM = "Flux's Helm controller"
    HELM = "Helm"


@dataclass(frozen=True, slots=True)
class Circumstance:
    """One of them; ``name`` is whom or what it is about, ``detail`` how things stand."""

    what: What
    name: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class WorkloadFacts:
    """A workload of the cluster.

    ``replicas`` is 1 or 0 for a kind that has none and runs, or does not. ``exclusive`` says why no
    second Pod of it may run beside the first. ``manifest`` is the object as the API server gave it,
    ``template`` what an agent's Pod is built from.
    """

    target: Target
    replicas: int
    ready_replicas: int
    containers: tuple[ContainerFacts, ...]
    services: tuple[ServiceFacts, ...] = ()
    default_container: str | None = None
    template_hash: str = ""
    claim: Claim | None = None
    controller: str | None = None
    running_uid: int | None = None
    exclusive: tuple[str, ...] = ()
    deletes_claims: bool = False
    circumstances: tuple[Circumstance, ...] = ()
    manifest: Manifest = field(default_factory=dict, compare=False, repr=False)
    template: Manifest = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """An agent Pod."""

    name: str
    namespace: str
    session: str
    workload: str
    built_from: str
    target: Target | None = None
    ready: bool = False
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class JanitorFacts:
    """A session's janitor in a namespace."""

    namespace: str
    session: str
    built_from: str


@dataclass(frozen=True, slots=True)
class LeaseFacts:
    """A session's Lease; ``age_s`` is the time since the last renewal, by the server's clock.

    ``touched`` is what the janitor gives back; ``given_back`` says that it did, and that agents
    stay for ``reconnect_s`` after the last renewal; ``janitor`` is the Pod that has read it last.
    ``waits_for`` is what the session queues for; ``turn`` is higher than that of all before it.
    """

    namespace: str
    session: str
    uid: str
    holder: str
    user: str
    file_name: str
    ttl_s: float
    age_s: float
    since: str = ""
    file: str = ""
    ended: str | None = None
    touched: tuple[Target, ...] = ()
    reconnect_s: float = 0.0
    given_back: bool = False
    janitor: str | None = None
    waits_for: tuple[Target, ...] = ()
    turn: int = 0

    @property
    def expired(self) -> bool:
        """Whether nobody has renewed it for longer than it lasts."""
        return self.age_s > self.ttl_s


@dataclass(frozen=True, slots=True)
class HostedFacts:
    """What this machine does for one workload of the session right now.

    ``ports``, ``process``, ``handed_over`` are what the link, the process and the environment
    were made from, so that a difference to the wish shows.
    """

    workload: str
    agent: str
    ports: tuple[PortPair, ...] = ()
    handed_over: str | None = None
    process: str | None = None
    serving: bool = False
    listening: bool = False
    forwards: tuple[Forward, ...] = ()


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """This machine: what is hosted, which methods work and which commands exist.

    ``missing_commands`` are pairs of a workload and the program that its command starts with;
    ``ports_in_use`` are number, protocol and who listens there; ``tracked_exports`` are files that
    git has, ``visible_exports`` files that it would take because nothing ignores them.
    """

    hosted: tuple[HostedFacts, ...] = ()
    method: str = "namespace"
    method_problem: tuple[str, str] | None = None
    missing_commands: tuple[tuple[str, str], ...] = ()
    ports_in_use: tuple[tuple[int, str, str], ...] = ()
    tracked_exports: tuple[str, ...] = ()
    visible_exports: tuple[str, ...] = ()

    def holder_of(self, port: int, protocol: str) -> str | None:
        """Return who listens on a port of this machine (``node, pid 4711``)."""
        for number, kind, holder in self.ports_in_use:
            if (number, kind) == (port, protocol):
                return holder
        return None


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One verb on one resource; ``subresource`` is a field of its own, as in RBAC requests."""

    namespace: str
    group: str
    resource: str
    verb: str
    subresource: str = ""

    def __str__(self) -> str:
        name = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {name}{'/' + self.subresource if self.subresource else ''}"

    @property
    def check(self) -> str:
        """The kubectl command that asks the same question."""
        name = f"{self.resource}.{self.group}" if self.group else self.resource
        subresource = f" --subresource={self.subresource}" if self.subresource else ""
        return f"kubectl auth can-i {self.verb} {name}{subresource} -n {self.namespace}"


@dataclass(frozen=True, slots=True)
class Missing:
    """A target that does not exist, with what exists beside it, or that is none.

    ``exists``: it is there, but nothing that can be stopped and brought back (a Pod, a Job); then
    ``owner`` is the workload at the end of its owners (``deployment/web``), if it has any.
    """

    target: Target
    others: tuple[str, ...] = ()
    namespace_exists: bool = True
    namespaces: tuple[str, ...] = ()
    exists: bool = False
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """One moment of cluster and machine, as far as a session needs to know them.

    ``workloads`` also holds what carries a session's label without being asked for any more.
    ``yielded`` are targets whose originals run because another party insists on it.
    ``retired`` are the Leases that stay for their owners to see.
    ``accounts`` are the namespaces in which an administrator has prepared an account for janitors.
    """

    session: str
    workloads: tuple[WorkloadFacts, ...] = ()
    missing: tuple[Missing, ...] = ()
    agents: tuple[AgentFacts, ...] = ()
    leases: tuple[LeaseFacts, ...] = ()
    denied: tuple[Permission, ...] = ()
    machine: MachineFacts = MachineFacts()
    janitors: tuple[JanitorFacts, ...] = ()
    retired: tuple[LeaseFacts, ...] = ()
    yielded: tuple[Target, ...] = ()
    accounts: tuple[str, ...] = ()

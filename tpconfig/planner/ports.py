"""Which ports of the Pod arrive where: ``expose`` held against the container and its Services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tpconfig.errors import Problem
from tpconfig.model import codes
from tpconfig.model.desired import Expose, Workload
from tpconfig.model.observed import ContainerFacts, ServiceFacts, ServicePort, WorkloadFacts
from tpconfig.model.plan import Notice
from tpconfig.model.target import PodPort, PortPair
from tpconfig.suggest import nearest_of


@dataclass(frozen=True, slots=True)
class Ports:
    """The resolved pairs, or what is wrong with the entries."""

    pairs: tuple[PortPair, ...] = ()
    problems: tuple[Problem, ...] = ()
    notices: tuple[Notice, ...] = ()


def resolve(workload: Workload, container: ContainerFacts, facts: WorkloadFacts) -> Ports:
    """Resolve a workload's ``expose``; left out, it means every TCP port that a Service sends."""
    if facts.target.kind == "cronjob":
        return _of_jobs(workload)
    served = served_ports(container, facts)
    pairs: dict[PodPort, PortPair] = {}
    problems: list[Problem] = []
    if workload.exposes is None:
        pairs = {port: PortPair(port.number, port) for port in sorted(served) if _is_tcp(port)}
    for expose in workload.exposes or ():
        port = _pod_port(expose, container, facts, served)
        if isinstance(port, Problem):
            problems.append(port)
        elif port in pairs:
            problems.append(_twice(port, expose))
        else:
            pairs[port] = PortPair(expose.local, port, expose.wait_s, expose.proxy_protocol)
    notices = tuple(
        Notice(
            f"port {port} of {container.name} is not exposed: callers of "
            f"{', '.join(served[port])} are refused there",
            workload.source,
        )
        for port in sorted(served)
        if port not in pairs and workload.mode == "swap"
    )
    return Ports(tuple(pairs.values()), tuple(problems), notices)


def _of_jobs(workload: Workload) -> Ports:
    """A CronJob's Pods come and go: nobody calls them."""
    return Ports(
        problems=tuple(
            Problem(
                codes.PORT_OF_JOB,
                f"{workload.target} cannot expose a port: nobody calls the Pods of a Job",
                expose.source,
                hint="remove `expose`; `run` starts once, in place of the next run",
            )
            for expose in workload.exposes or ()
        )
    )


def served_ports(container: ContainerFacts, facts: WorkloadFacts) -> dict[PodPort, list[str]]:
    """Return the container's ports that Services send traffic to, with those Services' names.

    A number that only another container of the Pod declares is that one's.
    """
    served: dict[PodPort, list[str]] = {}
    for service, _, port in _sent(container, facts):
        callers = served.setdefault(port, [])
        if service.name not in callers:
            callers.append(service.name)
    return served


def called_at(container: ContainerFacts, facts: WorkloadFacts) -> dict[tuple[str, int], PodPort]:
    """Return the container's TCP ports by the addresses and ports that callers of Services see."""
    return {
        (address, sent.number): port
        for service, sent, port in _sent(container, facts)
        for address in service.addresses
        if _is_tcp(port)
    }


def _sent(
    container: ContainerFacts, facts: WorkloadFacts
) -> Iterator[tuple[ServiceFacts, ServicePort, PodPort]]:
    """Yield what Services send to the container, and to which port of it."""
    declared = {PodPort(port.number, port.protocol) for port in container.ports}
    others = {
        PodPort(port.number, port.protocol)
        for other in facts.containers
        if other.name != container.name
        for port in other.ports
    }
    named = {(port.name, port.protocol): port.number for port in container.ports if port.name}
    for service in facts.services:
        for sent in service.ports:
            target = sent.target
            number = named.get((target, sent.protocol)) if isinstance(target, str) else target
            if number is None or PodPort(number, sent.protocol) in others - declared:
                continue
            yield service, sent, PodPort(number, sent.protocol)


def _is_tcp(port: PodPort) -> bool:
    return port.protocol == "tcp"


def _pod_port(
    expose: Expose,
    container: ContainerFacts,
    facts: WorkloadFacts,
    served: Mapping[PodPort, list[str]],
) -> PodPort | Problem:
    """Find the container's port that an entry names."""
    declared = [port for port in container.ports if port.protocol == expose.protocol]
    if isinstance(expose.cluster, str):
        for port in declared:
            if port.name == expose.cluster:
                return PodPort(port.number, expose.protocol)
        return Problem(
            codes.NO_SUCH_PORT,
            f"container {container.name} has no {expose.protocol} port named `{expose.cluster}`",
            expose.source,
            hint=nearest_of(expose.cluster, (p.name for p in declared if p.name)),
        )
    wanted = PodPort(expose.cluster, expose.protocol)
    if wanted in served or any(port.number == expose.cluster for port in declared):
        return wanted
    for service in facts.services:
        for sent in service.ports:
            same = (sent.number, sent.protocol) == (expose.cluster, expose.protocol)
            if same and sent.target != sent.number:
                return _of_service(expose, container, service.name, sent)
    return wanted


def _of_service(
    expose: Expose, container: ContainerFacts, service: str, sent: ServicePort
) -> Problem:
    protocol = "" if expose.protocol == "tcp" else f"/{expose.protocol}"
    return Problem(
        codes.PORT_OF_SERVICE,
        f"{expose.cluster} is a port of service {service}, not of container {container.name}",
        expose.source,
        hint=f"service {service} sends {sent.number} to {sent.target}: "
        f"write {expose.local}:{sent.target}{protocol}",
    )


def _twice(port: PodPort, expose: Expose) -> Problem:
    return Problem(
        codes.PORT_TWICE,
        f"port {port} of the container is exposed twice",
        expose.source,
        hint="one port of the cluster can arrive at one local port only",
    )

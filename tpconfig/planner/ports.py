"""Which ports of the Pod arrive where: ``expose`` held against the container and its Services."""

from __future__ import annotations

from dataclasses import dataclass

from tpconfig.errors import Problem
from tpconfig.model.desired import Expose, Workload
from tpconfig.model.observed import ContainerFacts, ServiceFacts
from tpconfig.model.plan import Notice
from tpconfig.model.target import PodPort, PortPair
from tpconfig.suggest import nearest_of


@dataclass(frozen=True, slots=True)
class Ports:
    """The resolved pairs, or what is wrong with the entries."""

    pairs: tuple[PortPair, ...] = ()
    problems: tuple[Problem, ...] = ()
    notices: tuple[Notice, ...] = ()


def resolve(
    workload: Workload, container: ContainerFacts, services: tuple[ServiceFacts, ...]
) -> Ports:
    """Resolve a workload's ``expose``; left out, it means every TCP port that a Service sends."""
    served = served_ports(container, services)
    if workload.exposes is None:
        return Ports(tuple(PortPair(p.number, p) for p in sorted(served) if p.protocol == "tcp"))
    pairs: dict[PodPort, PortPair] = {}
    problems: list[Problem] = []
    for expose in workload.exposes:
        port = _pod_port(expose, container, services)
        if isinstance(port, Problem):
            problems.append(port)
        elif port in pairs:
            problems.append(_twice(port, expose))
        else:
            pairs[port] = PortPair(expose.local, port)
    refused = [port for port in sorted(served) if port not in pairs]
    notices = tuple(
        Notice(
            f"port {port} of {container.name} is not exposed: callers of "
            f"{', '.join(served[port])} are refused there",
            workload.source,
        )
        for port in refused
        if not problems
    )
    return Ports(tuple(pairs.values()), tuple(problems), notices)


def served_ports(
    container: ContainerFacts, services: tuple[ServiceFacts, ...]
) -> dict[PodPort, list[str]]:
    """Return the container's ports that Services send traffic to, with those Services' names."""
    named = {(port.name, port.protocol): port.number for port in container.ports if port.name}
    served: dict[PodPort, list[str]] = {}
    for service in services:
        for port in service.ports:
            target = port.target
            number = named.get((target, port.protocol)) if isinstance(target, str) else target
            if number is not None:
                names = served.setdefault(PodPort(number, port.protocol), [])
                if service.name not in names:
                    names.append(service.name)
    return served


def _pod_port(
    expose: Expose, container: ContainerFacts, services: tuple[ServiceFacts, ...]
) -> PodPort | Problem:
    """Find the container's port that an entry names."""
    declared = [port for port in container.ports if port.protocol == expose.protocol]
    if isinstance(expose.cluster, str):
        for port in declared:
            if port.name == expose.cluster:
                return PodPort(port.number, expose.protocol)
        return Problem(
            "TP301",
            f"container {container.name} has no {expose.protocol} port named `{expose.cluster}`",
            expose.source,
            hint=nearest_of(expose.cluster, (p.name for p in declared if p.name)),
        )
    if all(port.number != expose.cluster for port in declared):
        for service in services:
            for sent in service.ports:
                if sent.number == expose.cluster != sent.target and (
                    sent.protocol == expose.protocol
                ):
                    return Problem(
                        "TP302",
                        f"{expose.cluster} is a port of service {service.name}, "
                        f"not of container {container.name}",
                        expose.source,
                        hint=f"service {service.name} sends {sent.number} to {sent.target}: "
                        f"write {expose.local}:{sent.target}",
                    )
    return PodPort(expose.cluster, expose.protocol)


def _twice(port: PodPort, expose: Expose) -> Problem:
    return Problem(
        "TP303",
        f"port {port} of the container is exposed twice",
        expose.source,
        hint="one port of the cluster can arrive at one local port only",
    )

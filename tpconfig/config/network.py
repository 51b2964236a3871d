"""Ports that cannot both be taken: on this machine by two workloads, in the cluster by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tpconfig.config import codes, limits
from tpconfig.config.fields import Forward
from tpconfig.config.schema import File
from tpconfig.config.sources import Sources
from tpconfig.errors import Problem
from tpconfig.source import Source

SHARED_METHODS: Final = frozenset({"none", "inject", "vpn"})
"""Methods where all processes are in the machine's own network. ``auto`` may not be one of them."""

_EVERYWHERE: Final = frozenset({"*", "0.0.0.0", "::"})


def check_ports(file: File, sources: Sources) -> Iterator[Problem]:
    """Return what is wrong with the ports of a file."""
    yield from _cluster_ports(file, sources)
    if file.method in SHARED_METHODS:
        yield from _local_ports(file, sources)
    yield from _forwards(file, sources)


def _cluster_ports(file: File, sources: Sources) -> Iterator[Problem]:
    """One port of a container cannot arrive at two local ports."""
    for name, workload in file.workloads.items():
        seen: dict[tuple[int | str, str], int] = {}
        for index, expose in enumerate(workload.expose or ()):
            at = ("workloads", name, "expose")
            first = seen.setdefault((expose.cluster, expose.protocol), index)
            if first != index:
                yield Problem(
                    codes.CLUSTER_PORT_TWICE,
                    f"port {expose.cluster} of the container is exposed twice",
                    sources.source_of((*at, index)),
                    label="again here",
                    hint="one port of the cluster can arrive at one local port only",
                    related=_first(sources.source_of((*at, first))),
                )
            if expose.protocol == "udp":
                given = {"proxy_protocol": expose.proxy_protocol, "wait": expose.wait_s}
                for key in (key for key, value in given.items() if value):
                    yield Problem(
                        codes.TCP_ONLY,
                        f"`{key}` exists for TCP only",
                        sources.key_of((*at, index, key)),
                        label="remove this",
                    )


def _local_ports(file: File, sources: Sources) -> Iterator[Problem]:
    """Two workloads of one network cannot listen on one port."""
    seen: dict[tuple[int, str], tuple[str, int]] = {}
    for name, workload in file.workloads.items():
        for index, expose in enumerate(workload.expose or ()):
            first, place = seen.setdefault((expose.local, expose.protocol), (name, index))
            if first == name:
                continue
            yield Problem(
                codes.LOCAL_PORT_SHARED,
                f"`{first}` and `{name}` both listen on local port {expose.local}",
                sources.source_of(("workloads", name, "expose", index)),
                label="again here",
                hint=f"with `method: {file.method}` they share this machine's network: take "
                "another LOCAL port, or `method: namespace`",
                related=_first(sources.source_of(("workloads", first, "expose", place))),
            )


def _forwards(file: File, sources: Sources) -> Iterator[Problem]:
    """A forward, the SOCKS5 proxy and processes in the machine's network each want their port."""
    taken: dict[int, list[tuple[str, str, Source | None]]] = {}
    if file.socks is not None:
        taken[file.socks] = [("127.0.0.1", "`socks`", sources.source_of(("socks",)))]
    if file.method in SHARED_METHODS:
        for name, workload in file.workloads.items():
            for index, expose in enumerate(workload.expose or ()):
                if expose.protocol == "tcp":
                    source = sources.source_of(("workloads", name, "expose", index))
                    process = ("*", f"workload `{name}`", source)
                    taken.setdefault(expose.local, []).append(process)
    for index, forward in enumerate(file.forwards):
        source = sources.source_of(("forwards", index))
        if problem := _range(forward, source):
            yield problem
            continue
        for local, _ in forward.pairs:
            for bind, owner, place in taken.get(local, ()):
                if bind == forward.bind or not _EVERYWHERE.isdisjoint((bind, forward.bind)):
                    yield Problem(
                        codes.FORWARD_PORT_TWICE,
                        f"local port {local} is taken by {owner} already",
                        source,
                        label="again here",
                        related=_first(place),
                    )
                    break
            taken.setdefault(local, []).append((forward.bind, "another forward", source))


def _range(forward: Forward, source: Source | None) -> Problem | None:
    """Complain about ranges that do not fit each other."""
    if forward.local_end is None or forward.port_end is None:
        return None
    here = forward.local_end - forward.local + 1
    there = forward.port_end - forward.port + 1
    if min(here, there) < 1:
        text = "a range ends before it begins"
    elif here != there:
        text = f"{here} local ports cannot arrive at {there}"
    elif here > limits.MAX_FORWARD_RANGE:
        text = f"{here} ports are more than {limits.MAX_FORWARD_RANGE}"
    else:
        return None
    hint = "write two ranges of one length, for example 8000-8002:web:9000-9002"
    return Problem(codes.FORWARD_RANGE, f"`{forward.text}`: {text}", source, hint=hint)


def _first(source: Source | None) -> tuple[tuple[str, Source], ...]:
    return (("first here", source),) if source else ()

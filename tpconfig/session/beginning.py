"""``tp init``: a first file, of what a namespace has; nothing in the cluster is changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tpconfig import names
from tpconfig.cluster import facts, paths
from tpconfig.cluster.api import Api
from tpconfig.cluster.failures import ForbiddenError
from tpconfig.config import values
from tpconfig.errors import Problem, UsageError
from tpconfig.model import kinds
from tpconfig.model.desired import Workload
from tpconfig.model.observed import ContainerFacts, WorkloadFacts
from tpconfig.model.target import PodPort, Target
from tpconfig.planner import ports
from tpconfig.planner.wish import choose_container
from tpconfig.session.access import open_cluster
from tpconfig.session.wish import Reload
from tpconfig.suggest import nearest_of

SCHEMA: Final = "telepresence.schema.json"
"""The schema that the first line names, beside the file."""

_LONGEST_NAME: Final = 63
_HEAD: Final = """\
# yaml-language-server: $schema={schema}
# The editor explains every key (tp config schema). What would be done: tp plan. Do it: tp up
version: 1

cluster:
  # context: {context}    # left out: the current context of whoever uses this file
  namespace: {namespace}

workloads:
"""
_RUN: Final = """\
    # run: {command: npm start}    # your process; left out: a shell, or start it from your editor
    # env: {set: {LOG_LEVEL: debug}}
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A workload that a file could be about; ``container`` only where it has to be named."""

    target: Target
    container: str | None = None
    exposes: tuple[tuple[PodPort, str], ...] = ()

    @property
    def written(self) -> str:
        """The target as the file has it."""
        return f"{self.target}:{self.container}" if self.container else str(self.target)


@dataclass(frozen=True, slots=True)
class Found:
    """What there is in a namespace, and where that is."""

    context: str
    server: str
    namespace: str
    workloads: tuple[WorkloadFacts, ...]


async def look(reload: Reload) -> Found:
    """Return the workloads of the namespace that can be stood in for, those that may be listed.

    Raises:
        TpError: the cluster does not answer, or nothing may be listed.
    """
    async with open_cluster(reload.cluster()) as api:
        namespace = reload.namespace or api.namespace
        async with asyncio.TaskGroup() as group:
            lists = {
                kind: group.create_task(_list(api, kind, namespace)) for kind in kinds.SWAPPABLE
            }
            services = group.create_task(_list(api, "service", namespace))
        denied = [task.result() for task in lists.values() if isinstance(task.result(), Exception)]
        if len(denied) == len(lists) and isinstance(denied[0], ForbiddenError):
            raise denied[0]
        sent = services.result()
        found = tuple(
            facts.workload(_target(namespace, kind, one), one, _known(sent), ())
            for kind, task in lists.items()
            for one in _known(task.result())
            if _is_whole(one)
        )
        return Found(api.context, api.server, namespace, found)


def choose(found: Found, wanted: str) -> Candidate:
    """Return the workload that ``KIND/NAME[:CONTAINER]`` names, with its ports.

    Raises:
        UsageError: there is none, or it has several containers and none is named.
    """
    try:
        said = values.target(wanted)
    except values.ValueProblem as problem:
        raise UsageError(f"--target {wanted}: {problem.message}", hint=problem.hint) from None
    target = Target(found.namespace, said["kind"], said["name"])
    known = {one.target: one for one in found.workloads}
    if target not in known:
        there = [str(one) for one in known]
        raise UsageError(
            f"there is no {target} in namespace {found.namespace}",
            hint=nearest_of(str(target), there),
        )
    return _candidate(known[target], said.get("container"))


def text(found: Found, chosen: Sequence[Candidate]) -> str:
    """Return the file: commented, and valid as it is."""
    context, namespace = json.dumps(found.context), json.dumps(found.namespace)
    head = _HEAD.format(schema=SCHEMA, context=context, namespace=namespace)
    taken: set[str] = set()
    blocks = []
    for one in chosen:
        name = _name(one.target, taken)
        taken.add(name)
        blocks.append(_block(name, one))
    return head + "\n".join(blocks)


def _block(name: str, one: Candidate) -> str:
    lines = [f"  {name}:", f"    target: {one.written}"]
    if one.target.kind == "cronjob":
        lines.append("    # a CronJob: the process here stands in for its next run")
    elif one.exposes:
        lines.append("    expose:    # LOCAL:CLUSTER; your process listens on LOCAL")
        lines += [f"      - {_pair(port)}    # {why}" for port, why in one.exposes]
    else:
        lines.append("    expose: []    # no Service sends anything here")
    return "\n".join(lines) + "\n" + _RUN


def _pair(port: PodPort) -> str:
    suffix = "" if port.protocol == "tcp" else f"/{port.protocol}"
    return f"{port.number}:{port.number}{suffix}"


def _name(target: Target, taken: set[str]) -> str:
    """Return the workload's name in the file: the object's, with its kind where that is taken."""
    name = target.name[:_LONGEST_NAME].rstrip("-.")
    if name in taken:
        name = f"{target.name[: _LONGEST_NAME - len(target.kind) - 1]}-{target.kind}"
    return name


def _candidate(one: WorkloadFacts, container: str | None) -> Candidate:
    wish = Workload(name=one.target.name, target=one.target, container=container)
    chosen = choose_container(wish, one)
    if isinstance(chosen, Problem):
        raise UsageError(chosen.message, hint=chosen.hint)
    named = container or (chosen.name if len(one.containers) > 1 else None)
    return Candidate(one.target, named, _exposes(chosen, one))


def _exposes(container: ContainerFacts, one: WorkloadFacts) -> tuple[tuple[PodPort, str], ...]:
    served = ports.served_ports(container, one)
    return tuple(
        (port, f"for service {' and '.join(served[port])}")
        for port in sorted(served)
        if port.protocol in ("tcp", "udp")
    )


async def _list(
    api: Api, kind: str, namespace: str
) -> Sequence[Mapping[str, Any]] | ForbiddenError:
    try:
        return await api.list(paths.path_of(kind, namespace))
    except ForbiddenError as error:
        return error


def _known(found: Sequence[Mapping[str, Any]] | ForbiddenError) -> Sequence[Mapping[str, Any]]:
    return () if isinstance(found, ForbiddenError) else found


def _target(namespace: str, kind: str, manifest: Mapping[str, Any]) -> Target:
    return Target(namespace, kind, manifest["metadata"]["name"])


def _is_whole(manifest: Mapping[str, Any]) -> bool:
    """Say whether an object is somebody's own: no part of a larger one, and none of ours."""
    labels = manifest["metadata"].get("labels") or {}
    return facts.controller(manifest) is None and names.LABEL_ROLE not in labels

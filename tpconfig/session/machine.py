"""Carries out the plan's actions on this machine, and says what is here."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import assert_never

from tpconfig.cluster import endpoints, manifests
from tpconfig.cluster.api import Api
from tpconfig.cluster.apply import ClusterApplier
from tpconfig.errors import TpError
from tpconfig.local import gitcheck
from tpconfig.local import observe as machine
from tpconfig.local.diagnosis import Diagnosis
from tpconfig.model import actions as a
from tpconfig.model.desired import Desired, Workload
from tpconfig.model.observed import HostedFacts, MachineFacts, Observed
from tpconfig.model.target import PodPort
from tpconfig.session.hosted import Here, Hosted, PodSide
from tpconfig.session.near import Neighbours
from tpconfig.session.pipes import port_forwards

READY_TIMEOUT_S = 60.0
UNREADY_TIMEOUT_S = 10.0
SETTLE_S = 1.2
"""kube-proxy programs a node at most once a second (``--iptables-min-sync-period``): originals that
were stopped within it would get traffic for the rest of it."""
DRAIN_S = 5.0
"""What the proxies of all nodes get to notice that the agent takes no new connections."""

Waiting = Callable[[str], None]

_SHELL_WORDS = frozenset(
    [
        ".",
        ":",
        "[",
        "[[",
        "(",
        "{",
        "alias",
        "bg",
        "break",
        "case",
        "cd",
        "command",
        "continue",
        "echo",
        "eval",
        "exec",
        "exit",
        "export",
        "false",
        "for",
        "if",
        "printf",
        "pwd",
        "read",
        "return",
        "set",
        "shift",
        "source",
        "test",
        "time",
        "trap",
        "true",
        "type",
        "ulimit",
        "umask",
        "unset",
        "until",
        "wait",
        "while",
        "!",
    ]
)


@dataclass(slots=True)
class Machine:
    """Everything that one session hosts here; ``elsewhere`` is what another process of it hosts."""

    api: Api
    here: Here
    hosted: dict[str, Hosted] = field(default_factory=dict)
    elsewhere: tuple[HostedFacts, ...] = ()
    neighbours: Neighbours = field(init=False)

    def __post_init__(self) -> None:
        self.neighbours = Neighbours(self.hosted)
        self.here = replace(self.here, near=self.neighbours.dial)

    async def apply(
        self, action: a.MachineAction, waiting: Waiting, world: Observed, cluster: ClusterApplier
    ) -> str:
        """Carry out one action."""
        one = self.hosted.get(action.workload)
        match action:
            case a.Connect():
                await self._connect(action, world, cluster)
                return ""
            case a.Disconnect(workload=workload):
                if one is not None:
                    await one.disconnect()
                    del self.hosted[workload]
                return ""
            case _ if one is None:
                raise TpError(f"{action.workload} is not connected")
            case a.HandOver(fingerprint=fingerprint):
                return await one.hand_over(fingerprint)
            case a.StartProcess(fingerprint=fingerprint):
                waiting("its ports to accept connections" if one.ports else "it to start")
                await one.start(fingerprint)
                return ""
            case a.OpenForwards(forwards=forwards):
                await one.forward(forwards)
                return ""
            case a.OpenTraffic():
                return await self._open_traffic(one, action, cluster, waiting)
            case a.CloseTraffic():
                return await self._close_traffic(one, action, world, cluster, waiting)
            case a.StopProcess():
                await one.stop()
                return ""
            case _:
                assert_never(action)

    def adopt(self, desired: Desired) -> None:
        """Take over what the file says now, also about workloads that are hosted already."""
        self.here = replace(self.here, outbound=desired.outbound)
        for one in self.hosted.values():
            one.here = self.here
        for workload in desired.workloads:
            self.hosted.setdefault(workload.name, Hosted(workload, self.here)).workload = workload

    async def facts(self, desired: Desired, method: str, problem: Diagnosis | None) -> MachineFacts:
        """Say what is hosted here and what the wish would miss."""
        missing = [
            (workload.name, word)
            for workload in desired.workloads
            if (word := self._missing_command(workload)) is not None
        ]
        ports = {
            PodPort(expose.local, expose.protocol)
            for workload in desired.workloads
            for expose in workload.exposes or ()
        }
        ports |= {PodPort(one.local) for one in desired.forwards}
        taken = machine.ports_in_use(ports)
        exported = [e.path for one in desired.workloads for e in one.env.exports]
        git = await asyncio.to_thread(gitcheck.look, exported)
        here = [await one.facts() for one in self.hosted.values() if one.pod]
        return MachineFacts(
            hosted=(*self.elsewhere, *here),
            method=method,
            method_problem=(problem.reason, problem.cure) if problem else None,
            missing_commands=tuple(missing),
            ports_in_use=tuple((p.number, p.protocol, who) for p, who in sorted(taken.items())),
            tracked_exports=git.tracked,
            visible_exports=git.visible,
        )

    async def _connect(self, action: a.Connect, world: Observed, cluster: ClusterApplier) -> None:
        one = self.hosted.get(action.workload)
        if one is None:
            raise TpError(f"{action.workload} is not part of the wish")
        facts = next(f for f in world.workloads if f.target == one.workload.target)
        pod_spec = facts.template["spec"]
        container = next(c for c in pod_spec["containers"] if c["name"] == action.container)
        side = PodSide(
            namespace=action.namespace,
            pod=action.pod,
            container=action.container,
            spec_keys=frozenset(entry["name"] for entry in container.get("env") or ()),
            mount_paths=frozenset(m["mountPath"] for m in container.get("volumeMounts") or ()),
            grace_s=cluster.owner.ttl_s,
        )
        link_port, _ = manifests.agent_ports(pod_spec, action.pod)
        secret = await cluster.secret(action.namespace)
        pipes = port_forwards(self.api, action.namespace, action.pod, link_port)
        await one.connect(side, pipes, secret, action.ports)

    async def _open_traffic(
        self, one: Hosted, action: a.OpenTraffic, cluster: ClusterApplier, waiting: Waiting
    ) -> str:
        await one.serve(ready=True)
        waiting("every Service to send its traffic here")
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await endpoints.wait_for_pod(
                    cluster.mirrors,
                    action.target.namespace,
                    action.services,
                    action.pod,
                    serving=True,
                )
        except TimeoutError:
            raise TpError(
                f"pod {action.pod} did not become ready in {READY_TIMEOUT_S:.0f} s",
                hint=f"kubectl describe pod {action.pod} tells what else of it is not ready "
                "(sidecars?)",
            ) from None
        if action.services:
            waiting("every node to notice")
            await asyncio.sleep(SETTLE_S)
        return ""

    async def _close_traffic(
        self,
        one: Hosted,
        action: a.CloseTraffic,
        world: Observed,
        cluster: ClusterApplier,
        waiting: Waiting,
    ) -> str:
        assert one.pod is not None
        services = tuple(
            service.name
            for facts in world.workloads
            if facts.target == one.workload.target
            for service in facts.services
        )
        if not one.link_up:
            return "the link was lost before"
        await one.serve(ready=False)
        if not services:
            return ""
        try:
            async with asyncio.timeout(UNREADY_TIMEOUT_S):
                await endpoints.wait_for_pod(
                    cluster.mirrors, one.pod.namespace, services, action.pod, serving=False
                )
        except TimeoutError:
            return "a Service still sends here"
        waiting(f"{DRAIN_S:.0f} s for every node to notice")
        await asyncio.sleep(DRAIN_S)
        return ""

    def _missing_command(self, workload: Workload) -> str | None:
        """Return the program that a workload's command starts with, if it is not here."""
        word = command_word(workload.run.argv) if workload.run else None
        if workload.run is None or word is None:
            return None
        environ = {**self.here.environ, **dict(workload.env.set)}
        found = machine.find_command(word, environ, workload.run.cwd)
        return word if found is None else None


def command_word(argv: tuple[str, ...]) -> str | None:
    """Return the program that a command starts with; ``None`` where only a shell can tell."""
    if argv[:2] != ("/bin/sh", "-c"):
        return argv[0]
    try:
        words = shlex.split(argv[2], comments=True)
    except ValueError:
        return None
    for word in words:
        if "=" in word.split("/")[0] and not word.startswith("="):
            continue
        plain = not set(word) & set("$`*?;|&<>(){}~\n")
        return word if plain and word not in _SHELL_WORDS else None
    return None

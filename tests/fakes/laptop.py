"""A laptop: the real session, planner and appliers against an API server, with a pretended machine.

Nothing listens and nothing runs here; what a machine would do takes no time and always works. So
all that a session writes to a cluster can be tried many times a second.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tpconfig.cluster.api import Api, open_api
from tpconfig.model import actions as a
from tpconfig.model.desired import Desired, Run, SessionWish, Workload
from tpconfig.model.events import Event, Remark
from tpconfig.model.observed import HostedFacts, MachineFacts, Observed
from tpconfig.model.plan import Plan
from tpconfig.model.target import Target
from tpconfig.session.hosted import Hosted
from tpconfig.session.identity import Identity
from tpconfig.session.lifecycle import Session
from tpconfig.session.near import Neighbours

Object = dict[str, Any]


@dataclass
class PretendedMachine:
    """Does at once what the machine's side of a session is asked for."""

    here: Any = None
    hosted: dict[str, Hosted] = field(default_factory=dict)
    there: dict[str, HostedFacts] = field(default_factory=dict)
    neighbours: Neighbours = field(init=False)

    def __post_init__(self) -> None:
        self.neighbours = Neighbours(self.hosted)

    def adopt(self, workloads: object) -> None:
        """Take over what the file says now."""

    async def facts(self, *_: object) -> MachineFacts:
        """Say what is hosted here."""
        return MachineFacts(hosted=tuple(self.there.values()))

    async def apply(self, action: a.MachineAction, *_: object) -> str:
        """Carry out one action."""
        one = self.there.get(action.workload, HostedFacts(action.workload, ""))
        match action:
            case a.Connect(pod=pod, ports=ports):
                serving = one.serving and one.agent == pod
                one = replace(one, agent=pod, ports=ports, serving=serving)
            case a.HandOver(fingerprint=fingerprint):
                one = replace(one, handed_over=fingerprint)
            case a.StartProcess(fingerprint=fingerprint):
                one = replace(one, process=fingerprint)
            case a.OpenTraffic():
                one = replace(one, serving=True)
            case a.CloseTraffic():
                one = replace(one, serving=False)
            case a.StopProcess():
                one = replace(one, process=None)
            case a.Disconnect():
                self.there.pop(action.workload, None)
                self.hosted.pop(action.workload, None)
                return ""
        self.there[action.workload] = one
        return ""


class Permitted(Session):
    """A session of somebody who may do everything, and so need not ask each time."""

    async def look(self, desired: Desired, *, ask: bool = True) -> tuple[Observed, Plan]:
        """Observe and plan without asking for each verb."""
        return await super().look(desired, ask=False)


@dataclass
class Laptop:
    """One session on one laptop, and what it has said."""

    session: Session
    said: list[Event]

    @property
    def remarks(self) -> list[str]:
        """What the user has read besides the plan."""
        return [one.text for one in self.said if isinstance(one, Remark)]


@asynccontextmanager
async def open_laptop(
    cluster: str | Api, who: str, *, machine: PretendedMachine | None = None, **wish: Any
) -> AsyncIterator[Laptop]:
    """Open somebody's laptop; ``wish`` is what the file says about the session.

    ``cluster`` is a kubeconfig, or a way to the cluster that is open already.
    """
    said: list[Event] = []
    async with AsyncExitStack() as opened:
        api = cluster
        if isinstance(api, str):
            api = await opened.enter_async_context(open_api(context=None, kubeconfig=api))
        identity = Identity(f"{abs(hash(who)) % 16**8:08x}", "fake-admin", f"{who}@host", who, "f")
        where: Any = machine or PretendedMachine()
        session = Permitted(
            api, identity, SessionWish(who, **wish), where, said.append, "none", "shop"
        )
        yield Laptop(session, said)


def wanted(*names: str, namespace: str = "shop", janitor: str = "auto") -> Desired:
    """Wish that Deployments are swapped."""
    workloads = tuple(
        Workload(name, Target(namespace, "deployment", name), run=Run(("serve",), "/src"))
        for name in names
    )
    return Desired(workloads, method="none", janitor=janitor)


async def create_shop(api: Api, path: Callable[..., str], *names: str, replicas: int = 2) -> None:
    """Create Deployments with a Service in front of each."""
    for name in names:
        labels = {"app": name}
        container = {"name": "main", "image": "x", "ports": [{"containerPort": 8080}]}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        await api.create(path("deployment"), {"metadata": {"name": name}, "spec": spec})
        ports = [{"port": 80, "targetPort": 8080}]
        service = {"metadata": {"name": name}, "spec": {"selector": labels, "ports": ports}}
        await api.create(path("service"), service)

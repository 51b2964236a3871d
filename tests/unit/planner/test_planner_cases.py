"""What the planner decides, case by case: world and wish in, the plan out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from tests.fakes import world as worlds
from tpconfig.model.desired import Desired, Expose, Run, Workload
from tpconfig.model.observed import (
    AgentFacts,
    Claim,
    ContainerFacts,
    HostedFacts,
    MachineFacts,
    Missing,
    NamedPort,
    Observed,
    Permission,
    ServiceFacts,
    ServicePort,
    WorkloadFacts,
)
from tpconfig.model.plan import Fault, Plan
from tpconfig.model.target import PodPort, PortPair, Target
from tpconfig.planner.diff import diff

SESSION = "0000aaaa"
WEB = Target("shop", "deployment", "web")
MAIN = ContainerFacts("main", (NamedPort(8080, "http"), NamedPort(9090, "metrics")))
SERVICE = ServiceFacts("web", (ServicePort(80, "http"),))
FACTS = WorkloadFacts(WEB, 2, 2, (MAIN,), (SERVICE,), template_hash="t1")
RUN = Run(("serve",), "/src")
WISH = Workload("web", WEB, exposes=(Expose(3000, "http"),), run=RUN)
CLAIM = Claim(SESSION, "{}", 2, 2)

FULL_UP = [
    "OpenSession",
    "ClaimTarget",
    "CreateAgent",
    "Connect",
    "HandOver",
    "StartProcess",
    "OpenTraffic",
    "StopOriginal",
]
FULL_DOWN = [
    "StartOriginal",
    "CloseTraffic",
    "StopProcess",
    "Disconnect",
    "DeleteAgent",
    "ReleaseTarget",
    "CloseSession",
]


def plan(*wished: Workload, world: Observed, now: bool = False) -> Plan:
    """Plan."""
    return diff(Desired(wished, now=now), world)


def kinds(found: Plan) -> list[str]:
    """Return the names of a plan's actions."""
    return [type(action).__name__ for action in found.actions]


def observed(*facts: WorkloadFacts, **more: object) -> Observed:
    """Return a world with these Deployments."""
    return Observed(SESSION, facts or (FACTS,), **more)  # type: ignore[arg-type]


def up(world: Observed, wish: Workload = WISH) -> Observed:
    """Return the world with the wish fulfilled."""
    for action in plan(wish, world=world).actions:
        world = worlds.apply(world, action)
    return world


@dataclass(frozen=True)
class Case:
    """``actions`` are the plan's, by name and in order."""

    name: str
    world: Observed
    actions: list[str]
    wished: tuple[Workload, ...] = (WISH,)
    now: bool = False
    notices: tuple[str, ...] = field(default=())


UP = up(observed())
CASES = (
    Case("everything is new", observed(), FULL_UP),
    Case("everything is there", UP, []),
    Case("nothing is wished for", UP, FULL_DOWN, wished=()),
    Case("nothing is there and nothing wished for", observed(), [], wished=()),
    Case("no replicas: nothing to stop", observed(replace(FACTS, replicas=0)), FULL_UP[:-1]),
    Case(
        "killed after the claim, then down",
        observed(replace(FACTS, claim=CLAIM), leases=(worlds.lease("shop", SESSION),)),
        ["ReleaseTarget", "CloseSession"],
        wished=(),
    ),
    Case(
        "killed while up, then down",
        worlds.crash(UP),
        ["StartOriginal", "DeleteAgent", "ReleaseTarget", "CloseSession"],
        wished=(),
    ),
    Case(
        "killed while up, then up: the agent is taken over",
        worlds.crash(UP),
        ["Connect", "HandOver", "StartProcess", "OpenTraffic"],
    ),
    Case(
        "the agent was deleted: the process stays",
        replace(UP, agents=()),
        ["CreateAgent", "Connect", "OpenTraffic"],
    ),
    Case(
        "the template was edited: cloned anew",
        replace(UP, workloads=(replace(UP.workloads[0], template_hash="t2"),)),
        ["CreateAgent", "Connect", "OpenTraffic", "DeleteAgent"],
    ),
    Case(
        "somebody scaled the original up",
        replace(UP, workloads=(replace(UP.workloads[0], replicas=3),)),
        ["StopOriginal"],
    ),
    Case("the lease vanished", replace(UP, leases=()), ["OpenSession"]),
    Case(
        "another command",
        UP,
        ["StopProcess", "StartProcess"],
        wished=(replace(WISH, run=Run(("other",), "/src")),),
    ),
    Case(
        "another port",
        UP,
        ["Connect"],
        wished=(replace(WISH, exposes=(Expose(3001, "http"),)),),
    ),
    Case(
        "without run the original serves on",
        observed(),
        FULL_UP[:5],
        wished=(replace(WISH, run=None),),
        notices=("goes on serving until port 3000",),
    ),
    Case(
        "without run, at once",
        observed(),
        [*FULL_UP[:5], "OpenTraffic", "StopOriginal"],
        wished=(replace(WISH, run=None),),
        now=True,
    ),
    Case(
        "without run and ports there is nothing to wait for",
        observed(),
        [*FULL_UP[:5], "OpenTraffic", "StopOriginal"],
        wished=(replace(WISH, run=None, exposes=()),),
    ),
    Case(
        "environment and outbound only",
        observed(),
        ["OpenSession", "CreateAgent", "Connect", "HandOver", "StartProcess"],
        wished=(replace(WISH, mode="none"),),
    ),
    Case(
        "the original is not back yet: down waits for it",
        observed(
            replace(FACTS, claim=CLAIM, ready_replicas=0), leases=(worlds.lease("shop", SESSION),)
        ),
        ["StartOriginal", "ReleaseTarget", "CloseSession"],
        wished=(),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_plan(case: Case) -> None:
    """These actions, in this order."""
    found = plan(*case.wished, world=case.world, now=case.now)
    assert not found.blockers
    assert kinds(found) == case.actions
    for words in case.notices:
        assert any(words in notice.text for notice in found.notices)


TWO = (ContainerFacts("main", (NamedPort(8080, "http"),)), ContainerFacts("side"))


@dataclass(frozen=True)
class Stop:
    """What stands in the way, and whose move it is."""

    name: str
    world: Observed
    says: str
    fault: Fault = Fault.USAGE
    wish: Workload = WISH


STOPS = (
    Stop(
        "no such Deployment",
        Observed(SESSION, missing=(Missing(WEB, ("webapp", "api")),)),
        "did you mean `webapp`?",
    ),
    Stop(
        "no such namespace",
        Observed(SESSION, missing=(Missing(WEB, (), False, ("shop-dev",)),)),
        "no namespace `shop`",
    ),
    Stop(
        "no such container", observed(), "no container `mian`", wish=replace(WISH, container="mian")
    ),
    Stop(
        "no such named port",
        observed(),
        "no tcp port named `htpt`",
        wish=replace(WISH, exposes=(Expose(3000, "htpt"),)),
    ),
    Stop(
        "a Service's port",
        observed(),
        "write 3000:http",
        wish=replace(WISH, exposes=(Expose(3000, 80),)),
    ),
    Stop(
        "one port twice",
        observed(),
        "exposed twice",
        wish=replace(WISH, exposes=(Expose(3000, "http"), Expose(3001, 8080))),
    ),
    Stop(
        "two containers and no Service",
        observed(replace(FACTS, containers=TWO, services=())),
        "2 containers",
    ),
    Stop(
        "held by another session",
        observed(
            replace(FACTS, claim=Claim("0000bbbb", "{}", 2)),
            leases=(worlds.lease("shop", "0000bbbb", age_s=4.0),),
        ),
        "anna@thinkpad",
        Fault.CONFLICT,
    ),
    Stop(
        "owned by a controller", observed(replace(FACTS, controller="Rollout/web")), "Rollout/web"
    ),
    Stop(
        "no such command",
        observed(machine=MachineFacts(missing_commands=(("web", "serve"),))),
        "no command `serve`",
    ),
    Stop(
        "a local port in use",
        observed(machine=MachineFacts(method="none", ports_in_use=((3000, "tcp", "pid 7"),))),
        "in use by pid 7",
    ),
    Stop(
        "the method does not work",
        observed(machine=MachineFacts(method_problem=("nft is missing", "install nftables"))),
        "nft is missing",
    ),
    Stop(
        "a verb is denied",
        observed(denied=(Permission("shop", "", "pods", "create"),)),
        "create pods",
        Fault.PERMISSION,
    ),
)


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.name)
def test_what_stands_in_the_way(stop: Stop) -> None:
    """The plan does nothing and says why."""
    found = plan(stop.wish, world=stop.world)
    assert found.actions == ()
    problems = [one.problem for one in found.blockers if one.fault is stop.fault]
    said = " ".join(f"{p.message} {p.label} {p.hint}" for p in problems)
    assert stop.says in said


def test_a_service_tells_which_of_two_containers_is_meant() -> None:
    """The only one whose declared port it sends to."""
    found = plan(WISH, world=observed(replace(FACTS, containers=TWO)))
    assert {getattr(action, "container", "main") for action in found.actions} == {"main"}


def test_without_expose_what_services_send_comes_here() -> None:
    """Every TCP port that a Service sends there, under the same number."""
    found = plan(replace(WISH, exposes=None), world=observed())
    ports = next(action.ports for action in found.actions if hasattr(action, "ports"))
    assert ports == (PortPair(8080, PodPort(8080)),)


def test_a_port_that_is_not_exposed_is_named() -> None:
    """Its callers will be refused."""
    found = plan(replace(WISH, exposes=()), world=observed())
    assert any("8080" in notice.text and "refused" in notice.text for notice in found.notices)


def test_traffic_moves_once_somebody_listens() -> None:
    """A workload without ``run``, its shell open, a server just started in it."""
    shell = replace(WISH, run=None)
    world = up(observed(), shell)
    assert plan(shell, world=world).empty
    hosted: HostedFacts = replace(world.machine.hosted[0], listening=True)
    world = replace(world, machine=replace(world.machine, hosted=(hosted,)))
    assert kinds(plan(shell, world=world)) == ["OpenTraffic", "StopOriginal"]


def test_a_new_agent_does_not_take_the_name_of_one_that_is_going() -> None:
    """Names are free again when the Pod is gone."""
    going = AgentFacts(f"tp-{SESSION}-web-0", "shop", SESSION, "web", "t1", terminating=True)
    found = plan(WISH, world=observed(agents=(going,)))
    assert next(x.pod for x in found.actions if hasattr(x, "pod")) == f"tp-{SESSION}-web-1"


def test_processes_start_in_the_order_of_depends_on() -> None:
    """``depends_on`` waits for the other's readiness."""
    api = replace(FACTS, target=Target("shop", "deployment", "api"))
    first = replace(WISH, name="api", target=api.target)
    later = replace(WISH, run=replace(RUN, depends_on=("api",)))
    found = plan(later, first, world=observed(FACTS, api))
    starts = [x.workload for x in found.actions if type(x).__name__ == "StartProcess"]
    assert starts == ["api", "web"]

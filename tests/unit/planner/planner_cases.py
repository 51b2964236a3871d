"""Reads ``tests/cases/planner/*.yaml``: a cluster, what happened to it, a wish; then the plan.

A case has a ``fact`` and, all of it optional, ``cluster`` (Deployments by name; left out, one
healthy ``web``), further facts of the world, ``given`` (what happened before, step by step) and
``wish`` (workloads by name). It expects ``plan`` (a line per action), ``notices`` and ``blocked``.
The short forms are what the functions below read; ``ours`` and ``theirs`` are two sessions.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, assert_never

import yaml

from tests.fakes import world as worlds
from tpconfig import names
from tpconfig.config import values
from tpconfig.model import actions as a
from tpconfig.model.actions import Action
from tpconfig.model.desired import (
    Desired,
    EnvironmentWish,
    Export,
    Expose,
    Forward,
    Run,
    Workload,
)
from tpconfig.model.observed import (
    AgentFacts,
    Circumstance,
    Claim,
    ContainerFacts,
    LeaseFacts,
    MachineFacts,
    Missing,
    NamedPort,
    Observed,
    Permission,
    ServiceFacts,
    ServicePort,
    What,
    WorkloadFacts,
)
from tpconfig.model.plan import Blocker, Plan
from tpconfig.model.target import Change, Target
from tpconfig.planner.diff import diff

FOLDER = Path(__file__).parents[2] / "cases" / "planner"
SESSIONS = {"ours": "0000aaaa", "theirs": "0000bbbb"}
OURS = SESSIONS["ours"]
KEYS = {"fact", "cluster", "given", "wish", "now", "plan", "notices", "blocked"}
KEYS |= {"leases", "agents", "denied", "machine", "missing", "janitor", "accounts", "yielded"}
KEYS |= {"forwards"}

Given = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One case as it was written; ``file`` is the topic."""

    file: str
    given: Given

    @property
    def fact(self) -> str:
        """What it says about the planner."""
        return str(self.given["fact"])

    @property
    def wish(self) -> Desired:
        """What is asked for."""
        return _wish(self.given.get("wish") or {}, self.given)

    def world(self) -> Observed:
        """What is there when the plan is made."""
        world = observed(self.given)
        for step in self.given.get("given", ()):
            world = happen(world, step)
        return replace(world, denied=tuple(map(_permission, self.given.get("denied", ()))))

    def expected(self) -> tuple[list[str], list[str], list[str]]:
        """Return the expected lines of the plan, the notices and the blockers."""
        plan = [line.strip() for line in self.given.get("plan", "").splitlines()]
        return plan, self.given.get("notices", []), self.given.get("blocked", [])

    def outcome(self) -> tuple[list[str], list[str], list[str]]:
        """Plan, and describe what comes out in the words of the expectation."""
        found = diff(self.wish, self.world())
        return lines(found), [one.text for one in found.notices], [*map(blocked, found.blockers)]


def cases() -> list[Case]:
    """Return all cases of all files."""
    return [case for path in sorted(FOLDER.glob("*.yaml")) for case in read(path)]


def read(path: Path) -> Iterator[Case]:
    """Read the cases of one file."""
    for given in yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader):
        unknown = given.keys() - KEYS
        assert not unknown, f"{path.name}: {unknown} in `{given.get('fact')}`"
        yield Case(path.stem, given)


# --- the wish


def _wish(workloads: Given, options: Given) -> Desired:
    """Read workloads by name, and what is asked for besides."""
    return Desired(
        tuple(_wished(name, one or {}) for name, one in workloads.items()),
        now=options.get("now", False),
        janitor=options.get("janitor", "off"),
        forwards=tuple(_forward(text) for text in options.get("forwards", ())),
    )


def _forward(text: str) -> Forward:
    """Read ``[BIND:]LOCAL:HOST:PORT``, or ``socks:LOCAL``."""
    word, _, local = text.partition(":")
    return Forward(int(local)) if word == "socks" else Forward(**values.forward(text))


def _wished(name: str, given: Given) -> Workload:
    exposes = given.get("expose", "what the Services send")
    env = EnvironmentWish(
        set=tuple((given.get("set") or {}).items()),
        exports=tuple(Export(path) for path in given.get("export", ())),
    )
    run = None
    if "run" in given:
        after = tuple(given.get("depends_on", ()))
        run = Run(tuple(shlex.split(given["run"])), "/src", depends_on=after)
    return Workload(
        name=name,
        target=target(given.get("target", name)),
        container=given.get("container"),
        mode=given.get("mode", "swap"),
        strategy=given.get("strategy", "auto"),
        init=given.get("init", "run") == "run",
        exposes=tuple(map(_expose, exposes)) if isinstance(exposes, list) else None,
        env=env,
        run=run,
    )


def target(text: str) -> Target:
    """Read ``NAME``, in the namespace shop, ``NAMESPACE/NAME`` or ``KIND:NAME``."""
    namespace, _, rest = text.rpartition("/")
    kind, _, name = rest.rpartition(":")
    return Target(namespace or "shop", kind or "deployment", name)


def _expose(text: str) -> Expose:
    local, _, rest = text.partition(":")
    cluster, _, protocol = rest.partition("/")
    port = int(cluster) if cluster.isdigit() else cluster
    return Expose(int(local), port, protocol or "tcp")


# --- the world


def observed(given: Given) -> Observed:
    """Read what is there before anything happens."""
    machine = given.get("machine", {})
    lacking = given.get("missing", {})
    return Observed(
        session=OURS,
        workloads=tuple(
            _deployment(target(name), one or {})
            for name, one in given.get("cluster", {"web": {}}).items()
        ),
        missing=tuple(_missing(target(name), one) for name, one in lacking.items()),
        agents=tuple(map(_agent, given.get("agents", ()))),
        leases=tuple(map(_lease, given.get("leases", ()))),
        accounts=tuple(given.get("accounts", ())),
        yielded=tuple(map(target, given.get("yielded", ()))),
        machine=MachineFacts(
            method=machine.get("method", "namespace"),
            method_problem=tuple(machine["problem"]) if "problem" in machine else None,
            missing_commands=tuple(machine.get("lacks", {}).items()),
            ports_in_use=tuple((n, "tcp", who) for n, who in machine.get("busy", {}).items()),
            tracked_exports=tuple(machine.get("tracked", ())),
            visible_exports=tuple(machine.get("visible", ())),
        ),
    )


def _deployment(where: Target, given: Given) -> WorkloadFacts:
    replicas = given.get("replicas", 2)
    containers = given.get("containers", {"main": ["8080 http", "9090 metrics"]})
    services = given.get("services", {where.name: ["80 -> http"]})
    return WorkloadFacts(
        target=where,
        replicas=replicas,
        ready_replicas=given.get("ready", replicas),
        containers=tuple(ContainerFacts(n, tuple(map(_port, p))) for n, p in containers.items()),
        services=tuple(_service(name, one) for name, one in services.items()),
        default_container=given.get("default"),
        template_hash="t1",
        claim=_claim(given["claim"]) if "claim" in given else None,
        controller=given.get("controller"),
        exclusive=tuple(given.get("exclusive", ())),
        deletes_claims=given.get("deletes_claims", False),
        circumstances=tuple(map(_circumstance, given.get("around", ()))),
    )


def _circumstance(given: str) -> Circumstance:
    what, name, detail = (*given.split(", "), "", "")[:3]
    return Circumstance(What(what), name, detail)


def _port(given: str | int) -> NamedPort:
    number, *name = str(given).split()
    port, _, protocol = number.partition("/")
    return NamedPort(int(port), name[0] if name else None, protocol or "tcp")


def _service(name: str, given: Any) -> ServiceFacts:
    options = given if isinstance(given, dict) else {"ports": given}
    return ServiceFacts(
        name,
        tuple(map(_service_port, options["ports"])),
        publishes_unready=options.get("publishes_unready", False),
        local_traffic_only=options.get("local_traffic_only", False),
    )


def _service_port(text: str) -> ServicePort:
    number, _, sent = text.partition(" -> ")
    goal, _, protocol = sent.partition("/")
    return ServicePort(int(number), int(goal) if goal.isdigit() else goal, protocol or "tcp")


def _claim(given: Given) -> Claim:
    return Claim(SESSIONS[given["of"]], "{}", given["replicas"], given["replicas"])


def _missing(where: Target, given: Given) -> Missing:
    namespaces = given.get("namespaces")
    return Missing(
        where,
        tuple(given.get("others", ())),
        namespaces is None,
        tuple(namespaces or ()),
        exists=given.get("exists", False),
        owner=given.get("owner", ""),
    )


def _agent(given: Given) -> AgentFacts:
    session = SESSIONS[given["of"]]
    return AgentFacts(
        name=given["pod"].replace(given["of"], session),
        namespace="shop",
        session=session,
        workload=given.get("workload", "web"),
        built_from="",
        target=target("web"),
        terminating=given.get("terminating", False),
    )


def _lease(given: Given) -> LeaseFacts:
    found = worlds.lease("shop", SESSIONS[given["of"]], age_s=given.get("age", 0.0))
    waits = tuple(map(target, given.get("waits_for", ())))
    return replace(found, file=given.get("file", ""), waits_for=waits, turn=given.get("turn", 0))


def _permission(text: str) -> Permission:
    verb, name = text.split()
    resource, _, subresource = name.partition("/")
    plain, _, group = resource.partition(".")
    return Permission("shop", group, plain, verb, subresource)


# --- what happens before the plan is made


def happen(world: Observed, step: Any) -> Observed:
    """Let one step happen: a word, or a word with what it is about."""
    (what, about), *options = step.items() if isinstance(step, dict) else ((step, ""),)
    return _happen(world, what, about, dict(options))


def _happen(world: Observed, what: str, about: Any, options: Given) -> Observed:
    match what:
        case "up" | "down":
            return _carry_out(world, about, options)
        case "crash":
            return worlds.crash(world)
        case "delete agents":
            return worlds.lose_agents(world, about)
        case "evict agents":
            return worlds.lose_agents(world, about, slowly=True)
        case "delete leases":
            return worlds.lose_leases(world)
        case "age leases":
            return worlds.age_leases(world, about)
        case "mark ended":
            return worlds.mark_ended(world)
        case "listen":
            return worlds.listen(world, about)
        case "scale":
            return worlds.scale(world, target(about), options["to"])
        case "edit":
            return worlds.edit_template(world, target(about), "t2")
        case _:
            raise AssertionError(f"unknown step {what}")


def _carry_out(world: Observed, workloads: Given, options: Given) -> Observed:
    found = diff(_wish(workloads, options), world)
    assert not found.blockers, found.blockers
    return worlds.apply_all(world, found.actions[: options.get("first")])


# --- the plan


def lines(plan: Plan) -> list[str]:
    """Describe a plan's actions, one line each."""
    return [_short(action).replace(OURS, "ours") for action in plan.actions]


def blocked(blocker: Blocker) -> str:
    """Describe what stands in the way in one line."""
    problem = blocker.problem
    text = f"{blocker.fault.value} {problem.code}: {problem.message}"
    text += f"; {problem.label}" if problem.label else ""
    text += f"; {problem.hint}" if problem.hint else ""
    for word, session in SESSIONS.items():
        text = text.replace(session, word)
    return text


def _short(action: Action) -> str:
    kind = type(action).__name__
    match action:
        case a.OpenSession(namespace=namespace) | a.CloseSession(namespace=namespace):
            return f"{kind} {namespace}"
        case a.GuardTargets(namespace=namespace, targets=targets, role=role):
            how = "by a Role" if role else "by an account that is there"
            return f"{kind} {namespace}: {', '.join(map(_name, targets))} {how}"
        case a.StartJanitor(namespace=namespace, required=required):
            return f"{kind} {namespace}{' and wait' if required else ''}"
        case a.ClaimTarget(target=where, replicas=replicas, also=also):
            more = "".join(f", {one}" for one in also if one.field[-1] != names.LABEL_SESSION)
            return f"{kind} {_name(where)} of {replicas}{more}"
        case a.CreateAgent(pod=pod, container=container, target=where, after=after):
            words = {"low ports": action.low_ports, "beside": action.beside}
            words["no init containers"] = not action.init
            said = "".join(f" ({word})" for word, true in words.items() if true)
            return f"{kind} {pod} as {container} of {_name(where)}{said}{_behind(after)}"
        case a.Connect(workload=workload, pod=pod, ports=ports):
            return f"{kind} {workload} to {pod}: {', '.join(map(str, ports)) or 'no ports'}"
        case a.HandOver(workload=workload, exports=exports):
            return f"{kind} {workload}{''.join(f' to {path}' for path in exports)}"
        case a.StartProcess(workload=workload, argv=argv, after=after):
            return f"{kind} {workload}: {shlex.join(argv)}{''.join(f' after {x}' for x in after)}"
        case a.OpenTraffic(workload=workload, pod=pod, services=services):
            return f"{kind} {workload} at {pod}: {', '.join(services) or 'no Service'}"
        case a.StopOriginal(target=where, replicas=replicas, changes=changes):
            how = f"{_fields(where, changes)}{' (first)' if action.first else ''}"
            return f"{kind} {_name(where)} of {replicas}{how}"
        case a.StartOriginal(target=where, claim=claim, after=after, changes=changes):
            how = f"{_fields(where, changes)}{_behind(after)}"
            return f"{kind} {_name(where)} of {claim.replicas}{how}"
        case a.ReleaseTarget(target=where):
            return f"{kind} {_name(where)}"
        case a.CloseTraffic(workload=workload, pod=pod, first=first):
            return f"{kind} {workload} at {pod}{' (first)' if first else ''}"
        case a.Disconnect(workload=workload, pod=pod):
            return f"{kind} {workload} from {pod}"
        case a.OpenForwards(workload=workload, forwards=forwards):
            return f"{kind} {workload}: {', '.join(map(str, forwards)) or 'none'}"
        case a.StopProcess(workload=workload):
            return f"{kind} {workload}"
        case a.DeleteAgent(pod=pod, first=first):
            return f"{kind} {pod}{' (first)' if first else ''}"
        case _:
            assert_never(action)


def _name(where: Target) -> str:
    name = where.name if where.kind == "deployment" else f"{where.kind}:{where.name}"
    return name if where.namespace == "shop" else f"{where.namespace}/{name}"


def _fields(where: Target, changes: tuple[Change, ...]) -> str:
    """Name the fields where they are not a Deployment's alone."""
    if where.kind in ("deployment", "replicaset"):
        return ""
    return ": " + ", ".join(map(str, changes))


def _behind(pods: tuple[str, ...]) -> str:
    return "".join(f" after {pod}" for pod in pods)

"""Strategies for the planner's properties: any world at all, and any history of a session.

*Any world* may hold what no session leaves behind. A *history* starts in a healthy cluster, and
then plans are carried out in part and in any permitted order, processes are killed, Pods and
Leases vanish, and people scale and edit.
"""

from __future__ import annotations

import functools
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, cycle, islice, permutations, product
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st

from tests.fakes import world as worlds
from tpconfig.model.actions import Action
from tpconfig.model.desired import Desired, EnvironmentWish, Expose, Run, Workload
from tpconfig.model.observed import (
    AgentFacts,
    Claim,
    ContainerFacts,
    NamedPort,
    Observed,
    ServiceFacts,
    ServicePort,
    WorkloadFacts,
)
from tpconfig.model.plan import Plan
from tpconfig.model.target import PodPort, PortPair, Target
from tpconfig.planner import order
from tpconfig.planner.diff import diff

EXAMPLES = settings(max_examples=int(os.environ.get("TP_EXAMPLES", "30")), deadline=None)
"""More of them find rarer histories: ``TP_EXAMPLES=1000``."""

T = TypeVar("T")
OURS, THEIRS = "0000aaaa", "0000bbbb"
TARGETS = (
    Target("shop", "deployment", "api"),
    Target("shop", "statefulset", "db"),
    Target("far", "daemonset", "log"),
)
HELD = Target("shop", "deployment", "held")
"""What another session holds from beginning to end."""
NAMES = ("api", "a.b", "a-b")
"""Two of them would give their Pods the same name."""

HTTP = PortPair(3000, PodPort(8080))
EXPOSES: dict[tuple[Expose, ...] | None, tuple[PortPair, ...]] = {
    None: (PortPair(8080, PodPort(8080)),),
    (): (),
    (Expose(3000, "http"),): (HTTP,),
    (Expose(3001, 8080), Expose(3443, 443)): (
        PortPair(3001, PodPort(8080)),
        PortPair(3443, PodPort(443)),
    ),
    (Expose(5353, 53, "udp"),): (PortPair(5353, PodPort(53, "udp")),),
}
"""What a wish exposes, and which ports that means of the Deployments here."""


def healthy(target: Target, replicas: int) -> WorkloadFacts:
    """Return a workload with a Service in front of it; of a StatefulSet only one Pod may be."""
    if target.kind == "daemonset":
        replicas = min(replicas, 1)
    ports = (NamedPort(8080, "http"), NamedPort(443), NamedPort(53, "dns", "udp"))
    service = ServiceFacts(target.name, (ServicePort(80, "http"),))
    main = ContainerFacts("main", ports)
    return WorkloadFacts(
        target,
        replicas,
        replicas,
        (main,),
        (service,),
        template_hash="t1",
        exclusive=("it has claims",) if target.kind == "statefulset" else (),
        deletes_claims=target.kind == "statefulset",
    )


def choice(values: Sequence[T]) -> st.SearchStrategy[T]:
    """Return one of the values: ``sampled_from``, which would hash each of them, by its index."""
    return st.integers(0, len(values) - 1).map(values.__getitem__)


def clusters() -> st.SearchStrategy[Observed]:
    """A cluster in which nothing of ours is, and something of another session's."""
    return CLUSTERS


def _cluster(replicas: tuple[int, ...]) -> Observed:
    held = replace(healthy(HELD, 0), claim=Claim(THEIRS, "{}", 2, 2))
    theirs = AgentFacts(f"tp-{THEIRS}-held-0", "shop", THEIRS, "held", "x", target=HELD)
    ours = (healthy(*one) for one in zip(TARGETS, replicas, strict=True))
    return Observed(
        session=OURS,
        workloads=(*ours, held),
        agents=(theirs,),
        leases=(worlds.lease("shop", THEIRS),),
    )


ENTRIES = [
    Workload("", HELD, mode=mode, strategy=strategy, exposes=exposes, env=env, run=run)
    for mode, strategy, exposes, env, run in product(
        ("swap", "swap", "none"),
        ("auto", "auto", "recreate"),
        EXPOSES,
        (EnvironmentWish(), EnvironmentWish(set=(("A", "1"),))),
        (None, Run(("serve",), "/src"), Run(("serve --fast",), "/src")),
    )
]
"""Every way to wish for a workload, but its name and target; one choice instead of five."""


ENTRY, FLAG = choice(ENTRIES), st.booleans()
JANITORS = choice(["off", "auto", "required"])
CLUSTERS = choice([_cluster(one) for one in product(range(4), repeat=len(TARGETS))])


@st.composite
def wishes(draw: st.DrawFn, targets: tuple[Target, ...] = TARGETS) -> Desired:
    """A file with some of the workloads, each of a target of its own."""
    workloads: list[Workload] = []
    for name, target in draw(_places(targets)):
        one = replace(draw(ENTRY), name=name, target=target)
        before = [earlier.name for earlier in workloads]
        if one.run is not None and before:
            after = draw(_subsets(tuple(before)))
            one = replace(one, run=replace(one.run, depends_on=after))
        workloads.append(one)
    return Desired(tuple(workloads), now=draw(FLAG), janitor=draw(JANITORS))


@functools.cache
def _places(targets: tuple[Target, ...]) -> st.SearchStrategy[tuple[tuple[str, Target], ...]]:
    """Some names with a target each, in any order; no number of them is rarer than another."""
    by_size = [
        [
            tuple(zip(names, chosen, strict=True))
            for names in permutations(NAMES, count)
            for chosen in permutations(targets, count)
        ]
        for count in range(min(len(NAMES), len(targets)) + 1)
    ]
    most = max(map(len, by_size))
    return choice([one for some in by_size for one in islice(cycle(some), most)])


@functools.cache
def _subsets(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return choice([one for count in range(len(names) + 1) for one in combinations(names, count)])


@dataclass(frozen=True)
class Step:
    """One thing that happens; ``says`` is for the reader of a counterexample."""

    says: str
    happens: Callable[[Observed], Observed]

    def __repr__(self) -> str:
        return self.says


def histories() -> st.SearchStrategy[list[Step]]:
    """What may happen to a session before somebody looks again."""
    accidents = [
        Step("crash", worlds.crash),
        Step("lose_leases", worlds.lose_leases),
        Step("age_leases", lambda world: worlds.age_leases(world, 100.0)),
        Step("mark_ended", worlds.mark_ended),
        *(Step(f"lose_agents {name}", _losing(name, slowly=False)) for name in NAMES),
        *(Step(f"evict_agents {name}", _losing(name, slowly=True)) for name in NAMES),
        *(Step(f"listen {name}", _listening(name)) for name in NAMES),
        *(Step(f"scale {one.namespace}/{one}", _scaling(one)) for one in TARGETS),
        *(Step(f"edit {one.namespace}/{one}", _editing(one)) for one in TARGETS),
    ]
    return st.lists(st.one_of(_attempts(), choice(accidents)), max_size=5)


WISHES, SHARES = wishes(), choice([0.3, 0.6, 1.0, 1.0])
DICE = st.randoms(use_true_random=False)


@st.composite
def _attempts(draw: st.DrawFn) -> Step:
    desired, dice, share = draw(WISHES), draw(DICE), draw(SHARES)

    def happens(world: Observed) -> Observed:
        plan = diff(desired, world)
        actions = any_order(plan, dice)
        return worlds.apply_all(world, actions[: round(share * len(actions))])

    return Step(f"{share:.0%} of {summary(desired)}", happens)


def summary(desired: Desired) -> str:
    """Write a wish in one line."""
    one_by_one = [
        f"{one.name}={one.target.namespace}/{one.target} {one.mode}"
        f"{' run' if one.run else ''} {EXPOSES[one.exposes]}"
        for one in desired.workloads
    ]
    return "; ".join(one_by_one) or "nothing"


def any_order(plan: Plan, dice: random.Random) -> list[Action]:
    """Return a plan's actions in one of the orders in which an executor may finish them."""
    before = [order.needs(action, plan.actions) for action in plan.actions]
    finished: list[int] = []
    while len(finished) < len(before):
        done = set(finished)
        ready = [i for i, needed in enumerate(before) if i not in done and needed <= done]
        finished.append(dice.choice(ready))
    return [plan.actions[index] for index in finished]


def _losing(name: str, *, slowly: bool) -> Callable[[Observed], Observed]:
    return lambda world: worlds.lose_agents(world, name, slowly=slowly)


def _listening(name: str) -> Callable[[Observed], Observed]:
    return lambda world: worlds.listen(world, name)


def _scaling(target: Target) -> Callable[[Observed], Observed]:
    """Scale what we hold; what we do not hold has no earlier state to come back to."""
    many = 1 if target.kind == "daemonset" else 4

    def happens(world: Observed) -> Observed:
        ours = any(f.target == target and f.claim for f in world.workloads)
        return worlds.scale(world, target, many) if ours else world

    return happens


def _editing(target: Target) -> Callable[[Observed], Observed]:
    return lambda world: worlds.edit_template(world, target, "t2")

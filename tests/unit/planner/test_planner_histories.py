"""Whatever happened to a session, the next ``up`` gets there and ``down`` gives everything back."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from planner_worlds import (
    EXAMPLES,
    EXPOSES,
    HELD,
    OURS,
    TARGETS,
    THEIRS,
    Step,
    any_order,
    clusters,
    histories,
    wishes,
)

from tests.fakes import world as worlds
from tpconfig.model import actions as a
from tpconfig.model.desired import Desired, Workload
from tpconfig.model.observed import HostedFacts, Observed
from tpconfig.planner.diff import diff

DICE = st.randoms(use_true_random=False)


def live(world: Observed, steps: list[Step]) -> Observed:
    """Let a history happen."""
    for step in steps:
        world = step.happens(world)
    return world


def carry_out(desired: Desired, world: Observed, dice: random.Random) -> Observed:
    """Plan, and apply all of it in some permitted order."""
    plan = diff(desired, world)
    assert not plan.blockers
    return worlds.apply_all(world, any_order(plan, dice))


def unfulfilled(desired: Desired, world: Observed) -> list[str]:
    """Say what of a wish is not so, by looking at the world and not at a plan."""
    facts = {one.target: one for one in world.workloads}
    hosted = {one.workload: one for one in world.machine.hosted}
    wrong: list[str] = []
    wanted = {one.target: one for one in desired.workloads}
    for target in TARGETS:
        claim = facts[target].claim
        swapped = target in wanted and wanted[target].mode == "swap"
        if (claim is not None and claim.session == OURS) is not swapped:
            wrong.append(f"claim on {target.namespace}/{target}: {claim}")
    for one in desired.workloads:
        here = hosted.pop(one.name, None)
        wrong += _unfulfilled(one, here, world, now=desired.now)
    wrong += [f"{name} is still here" for name in hosted]
    names = {one.name for one in desired.workloads}
    ours = [one for one in world.agents if one.session == OURS and not one.terminating]
    wrong += [f"{one.name} is still there" for one in ours if one.workload not in names]
    where = sorted(one.namespace for one in world.leases if one.session == OURS)
    if where != sorted({one.target.namespace for one in desired.workloads}):
        wrong.append(f"leases in {where}")
    return wrong


def _unfulfilled(
    one: Workload, here: HostedFacts | None, world: Observed, *, now: bool
) -> list[str]:
    agents = [
        (agent.name, agent.namespace, agent.target)
        for agent in world.agents
        if (agent.session, agent.workload) == (OURS, one.name) and not agent.terminating
    ]
    if here is None or agents != [(here.agent, one.target.namespace, one.target)]:
        return [f"{one.name}: {here} and {agents}"]
    wrong = []
    if here.ports != EXPOSES[one.exposes]:
        wrong.append(f"{one.name}: {here.ports}")
    if (here.process is not None) is not (one.run is not None):
        wrong.append(f"{one.name}: process {here.process}")
    facts = next(facts for facts in world.workloads if facts.target == one.target)
    tcp = [pair for pair in here.ports if pair.pod.protocol == "tcp"]
    if one.mode == "none":
        serves = False
    elif one.run is not None or now or not tcp or here.listening:
        serves = True
    else:
        serves = here.serving  # whoever listened once is not asked again
    if here.serving is not serves:
        wrong.append(f"{one.name}: serving {here.serving}")
    if serves and facts.replicas:
        wrong.append(f"{one.name}: the original runs")
    stops_first = one.strategy == "recreate" or facts.exclusive
    waits = facts.claim and facts.claim.replicas and not (facts.replicas or stops_first)
    if not serves and waits:
        wrong.append(f"{one.name}: nobody serves")
    return wrong


@EXAMPLES
@given(clusters(), histories(), wishes(), DICE)
def test_one_up_fulfils_the_wish(
    cluster: Observed, steps: list[Step], desired: Desired, dice: random.Random
) -> None:
    """From wherever a session was left, in any order that is permitted; then nothing is to do."""
    after = carry_out(desired, live(cluster, steps), dice)
    assert unfulfilled(desired, after) == []
    assert diff(desired, after).actions == ()


@EXAMPLES
@given(clusters(), histories(), DICE)
def test_one_down_gives_everything_back(
    cluster: Observed, steps: list[Step], dice: random.Random
) -> None:
    """``down(up(x)) = x``, wherever ``up`` was cut and whatever happened to it."""
    after = carry_out(Desired(), live(cluster, steps), dice)
    assert unfulfilled(Desired(), after) == []
    assert [(f.target, f.replicas, f.claim) for f in after.workloads] == [
        (f.target, f.replicas, f.claim) for f in cluster.workloads
    ]
    assert diff(Desired(), after).actions == ()


@EXAMPLES
@given(clusters(), histories(), DICE, st.floats(0, 1))
def test_a_down_may_be_cut_as_well(
    cluster: Observed, steps: list[Step], dice: random.Random, share: float
) -> None:
    """Killed in the middle of the way back, the next ``down`` goes the rest of it."""
    world = live(cluster, steps)
    actions = any_order(diff(Desired(), world), dice)
    world = worlds.crash(worlds.apply_all(world, actions[: int(share * len(actions))]))
    after = carry_out(Desired(), world, dice)
    assert [(f.target, f.replicas, f.claim) for f in after.workloads] == [
        (f.target, f.replicas, f.claim) for f in cluster.workloads
    ]


@EXAMPLES
@given(clusters(), histories(), wishes((*TARGETS, HELD)), DICE)
def test_what_another_session_holds_is_never_touched(
    cluster: Observed, steps: list[Step], desired: Desired, dice: random.Random
) -> None:
    """Claim, agents and Lease of another session are the same at every moment."""

    def theirs(world: Observed) -> tuple[object, ...]:
        return (
            [facts for facts in world.workloads if facts.target == HELD],
            [one for one in world.agents if one.session == THEIRS],
            [one for one in world.leases if one.session == THEIRS],
        )

    world = live(cluster, steps)
    assert theirs(world) == theirs(cluster)
    for action in any_order(diff(desired, world), dice):
        world = worlds.apply(world, action)
        assert theirs(world) == theirs(cluster)


def _overlapping(desired: Desired) -> Desired:
    """Return a wish that asks for nothing to stop first."""
    workloads = tuple(replace(one, strategy="auto") for one in desired.workloads)
    return replace(desired, workloads=workloads)


@EXAMPLES
@given(clusters(), st.lists(wishes(), max_size=3), DICE)
def test_callers_always_find_somebody(
    cluster: Observed, desires: list[Desired], dice: random.Random
) -> None:
    """Up, from one wish to the next, and down: the original answers, or a process of ours.

    Not while an agent gives way to another of the same workload: its link is one. Nor where the
    original has to stop first.
    """
    alone = {facts.target for facts in cluster.workloads if facts.exclusive}
    world, had = cluster, [one for one in TARGETS if worlds.answered(cluster, one)]
    had = [target for target in had if target not in alone]
    for desired in (*map(_overlapping, desires), Desired()):
        plan = diff(desired, world)
        moving = {one.target for one in plan.actions if isinstance(one, a.CreateAgent)}
        for action in any_order(plan, dice):
            world = worlds.apply(world, action)
            for target in had:
                assert worlds.answered(world, target) or target in moving, action
        assert all(worlds.answered(world, target) for target in had)

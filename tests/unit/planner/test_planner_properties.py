"""What holds for every world and every wish."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.fakes import world as worlds
from tpconfig.model import actions as a
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
from tpconfig.model.target import Target
from tpconfig.planner import order
from tpconfig.planner.diff import diff

OURS, THEIRS = "0000aaaa", "0000bbbb"
NAMES = ("api", "ui", "jobs")
EXAMPLES = settings(max_examples=60, deadline=None)


@st.composite
def facts(draw: st.DrawFn, name: str) -> WorkloadFacts:
    """A Deployment, perhaps claimed, perhaps with Services."""
    replicas = draw(st.integers(0, 3))
    container = ContainerFacts("main", (NamedPort(8080, "http"), NamedPort(443, "tls")))
    service = ServiceFacts(f"{name}-svc", (ServicePort(80, "http"), ServicePort(443, 443)))
    holder = draw(st.sampled_from([None, None, OURS, THEIRS]))
    recorded = draw(st.integers(0, 3))
    return WorkloadFacts(
        target=Target("shop", "deployment", name),
        replicas=replicas,
        ready_replicas=draw(st.integers(0, replicas)),
        containers=(container,),
        services=(service,) if draw(st.booleans()) else (),
        template_hash=draw(st.sampled_from(["t1", "t2"])),
        claim=Claim(holder, "{}", recorded, recorded) if holder else None,
    )


@st.composite
def observed(draw: st.DrawFn) -> Observed:
    """A world that a crash, a colleague or a person with kubectl may have left."""
    agents = tuple(
        AgentFacts(
            name=f"tp-{session}-{name}-{number}",
            namespace="shop",
            session=session,
            workload=name,
            built_from=draw(st.sampled_from(["", "old"])),
            terminating=draw(st.booleans()),
        )
        for number, (session, name) in enumerate(
            draw(st.lists(st.tuples(st.sampled_from([OURS, THEIRS]), st.sampled_from(NAMES))))
        )
    )
    sessions = draw(st.sets(st.sampled_from([OURS, THEIRS])))
    return Observed(
        session=OURS,
        workloads=tuple(draw(facts(name)) for name in NAMES),
        agents=agents,
        leases=tuple(worlds.lease("shop", session) for session in sorted(sessions)),
    )


@st.composite
def wishes(draw: st.DrawFn) -> Desired:
    """A file with some of the workloads."""
    chosen = draw(st.sets(st.sampled_from(NAMES)))
    workloads = []
    for name in sorted(chosen):
        runs = Run((f"serve-{name}",), "/") if draw(st.booleans()) else None
        exposes = draw(st.sampled_from([None, (), (Expose(3000, "http"),), (Expose(3443, 443),)]))
        env = EnvironmentWish(set=draw(st.sampled_from([(), (("A", "1"),)])))
        mode = draw(st.sampled_from(["swap", "swap", "none"]))
        target = Target("shop", "deployment", name)
        workloads.append(Workload(name, target, mode=mode, exposes=exposes, env=env, run=runs))
    return Desired(tuple(workloads), now=draw(st.booleans()))


def carry_out(plan: Plan, world: Observed, *, upto: int | None = None) -> Observed:
    """Apply a plan's actions in its order, or its first ones."""
    for action in plan.actions[:upto]:
        world = worlds.apply(world, action)
    return world


def converge(desired: Desired, world: Observed) -> Observed:
    """Plan and apply until nothing is left to do; it takes two rounds at most."""
    for _ in range(2):
        world = carry_out(diff(desired, world), world)
    assert diff(desired, world).empty, diff(desired, world).actions
    return world


@EXAMPLES
@given(wishes(), observed())
def test_an_applied_plan_leaves_nothing_to_do(desired: Desired, world: Observed) -> None:
    """The second plan is empty."""
    plan = diff(desired, world)
    assume(not plan.blockers)
    assert diff(desired, carry_out(plan, world)).actions == ()


@EXAMPLES
@given(wishes(), observed())
def test_the_same_world_gives_the_same_plan(desired: Desired, world: Observed) -> None:
    """Plans are deterministic."""
    assert diff(desired, world) == diff(desired, world)


@EXAMPLES
@given(wishes(), observed())
def test_a_blocked_plan_does_nothing(desired: Desired, world: Observed) -> None:
    """Where anything stands in the way, nothing is done at all."""
    plan = diff(desired, world)
    assert not (plan.blockers and plan.actions)


@EXAMPLES
@given(wishes(), observed(), st.data())
def test_any_way_up_can_be_cut_and_taken_back(
    desired: Desired, world: Observed, data: st.DataObject
) -> None:
    """Killed after any action: ``down`` gives back what a ``down`` before would have given."""
    plan = diff(desired, world)
    assume(not plan.blockers)
    before = converge(Desired(), world)
    cut = worlds.crash(carry_out(plan, world, upto=data.draw(st.integers(0, len(plan.actions)))))
    after = converge(Desired(), cut)
    assert [(f.target, f.replicas, f.claim) for f in after.workloads] == [
        (f.target, f.replicas, f.claim) for f in before.workloads
    ]
    assert not [x for x in after.leases if x.session == OURS]
    assert not [x for x in after.agents if x.session == OURS and not x.terminating]


@EXAMPLES
@given(wishes(), observed(), st.data())
def test_any_way_up_can_be_cut_and_gone_on(
    desired: Desired, world: Observed, data: st.DataObject
) -> None:
    """Killed after any action: the next ``up`` gets there."""
    plan = diff(desired, world)
    assume(not plan.blockers)
    cut = carry_out(plan, world, upto=data.draw(st.integers(0, len(plan.actions))))
    converge(desired, worlds.crash(cut))


@EXAMPLES
@given(wishes(), wishes(), observed())
def test_one_wish_follows_another(first: Desired, second: Desired, world: Observed) -> None:
    """From any session that is up, any other wish is reached."""
    assume(not diff(first, world).blockers)
    up = converge(first, world)
    assume(not diff(second, up).blockers)
    converge(second, up)


@EXAMPLES
@given(wishes(), observed())
def test_nobody_elses_is_touched(desired: Desired, world: Observed) -> None:
    """No action is about what another session holds."""
    theirs = {f.target for f in world.workloads if f.claim and f.claim.session == THEIRS}
    pods = {x.name for x in world.agents if x.session == THEIRS}
    for action in diff(desired, world).actions:
        assert getattr(action, "target", None) not in theirs
        assert getattr(action, "pod", None) not in pods
        assert getattr(action, "session", OURS) == OURS


@EXAMPLES
@given(wishes(), observed())
def test_the_order_keeps_its_promises(desired: Desired, world: Observed) -> None:
    """Nothing stands before what it needs, and the original stops last and starts first."""
    actions = diff(desired, world).actions
    for index, action in enumerate(actions):
        assert all(needed < index for needed in order.needs(action, actions))
    kinds = [type(action) for action in actions]
    if a.StartOriginal in kinds and a.DeleteAgent in kinds:
        assert kinds.index(a.StartOriginal) < kinds.index(a.DeleteAgent)


@EXAMPLES
@given(observed())
def test_a_claim_of_ours_is_never_recorded_again(world: Observed) -> None:
    """The first recorded original wins: today's ``replicas: 0`` is never trusted."""
    target = world.workloads[0].target
    claimed = replace(world.workloads[0], claim=Claim(OURS, "{}", 2, 2), replicas=0)
    world = replace(world, workloads=(claimed, *world.workloads[1:]))
    actions = diff(Desired((Workload("api", target, exposes=()),)), world).actions
    assert not [x for x in actions if isinstance(x, a.ClaimTarget)]

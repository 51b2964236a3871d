"""What holds for every world and every wish, also for worlds that no session leaves behind."""

from __future__ import annotations

import functools
from dataclasses import replace
from itertools import combinations, product

from hypothesis import assume, given
from hypothesis import strategies as st
from planner_worlds import EXAMPLES, HELD, NAMES, OURS, TARGETS, THEIRS, choice, healthy, wishes

from tests.fakes import world as worlds
from tpconfig.model import actions as a
from tpconfig.model.desired import Desired
from tpconfig.model.observed import (
    AgentFacts,
    Claim,
    HostedFacts,
    MachineFacts,
    Missing,
    Observed,
    Permission,
    WorkloadFacts,
)
from tpconfig.model.target import Target
from tpconfig.planner import order, permissions
from tpconfig.planner.diff import diff

WISHES = wishes((*TARGETS, HELD))


CLAIMS = [None, *(Claim(who, "{}", count) for who in (OURS, THEIRS) for count in range(3))]
STATES = [
    (replicas, ready, claim, controller)
    for replicas in range(3)
    for ready in range(replicas + 1)
    for claim in CLAIMS
    for controller in (None, None, None, "Rollout/x")
]


@functools.cache
def _facts(target: Target, index: int) -> WorkloadFacts:
    replicas, ready, claim, controller = STATES[index]
    facts: WorkloadFacts = replace(
        healthy(target, replicas), ready_replicas=ready, claim=claim, controller=controller
    )
    return facts


AGENTS = choice(
    [
        AgentFacts(
            name=f"tp-{OURS}-api-{number}",
            namespace=namespace,
            session=session,
            workload=workload,
            built_from=built_from,
            target=target,
            terminating=terminating,
        )
        for number, namespace, session, workload, built_from, target, terminating in product(
            range(3),
            ("shop", "far"),
            (OURS, THEIRS),
            NAMES,
            ("", "x"),
            (None, *TARGETS),
            (False, True),
        )
    ]
)
HOSTED = choice(
    [
        HostedFacts(
            workload=workload,
            agent=agent,
            handed_over=handed_over,
            process=process,
            serving=serving,
            listening=listening,
        )
        for workload, agent, handed_over, process, serving, listening in product(
            (*NAMES, "other"),
            ("", *(f"tp-{OURS}-api-{number}" for number in range(3))),
            (None, "x"),
            (None, "x"),
            (False, True),
            (False, True),
        )
    ]
)
VERBS = [
    verb
    for namespace in ("shop", "far")
    for verb in permissions.session_verbs(
        namespace, {one.kind for one in TARGETS if one.namespace == namespace}
    )
]


ALL = sorted([*TARGETS, HELD])
THERE = choice([one for count in range(len(ALL) + 1) for one in combinations(ALL, count)])
ANY_STATE = st.integers(0, len(STATES) - 1)
SOME_AGENTS = st.lists(AGENTS, max_size=3, unique_by=lambda one: one.name)
SOME_HOSTED = st.lists(HOSTED, max_size=3, unique_by=lambda one: one.workload)
LEASES = choice(
    [
        tuple(
            worlds.lease(*where, age_s=age_s)
            for where, age_s in zip(product(("far", "shop"), (OURS, THEIRS)), ages, strict=True)
            if age_s is not None
        )
        for ages in product((None, 0.0, 100.0), repeat=4)
    ]
)
DENIED = choice([(), *((verb,) for verb in VERBS)])
MACHINES = choice(
    [
        MachineFacts(method=method, missing_commands=missing, ports_in_use=used)
        for method in ("namespace", "none")
        for missing in ((), (("api", "serve"),))
        for used in ((), ((3000, "tcp", "node"),))
    ]
)


@st.composite
def observed(draw: st.DrawFn) -> Observed:
    """Anything at all."""
    there = draw(THERE)
    return Observed(
        session=OURS,
        workloads=tuple(_facts(target, draw(ANY_STATE)) for target in there),
        missing=tuple(Missing(target, ("apo",)) for target in ALL if target not in there),
        agents=tuple(draw(SOME_AGENTS)),
        leases=draw(LEASES),
        denied=draw(DENIED),
        machine=replace(draw(MACHINES), hosted=tuple(draw(SOME_HOSTED))),
    )


@EXAMPLES
@given(WISHES, observed())
def test_a_plan_can_always_be_made_and_is_the_same_each_time(
    desired: Desired, world: Observed
) -> None:
    """Total and deterministic; it has actions or blockers, never both."""
    plan = diff(desired, world)
    assert plan == diff(desired, world)
    assert not (plan.actions and plan.blockers)


@EXAMPLES
@given(WISHES, observed())
def test_the_way_back_is_stopped_by_missing_verbs_alone(desired: Desired, world: Observed) -> None:
    """Whatever is wrong with a wish is no reason to leave something behind."""
    assert not diff(Desired(), replace(world, denied=())).blockers


@EXAMPLES
@given(WISHES, observed())
def test_the_order_of_a_plan_is_one_that_it_asks_for(desired: Desired, world: Observed) -> None:
    """No action stands before one that it needs."""
    actions = diff(desired, world).actions
    for index, action in enumerate(actions):
        assert all(needed < index for needed in order.needs(action, actions))


@EXAMPLES
@given(WISHES, observed())
def test_no_action_is_about_another_sessions_things(desired: Desired, world: Observed) -> None:
    """No write on what is claimed by others, on their agents or on their Leases."""
    theirs = {f.target for f in world.workloads if f.claim and f.claim.session == THEIRS}
    pods = {(one.namespace, one.name) for one in world.agents if one.session == THEIRS}
    for action in diff(desired, world).actions:
        match action:
            case (
                a.ClaimTarget(target=target)
                | a.StopOriginal(target=target)
                | a.StartOriginal(target=target)
                | a.ReleaseTarget(target=target)
            ):
                assert target not in theirs
            case a.DeleteAgent(namespace=namespace, pod=pod):
                assert (namespace, pod) not in pods
            case a.Connect(namespace=namespace, pod=pod):
                assert (namespace, pod) not in pods
            case a.CloseSession(session=session):
                assert session == OURS


@EXAMPLES
@given(WISHES, observed())
def test_names_of_new_agents_are_free_and_differ(desired: Desired, world: Observed) -> None:
    """Neither a Pod nor a link goes by a new agent's name, and each gets its own."""
    created = [one.pod for one in diff(desired, world).actions if isinstance(one, a.CreateAgent)]
    taken = {one.name for one in world.agents} | {one.agent for one in world.machine.hosted}
    assert len(created) == len(set(created))
    assert not taken & set(created)
    for pod in created:
        assert len(pod) <= 63
        assert pod == pod.lower()
        assert set(pod) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@EXAMPLES
@given(WISHES, observed())
def test_a_journal_is_written_once_and_first(desired: Desired, world: Observed) -> None:
    """What is claimed already is not claimed again, and nothing stops unclaimed."""
    actions = diff(desired, world).actions
    claimed = {facts.target for facts in world.workloads if facts.claim}
    for action in actions:
        if isinstance(action, a.ClaimTarget):
            assert action.target not in claimed
            claimed.add(action.target)
        elif isinstance(action, a.StopOriginal):
            assert action.target in claimed


@EXAMPLES
@given(WISHES, observed())
def test_every_verb_of_a_plan_is_among_those_that_were_asked_for(
    desired: Desired, world: Observed
) -> None:
    """So that a denied one is known before anything is done."""
    plan = diff(desired, replace(world, denied=()))
    assert set(permissions.needed(plan.actions)) <= set(VERBS)


@EXAMPLES
@given(WISHES, observed(), choice(VERBS))
def test_a_plan_that_takes_a_denied_verb_is_blocked(
    desired: Desired, world: Observed, verb: Permission
) -> None:
    """With that verb and nothing else; a janitor that nobody requires is done without."""
    plan = diff(desired, replace(world, denied=()))
    assume(not plan.blockers)
    denied = diff(desired, replace(world, denied=(verb,)))
    blocked = [one for one in denied.blockers if str(verb) in one.problem.message]
    without = [one for one in plan.actions if isinstance(one, a.GuardTargets | a.StartJanitor)]
    if verb in permissions.needed(without) and desired.janitor == "auto":
        rest = tuple(one for one in plan.actions if one not in without)
        left = () if verb in permissions.needed(rest) else rest
        assert order.sort(denied.actions) == denied.actions
        assert set(denied.actions) == set(left)  # nobody waits for a janitor: the order may differ
    else:
        assert bool(blocked) is (verb in permissions.needed(plan.actions))
        assert denied.actions == (() if blocked else plan.actions)

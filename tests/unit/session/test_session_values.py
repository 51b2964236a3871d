"""What a session hands on as data: facts, verdicts, whose session has died, a command's program."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import world as worlds
from tpconfig.errors import ExitCode, Problem
from tpconfig.model.observed import (
    AgentFacts,
    Claim,
    ContainerFacts,
    HostedFacts,
    Observed,
    WorkloadFacts,
)
from tpconfig.model.plan import Blocker, Fault, Plan
from tpconfig.model.target import PodPort, PortPair, Target
from tpconfig.session import facts_json, verdicts
from tpconfig.session.heal import dead_sessions
from tpconfig.session.machine import command_word
from tpconfig.source import Source

NUMBERS = st.integers(1, 65535)
PORTS = st.builds(PodPort, NUMBERS, st.sampled_from(["tcp", "udp"]))
HOSTED = st.builds(
    HostedFacts,
    workload=st.text(),
    agent=st.text(),
    ports=st.lists(st.builds(PortPair, NUMBERS, PORTS)).map(tuple),
    handed_over=st.none() | st.text(),
    process=st.none() | st.text(),
    serving=st.booleans(),
    listening=st.booleans(),
)


@given(HOSTED)
def test_hosted_facts_come_out_as_they_went_in(facts: HostedFacts) -> None:
    """Through the control socket's own JSON."""
    assert facts_json.from_json(json.loads(json.dumps(facts_json.to_json(facts)))) == facts


PLACE = Source("telepresence.yaml", 4, 5, 9)


def blocked(*faults: Fault) -> Plan:
    """Return a plan with one blocker for each fault."""
    problems = [
        Problem("TP1", f"{fault.value} {n}", PLACE, label=f"label {n}", hint=f"hint {n}")
        for n, fault in enumerate(faults)
    ]
    return Plan(blockers=tuple(map(Blocker, faults, problems)))


def test_a_plan_without_blockers_raises_nothing() -> None:
    """Nor does an empty one."""
    verdicts.raise_blockers(Plan())


def test_all_that_is_wrong_with_a_request_is_raised_at_once() -> None:
    """With every place in the file."""
    with pytest.raises(verdicts.BlockedError) as raised:
        verdicts.raise_blockers(blocked(Fault.USAGE, Fault.CONFLICT, Fault.USAGE))
    assert [one.message for one in raised.value.problems] == ["usage 0", "usage 2"]
    assert raised.value.exit_code is ExitCode.USAGE


def test_one_missing_verb_is_the_message() -> None:
    """Without saying it again below."""
    with pytest.raises(verdicts.DeniedError) as raised:
        verdicts.raise_blockers(blocked(Fault.PERMISSION))
    assert (raised.value.message, raised.value.details) == ("permission 0", ())
    assert raised.value.exit_code is ExitCode.PERMISSION


def test_several_missing_verbs_are_counted_and_listed() -> None:
    """All of them, so that one asks for a Role once."""
    with pytest.raises(verdicts.DeniedError) as raised:
        verdicts.raise_blockers(blocked(Fault.PERMISSION, Fault.PERMISSION, Fault.CONFLICT))
    assert raised.value.message == "permission 0, and 1 more"
    assert raised.value.details == ("permission 0", "permission 1")


def test_a_conflict_names_every_holder() -> None:
    """At the line that asked for the first one."""
    with pytest.raises(verdicts.ConflictError) as raised:
        verdicts.raise_blockers(blocked(Fault.CONFLICT, Fault.CONFLICT))
    error = raised.value
    assert (error.message, error.hint, error.source) == ("conflict 0", "hint 0", PLACE)
    assert error.details == ("label 0", "label 1")
    assert error.exit_code is ExitCode.CONFLICT


WEB = Target("shop", "deployment", "web")
CLAIMED = WorkloadFacts(WEB, 0, 0, (ContainerFacts("main"),), claim=Claim("theirs", "{}", 2))
AGENT = AgentFacts("tp-theirs-web-0", "shop", "theirs", "web", "f")
LIVING, EXPIRED = worlds.lease("shop", "theirs"), worlds.lease("shop", "theirs", age_s=61)


@pytest.mark.parametrize(
    ("left", "dead"),
    [
        ({}, False),
        ({"workloads": (CLAIMED,), "leases": (LIVING,)}, False),
        ({"workloads": (CLAIMED,), "leases": (EXPIRED,)}, True),
        ({"workloads": (CLAIMED,)}, True),
        ({"agents": (AGENT,)}, True),
        ({"agents": (replace(AGENT, terminating=True),)}, False),
        ({"leases": (EXPIRED,)}, True),
        ({"leases": (LIVING,), "agents": (AGENT,)}, False),
        ({"leases": (replace(LIVING, ended="{}"),)}, False),
    ],
    ids=[
        "nothing",
        "a living session",
        "an expired lease",
        "a claim without a lease",
        "an agent without a lease",
        "an agent that is going",
        "a lease alone",
        "no claim yet",
        "one that is just ending",
    ],
)
def test_a_session_is_dead_that_left_something_and_no_living_lease(
    left: dict[str, object], dead: bool
) -> None:
    """Only such a one is restored by its neighbours."""
    world = Observed("ours", **left)  # type: ignore[arg-type]
    assert dead_sessions(world) == (["theirs"] if dead else [])


def test_nobody_takes_himself_for_dead() -> None:
    """What an earlier run of one's own session left is the plan's business."""
    assert dead_sessions(Observed("theirs", workloads=(CLAIMED,), leases=(EXPIRED,))) == []


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("FOO='a b' serve", "serve"),
        ("A=$(id -u) serve", None),
        ('"my server" --fast', "my server"),
        ("serve;", None),
        ("serve && wait", "serve"),
        ("./a=b", "./a=b"),
        (">log serve", None),
        ("(cd src; make)", None),
        ("~/bin/serve", None),
        ("# first\nserve", "serve"),
        ("set -e\nserve", None),
        ("A=1", None),
        ("", None),
        ("env A=1 serve", "env"),
    ],
)
def test_a_shell_lines_program_is_told_or_left_open(line: str, word: str | None) -> None:
    """A word that the shell would change or keep to itself is not looked for."""
    assert command_word(("/bin/sh", "-c", line)) == word

"""What ``tp ls`` makes of a cluster."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes import world as worlds
from tpconfig.cli.commands.ls import HEAD, table
from tpconfig.model.observed import Claim, ContainerFacts, LeaseFacts, Observed, WorkloadFacts
from tpconfig.model.target import Target
from tpconfig.session.listing import Listed, listed

WEB, API = Target("shop", "deployment", "web"), Target("shop", "deployment", "api")


def world(*leases: LeaseFacts, held: dict[Target, str] | None = None) -> Observed:
    """Return a namespace with sessions in it."""
    workloads = tuple(
        WorkloadFacts(target, 0, 0, (ContainerFacts("c"),), claim=Claim(session, "{}", 1))
        for target, session in (held or {}).items()
    )
    return Observed("", workloads, leases=leases)


def one(*leases: LeaseFacts, held: dict[Target, str] | None = None) -> Listed:
    (found,) = listed(world(*leases, held=held))
    return found


def test_every_state_has_its_word() -> None:
    """Alive, silent for too long, given back by a janitor, about to end, and without a Lease."""
    lease = worlds.lease("shop", "a")
    assert one(lease, held={WEB: "a"}).state == "up"
    assert one(replace(lease, age_s=61)).state == "expired"
    assert one(replace(lease, age_s=61, given_back=True)).state == "given back"
    assert one(replace(lease, ended="{}")).state == "ending"
    assert one(held={WEB: "a"}).state == "no lease"


def test_a_queue_is_in_order_of_turns() -> None:
    """Whatever their clocks say; the dead have no place."""
    holder = worlds.lease("shop", "a")
    waiting = [
        replace(worlds.lease("shop", f"w{turn}"), waits_for=(WEB,), turn=turn, since=f"{9 - turn}")
        for turn in (1, 2, 3)
    ]
    waiting[1] = replace(waiting[1], age_s=100.0)
    found = {row.session: row for row in listed(world(holder, *waiting, held={WEB: "a"}))}
    assert [found[name].place for name in ("a", "w1", "w2", "w3")] == [None, 1, None, 2]
    assert found["w3"].targets == ("deployment/web",)


def test_a_session_in_two_namespaces_is_two_lines() -> None:
    """Each with what it holds there."""
    leases = (worlds.lease("shop", "a"), worlds.lease("far", "a"))
    far = Target("far", "deployment", "web")
    found = listed(world(*leases, held={WEB: "a", API: "a", far: "a"}))
    assert [(row.namespace, len(row.targets)) for row in found] == [("far", 1), ("shop", 2)]


def test_the_table_has_a_cell_for_every_column() -> None:
    """And says how long somebody has been silent."""
    lines = table([one(replace(worlds.lease("shop", "a"), age_s=61))]).splitlines()
    assert len(lines[0].split()) == len(HEAD)
    assert "expired, silent for 61 s" in lines[1]

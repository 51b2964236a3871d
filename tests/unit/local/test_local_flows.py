"""The table of UDP conversations."""

from __future__ import annotations

from tpconfig.local.flows import DNS_IDLE_S, IDLE_S, FlowTable, Key

A = Key(("198.18.0.1", 1000), ("10.0.0.1", 80))
B = Key(("198.18.0.1", 1001), ("10.0.0.1", 80))
C = Key(("198.18.0.1", 1001), ("10.0.0.2", 53))


def test_a_flow_is_found_by_both_ends() -> None:
    """Source and destination together are the key."""
    table: FlowTable[str] = FlowTable(9)
    table.add(A, "a", 0.0)
    assert (table.use(A, 1.0), table.use(B, 1.0)) == ("a", None)


def test_the_longest_silent_flow_makes_room() -> None:
    """At the limit the flow that was used least recently goes, not the oldest."""
    table: FlowTable[str] = FlowTable(2)
    table.add(A, "a", 0.0)
    table.add(B, "b", 1.0)
    table.use(A, 2.0)
    assert table.add(C, "c", 3.0) == "b"


def test_silence_ends_a_flow() -> None:
    """After the idle time a flow is gone; a moment before it is not."""
    table: FlowTable[str] = FlowTable(9)
    table.add(A, "a", 100.0)
    assert table.expire(100.0 + IDLE_S - 0.1) == []
    assert table.expire(100.0 + IDLE_S) == ["a"]
    assert len(table) == 0


def test_dns_flows_end_earlier() -> None:
    """A flow to port 53 is a question and an answer."""
    table: FlowTable[str] = FlowTable(9)
    table.add(A, "a", 0.0)
    table.add(C, "c", 0.0)
    assert table.expire(DNS_IDLE_S) == ["c"]


def test_use_postpones_the_end() -> None:
    """A flow that is used starts its silence anew."""
    table: FlowTable[str] = FlowTable(9)
    table.add(A, "a", 0.0)
    table.use(A, 50.0)
    assert table.expire(IDLE_S) == []


def test_only_the_flow_that_is_there_is_removed() -> None:
    """Removing a flow whose place was taken by another leaves the other."""
    table: FlowTable[str] = FlowTable(9)
    table.add(A, "new", 0.0)
    assert (table.remove(A, "old"), table.remove(A, "new"), len(table)) == (False, True, 0)

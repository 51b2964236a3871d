"""Which way an address goes, by rules that are about it or about a name that led to it."""

from __future__ import annotations

import pytest

from tpconfig.clock import SystemClock
from tpconfig.model.desired import Destination, Outbound
from tpconfig.tunnel.dns import Remembered
from tpconfig.tunnel.policy import Policy

RULES = (Destination(host="*.corp", port=443), Destination(network="192.0.2.0/24"))


@pytest.mark.parametrize(("default", "other"), [("pod", "machine"), ("machine", "pod")])
def test_rules_are_the_exceptions_of_either_default(default: str, other: str) -> None:
    """A rule's network, and its name's address at its port, go the other way; nothing else does."""
    outbound = Outbound(default=default, **{other: RULES})
    remembered = Remembered(SystemClock())
    remembered.add("10.1.1.1", 60)
    policy = Policy(outbound, remembered)
    assert policy.of_name("git.corp") == other
    assert policy.of_name("git.else") == default
    assert policy.of_address("192.0.2.9", 80) == other
    assert policy.of_address("10.1.1.1", 443) == other
    assert policy.of_address("10.1.1.1", 80) == default
    assert policy.of_address("10.1.1.2", 443) == default

"""Who waits for a target, and in which order: first come, first served, the dead left out."""

from __future__ import annotations

from collections.abc import Iterable

from tpconfig.model.observed import LeaseFacts, Observed
from tpconfig.model.target import Target


def waiting(target: Target, leases: Iterable[LeaseFacts]) -> list[LeaseFacts]:
    """Return the living sessions that wait for a target, who came first in front."""
    found = [
        one for one in leases if target in one.waits_for and not one.expired and one.ended is None
    ]
    return sorted(found, key=lambda one: (one.turn, one.since, one.session))


def next_turn(targets: Iterable[Target], leases: Iterable[LeaseFacts]) -> int:
    """Return the turn of whoever queues now: clocks differ, the order of arrival does not."""
    found = list(leases)
    return 1 + max((one.turn for target in targets for one in waiting(target, found)), default=0)


def before(target: Target, observed: Observed) -> list[LeaseFacts]:
    """Return those who wait for a target and came before this session."""
    found = waiting(target, observed.leases)
    own = [index for index, one in enumerate(found) if one.session == observed.session]
    return found[: own[0]] if own else found

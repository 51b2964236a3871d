"""Which UDP conversations there are: a bounded table that forgets what has been silent."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Address = tuple[str, int]
Flow = TypeVar("Flow")

IDLE_S: Final = 120.0
DNS_IDLE_S: Final = 30.0
_DNS_PORT: Final = 53


@dataclass(frozen=True, slots=True)
class Key:
    """Who talks to whom."""

    source: Address
    destination: Address


@dataclass(slots=True)
class _Entry(Generic[Flow]):
    flow: Flow
    used_s: float


class FlowTable(Generic[Flow]):
    """Flows by key; ``limit`` of them at most, the longest silent one makes room."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Key, _Entry[Flow]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def use(self, key: Key, now_s: float) -> Flow | None:
        """Return a flow and note that it was used."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.used_s = now_s
        self._entries.move_to_end(key)
        return entry.flow

    def add(self, key: Key, flow: Flow, now_s: float) -> Flow | None:
        """Add a flow; return the one that had to make room."""
        evicted = None
        if len(self._entries) >= self._limit:
            evicted = self._entries.popitem(last=False)[1].flow
        self._entries[key] = _Entry(flow, now_s)
        return evicted

    def remove(self, key: Key, flow: Flow) -> bool:
        """Remove a flow, if it still is the one of this key."""
        entry = self._entries.get(key)
        if entry is None or entry.flow is not flow:
            return False
        del self._entries[key]
        return True

    def expire(self, now_s: float) -> list[Flow]:
        """Remove and return what has been silent for too long."""
        silent = [
            (key, entry.flow)
            for key, entry in self._entries.items()
            if now_s - entry.used_s >= _idle_s(key.destination)
        ]
        for key, _ in silent:
            del self._entries[key]
        return [flow for _, flow in silent]

    def clear(self) -> list[Flow]:
        """Remove and return all."""
        flows = [entry.flow for entry in self._entries.values()]
        self._entries.clear()
        return flows


def _idle_s(destination: Address) -> float:
    return DNS_IDLE_S if destination[1] == _DNS_PORT else IDLE_S

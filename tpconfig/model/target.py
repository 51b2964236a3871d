"""What a session is about: one container of one workload in one namespace."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """A workload of the cluster; ``kind`` is the lower-case singular (``deployment``)."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class PodPort:
    """A port of the chosen container, by number."""

    number: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        return str(self.number) if self.protocol == "tcp" else f"{self.number}/{self.protocol}"


@dataclass(frozen=True, slots=True, order=True)
class PortPair:
    """An exposed port: what arrives at ``pod`` in the cluster is given to ``local`` here."""

    local: int
    pod: PodPort

    def __str__(self) -> str:
        return f"{self.local}:{self.pod}"

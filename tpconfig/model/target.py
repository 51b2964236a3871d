"""What a session is about: one container of one workload in one namespace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ProxyProtocol = Literal["v1", "v2"]
"""How a caller's address is told to who serves it, in front of the data."""


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """A workload of the cluster; ``kind`` is the lower-case singular (``deployment``)."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


Value = str | int | bool | None
"""A field's value in a manifest; ``None`` stands for a field that is not there."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field of an object of the cluster, as it is and as it shall be."""

    field: tuple[str, ...]
    before: Value
    after: Value

    @property
    def path(self) -> str:
        """``spec.replicas``; a key with dots stands in brackets."""
        first, *rest = self.field
        return first + "".join(f"[{key}]" if "." in key else f".{key}" for key in rest)

    def __str__(self) -> str:
        return f"{self.path} {written(self.before)} -> {written(self.after)}"


def written(value: Value) -> str:
    """Write a value as YAML does."""
    match value:
        case None:
            return "(none)"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


@dataclass(frozen=True, slots=True, order=True)
class PodPort:
    """A port of the chosen container, by number."""

    number: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        return str(self.number) if self.protocol == "tcp" else f"{self.number}/{self.protocol}"


@dataclass(frozen=True, slots=True, order=True)
class PortPair:
    """An exposed port: what arrives at ``pod`` in the cluster is given to ``local`` here.

    A caller waits up to ``wait_s`` for somebody to listen. Where ``proxy_protocol`` says so, its
    address comes in front of its bytes.
    """

    local: int
    pod: PodPort
    wait_s: float = 0.0
    proxy_protocol: ProxyProtocol | None = None

    def __str__(self) -> str:
        told = f" (PROXY {self.proxy_protocol})" if self.proxy_protocol else ""
        return f"{self.local}:{self.pod}{told}"

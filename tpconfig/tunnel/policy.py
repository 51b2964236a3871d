"""Which way a name or an address goes: through the Pod, or out of this machine (pure)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tpconfig import names
from tpconfig.model.desired import Destination, Outbound
from tpconfig.tunnel.dns import Remembered
from tpconfig.tunnel.outbound import Way


@dataclass(frozen=True, slots=True)
class Policy:
    """The file's ``outbound``; ``remembered``: the addresses of names that go the other way."""

    outbound: Outbound
    remembered: Remembered

    def of_name(self, name: str) -> Way:
        """Return where a name is asked; it is in lower case, without a dot at its end."""
        rules = self._exceptions
        named = any(rule.host and fnmatchcase(name, rule.host.lower()) for rule in rules)
        return self._other if named else self.default

    def of_address(self, address: str, port: int) -> Way:
        """Return which way a connection goes; this machine's localhost is never the Pod's."""
        if address == names.HOST_ADDRESS:
            return "machine"
        if any(_holds(rule, address, port) for rule in self._exceptions):
            return self._other
        by_name = any(rule.host and rule.port in (None, port) for rule in self._exceptions)
        return self._other if by_name and address in self.remembered else self.default

    @property
    def default(self) -> Way:
        """The way of what no rule is about."""
        return "machine" if self.outbound.default == "machine" else "pod"

    @property
    def _other(self) -> Way:
        return "pod" if self.default == "machine" else "machine"

    @property
    def _exceptions(self) -> tuple[Destination, ...]:
        return self.outbound.pod if self.default == "machine" else self.outbound.machine


def _holds(rule: Destination, address: str, port: int) -> bool:
    """Tell whether a rule without a name is about an address."""
    if rule.host is not None or rule.port not in (None, port):
        return False
    if rule.network is None:
        return rule.port is not None
    return ipaddress.ip_address(address) in ipaddress.ip_network(rule.network, strict=False)

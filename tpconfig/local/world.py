"""What a process inside learns names from: the Pod's view, with this machine's own name in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tpconfig import names
from tpconfig.local.inside.places import Bind

_KEPT_FROM_POD: Final = ("search", "domain", "options", "sortlist")
_IN_EVERY_FILE: Final = frozenset(
    [
        "localhost",
        "localhost.localdomain",
        "ip6-localhost",
        "ip6-loopback",
        "ip6-localnet",
        "ip6-mcastprefix",
        "ip6-allnodes",
        "ip6-allrouters",
        "ip6-allhosts",
    ]
)
_NO_NSSWITCH: Final = "passwd: files\ngroup: files\nshadow: files\n"


@dataclass(frozen=True, slots=True)
class World:
    """What the process inside sees; ``hostname`` of ``None`` leaves the machine's.

    ``binds`` are files and folders seen at other paths; ``own`` are paths below those that stay
    this machine's.
    """

    resolv_conf: str
    hosts: str
    nsswitch: str
    hostname: str | None = None
    binds: tuple[Bind, ...] = ()
    own: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NameFiles:
    """The three files, or what is there of them, and the name of a host."""

    hostname: str
    resolv_conf: str = ""
    hosts: str = ""
    nsswitch: str = ""


def build(pod: NameFiles, machine: NameFiles, *, takes_hostname: bool = False) -> World:
    """Put a workload's world together.

    ``takes_hostname``: the process is known by the Pod's name (a StatefulSet's identity).
    """
    return World(
        resolv_conf=resolv_conf(pod.resolv_conf),
        hosts=hosts(pod, machine.hostname),
        nsswitch=nsswitch(machine.nsswitch),
        hostname=pod.hostname if takes_hostname else None,
    )


def resolv_conf(pod: str) -> str:
    """Return the Pod's resolv.conf with our nameserver in place of its own."""
    lines = [f"nameserver {names.RESOLVER_ADDRESS}"]
    for line in pod.splitlines():
        words = line.split()
        if words and words[0] in _KEPT_FROM_POD:
            lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


def hosts(pod: NameFiles, machine_name: str) -> str:
    """Return loopback, this machine's and the Pod's name, this machine, and the Pod's aliases.

    Both names mean the process itself, wherever it looks its own name up.
    """
    own = dict.fromkeys(name for name in (machine_name, pod.hostname) if name)
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    if own:
        lines.append(f"127.0.1.1 {' '.join(own)}")
    lines.append(f"{names.HOST_ADDRESS} {names.HOST_NAME}")
    for line in pod.hosts.splitlines():
        address, *named = line.partition("#")[0].split() or [""]
        aliases = [name for name in named if name not in _IN_EVERY_FILE]
        if aliases and pod.hostname not in aliases:
            lines.append(" ".join((address, *aliases)))
    return "\n".join(lines) + "\n"


def nsswitch(machine: str) -> str:
    """Return the machine's nsswitch.conf with ``hosts: files dns``.

    The other databases stay as they are: users may come from a directory service.
    """
    kept = [line for line in machine.splitlines() if not line.lstrip().startswith("hosts:")]
    text = "\n".join(kept).strip("\n")
    return (text + "\n" if text else _NO_NSSWITCH) + "hosts: files dns\n"

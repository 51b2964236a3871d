"""The short forms of the file, read into their parts: ports, targets, durations, forwards, rules.

Each has a regular expression that the JSON Schema shows too, and a function that says what is wrong
in words. A test holds both against each other.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from decimal import Decimal
from typing import Any, Final

from tpconfig.suggest import did_you_mean, listed

PORT: Final = (
    "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
PORT_NAME: Final = "(?=[a-z0-9-]{1,15}(?:/|$))(?:[0-9]+-)*[0-9]*[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
"""An IANA service name: at most 15 of a–z, 0–9 and single ``-``, one letter at least."""

LABEL: Final = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
"""A DNS label, as containers and namespaces are named."""

SUBDOMAIN: Final = rf"{LABEL}(?:\.{LABEL})*"
"""DNS labels with dots between them, as most objects are named."""

HOST: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_HEX: Final = "[0-9A-Fa-f]{1,4}"
IPV4: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
IPV6: Final = (
    f"(?:(?:{_HEX}:){{7}}{_HEX}|(?:{_HEX}:){{1,7}}:|:(?::{_HEX}){{1,7}}|::|"
    + "|".join(f"(?:{_HEX}:){{1,{n}}}(?::{_HEX}){{1,{7 - n}}}" for n in range(1, 7))
    + ")"
)
PREFIX_4: Final = "/(?:[12]?[0-9]|3[0-2])"
PREFIX_6: Final = "/(?:[1-9]?[0-9]|1[01][0-9]|12[0-8])"
_HOST_PATTERN: Final = r"(?=[0-9.-]*[A-Za-z_*?])[A-Za-z0-9_*?](?:[A-Za-z0-9_.*?-]*[A-Za-z0-9_*?])?"
DURATION: Final = r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|s|m|h))+"
EXPOSE: Final = rf"(?:{PORT}:)?{PORT}(?:/(?:tcp|udp))?|{PORT}:{PORT_NAME}(?:/(?:tcp|udp))?"
PORTS: Final = rf"{PORT}(?:-{PORT})?"
FORWARD: Final = rf"(?:(?:{HOST}|\[{IPV6}\]|\*):)?{PORTS}:(?:{HOST}|\[{IPV6}\]):{PORTS}"
DESTINATION: Final = (
    rf"(?:{_HOST_PATTERN}|{IPV4}(?:{PREFIX_4})?|\[{IPV6}(?:{PREFIX_6})?\])(?::{PORT})?"
    rf"|:{PORT}|{IPV6}(?:{PREFIX_6})?"
)

KINDS: Final[dict[str, tuple[str, str]]] = {
    "deployment": ("deploy", "apps"),
    "replicaset": ("rs", "apps"),
    "statefulset": ("sts", "apps"),
    "daemonset": ("ds", "apps"),
    "cronjob": ("cj", "batch"),
    "job": ("", "batch"),
    "pod": ("po", ""),
    "service": ("svc", ""),
}
"""The kinds that a target may have: kubectl's short name and API group."""

_MAX_MESSAGE: Final = 200
_CAMEL: Final = {
    "replicaset": "ReplicaSet",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "cronjob": "CronJob",
}
_UNITS_S: Final = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}
_MOST: Final = Decimal(10**9)
"""A number of a duration has at most nine digits before its point."""


class ValueProblem(ValueError):  # noqa: N818 - it is a problem with a value, and shown as one
    """A text that is not what its key takes; ``hint`` says what to write."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message if len(message) <= _MAX_MESSAGE else message[:_MAX_MESSAGE] + "…"
        self.hint = hint if hint is None or len(hint) <= _MAX_MESSAGE else None


def _spellings() -> dict[str, str]:
    """Return every way to write a kind, kubectl's and the manifest's."""
    found: dict[str, str] = {}
    for kind, (short, group) in KINDS.items():
        for word in (kind, f"{kind}s", short, _CAMEL.get(kind, kind.capitalize())):
            if word:
                found[word] = kind
        if group:
            found |= {f"{kind}.{group}": kind, f"{kind}s.{group}": kind}
    return found


SPELLINGS: Final = _spellings()
TARGET: Final = (
    rf"(?:(?:{'|'.join(re.escape(word) for word in SPELLINGS)})/)?{SUBDOMAIN}(?::{LABEL})?"
)


def kind_of(word: str) -> str:
    """Return the kind that a word names (``sts`` -> ``statefulset``)."""
    if kind := SPELLINGS.get(word):
        return kind
    guess = did_you_mean(word, KINDS)
    known = listed(KINDS)
    raise ValueProblem(f"there is no kind of workload `{word}`", guess or f"write {known}")


def target(text: str) -> dict[str, str]:
    """Read ``KIND/NAME[:CONTAINER]``; without a kind it is a deployment, as in Telepresence 1."""
    head, slash, rest = text.partition("/")
    kind = kind_of(head) if slash else "deployment"
    name, colon, container = (rest if slash else text).partition(":")
    if not re.fullmatch(SUBDOMAIN, name):
        message = f"`{name}` is not a name of Kubernetes" if name else "a name is missing"
        raise ValueProblem(message, "write KIND/NAME or KIND/NAME:CONTAINER")
    parts = {"kind": kind, "name": name}
    if colon:
        if not re.fullmatch(LABEL, container):
            message = f"`{container}` is not a container's name"
            raise ValueProblem(message if container else "the container's name is missing")
        parts["container"] = container
    return parts


def port(text: str) -> int:
    """Read a port's number."""
    if re.fullmatch(PORT, text):
        return int(text)
    if re.fullmatch("[0-9]+", text, re.ASCII):
        hint = "ports are 1 to 65535, without leading zeros"
        raise ValueProblem(f"there is no port {text[:20]}", hint)
    raise ValueProblem(f"`{text}` is not a port's number")


def expose(text: str) -> dict[str, Any]:
    """Read ``[LOCAL:]CLUSTER[/PROTOCOL]``."""
    ports, slash, protocol = text.partition("/")
    if slash and protocol not in ("tcp", "udp"):
        raise ValueProblem(f"`{protocol}` is not a protocol", "write /tcp or /udp")
    if re.fullmatch(EXPOSE, text) is None:
        _explain_expose(ports)
    local, colon, cluster = ports.partition(":")
    cluster = cluster if colon else local
    return {
        "local": int(local),
        "cluster": int(cluster) if cluster.isdigit() else cluster,
        "protocol": protocol or "tcp",
    }


def _explain_expose(ports: str) -> None:
    """Raise what is wrong with a text that is not ``LOCAL:CLUSTER``."""
    hint = "write LOCAL:CLUSTER, for example 3000:8080 or 9229:debug"
    parts = ports.split(":")
    if len(parts) > 2:
        raise ValueProblem(f"`{ports}` has more than two ports", hint)
    if len(parts) == 1 and re.fullmatch(PORT_NAME, ports):
        raise ValueProblem(f"the local port for `{ports}` is missing", f"write 3000:{ports}")
    local, cluster = parts[0], parts[-1]
    if re.fullmatch(PORT_NAME, local) and re.fullmatch(PORT, cluster) and len(parts) == 2:
        raise ValueProblem("the local port stands first", f"write {cluster}:{local}")
    if not local or not cluster:
        raise ValueProblem("a port is missing", hint)
    port(local)
    if not re.fullmatch(PORT_NAME, cluster):
        if cluster.isdigit():
            port(cluster)
        raise ValueProblem(f"`{cluster}` is neither a port's number nor its name", hint)
    raise ValueProblem(f"`{ports}` is not a pair of ports", hint)


def duration_s(text: str) -> float:
    """Read ``10s``, ``5m``, ``1m30s`` or ``200ms`` into seconds."""
    if re.fullmatch(DURATION, text) is None:
        hint = f"write {text}s" if re.fullmatch("[0-9]+", text) else "write 10s, 5m, 1m30s or 200ms"
        raise ValueProblem(f"`{text}` is not a duration", hint)
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", text)
    seconds = sum((Decimal(number) * _UNITS_S[unit] for number, unit in parts), Decimal())
    return float(round(seconds, 9))


def duration_text(duration_s: float) -> str:
    """Write seconds as the file has them: what is read again is the very same."""
    seconds = round(Decimal(repr(duration_s)), 9)
    text = ""
    while seconds >= _MOST:
        hours = min(seconds // 3600, _MOST - 1)
        text, seconds = f"{text}{hours:f}h", seconds - hours * 3600
    return text + f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def forward(text: str) -> dict[str, Any]:
    """Read ``[BIND:]LOCAL:HOST:PORT``; both may be ranges, an IPv6 address stands in brackets."""
    parts = re.findall(r"\[[^\]]*\]|[^:\[\]]+|(?<=:)(?=:|$)|^(?=:)", text)
    hint = "write LOCAL:HOST:PORT, for example 5432:postgres.data:5432"
    if re.fullmatch(FORWARD, text) is None:
        if len(parts) not in (3, 4):
            raise ValueProblem(f"`{text}` is not a forward", hint)
        for ports in (parts[-3], parts[-1]):
            for number in ports.split("-", 1):
                port(number)
        raise ValueProblem(f"`{text}` is not a forward", hint)
    *bind, local, host, remote = parts
    here, there = _ports(local), _ports(remote)
    found = {"local": here[0], "host": _address(host), "port": there[0]}
    if len(here) > 1 or len(there) > 1:
        found |= {"local_end": here[-1], "port_end": there[-1]}
    return found | ({"bind": _address(bind[0])} if bind else {})


def _ports(text: str) -> list[int]:
    """Return the first and the last port of a range, or the one there is."""
    return [int(number) for number in text.split("-")]


def _address(text: str) -> str:
    """Take an IPv6 address out of its brackets."""
    return str(ipaddress.IPv6Address(text[1:-1])) if text.startswith("[") else text


def destination(text: str) -> dict[str, Any]:
    """Read a rule of ``outbound``: a host pattern, an address or CIDR, ``:PORT``, or both."""
    hint = "write a host (*.corp.example.com), an address, a CIDR (10.0.0.0/8) or :PORT"
    if re.fullmatch(rf"{IPV6}(?:{PREFIX_6})?", text):
        return {"network": _network(text)}
    head, colon, number = text.rpartition(":")
    if re.fullmatch("[0-9]+", number, re.ASCII) and colon:
        port(number)
    if re.fullmatch(DESTINATION, text) is None:
        raise ValueProblem(f"`{text}` is not a destination", hint)
    found: dict[str, Any] = {}
    if ported := re.fullmatch(rf"(.*):({PORT})", text):
        head, found = ported.group(1), {"port": int(ported.group(2))}
    else:
        head = text
    if not head:
        return found
    if re.fullmatch(_HOST_PATTERN, head):
        return found | {"host": head.lower()}
    return found | {"network": _network(head.strip("[]"))}


def _network(text: str) -> str:
    """Return an address or CIDR in its usual form: bits behind the prefix are cleared."""
    return str(ipaddress.ip_network(text, strict=False))


def is_host_key(text: str) -> bool:
    """Say whether ``KIND BASE64`` is a public key: its parts have the lengths that stand before."""
    kind, encoded, *_ = text.split()
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return False
    parts = []
    while blob:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            return False
        parts.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return len(parts) > 1 and parts[0] == kind.encode()

"""What the agent is told when it starts: one JSON object and one secret, from its environment."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from dataclasses import dataclass, fields
from typing import Any, Final

from tpconfig import names

MAX_PORT: Final = 65535

HANDSHAKE_S: Final = 10.0
"""Seconds in which a connection must have shaken hands, however many bytes it sends meanwhile."""


class SettingsError(ValueError):
    """The environment does not say what the agent needs to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The agent's settings; ``session``, ``version`` and the two ports are always given.

    Attributes:
        session: the session's id; the peer must name the same.
        version: the agent's own version; the peer must have the same.
        secret: what both ends of a link prove to know.
        link_port: where the link arrives, on the Pod's loopback.
        probe_port: where the kubelet's readiness probe arrives, on every address.
        resolv_conf: the file that names the Pod's nameservers.
        dns_port: the port of those nameservers.
        hosts: the file with the Pod's host aliases.
        drain_s: seconds that the agent goes on serving after SIGTERM, at least.
        handshake_s: seconds that a connection may take to prove that it knows the secret.
        heartbeat_s: seconds between two pings; two without a byte, and a connection is lost.
        reconnect_s: how long streams wait for the next connection, until the peer says.
        termination_log: where the last words go, for the kubelet to show.
    """

    session: str
    version: str
    secret: bytes
    link_port: int
    probe_port: int
    resolv_conf: str = "/etc/resolv.conf"
    dns_port: int = 53
    hosts: str = "/etc/hosts"
    drain_s: float = 5.0
    handshake_s: float = HANDSHAKE_S
    heartbeat_s: float = 5.0
    reconnect_s: float = 300.0
    termination_log: str = "/dev/termination-log"


def take(environ: MutableMapping[str, str]) -> Settings:
    """Read the settings and remove them from ``environ``, so that nothing started here sees them.

    Raises:
        SettingsError: a variable is missing or wrong; the message has no secret in it.
    """
    text = environ.pop(names.ENV_AGENT, None)
    secret = environ.pop(names.ENV_SECRET, None)
    if text is None or secret is None:
        missing = names.ENV_AGENT if text is None else names.ENV_SECRET
        raise SettingsError(f"the variable {missing} is missing")
    try:
        given = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{names.ENV_AGENT} is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise SettingsError(f"{names.ENV_AGENT} is not a JSON object")
    return Settings(secret=_secret(secret), **_checked(given))


def _secret(text: str) -> bytes:
    try:
        secret = bytes.fromhex(text.strip())
    except ValueError:
        secret = b""
    if not secret:
        raise SettingsError(f"{names.ENV_SECRET} is not a secret in hexadecimal digits")
    return secret


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """Return the known settings with their types right; unknown ones are for other versions."""
    checked: dict[str, Any] = {}
    for field in fields(Settings):
        if field.name == "secret" or field.name not in given:
            continue
        value = given[field.name]
        match str(field.type), value:
            case "str", str():
                checked[field.name] = value
            case "int", int() if 0 < value <= MAX_PORT and not isinstance(value, bool):
                checked[field.name] = value
            case "float", int() | float() if value >= 0 and not isinstance(value, bool):
                checked[field.name] = float(value)
            case _:
                raise SettingsError(f"{names.ENV_AGENT}: {field.name} cannot be {value!r}")
    for name in ("session", "version", "link_port", "probe_port"):
        if name not in checked:
            raise SettingsError(f"{names.ENV_AGENT}: {name} is missing")
    return checked

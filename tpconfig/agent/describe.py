"""What the Pod looks like from inside: environment, names, identity; handed over on each link."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from typing import Any, Final

from tpconfig.agent import volumes
from tpconfig.agent.settings import Settings

CAPABILITIES: Final = ("tcp", "udp", "dns", "listen", "ready", "files")
MAX_FILE: Final = 1024 * 1024

_OURS: Final = "TPCONFIG_"


def describe(settings: Settings) -> dict[str, Any]:
    """Return the description as JSON values; bytes that are no UTF-8 are lone surrogates."""
    return {
        "env": environment(),
        "resolv_conf": read_text(settings.resolv_conf),
        "hosts": read_text(settings.hosts),
        "hostname": socket.gethostname(),
        "uid": os.getuid(),
        "gid": os.getgid(),
        "cwd": _cwd(),
        "python": sys.version.split()[0],
        "capabilities": list(CAPABILITIES),
        "pid": os.getpid(),
        "mounts": volumes.mounts(),
        "sftp": volumes.sftp_server() is not None,
    }


def environment() -> dict[str, str]:
    """Return the environment as the kubelet gave it, without what is ours.

    The kernel's copy is preferred: Python itself may have set ``LC_CTYPE`` (PEP 538).
    """
    try:
        with open("/proc/self/environ", "rb") as file:
            given = parse_environ(file.read())
    except OSError:
        given = os.environb
    decoded = {_text(key): _text(value) for key, value in given.items()}
    return {key: value for key, value in decoded.items() if not key.startswith(_OURS)}


def parse_environ(block: bytes) -> Mapping[bytes, bytes]:
    """Return the variables of a block of ``KEY=value`` entries that end in NUL bytes."""
    found: dict[bytes, bytes] = {}
    for entry in block.split(b"\0"):
        key, equals, value = entry.partition(b"=")
        if key and equals:
            found.setdefault(key, value)
    return found


def read_text(path: str) -> str:
    """Return a file's text byte-exactly (surrogates for what is no UTF-8), or nothing."""
    try:
        with open(path, "rb") as file:
            return _text(file.read(MAX_FILE))
    except OSError:
        return ""


def _text(raw: bytes) -> str:
    """Decode without loss, whatever the Pod's locale is: the peer does the opposite."""
    return raw.decode("utf-8", "surrogateescape")


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "/"

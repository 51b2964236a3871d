"""Which host keys are right: the lines of known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

paramiko reads these files too, but takes no notice of ``@revoked`` and of patterns.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key, and where it stands (``known_hosts:12``)."""

    kind: str
    blob: bytes
    place: str = ""

    @property
    def fingerprint(self) -> str:
        """The key as ssh shows it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")
        return f"{self.kind} SHA256:{digest}"

    @property
    def text(self) -> str:
        """The key as files have it."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one host."""

    right: tuple[HostKey, ...] = ()
    revoked: tuple[HostKey, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of key that the host can prove itself with."""
        return tuple(dict.fromkeys(key.kind for key in self.right))


def parse(text: str, place: str = "") -> HostKey | None:
    """Read ``ssh-ed25519 AAAA…``, whatever follows; None where that is no key."""
    words = text.split()
    if len(words) < 2:
        return None
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return None
    named = words[0].encode()
    if blob[:4] != len(named).to_bytes(4, "big") or blob[4 : 4 + len(named)] != named:
        return None
    return HostKey(words[0], blob, place)


def read(files: Iterable[str], name: str) -> Known:
    """Return what the files know of a host; those that are not there know nothing."""
    right: list[HostKey] = []
    revoked: list[HostKey] = []
    for file in files:
        try:
            lines = Path(file).read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        found = known_of(lines, name, file)
        right += found.right
        revoked += found.revoked
    return Known(tuple(right), tuple(revoked))


def known_of(lines: Sequence[str], name: str, file: str = "known_hosts") -> Known:
    """Return what the lines of a file know of a host."""
    right: list[HostKey] = []
    revoked: list[HostKey] = []
    for number, line in enumerate(lines, 1):
        marker = ""
        if line.startswith("@"):
            marker, _, line = line.partition(" ")
        hosts, _, rest = line.strip().partition(" ")
        if not hosts or hosts.startswith("#") or not matches(hosts, name):
            continue
        key = parse(rest, f"{file}:{number}")
        if key is not None and marker in ("", "@revoked"):
            (revoked if marker else right).append(key)
    return Known(tuple(right), tuple(revoked))


def matches(hosts: str, name: str) -> bool:
    """Say whether the first field of a line is about a host (``[NAME]:PORT`` but for 22)."""
    if hosts.startswith("|1|"):
        return _is_hash_of(hosts, name)
    found = False
    for pattern in hosts.lower().split(","):
        # Brackets are literal here, where fnmatch has sets of characters.
        literal = pattern.removeprefix("!").replace("[", "[[]")
        if fnmatchcase(name.lower(), literal):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _is_hash_of(hosts: str, name: str) -> bool:
    parts = hosts.split("|")
    if len(parts) != 4:
        return False
    try:
        salt, digest = base64.b64decode(parts[2]), base64.b64decode(parts[3])
    except binascii.Error:
        return False
    return hmac.compare_digest(hmac.digest(salt, name.lower().encode(), "sha1"), digest)


def remember(file: str, name: str, key: HostKey, *, hashed: bool) -> None:
    """Write a host's key down.

    Raises:
        OSError: the file cannot be written.
    """
    written = name
    if hashed:
        salt = os.urandom(20)
        digest = hmac.digest(salt, name.lower().encode(), "sha1")
        written = f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
    path = Path(file)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as opened:
        before = path.read_bytes()
        gap = b"\n" if before and not before.endswith(b"\n") else b""
        opened.write(gap + f"{written} {key.text}\n".encode())

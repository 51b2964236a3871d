"""Who a session is: cluster, API user, ``user@host`` and the file's name; nothing that changes.

The same four give the same id, so a ``tp up`` after a crash finds what the last one left, and
``tp down`` in another folder with a copy of the file means the same session.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """``id`` is eight hexadecimal digits; ``holder`` is ``user@host``."""

    id: str
    user: str
    holder: str
    name: str
    file: str


def identify(*, server: str, user: str, name: str, file: str) -> Identity:
    """Return the identity of this machine's session for a file on one cluster."""
    holder = this_holder()
    digest = hashlib.sha256("\0".join((server, user, holder, name)).encode()).hexdigest()
    return Identity(digest[:8], user, holder, name, file)


def this_holder() -> str:
    """Return ``user@host`` of whoever runs this."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname().split('.')[0]}"
